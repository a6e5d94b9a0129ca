"""Goals over the years: where they stand, and what looking back says of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from exchange.domain.plan import PLAN, HoldEvaluation, MarkGoal
from exchange.domain.plan.decide import ELEMENTS_MAX
from exchange.domain.values import Author
from tests.domain.builders import (
    A_DAY,
    AGREE,
    ASSESS,
    DAY,
    GOAL_SET,
    LATER,
    MUNICIPALITY,
    PLAN_AGREED,
    PLANNER,
    REQUEST_SUPPORT,
    RESIDENT,
    SITUATION_DESCRIBED,
    fold,
    given,
)
from tests.domain.plan_builders import (
    AGREED_AIM,
    AIMED_AT,
    EVALUATION_HELD,
    EVALUATION_PLANNED,
    GOAL_MARKED,
    LOOK_BACK,
    MARK_GOAL,
    PLAN_LOOKING_BACK,
    START_TRAJECTORY,
)

WITHDRAWN = replace(GOAL_MARKED, state="withdrawn")
PLANNED = (*AGREED_AIM, EVALUATION_PLANNED)


# --- where a goal stands ------------------------------------------------------------------------------


def test_a_goal_is_marked() -> None:
    given(PLAN, *AIMED_AT).when(MARK_GOAL).then(GOAL_MARKED)
    (goal,) = fold(PLAN, *AIMED_AT, replace(GOAL_MARKED, carried_by="resident"), GOAL_MARKED).goals
    # Who works on it stays as it was where nothing is said of it.
    assert (goal.state, goal.state_date, goal.carried_by) == ("reached", DAY, "resident")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(MARK_GOAL, state=""), "state"),
        (replace(MARK_GOAL, state="lost"), "state"),
        (replace(MARK_GOAL, carried_by="nobody"), "carried_by"),
        (replace(MARK_GOAL, state_date=DAY + A_DAY), "state_date"),
    ],
)
def test_a_mark_with_a_fault_names_the_field(command: MarkGoal, path: str) -> None:
    given(PLAN, *AIMED_AT).when(command).invalid(path)


@pytest.mark.parametrize(("hour", "minute", "refused"), [(21, 59, True), (22, 0, False)])
def test_a_day_begins_in_the_netherlands_before_it_does_in_utc(
    hour: int,
    minute: int,
    refused: bool,  # noqa: FBT001 -- a parameter of the table
) -> None:
    tomorrow = replace(MARK_GOAL, now=LATER.replace(hour=hour, minute=minute), state_date=DAY + A_DAY)
    sentence = given(PLAN, *AIMED_AT).when(tomorrow)
    if refused:
        sentence.invalid("state_date")
    else:
        sentence.then(replace(GOAL_MARKED, state_date=DAY + A_DAY))


def test_the_resident_withdraws_any_goal_and_marks_none_otherwise() -> None:
    withdraw = replace(MARK_GOAL, author=RESIDENT, state="withdrawn")
    given(PLAN, *AIMED_AT).when(withdraw).then(replace(WITHDRAWN, task="betrokkene"))
    given(PLAN, *AIMED_AT).when(replace(withdraw, state="reached")).refused("NOT_THE_AUTHOR")
    given(PLAN, *AIMED_AT).when(replace(withdraw, carried_by="resident")).refused("NOT_THE_AUTHOR")


@pytest.mark.parametrize("author", [PLANNER, Author(MUNICIPALITY, "college:PW", "w-1", operator=True)])
def test_nobody_else_marks_a_goal_of_another_desk(author: Author) -> None:
    for state in ("reached", "withdrawn"):
        given(PLAN, *AIMED_AT).when(replace(MARK_GOAL, author=author, state=state)).refused("NOT_THE_AUTHOR")


def test_a_goal_nobody_knows_is_not_marked() -> None:
    given(PLAN, *AIMED_AT).when(replace(MARK_GOAL, goal_id="d-9")).refused("GOAL_UNKNOWN")


def test_nothing_new_is_done_for_a_goal_that_was_withdrawn() -> None:
    withdrawn = (*AIMED_AT, WITHDRAWN)
    given(PLAN, *withdrawn).when(MARK_GOAL).refused("GOAL_WITHDRAWN")
    given(PLAN, *withdrawn).when(REQUEST_SUPPORT).refused("GOAL_WITHDRAWN")
    given(PLAN, *withdrawn).when(START_TRAJECTORY).refused("GOAL_WITHDRAWN")
    # A plan whose goals were all withdrawn is one without a goal.
    given(PLAN, *withdrawn).when(AGREE).refused("NO_GOAL")
    given(PLAN, *withdrawn).when(ASSESS).refused("NO_GOAL")
    given(PLAN, *withdrawn, replace(GOAL_SET, goal_id="d-2")).when(AGREE).then(
        replace(PLAN_AGREED, plan_version=5)
    )


def test_whatever_was_recorded_afterwards_a_goal_stays_withdrawn() -> None:
    (goal,) = fold(PLAN, *AIMED_AT, WITHDRAWN, GOAL_MARKED).goals
    assert goal.state == "withdrawn"


# --- looking back ---------------------------------------------------------------------------------------


def test_a_looking_back_is_planned_and_held() -> None:
    given(PLAN, *AGREED_AIM).when(PLAN_LOOKING_BACK).then(EVALUATION_PLANNED)
    given(PLAN, *PLANNED).when(LOOK_BACK).then(EVALUATION_HELD)
    (evaluation,) = fold(PLAN, *PLANNED, EVALUATION_HELD).evaluations
    assert (evaluation.goal_ids, evaluation.scores) == (("d-1",), (4,))
    assert evaluation.plan_date == EVALUATION_PLANNED.plan_date


def test_nobody_plans_for_a_day_that_is_past() -> None:
    given(PLAN, *AGREED_AIM).when(replace(PLAN_LOOKING_BACK, plan_date=DAY)).then(
        replace(EVALUATION_PLANNED, plan_date=DAY)
    )
    given(PLAN, *AGREED_AIM).when(replace(PLAN_LOOKING_BACK, plan_date=DAY - A_DAY)).invalid("plan_date")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(LOOK_BACK, scores=(0,)), "scores[0]"),
        (replace(LOOK_BACK, scores=(6,)), "scores[0]"),
        (replace(LOOK_BACK, goal_ids=("d-1", "d-2"), scores=(5, 7)), "scores[1]"),
        (replace(LOOK_BACK, scores=(4, 4)), "scores"),
        (replace(LOOK_BACK, goal_ids=(), scores=()), "goal_ids"),
        (replace(LOOK_BACK, goal_ids=("d-1",) * 2, scores=(4, 4)), "goal_ids"),
        (replace(LOOK_BACK, what_to_change="x" * 4001), "what_to_change"),
        (replace(LOOK_BACK, hold_date=DAY + 91 * A_DAY), "hold_date"),
        # Before the resident agreed there was nothing to look back on.
        (replace(LOOK_BACK, hold_date=DAY - A_DAY), "hold_date"),
    ],
)
def test_a_looking_back_with_a_fault_names_the_field(command: HoldEvaluation, path: str) -> None:
    given(PLAN, *PLANNED).when(command).invalid(path)


def test_the_first_day_to_look_back_is_that_of_the_first_yes() -> None:
    later_yes = replace(PLAN_AGREED, at=PLAN_AGREED.at + timedelta(days=40))
    same_day = replace(LOOK_BACK, hold_date=DAY)
    given(PLAN, *PLANNED, later_yes).when(same_day).then(replace(EVALUATION_HELD, hold_date=DAY))


def test_nobody_looks_back_on_a_plan_that_was_never_agreed_with() -> None:
    given(PLAN, *AIMED_AT, EVALUATION_PLANNED).when(LOOK_BACK).refused("NOT_AGREED")


def test_a_looking_back_is_held_once_and_by_the_desk_that_planned_it() -> None:
    given(PLAN, *AGREED_AIM).when(LOOK_BACK).refused("EVALUATION_UNKNOWN")
    given(PLAN, *PLANNED).when(replace(LOOK_BACK, author=PLANNER)).refused("NOT_THE_AUTHOR")
    held = (*PLANNED, EVALUATION_HELD)
    given(PLAN, *held).when(LOOK_BACK).refused("EVALUATION_HELD")
    (evaluation,) = fold(PLAN, *held, replace(EVALUATION_HELD, scores=("1",))).evaluations
    assert evaluation.scores == (4,)


def test_a_looking_back_is_on_goals_that_are_pursued() -> None:
    given(PLAN, *PLANNED, WITHDRAWN).when(LOOK_BACK).refused("GOAL_WITHDRAWN")
    given(PLAN, *PLANNED).when(replace(LOOK_BACK, goal_ids=("d-9",))).refused("GOAL_UNKNOWN")


def test_the_most_evaluations() -> None:
    many = (EVALUATION_PLANNED,) * (ELEMENTS_MAX - 1)
    given(PLAN, *AGREED_AIM, *many).when(PLAN_LOOKING_BACK).then(EVALUATION_PLANNED)
    given(PLAN, *AGREED_AIM, *many, EVALUATION_PLANNED).when(PLAN_LOOKING_BACK).refused("PLAN_FULL")


# --- self-reliance over time ------------------------------------------------------------------------------


def test_the_scores_of_a_life_domain_stay_known() -> None:
    scores = (1, 2, 4)
    told = tuple(
        replace(SITUATION_DESCRIBED, score=score, judge_date=DAY + n * A_DAY)
        for n, score in enumerate(scores)
    )
    (situation,) = fold(PLAN, *AIMED_AT, *told).situations
    assert (situation.earlier_scores, situation.score) == ((1, 2), 4)
    assert situation.earlier_judge_dates == (DAY.isoformat(), (DAY + A_DAY).isoformat())
    # Those of another desk are its own, and so are those beside what was not shown.
    other = replace(SITUATION_DESCRIBED, task="college:PW")
    beside = replace(SITUATION_DESCRIBED, beside=True)
    for more in (other, beside):
        assert fold(PLAN, *AIMED_AT, *told, more).situations[-1].earlier_scores == ()


def test_the_oldest_score_goes_first() -> None:
    many = tuple(replace(SITUATION_DESCRIBED, score=1 + n % 5) for n in range(103))
    (situation,) = fold(PLAN, *AIMED_AT, *many).situations
    assert situation.earlier_scores == tuple(1 + n % 5 for n in range(2, 102))
