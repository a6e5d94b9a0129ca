"""What is remembered of a plan's collections: of the plan as it is, and not of what it was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.domain.plan import PlanState
from exchange.gate.register import Register
from exchange.pipeline.collected import HELD_MAX
from exchange.pipeline.elements import Asker, Label, PlanGroups
from tests.pipeline.test_elements_origin import CALLER, NOW, OURS, One, goal
from tests.registers import adopted

if TYPE_CHECKING:
    from exchange.domain.plan import Goal

STREAM = "plan-p"
PATHS = ("goals.own_words",)


@pytest.fixture
def made() -> PlanGroups:
    return PlanGroups({PATHS[0]: Label("WMO-PLAN", secret=True)}, adopted(Register.load()))


def ask(made: PlanGroups, state: PlanState) -> list[str | None]:
    found = made.of_plan(STREAM, Asker(CALLER, "WMO-5.1.2", NOW))(One(state), PATHS)
    return [group.fact.provider for group in found]


def held(made: PlanGroups) -> list[tuple[Goal, ...]]:
    return [one.elements for one in made._seen[STREAM]["goals"].values()]


def plan(*goals: Goal, version: int = 1) -> PlanState:
    return PlanState(
        plan_id="p", case_id="c", resident="r", origin=f"college:WMO@{OURS}", goals=goals, version=version
    )


def test_of_a_plan_that_was_read_after_each_change_the_newest_alone_is_held(made: PlanGroups) -> None:
    states = [plan(goal(OURS), version=version) for version in range(1, 9)]
    for state in states:
        assert ask(made, state) == ["wmo-aanbieder"]
    assert held(made) == [states[-1].goals]
    assert held(made)[0] is states[-1].goals


def test_of_one_version_each_who_sees_something_else_finds_his_own(made: PlanGroups) -> None:
    seen = [plan(*[goal(OURS)] * number) for number in range(1, HELD_MAX + 1)]
    for state in seen * 2:
        ask(made, state)
    assert held(made) == [state.goals for state in seen]
    ask(made, plan(*[goal(OURS)] * (HELD_MAX + 1)))
    assert len(held(made)) == HELD_MAX


def test_what_did_not_change_is_held_on(made: PlanGroups) -> None:
    state = plan(goal(OURS))
    ask(made, state)
    (before,) = made._seen[STREAM]["goals"].values()
    ask(made, replace(state, version=2))
    (after,) = made._seen[STREAM]["goals"].values()
    assert after is before


def test_a_look_at_what_was_takes_nothing_from_what_is(made: PlanGroups) -> None:
    now, past = plan(goal(OURS), version=7), plan(goal(OURS), version=3)
    ask(made, now)
    ask(made, past)
    assert held(made) == [now.goals, past.goals]
    later = plan(goal(OURS), version=8)
    ask(made, later)
    assert held(made) == [later.goals]
