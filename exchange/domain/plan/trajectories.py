"""Trajectories of participation, from daytime activity to paid work: started, moved, paused, stopped.

Promises: none starts before the resident agreed; each day's step on the ladder stays known; what has stopped
stays stopped; only who started a trajectory moves it.
Source: the domain's design section 2 (P7, P14); Participatiewet 7; protos/exchange/v1/plan_service.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.decide import open_plan, refuse_full
from exchange.domain.plan.elements import Trajectory
from exchange.domain.plan.events import PlanEvent
from exchange.domain.plan.goals import refuse_unpursued
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.words import EARLIER_MAX, STEP_MAX, STEP_MIN, TrajectoryState
from exchange.domain.shape import (
    day_fault,
    member_fault,
    range_fault,
    refuse_faults,
    text_fault,
    token_fault,
    tokens_fault,
)
from exchange.domain.values import DataCategory, origin_of
from exchange.errors import RuleBroken

GOALS_OF_TRAJECTORY_MAX: Final = 50
HOURS_A_WEEK_MAX: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTrajectory(AuthoredCommand):
    """Start a trajectory on a step of the ladder, 1 (isolated) to 6 (paid work).

    `place` is the employer or the place, `facility` the re-integration facility; empty where there is none.
    """

    trajectory_id: str
    activity: str
    step: int
    hours_a_week: int = 0
    place: str = ""
    facility: str = ""
    goal_ids: tuple[str, ...]
    start_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTrajectory(AuthoredCommand):
    """Record how a trajectory stands since a day: going on, for how long and on which step, or not."""

    trajectory_id: str
    state: str
    step: int
    hours_a_week: int = 0
    since_date: date


def _words_of_work(*fields: str) -> Mapping[str, str]:
    return MappingProxyType(dict.fromkeys(fields, DataCategory.ARBEID.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrajectoryStarted(PlanEvent):
    """A trajectory started."""

    TOPIC: ClassVar[str] = "plan.trajectory_started.v1"
    SEALED: ClassVar[Mapping[str, str]] = _words_of_work(
        "activity", "step", "hours_a_week", "place", "facility", "start_date"
    )
    trajectory_id: str
    activity: str
    step: int
    hours_a_week: int
    place: str
    facility: str
    goal_ids: tuple[str, ...]
    start_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TrajectoryMoved(PlanEvent):
    """A trajectory stands so since a day."""

    TOPIC: ClassVar[str] = "plan.trajectory_moved.v1"
    SEALED: ClassVar[Mapping[str, str]] = _words_of_work("state", "step", "hours_a_week", "since_date")
    trajectory_id: str
    state: str
    step: int
    hours_a_week: int
    since_date: date


def start_trajectory(command: StartTrajectory, state: PlanState | None) -> Events:
    """Decide on a trajectory that starts."""
    plan = open_plan(state)
    refuse_faults(
        {
            "trajectory_id": token_fault(command.trajectory_id),
            "activity": text_fault(command.activity),
            "step": range_fault(command.step, STEP_MIN, STEP_MAX),
            "hours_a_week": range_fault(command.hours_a_week, 0, HOURS_A_WEEK_MAX),
            "place": text_fault(command.place, required=False),
            "facility": text_fault(command.facility, required=False),
            "goal_ids": tokens_fault(command.goal_ids, GOALS_OF_TRAJECTORY_MAX),
            "start_date": day_fault(command.start_date),
        }
    )
    refuse_unpursued(plan, command.goal_ids)
    if not plan.agreed_version:
        raise RuleBroken("the resident has not agreed with the plan", rule="NOT_AGREED")
    refuse_full(plan, "trajectories")
    started = TrajectoryStarted(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        trajectory_id=command.trajectory_id,
        activity=command.activity,
        step=command.step,
        hours_a_week=command.hours_a_week,
        place=command.place,
        facility=command.facility,
        goal_ids=command.goal_ids,
        start_date=command.start_date,
    )
    return (started,)


def move_trajectory(command: MoveTrajectory, state: PlanState | None) -> Events:
    """Decide on how a trajectory stands since a day."""
    plan = open_plan(state)
    author = command.author
    refuse_faults(
        {
            "state": member_fault(TrajectoryState, command.state),
            "step": range_fault(command.step, STEP_MIN, STEP_MAX),
            "hours_a_week": range_fault(command.hours_a_week, 0, HOURS_A_WEEK_MAX),
            "since_date": day_fault(command.since_date),
        }
    )
    trajectory = next((one for one in plan.trajectories if one.trajectory_id == command.trajectory_id), None)
    if trajectory is None:
        raise RuleBroken("this plan has no such trajectory", rule="TRAJECTORY_UNKNOWN")
    if trajectory.origin != origin_of(author.task, author.oin):
        raise RuleBroken("only who started a trajectory moves it", rule="NOT_THE_AUTHOR")
    if trajectory.state == TrajectoryState.STOPPED:
        raise RuleBroken("a trajectory that has stopped stays so: start a new one", rule="TRAJECTORY_STATE")
    if command.since_date < trajectory.since_date:
        refuse_faults({"since_date": "must not lie before the day it stands so now"})
    moved = TrajectoryMoved(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        trajectory_id=command.trajectory_id,
        state=command.state,
        step=command.step,
        hours_a_week=command.hours_a_week,
        since_date=command.since_date,
    )
    return (moved,)


def _trajectory_started(state: PlanState, event: TrajectoryStarted) -> PlanState:
    trajectory = Trajectory(
        trajectory_id=event.trajectory_id,
        activity=event.activity,
        step=event.step,
        hours_a_week=event.hours_a_week,
        place=event.place,
        facility=event.facility,
        goal_ids=event.goal_ids,
        start_date=event.start_date,
        since_date=event.start_date,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(state, version=state.version + 1, trajectories=(*state.trajectories, trajectory))


def _moved(trajectory: Trajectory, event: TrajectoryMoved) -> Trajectory:
    return with_changes(
        trajectory,
        state=event.state,
        step=event.step,
        hours_a_week=event.hours_a_week,
        since_date=event.since_date,
        earlier_steps=(*trajectory.earlier_steps, trajectory.step)[-EARLIER_MAX:],
        earlier_dates=(*trajectory.earlier_dates, trajectory.since_date.isoformat())[-EARLIER_MAX:],
    )


def _trajectory_moved(state: PlanState, event: TrajectoryMoved) -> PlanState:
    # Stopped for good, also by who was not shown that it was.
    trajectories = tuple(
        _moved(one, event)
        if one.trajectory_id == event.trajectory_id and one.state != TrajectoryState.STOPPED
        else one
        for one in state.trajectories
    )
    return with_changes(state, version=state.version + 1, trajectories=trajectories)


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType(
    {StartTrajectory: start_trajectory, MoveTrajectory: move_trajectory}
)
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType(
    {TrajectoryStarted: _trajectory_started, TrajectoryMoved: _trajectory_moved}
)
