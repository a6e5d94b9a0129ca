"""Goals over the years: where each stands, who works on it, and what looking back says of it.

Promises: a goal is withdrawn for good, by who set it or by the resident's side; nothing new is done for a
goal that was withdrawn; an evaluation is held once, after the resident agreed and on no day to come, with a
score for each goal it is about.
Source: the domain's design section 2 (P7, P9); protos/exchange/v1/plan_service.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.decide import open_plan, refuse_full
from exchange.domain.plan.elements import Evaluation
from exchange.domain.plan.events import PlanEvent, numbers_of, plan_words
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.words import GOAL_SCORE_MAX, GOAL_SCORE_MIN, GoalCarrier, GoalState
from exchange.domain.shape import (
    FINE,
    day_fault,
    member_fault,
    range_fault,
    refuse_faults,
    text_fault,
    token_fault,
    tokens_fault,
)
from exchange.domain.values import AgreementOutcome, origin_of
from exchange.errors import RuleBroken

GOALS_OF_EVALUATION_MAX: Final = 50
_A_YES: Final = frozenset({AgreementOutcome.AGREED, AgreementOutcome.AGREED_ON_CONDITIONS})
# The Dutch day begins at most so long before that of UTC.
AHEAD_OF_UTC_MAX: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkGoal(AuthoredCommand):
    """Record where a goal stands since a day; `carried_by` is empty where that stays as it was."""

    goal_id: str
    state: str
    carried_by: str = ""
    state_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEvaluation(AuthoredCommand):
    """Plan to look back on a day."""

    evaluation_id: str
    plan_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldEvaluation(AuthoredCommand):
    """Record what looking back said: `scores` are those of `goal_ids`, in the same order."""

    evaluation_id: str
    hold_date: date
    goal_ids: tuple[str, ...]
    scores: tuple[int, ...]
    what_to_change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalMarked(PlanEvent):
    """A goal stands so since a day."""

    TOPIC: ClassVar[str] = "plan.goal_marked.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("state", "carried_by", "state_date")
    goal_id: str
    state: str
    carried_by: str
    state_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlanned(PlanEvent):
    """There will be a looking back."""

    TOPIC: ClassVar[str] = "plan.evaluation_planned.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("plan_date")
    evaluation_id: str
    plan_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationHeld(PlanEvent):
    """Resident and professionals looked back; scores are written out."""

    TOPIC: ClassVar[str] = "plan.evaluation_held.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("hold_date", "scores", "what_to_change")
    evaluation_id: str
    hold_date: date
    goal_ids: tuple[str, ...]
    scores: tuple[str, ...]
    what_to_change: str


def day_come_fault(day: date | None, now: datetime) -> str:
    """Check a day that has come, in the Netherlands."""
    if day is not None and day > (now + AHEAD_OF_UTC_MAX).date():
        return "must not lie in the future"
    return day_fault(day)


def refuse_unpursued(plan: PlanState, goal_ids: tuple[str, ...]) -> None:
    """Refuse goals that are not of this plan, or were withdrawn."""
    if not {goal.goal_id for goal in plan.goals}.issuperset(goal_ids):
        raise RuleBroken("this plan has no such goal", rule="GOAL_UNKNOWN")
    if not {goal.goal_id for goal in plan.pursued}.issuperset(goal_ids):
        raise RuleBroken("nothing is done any more for a goal that was withdrawn", rule="GOAL_WITHDRAWN")


def mark_goal(command: MarkGoal, state: PlanState | None) -> Events:
    """Decide on where a goal stands."""
    plan = open_plan(state)
    author = command.author
    carried = command.carried_by
    refuse_faults(
        {
            "state": member_fault(GoalState, command.state),
            "carried_by": member_fault(GoalCarrier, carried) if carried else FINE,
            "state_date": day_come_fault(command.state_date, command.now),
        }
    )
    goal = next((one for one in plan.goals if one.goal_id == command.goal_id), None)
    if goal is None:
        raise RuleBroken("this plan has no such goal", rule="GOAL_UNKNOWN")
    withdraws = command.state == GoalState.WITHDRAWN and not carried
    if goal.origin != origin_of(author.task, author.oin) and not (author.is_residents_side and withdraws):
        raise RuleBroken(
            "only who set a goal marks it; the resident's side may withdraw it", rule="NOT_THE_AUTHOR"
        )
    if goal.state == GoalState.WITHDRAWN:
        raise RuleBroken("a goal that was withdrawn stays so: set a new one", rule="GOAL_WITHDRAWN")
    marked = GoalMarked(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        goal_id=goal.goal_id,
        state=command.state,
        carried_by=carried,
        state_date=command.state_date,
    )
    return (marked,)


def plan_evaluation(command: PlanEvaluation, state: PlanState | None) -> Events:
    """Decide on a looking back that is planned."""
    plan = open_plan(state)
    past = command.plan_date is not None and command.plan_date < command.now.date()
    refuse_faults(
        {
            "evaluation_id": token_fault(command.evaluation_id),
            "plan_date": "must not lie in the past" if past else day_fault(command.plan_date),
        }
    )
    refuse_full(plan, "evaluations")
    planned = EvaluationPlanned(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        evaluation_id=command.evaluation_id,
        plan_date=command.plan_date,
    )
    return (planned,)


def _scores_faults(command: HoldEvaluation) -> Mapping[str, str]:
    if len(command.scores) != len(command.goal_ids):
        return {"scores": "must be as many as the goals"}
    return {
        f"scores[{index}]": range_fault(score, GOAL_SCORE_MIN, GOAL_SCORE_MAX)
        for index, score in enumerate(command.scores)
    }


def first_yes(plan: PlanState) -> date | None:
    """Return the day on which the resident first agreed, None where that never was.

    A yes that waits for another's is none, unless it was answered that it counts without.
    """
    alone = {one.plan_version for one in plan.answers if one.without_parents}
    yes = (one for one in plan.agreements if one.outcome in _A_YES)
    said = (one.say_time.date() for one in yes if not one.waits or one.plan_version in alone)
    return min(said, default=None)


def _refuse_before_the_start(plan: PlanState, hold_date: date) -> None:
    agreed = first_yes(plan)
    if agreed is None:
        raise RuleBroken("nobody looks back on a plan that was never agreed with", rule="NOT_AGREED")
    if hold_date < agreed:
        refuse_faults({"hold_date": "must not lie before the resident agreed"})


def hold_evaluation(command: HoldEvaluation, state: PlanState | None) -> Events:
    """Decide on what looking back said."""
    plan = open_plan(state)
    author = command.author
    refuse_faults(
        {
            "hold_date": day_come_fault(command.hold_date, command.now),
            "goal_ids": tokens_fault(command.goal_ids, GOALS_OF_EVALUATION_MAX),
            "what_to_change": text_fault(command.what_to_change, required=False),
            **_scores_faults(command),
        }
    )
    evaluation = next((one for one in plan.evaluations if one.evaluation_id == command.evaluation_id), None)
    if evaluation is None:
        raise RuleBroken("this plan has no such evaluation", rule="EVALUATION_UNKNOWN")
    if evaluation.origin != origin_of(author.task, author.oin):
        raise RuleBroken("only the desk that planned an evaluation records it", rule="NOT_THE_AUTHOR")
    if evaluation.scores:
        raise RuleBroken("this evaluation was held already", rule="EVALUATION_HELD")
    refuse_unpursued(plan, command.goal_ids)
    _refuse_before_the_start(plan, command.hold_date)
    held = EvaluationHeld(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        evaluation_id=command.evaluation_id,
        hold_date=command.hold_date,
        goal_ids=command.goal_ids,
        scores=tuple(map(str, command.scores)),
        what_to_change=command.what_to_change,
    )
    return (held,)


def _goal_marked(state: PlanState, event: GoalMarked) -> PlanState:
    goals = tuple(
        with_changes(
            one,
            state=event.state,
            state_date=event.state_date,
            carried_by=event.carried_by or one.carried_by,
        )
        # Withdrawn for good, also by who was not shown that it was.
        if one.goal_id == event.goal_id and one.state != GoalState.WITHDRAWN
        else one
        for one in state.goals
    )
    return with_changes(state, version=state.version + 1, goals=goals)


def _evaluation_planned(state: PlanState, event: EvaluationPlanned) -> PlanState:
    evaluation = Evaluation(
        evaluation_id=event.evaluation_id,
        plan_date=event.plan_date,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(state, version=state.version + 1, evaluations=(*state.evaluations, evaluation))


def _evaluation_held(state: PlanState, event: EvaluationHeld) -> PlanState:
    evaluations = tuple(
        with_changes(
            one,
            hold_date=event.hold_date,
            goal_ids=event.goal_ids,
            scores=numbers_of(event.scores),
            what_to_change=event.what_to_change,
        )
        # Held once: nobody replaces words unseen.
        if one.evaluation_id == event.evaluation_id and not one.scores
        else one
        for one in state.evaluations
    )
    return with_changes(state, version=state.version + 1, evaluations=evaluations)


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType(
    {MarkGoal: mark_goal, PlanEvaluation: plan_evaluation, HoldEvaluation: hold_evaluation}
)
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType(
    {
        GoalMarked: _goal_marked,
        EvaluationPlanned: _evaluation_planned,
        EvaluationHeld: _evaluation_held,
    }
)
