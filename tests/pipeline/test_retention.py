"""What is past its term is judged apart and never copied; what is not costs nothing more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import AccessDenied
from exchange.gate.retention import retention_end
from exchange.pipeline.elements import Asker, Label, PlanGroups
from exchange.pipeline.walk import CommandWalk, ReadWalk, Steps
from tests.pipeline.shard import NOW, Shard

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.pipeline.walk import View

PATH = "goals.own_words"
END = retention_end(NOW, "wmo")
A_MOMENT = timedelta(microseconds=1)


def question(shard: Shard, plan_id: str, now: datetime, groups: PlanGroups, **changes: Any) -> ReadWalk:  # noqa: ANN401 -- fields of a walk
    caller, stream = shard.caller(), f"plan-{plan_id}"

    def capture(view: View) -> Any:  # noqa: ANN401 -- PlanState
        return groups.within_term(stream, view.state(stream), now)

    return shard.question(
        plan_id,
        PATH,
        now=now,
        groups=groups.of_plan(stream, Asker(caller, "WMO-2.3.2", now)),
        capture=capture,
        **changes,
    )


def groups_of(shard: Shard) -> PlanGroups:
    return PlanGroups({PATH: Label("WMO-PLAN")}, shard.core.registers)


def later_goal(shard: Shard, plan_id: str, now: datetime) -> CommandWalk:
    walk = shard.goal(plan_id, "nieuwe woorden")
    return shard.walk(walk.process, streams=walk.streams, anchor=walk.anchor, now=now)


@pytest.mark.parametrize("folded", ["on the walk", "from the store"])
@pytest.mark.parametrize(("now", "open_"), [(END - A_MOMENT, True), (END, False), (END + A_MOMENT, False)])
def test_a_goal_is_given_up_to_the_end_of_its_term(
    shard: Shard, now: datetime, folded: str, *, open_: bool
) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    if folded == "from the store":
        shard.core.hot.clear()
    (outcome,) = shard.run(question(shard, plan_id, now, groups_of(shard)))
    if open_:
        assert [goal.own_words for goal in outcome.captured.goals] == ["weer onder de mensen"]
        assert outcome.released == {PATH}
        return
    assert isinstance(outcome, AccessDenied)
    assert outcome.rules == ("R30",)


def test_what_is_new_is_given_beside_what_is_too_old(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    shard.done(later_goal(shard, plan_id, END - A_MOMENT))
    groups = groups_of(shard)
    before = shard.done(question(shard, plan_id, END - A_MOMENT, groups))
    assert len(before.captured.goals) == 2
    (whole,) = shard.run(question(shard, plan_id, END, groups))
    assert isinstance(whole, AccessDenied)
    part = shard.done(question(shard, plan_id, END, groups, allow_partial=True))
    assert part.released == {PATH}
    assert part.rules == ("R30",)
    assert [goal.own_words for goal in part.captured.goals] == ["nieuwe woorden"]
    recorded = [one for one in shard.topics() if one == "disclosure.decided.v1"]
    assert len(recorded) == 3


def test_a_term_of_another_law_is_its_own(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    state = shard.core.loader.load(f"plan-{plan_id}").state
    (goal,) = state.goals
    assert goal.recorded == NOW
    assert retention_end(goal.recorded, "jw") > END > retention_end(goal.recorded, "pw")


def test_a_collection_within_its_term_is_looked_through_once(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    groups = groups_of(shard)
    shard.done(question(shard, plan_id, NOW, groups))

    def forbidden(_element: Any) -> Any:  # noqa: ANN401 -- an element
        raise AssertionError("looked through again")

    monkeypatch.setattr("exchange.pipeline.collected.end_of", forbidden)
    assert shard.done(question(shard, plan_id, NOW, groups)).released == {PATH}


def test_steps_of_nothing_fold_nothing(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    head = shard.head
    outcome = shard.done(shard.walk(lambda _: Steps([]), anchor=f"plan-{plan_id}"))
    assert (outcome.versions, outcome.leaves) == ({}, 1)
    assert shard.topics(head) == ["disclosure.decided.v1"]
