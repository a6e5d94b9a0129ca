"""What changed in a part since a version: new elements and changed leaves, by whom, of what one may read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.kernel import evolve_at, with_changes
from exchange.domain.plan import PLAN
from exchange.domain.plan.changes import Change, changes_since, is_named, newest
from exchange.domain.plan.received import element_of, told
from exchange.domain.plan.recorded import stamped
from tests.domain.builders import (
    GOAL_SET,
    MUNICIPALITY,
    NOON,
    PLAN_OPENED,
    PROVIDER,
    REPORT_RECEIVED,
    SITUATION_DESCRIBED,
    SUPPORT_CHOSEN,
    SUPPORT_STARTED,
)
from tests.domain.plan_builders import FUNDING_SET, GOAL_MARKED

if TYPE_CHECKING:
    from exchange.domain.kernel import Event

CITY = f"college:WMO@{MUNICIPALITY}"
LEAVES = ("goal_id", "own_words", "state", "state_date")


def plan_of(*events: Event) -> Any:  # noqa: ANN401 -- PlanState
    state: Any = None
    for minute, event in enumerate(events):
        state = evolve_at(PLAN, state, event, NOON + timedelta(minutes=minute))
    return state


def since(elements: Any, version: int, *leaves: str) -> list[Change]:  # noqa: ANN401 -- elements of a plan
    return list(changes_since(elements, version, lambda _one: leaves or LEAVES))


MARKED = (PLAN_OPENED, REPORT_RECEIVED, GOAL_SET, GOAL_MARKED)


def test_a_new_element_is_new_and_a_changed_one_says_which_leaves_by_whom() -> None:
    goals = plan_of(*MARKED).goals
    assert since(goals, 2) == [Change("d-1", added=True, leaves=tuple(sorted(LEAVES)), by=CITY, version=4)]
    assert since(goals, 3) == [Change("d-1", added=False, leaves=("state", "state_date"), by=CITY, version=4)]
    assert since(goals, 4) == []


def test_a_leaf_that_one_may_not_read_did_not_change() -> None:
    goals = plan_of(*MARKED).goals
    assert since(goals, 3, "own_words") == []
    assert newest(goals, lambda _one: ("own_words",)) == 3
    assert newest(goals, lambda _one: LEAVES) == 4
    assert newest(goals, lambda _one: ()) == newest((), lambda _one: LEAVES) == 0
    # Nor is an element named by an id that he may not read.
    (change,) = since(goals, 2, "state")
    assert change.name == ""


def test_what_says_the_same_again_did_not_change() -> None:
    again = plan_of(*MARKED, GOAL_MARKED)
    assert again.version == 5
    assert since(again.goals, 4) == []
    later = plan_of(*MARKED, GOAL_MARKED, replace(GOAL_MARKED, state="active"))
    assert [(one.leaves, one.version) for one in since(later.goals, 4)] == [(("state",), 6)]
    # The day was written before, and that stays known.
    assert [one.leaves for one in since(later.goals, 3)] == [("state", "state_date")]


def test_who_changed_it_is_not_who_brought_it() -> None:
    supports = plan_of(*SUPPORT_CHOSEN, SUPPORT_STARTED).supports
    (change,) = since(supports, 4, "support_id", "state", "care_start_date")
    assert (change.by, change.leaves) == (f"wmo-aanbieder@{PROVIDER}", ("care_start_date", "state"))
    assert is_named(supports[0], "v-1")
    assert not is_named(supports[0], "v-2")


def test_what_took_the_place_of_another_is_new_and_its_neighbours_are_not() -> None:
    described = replace(SITUATION_DESCRIBED, life_domain="housing")
    plan = plan_of(PLAN_OPENED, SITUATION_DESCRIBED, described, SITUATION_DESCRIBED)
    assert [one.life_domain for one in plan.situations] == ["housing", "basic_adl"]
    (change,) = since(plan.situations, 3, "life_domain", "score")
    assert (change.added, change.name, change.version) == (True, "", 4)
    split = replace(FUNDING_SET, funding_id="f-2", replaces="f-1")
    funding = plan_of(*SUPPORT_CHOSEN, FUNDING_SET, split).funding
    assert [(one.name, one.added) for one in since(funding, 5, "funding_id")] == [("f-2", True)]


def test_versions_do_not_come_along_from_another_plan() -> None:
    (goal,) = plan_of(*MARKED).goals
    carried = told(goal, ["own_words", "written", "rewritten"])
    carried["values"]["written"] = 99
    arrived = element_of("goals", carried)
    assert (arrived.own_words, arrived.written, arrived.rewritten) == (goal.own_words, 0, ())


@pytest.mark.parametrize("brought", [0, 1, 2])
@pytest.mark.parametrize("changed", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("gone", [(), (0,), (1,), (3,), (0, 2), (1, 2), (0, 1, 2, 3)], ids=str)
def test_whatever_goes_is_changed_or_comes_each_is_noted_for_what_it_is(
    gone: tuple[int, ...], changed: int | None, brought: int
) -> None:
    numbers = range(4)
    described = [
        replace(SITUATION_DESCRIBED, life_domain=str(number), description=f"{number}") for number in numbers
    ]
    before = plan_of(PLAN_OPENED, REPORT_RECEIVED, *described)
    was = before.situations
    again = {number: with_changes(was[number], description="other") for number in numbers}
    left = [again[n] if n == changed else was[n] for n in numbers if n not in gone]
    new = [with_changes(was[0], description="new", written=0, recorded=None) for _ in range(brought)]
    after = with_changes(before, version=9, situations=(*left, *new))
    at = NOON + timedelta(days=1)
    stamped(before, after, SITUATION_DESCRIBED, at)
    for one in left:
        rewritten = [(note.leaf, note.version) for note in one.rewritten]
        assert rewritten == ([("description", 9)] if one.description == "other" else [])
        assert one.recorded != at
        assert one.written < 9
    assert [(one.written, one.recorded) for one in new] == [(9, at)] * brought
