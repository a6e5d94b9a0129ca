"""What is recorded beside a decision: with it or not at all; and the duties of a command that may."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.consent import RefuseConsent, RequestConsent
from exchange.domain.disclosure import ObligationExecuted
from exchange.errors import AccessDenied, QuotaExceeded, StoreUnavailable
from exchange.pipeline.walk import ReadOutcome, Steps
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import NOW, Shard

if TYPE_CHECKING:
    from exchange.pipeline.walk import ReadWalk, View

DECIDED, EXECUTED = "disclosure.decided.v1", "disclosure.obligation_executed.v1"


def telling(shard: Shard, ref: str, plan_id: str, **changes: Any) -> ReadWalk:  # noqa: ANN401 -- fields of a walk
    """A question that tells a notice."""

    def beside(_view: View) -> Steps:
        told = ObligationExecuted(
            resident=ref,
            decision_id="d-1",
            obligation="NOTIFY-SUBJECT",
            outcome="executed",
            how="fetched",
            remark="",
            by=f"{shard.oin}/burger-1",
            at=NOW,
        )
        return Steps([(f"disclosure-{ref}", [told])])

    return shard.question(plan_id, beside=beside, **changes)


def test_what_is_told_is_recorded_in_the_commit_of_the_question(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    head = shard.head
    outcome = shard.done(telling(shard, ref, plan_id))
    assert shard.topics(head) == [DECIDED, EXECUTED]
    assert outcome.position == shard.head
    shard.verified()


def test_what_may_not_be_recorded_beside_a_permit_leaves_no_permit(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    head = shard.head

    def over(_view: View) -> Steps:
        raise QuotaExceeded("over", retry_after_ms=1_000, limit="evaluations_per_day")

    (refused,) = shard.run(shard.question(plan_id, beside=over))
    assert isinstance(refused, QuotaExceeded)
    assert shard.head == head
    shard.verified()


def test_a_refused_question_tells_nothing(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    head = shard.head
    stranger = shard.caller(professional="prof-9")
    (refused,) = shard.run(telling(shard, ref, plan_id, caller=stranger))
    assert isinstance(refused, AccessDenied)
    assert shard.topics(head) == [DECIDED]


@pytest.mark.parametrize(("fault", "kept"), [("lost", False), ("kept", True)])
def test_a_commit_that_fails_keeps_both_or_neither(shard: Shard, fault: str, *, kept: bool) -> None:
    ref, _, plan_id = shard.plan()
    head = shard.head
    faulty_recorder(shard).faults.append(fault)
    (outcome,) = shard.run(telling(shard, ref, plan_id))
    assert isinstance(outcome, ReadOutcome if kept else StoreUnavailable)
    assert shard.topics(head) == ([DECIDED, EXECUTED] if kept else [])
    shard.verified()


def test_a_command_that_may_and_brings_duties_has_a_decision_of_its_own(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
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
    refused = RefuseConsent(now=NOW, author=shard.author("betrokkene"))
    shard.done(shard.command(asked, "consent", consent_id, anchor=f"case-{case_id}"))
    shard.done(shard.command(refused, "consent", consent_id, anchor=f"consent-{consent_id}"))
    head = shard.head
    outcome = shard.done(shard.goal(plan_id, now=NOW + timedelta(minutes=5)))
    decided, goal = shard.core.reader.page(head, 10)
    assert (decided.topic, goal.topic) == (DECIDED, "plan.goal_set.v1")
    told = json.loads(decided.state)["d"]
    assert (told["action"], told["outcome"], told["decision_id"]) == (
        "COMMAND",
        "PERMIT",
        outcome.decision_id,
    )
    assert set(told["obligations"]) == {"INFORM-RESIDENT", "LOG", "TREAT-AS-OBJECTION"}
    assert (outcome.leaves, outcome.position) == (1, shard.head)
    shard.verified()
