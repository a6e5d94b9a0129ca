"""What was corrected, put in the place of what was wrong: of the value it replaced, and of no later one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from exchange.domain.kernel import evolve_at
from exchange.domain.plan import PLAN, AddStatement, SupportStarted, SupportStopped
from exchange.domain.plan.rectified import Noted, rectified, said_now, since
from exchange.domain.values import StopReason
from tests.domain.test_corrections import GOAL, LATER, RESIDENT, SUPPORT, order, plan

if TYPE_CHECKING:
    from exchange.domain.kernel import Command, Event
    from exchange.domain.plan import PlanState

HOUR = timedelta(hours=1)


def lived(state: PlanState, *steps: Command | Event) -> list[PlanState]:
    """Return the plan before the first step and after each, an hour apart."""

    def next_one(before: Any, numbered: tuple[int, Any]) -> Any:  # noqa: ANN401 -- PlanStates, and any step
        number, step = numbered
        events = (step,) if hasattr(step, "TOPIC") else PLAN.decide(step, before)
        for event in events:
            before = evolve_at(PLAN, before, event, LATER + number * HOUR)
        return before

    return list(accumulate(enumerate(steps), next_one, initial=state))


def told(was: PlanState, now: PlanState, collection: str) -> tuple[Any, list[tuple[str, Any]]]:
    """Return the only element of a collection as of then by the corrections of now, and when by which."""
    (element,) = getattr(was, collection)
    found = rectified(collection, element, was.version, since(now.corrections, was.version))
    return found.element, list({one.field: one.recorded for one in found.by}.items())


def test_what_was_wrong_then_is_right_and_of_the_last_correction() -> None:
    states = lived(
        plan("plan.goal_set"),
        order("Zelf koken."),
        order("Samen koken."),
        order("kort", field="desired_effect"),
    )
    now = states[-1]
    for number, was in enumerate(states):
        goal, by = told(was, now, "goals")
        assert (goal.own_words, goal.desired_effect) == ("Samen koken.", "kort")
        assert goal == replace(was.goals[0], own_words="Samen koken.", desired_effect="kort")
        expected = [("own_words", LATER + HOUR)] if number < 2 else []
        expected += [("desired_effect", LATER + 2 * HOUR)] if number < 3 else []
        assert by == expected
    assert states[0].goals[0].own_words not in repr(now), "no state of now holds what was wrong"


def test_of_another_element_nothing_is_put_right() -> None:
    start = plan("plan.goal_set")
    (was,) = start.goals
    (now,) = lived(start, order())[1:]
    for other in (
        replace(was, goal_id="goal_id-2"),
        replace(was, origin="college:PW@00000001003214345000"),
        replace(was, recorded=LATER),
    ):
        assert rectified("goals", other, start.version, now.corrections) == (other, ())
        assert Noted(now.corrections).since(0, "goals", other) == ()
    assert rectified("reports", was, start.version, now.corrections) == (was, ())
    noted = Noted(now.corrections)
    assert noted.since(0, "goals", was) == now.corrections
    assert noted.since(now.version, "goals", was) == ()
    # Nothing of it is corrected: no element of it is looked at.
    assert noted.since(0, "preferences", None) == ()


def test_what_the_resident_says_beside_it_stands_beside_what_it_was() -> None:
    said = AddStatement(now=LATER, author=RESIDENT, element=GOAL, statement="Niet zo gezegd.")
    states = lived(plan("plan.goal_set"), said, replace(said, statement="Zo niet gezegd."))
    for was, at in zip(states, (LATER + HOUR, LATER + HOUR, None), strict=True):
        goal, by = told(was, states[-1], "goals")
        assert goal.statement == "Zo niet gezegd."
        assert by == ([] if at is None else [("statement", at)])


def test_a_day_of_care_is_of_the_care_it_was_corrected_in() -> None:
    start = plan("plan.support_requested", "plan.support_assigned", "plan.support_started")
    (support,) = start.supports
    wrong = support.care_start_date
    assert wrong is not None
    right, stopped, again = (wrong + timedelta(days=days) for days in (1, 5, 9))
    head: dict[str, Any] = {
        "resident": start.resident,
        "plan_id": start.plan_id,
        "organisation": SUPPORT.origin.partition("@")[2],
        "task": "college:WMO",
        "support_id": support.support_id,
    }

    def corrected(field: str, value: date | str) -> Any:  # noqa: ANN401 -- a command
        return order(str(value), element=SUPPORT, field=field)

    stop = SupportStopped(**head, care_end_date=stopped, stop_reason=StopReason.TEMPORARY)
    states = lived(
        start,
        corrected("care_start_date", right),
        stop,
        corrected("care_end_date", stopped - timedelta(days=1)),
        SupportStarted(**head, care_start_date=again),
        corrected("care_start_date", again + timedelta(days=1)),
    )
    now = states[-1]
    days = [
        (one.care_start_date, one.care_end_date) for one in (told(was, now, "supports")[0] for was in states)
    ]
    ended = stopped - timedelta(days=1)
    assert days == [
        (right, None),
        (right, None),
        (right, ended),
        (right, ended),
        (again + timedelta(days=1), None),
        (again + timedelta(days=1), None),
    ]
    # An event of then says what it says by now: of its own care, not of the care that came after.
    (support,) = now.supports
    for field, number, value, says in (
        ("care_start_date", 0, wrong, right),
        ("care_end_date", 2, stopped, ended),
        ("care_start_date", 4, again, again + timedelta(days=1)),
        ("stop_reason", 2, StopReason.TEMPORARY, StopReason.TEMPORARY),
    ):
        assert said_now(support, field, value, states[number].version, now.corrections) == says
