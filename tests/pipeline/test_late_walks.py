"""A walk that asked earlier and is judged later is judged by what stands then, not by its own clock."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.case import LeaveCase
from exchange.domain.consent import RefuseConsent, RequestConsent
from exchange.errors import AccessDenied
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from exchange.pipeline.walk import CommandWalk, ReadWalk
    from tests.pipeline.shard import Shard

ASKED_AT = NOW + timedelta(hours=1)
ENDED_AT = ASKED_AT + timedelta(milliseconds=5)
APART = pytest.mark.parametrize("apart", [False, True], ids=["one group", "two groups"])


def both(shard: Shard, end: CommandWalk, late: ReadWalk, *, apart: bool) -> Any:  # noqa: ANN401 -- an outcome or an error
    """Run the end and then the late question; return what the question got."""
    done, answer = (shard.run(end) + shard.run(late)) if apart else shard.run(end, late)
    assert isinstance(done, CommandOutcome)
    return answer


@APART
def test_who_left_is_refused_though_he_asked_before(shard: Shard, apart: bool) -> None:  # noqa: FBT001 -- a parameter of pytest
    _, case_id, plan_id = shard.plan()
    late = shard.question(plan_id, now=ASKED_AT)
    assert isinstance(shard.done(late), ReadOutcome)
    order = LeaveCase(
        now=ENDED_AT,
        author=shard.author(),
        oin=shard.oin,
        task="college:WMO",
        professional="prof-1",
    )
    end = shard.command(order, "case", case_id, anchor=f"case-{case_id}", now=ENDED_AT, fence=True)
    answer = both(shard, end, late, apart=apart)
    assert isinstance(answer, AccessDenied)
    assert answer.rules == ("R03",)


@APART
def test_a_no_counts_for_who_asked_before(shard: Shard, apart: bool) -> None:  # noqa: FBT001 -- a parameter of pytest
    ref, case_id, plan_id = shard.plan()
    shard.consent(ref, case_id)
    late = shard.question_with_consent(plan_id, now=ASKED_AT)
    assert isinstance(shard.done(late), ReadOutcome)
    consent_id = str(uuid.uuid4())
    asked = RequestConsent(
        now=NOW,
        author=shard.author(),
        consent_id=consent_id,
        case_id=case_id,
        resident=ref,
        kind="statutory",
        purpose="wmo-onderzoek",
        recipients=(f"{shard.oin}/college:WMO",),
        categories=("WMO-PLAN",),
        start_time=NOW,
        end_time=NOW + timedelta(days=365),
        notice_id="toestemming-b1-3",
        notice_version=3,
        notice_sha256="ab" * 32,
        notice_language="nl",
        notice_level="B1",
        withdrawal_channels=("https://mijn.voorbeeld.nl/toestemming",),
    )
    shard.done(shard.command(asked, "consent", consent_id, anchor=f"case-{case_id}"))
    order = RefuseConsent(now=ENDED_AT, author=shard.author("betrokkene"))
    end = shard.command(
        order, "consent", consent_id, anchor=f"consent-{consent_id}", now=ENDED_AT, fence=True
    )
    answer = both(shard, end, late, apart=apart)
    assert isinstance(answer, AccessDenied)
    assert answer.rules == ("R15",)
