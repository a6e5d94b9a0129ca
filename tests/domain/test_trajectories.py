"""Trajectories: from daytime activity to paid work, step by step, with a pause where that is wanted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange.domain.plan import PLAN, MoveTrajectory, StartTrajectory
from exchange.domain.plan.decide import ELEMENTS_MAX
from tests.domain.builders import A_DAY, DAY, PLANNER, fold, given
from tests.domain.plan_builders import (
    AGREED_AIM,
    AIMED_AT,
    MOVE_TRAJECTORY,
    START_TRAJECTORY,
    TRAJECTORY_MOVED,
    TRAJECTORY_STARTED,
)

STARTED = (*AGREED_AIM, TRAJECTORY_STARTED)


def test_a_trajectory_starts_after_the_resident_agreed() -> None:
    given(PLAN, *AGREED_AIM).when(START_TRAJECTORY).then(TRAJECTORY_STARTED)
    given(PLAN, *AIMED_AT).when(START_TRAJECTORY).refused("NOT_AGREED")
    given(PLAN, *AGREED_AIM).when(replace(START_TRAJECTORY, goal_ids=("d-9",))).refused("GOAL_UNKNOWN")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(START_TRAJECTORY, activity=" "), "activity"),
        (replace(START_TRAJECTORY, step=0), "step"),
        (replace(START_TRAJECTORY, step=7), "step"),
        (replace(START_TRAJECTORY, hours_a_week=61), "hours_a_week"),
        (replace(START_TRAJECTORY, hours_a_week=-1), "hours_a_week"),
        (replace(START_TRAJECTORY, place="x" * 4001), "place"),
        (replace(START_TRAJECTORY, facility="x" * 4001), "facility"),
        (replace(START_TRAJECTORY, goal_ids=()), "goal_ids"),
        (replace(START_TRAJECTORY, trajectory_id=""), "trajectory_id"),
        (replace(START_TRAJECTORY, start_date=DAY.replace(year=1899)), "start_date"),
        (replace(MOVE_TRAJECTORY, state="lost"), "state"),
        (replace(MOVE_TRAJECTORY, step=0), "step"),
        (replace(MOVE_TRAJECTORY, hours_a_week=61), "hours_a_week"),
        (replace(MOVE_TRAJECTORY, since_date=DAY - A_DAY), "since_date"),
    ],
)
def test_a_trajectory_with_a_fault_names_the_field(
    command: StartTrajectory | MoveTrajectory, path: str
) -> None:
    given(PLAN, *STARTED).when(command).invalid(path)


@pytest.mark.parametrize("step", [1, 6])
def test_the_ends_of_the_ladder(step: int) -> None:
    given(PLAN, *AGREED_AIM).when(replace(START_TRAJECTORY, step=step)).then(
        replace(TRAJECTORY_STARTED, step=step)
    )


def test_each_step_stays_known() -> None:
    given(PLAN, *STARTED).when(MOVE_TRAJECTORY).then(TRAJECTORY_MOVED)
    day = TRAJECTORY_MOVED.since_date
    paused = replace(TRAJECTORY_MOVED, state="paused", hours_a_week=0, since_date=day + A_DAY)
    (one,) = fold(PLAN, *STARTED, TRAJECTORY_MOVED, paused).trajectories
    assert (one.state, one.step, one.hours_a_week, one.since_date) == ("paused", 4, 0, day + A_DAY)
    assert one.start_date == DAY
    assert dict(zip(one.earlier_dates, one.earlier_steps, strict=True)) == {
        DAY.isoformat(): 3,
        day.isoformat(): 4,
    }


@pytest.mark.parametrize("stands", ["started", "paused"])
@pytest.mark.parametrize("goes", ["started", "paused", "stopped"])
def test_what_goes_on_may_pause_and_what_paused_may_go_on(stands: str, goes: str) -> None:
    history = (*STARTED, replace(TRAJECTORY_MOVED, state=stands))
    given(PLAN, *history).when(replace(MOVE_TRAJECTORY, state=goes)).then(
        replace(TRAJECTORY_MOVED, state=goes)
    )


def test_what_has_stopped_stays_so() -> None:
    stopped = (*STARTED, replace(TRAJECTORY_MOVED, state="stopped"))
    for goes in ("started", "paused", "stopped"):
        given(PLAN, *stopped).when(replace(MOVE_TRAJECTORY, state=goes)).refused("TRAJECTORY_STATE")
    (one,) = fold(PLAN, *stopped, TRAJECTORY_MOVED).trajectories
    assert one.state == "stopped"


def test_only_who_started_a_trajectory_moves_it() -> None:
    given(PLAN, *STARTED).when(replace(MOVE_TRAJECTORY, author=PLANNER)).refused("NOT_THE_AUTHOR")
    given(PLAN, *AGREED_AIM).when(MOVE_TRAJECTORY).refused("TRAJECTORY_UNKNOWN")


def test_the_most_trajectories() -> None:
    many = (TRAJECTORY_STARTED,) * (ELEMENTS_MAX - 1)
    given(PLAN, *AGREED_AIM, *many).when(START_TRAJECTORY).then(TRAJECTORY_STARTED)
    given(PLAN, *AGREED_AIM, *many, TRAJECTORY_STARTED).when(START_TRAJECTORY).refused("PLAN_FULL")
