"""A question about a right on a real shard: answered only when recorded, in the one order of all walks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from exchange.errors import CallerUnknown, StoreUnavailable
from exchange.gate.model import Field
from exchange.pipeline.walk import Claim, EvaluationOutcome, EvaluationWalk, Group, ReadOutcome
from tests.pipeline.faults import faulty_keys, faulty_recorder
from tests.pipeline.shard import NOW, WIJKTEAM, WITH_CONSENT, Shard


def asking(shard: Shard, plan_id: str, **changes: Any) -> EvaluationWalk:  # noqa: ANN401 -- any field of a walk
    """A question of prof-1 about himself: may he read a goal that the college holds under the Wmo?"""
    fact = Field("goals.own_words", "WMO-PLAN", provider="college:WMO", acquired_for="wmo")
    facts: dict[str, Any] = {
        "rpc": "access_evaluation",
        "asker": shard.caller(),
        "caller": shard.caller(),
        "claim": WIJKTEAM,
        "now": NOW + timedelta(hours=1),
        "anchor": f"plan-{plan_id}",
        "fields": ("goals.own_words",),
        "groups": lambda _, asked: [Group(path, fact) for path in asked],
        "evaluated": {"professional": "prof-1"},
    }
    return EvaluationWalk(**(facts | changes))


def with_consent(shard: Shard, plan_id: str, **changes: Any) -> EvaluationWalk:  # noqa: ANN401 -- as above
    fact = Field("goals.own_words", "WMO-PLAN", provider="college:JW", acquired_for="jw")
    return asking(
        shard,
        plan_id,
        claim=WITH_CONSENT,
        groups=lambda _, asked: [Group(path, fact) for path in asked],
        **changes,
    )


def test_a_lost_commit_answers_nobody_and_a_kept_one_answers_once(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    recorder, head = faulty_recorder(shard), shard.head
    recorder.faults = ["lost"]
    (lost,) = shard.run(asking(shard, plan_id))
    assert isinstance(lost, StoreUnavailable)
    assert shard.head == head
    recorder.faults = ["kept"]
    (kept,) = shard.run(asking(shard, plan_id))
    assert isinstance(kept, EvaluationOutcome)
    assert kept.decision
    assert shard.topics(head) == ["disclosure.decided.v1"]
    assert shard.verified() == head + 1


def test_without_keys_nothing_is_answered(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    keys = faulty_keys(shard)
    keys.flush_faults = 1
    (failed,) = shard.run(asking(shard, plan_id))
    assert not isinstance(failed, EvaluationOutcome)


def test_a_question_stands_before_or_after_a_withdrawal_in_the_same_group(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    before, _, after = shard.run(
        with_consent(shard, plan_id), shard.withdrawal(consent_id), with_consent(shard, plan_id)
    )
    assert (before.decision, after.decision) == (True, False)
    assert "R19" in after.rules


def test_who_asks_must_still_be_registered(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    (refused,) = shard.run(asking(shard, plan_id, asker=shard.caller(thumbprint="ef" * 32)))
    assert isinstance(refused, CallerUnknown)
    (other,) = shard.run(asking(shard, plan_id, asker=shard.caller("uwv")))
    assert isinstance(other, CallerUnknown)


@pytest.mark.parametrize(("professional", "decision"), [("prof-1", True), ("prof-2", False)])
def test_it_is_judged_as_the_read_is(shard: Shard, professional: str, *, decision: bool) -> None:
    _, _, plan_id = shard.plan()
    caller = shard.caller(professional=professional)
    asked, read = shard.run(
        asking(shard, plan_id, asker=caller, caller=caller), shard.question(plan_id, caller=caller)
    )
    assert (asked.decision, isinstance(read, ReadOutcome)) == (decision, decision)


def test_an_asker_who_may_not_be_told_gets_no_rule(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    (told,) = shard.run(asking(shard, plan_id, asker=shard.caller(professional="prof-2")))
    assert (told.decision, told.rules, told.withheld_paths) == (False, (), ())
    (own,) = shard.run(asking(shard, plan_id, understood=False))
    assert (own.explanation, own.remedies) == (told.explanation, told.remedies)


def test_a_basis_that_asks_for_no_case_tells_no_more(shard: Shard) -> None:
    """An officer may read the log; whether a colleague may is for no stranger to that colleague."""
    log = Field("decisions.action", "LOG", provider="college:WMO")
    changes: dict[str, Any] = {
        "claim": Claim("audit", "FG-AUDIT-39"),
        "caller": shard.caller("fg", "fg-1"),
        "anchor": "",
        "fields": ("decisions.action",),
        "groups": lambda _, asked: [Group(path, log) for path in asked],
    }
    officer, stranger = shard.run(
        asking(shard, "", asker=shard.caller("fg", "fg-1"), **changes), asking(shard, "", **changes)
    )
    assert (officer.decision, stranger.decision) == (True, False)
