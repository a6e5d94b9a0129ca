"""The commands of PlanService: their messages, how each is told to the domain, and the id it answers.

Promises: nothing is decided here; what a message leaves out is told as absent.
Source: protos/exchange/v1/plan_service.proto.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.days import day_of
from exchange.domain.plan import (
    AgreeToPlan,
    AnswerAgreement,
    AssessLens,
    AssignSupport,
    ChangeSupport,
    DescribeSituation,
    HoldEvaluation,
    MarkGoal,
    MoveTrajectory,
    PlanEvaluation,
    PreferProvider,
    RecordConversation,
    RecordRuleConflict,
    RefuseSupport,
    RequestSupport,
    ResolveRuleConflict,
    SetFunding,
    SetGoal,
    StartSupport,
    StartTrajectory,
    StopSupport,
)
from exchange.domain.resident import age_at, agrees_himself, agrees_with_parents
from exchange.server.contract.names import day, enum_names, required_day, stored_words
from exchange.v1 import plan_pb2
from exchange.v1 import plan_service_pb2 as pb
from exchange.v1.common_pb2 import Law, LifeDomain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from google.protobuf.descriptor import EnumDescriptor
    from google.protobuf.message import Message

    from exchange.domain import Command
    from exchange.domain.resident import ResidentState

# BW 1:233.
ADULT_AGE: Final = 18


class Who(NamedTuple):
    """What every command has: when, by whom, and a new id for what it makes."""

    when: dict[str, Any]
    fresh_id: str


class Order(NamedTuple):
    """One command of the contract: its messages, how it is told to the domain, and the id it answers."""

    request: type[Message]
    response: Callable[..., Message]
    told: Callable[[Any, Who], Command]
    new_id: str = ""
    # Adds what the command must know of the resident; of nobody nothing is known.
    knowing: Callable[[Any, ResidentState | None], Command] | None = None
    # Takes something back: acknowledged once every answer that rested on it has left.
    fence: bool = False


def _word(descriptor: EnumDescriptor, number: int) -> str:
    return enum_names(descriptor).stored(number)


def _conversation(said: pb.RecordConversationRequest, who: Who) -> Command:
    return RecordConversation(
        **who.when,
        conversation_id=who.fresh_id,
        kind=_word(plan_pb2.ConversationKind.DESCRIPTOR, said.kind),
        hold_date=required_day(said.hold_date),
        outcome=_word(plan_pb2.ConversationOutcome.DESCRIPTOR, said.outcome),
        summary=said.summary,
        present=stored_words(plan_pb2.Attendee.DESCRIPTOR, said.present),
    )


def _situation(said: pb.DescribeSituationRequest, who: Who) -> Command:
    return DescribeSituation(
        **who.when,
        life_domain=_word(LifeDomain.DESCRIPTOR, said.life_domain),
        description=said.description,
        strengths=said.strengths,
        own_network=said.own_network,
        score=said.score,
        judge_date=required_day(said.judge_date),
        source=said.source,
    )


def _goal(said: pb.SetGoalRequest, who: Who) -> Command:
    return SetGoal(
        **who.when,
        goal_id=who.fresh_id,
        own_words=said.own_words,
        desired_effect=said.desired_effect,
        life_domain=_word(LifeDomain.DESCRIPTOR, said.life_domain),
        target_date=required_day(said.target_date),
    )


def _lens(said: pb.AssessLensRequest, who: Who) -> Command:
    return AssessLens(
        **who.when,
        law=_word(Law.DESCRIPTOR, said.law),
        finding=_word(plan_pb2.LensFinding.DESCRIPTOR, said.finding),
        reason=said.reason,
    )


def _rule_conflict(said: pb.RecordRuleConflictRequest, who: Who) -> Command:
    return RecordRuleConflict(
        **who.when,
        conflict_id=who.fresh_id,
        laws=stored_words(Law.DESCRIPTOR, said.laws),
        rules=tuple(said.rules),
        analysis=said.analysis,
    )


def _resolution(said: pb.ResolveRuleConflictRequest, who: Who) -> Command:
    return ResolveRuleConflict(
        **who.when,
        conflict_id=said.conflict_id,
        resolution=said.resolution,
        resolve_reason=said.resolve_reason,
    )


def _support(said: pb.RequestSupportRequest, who: Who) -> Command:
    return RequestSupport(
        **who.when,
        support_id=who.fresh_id,
        kind=_word(plan_pb2.SupportKind.DESCRIPTOR, said.kind),
        provider_oin=said.provider_oin,
        product_category=said.product_category,
        product_code=said.product_code,
        start_date=required_day(said.start_date),
        end_date=day(said.end_date),
        volume=said.volume,
        unit=said.unit,
        frequency=said.frequency,
        goal_ids=tuple(said.goal_ids),
    )


def _agreement(said: pb.AgreeToPlanRequest, who: Who) -> Command:
    return AgreeToPlan(
        **who.when,
        outcome=_word(plan_pb2.AgreementOutcome.DESCRIPTOR, said.outcome),
        remarks=said.remarks,
    )


def is_minor(resident: ResidentState | None, now: datetime) -> bool:
    """Tell whether a resident is not of age; of nobody it is not said."""
    return resident is not None and age_at(resident, day_of(now)) < ADULT_AGE


def _said_by(told: AgreeToPlan, resident: ResidentState | None) -> Command:
    for_another = resident is not None and not agrees_himself(resident, day_of(told.now))
    both = resident is not None and agrees_with_parents(resident, day_of(told.now))
    return replace(told, minor=is_minor(resident, told.now), for_another=for_another, asks_both=both)


def _assignment(said: pb.AssignSupportRequest, who: Who) -> Command:
    return AssignSupport(
        **who.when,
        support_id=said.support_id,
        assignment_number=said.assignment_number,
        assign_date=required_day(said.assign_date),
    )


def _start(said: pb.StartSupportRequest, who: Who) -> Command:
    return StartSupport(
        **who.when, support_id=said.support_id, care_start_date=required_day(said.care_start_date)
    )


def _stop(said: pb.StopSupportRequest, who: Who) -> Command:
    return StopSupport(
        **who.when,
        support_id=said.support_id,
        care_end_date=required_day(said.care_end_date),
        reason=_word(plan_pb2.StopReason.DESCRIPTOR, said.reason),
    )


def _refusal(said: pb.RefuseSupportRequest, who: Who) -> Command:
    reason = _word(plan_pb2.RefuseReason.DESCRIPTOR, said.reason)
    return RefuseSupport(**who.when, support_id=said.support_id, reason=reason)


def _change(said: pb.ChangeSupportRequest, who: Who) -> Command:
    return ChangeSupport(
        **who.when,
        support_id=said.support_id,
        end_date=day(said.end_date),
        volume=said.volume,
        unit=said.unit,
        frequency=said.frequency,
    )


def _funding(said: pb.SetFundingRequest, who: Who) -> Command:
    return SetFunding(
        **who.when,
        funding_id=who.fresh_id,
        support_id=said.support_id,
        cost_cents=said.cost_cents,
        sources=stored_words(plan_pb2.FundingSource.DESCRIPTOR, said.sources),
        amounts_cents=tuple(said.amounts_cents),
        start_date=required_day(said.start_date),
        end_date=day(said.end_date),
        replaces=said.replaces,
    )


def _mark(said: pb.MarkGoalRequest, who: Who) -> Command:
    return MarkGoal(
        **who.when,
        goal_id=said.goal_id,
        state=_word(plan_pb2.GoalState.DESCRIPTOR, said.state),
        carried_by=_word(plan_pb2.GoalCarrier.DESCRIPTOR, said.carried_by),
        state_date=required_day(said.state_date),
    )


def _evaluation(said: pb.PlanEvaluationRequest, who: Who) -> Command:
    return PlanEvaluation(**who.when, evaluation_id=who.fresh_id, plan_date=required_day(said.plan_date))


def _looking_back(said: pb.HoldEvaluationRequest, who: Who) -> Command:
    return HoldEvaluation(
        **who.when,
        evaluation_id=said.evaluation_id,
        hold_date=required_day(said.hold_date),
        goal_ids=tuple(said.goal_ids),
        scores=tuple(said.scores),
        what_to_change=said.what_to_change,
    )


def _trajectory(said: pb.StartTrajectoryRequest, who: Who) -> Command:
    return StartTrajectory(
        **who.when,
        trajectory_id=who.fresh_id,
        activity=said.activity,
        step=said.step,
        hours_a_week=said.hours_a_week,
        place=said.place,
        facility=said.facility,
        goal_ids=tuple(said.goal_ids),
        start_date=required_day(said.start_date),
    )


def _move(said: pb.MoveTrajectoryRequest, who: Who) -> Command:
    return MoveTrajectory(
        **who.when,
        trajectory_id=said.trajectory_id,
        state=_word(plan_pb2.TrajectoryState.DESCRIPTOR, said.state),
        step=said.step,
        hours_a_week=said.hours_a_week,
        since_date=required_day(said.since_date),
    )


def _answer(said: pb.AnswerAgreementRequest, who: Who) -> Command:
    return AnswerAgreement(
        **who.when,
        plan_version=said.plan_version,
        met=said.met,
        answer=said.answer,
        without_parents=_word(plan_pb2.WithoutParents.DESCRIPTOR, said.without_parents),
    )


def _preference(said: pb.PreferProviderRequest, who: Who) -> Command:
    return PreferProvider(
        **who.when,
        preference_id=who.fresh_id,
        provider_oin=said.provider_oin,
        provider_task=said.provider_task,
    )


ORDERS: Final[Mapping[str, Order]] = {
    "RecordConversation": Order(pb.RecordConversationRequest, pb.RecordConversationResponse, _conversation),
    "DescribeSituation": Order(pb.DescribeSituationRequest, pb.DescribeSituationResponse, _situation),
    "SetGoal": Order(pb.SetGoalRequest, pb.SetGoalResponse, _goal, "goal_id"),
    "AssessLens": Order(pb.AssessLensRequest, pb.AssessLensResponse, _lens),
    "RecordRuleConflict": Order(
        pb.RecordRuleConflictRequest, pb.RecordRuleConflictResponse, _rule_conflict, "conflict_id"
    ),
    "ResolveRuleConflict": Order(pb.ResolveRuleConflictRequest, pb.ResolveRuleConflictResponse, _resolution),
    "RequestSupport": Order(pb.RequestSupportRequest, pb.RequestSupportResponse, _support, "support_id"),
    "AgreeToPlan": Order(pb.AgreeToPlanRequest, pb.AgreeToPlanResponse, _agreement, knowing=_said_by),
    "AssignSupport": Order(pb.AssignSupportRequest, pb.AssignSupportResponse, _assignment),
    "StartSupport": Order(pb.StartSupportRequest, pb.StartSupportResponse, _start),
    "StopSupport": Order(pb.StopSupportRequest, pb.StopSupportResponse, _stop),
    "RefuseSupport": Order(pb.RefuseSupportRequest, pb.RefuseSupportResponse, _refusal),
    "ChangeSupport": Order(pb.ChangeSupportRequest, pb.ChangeSupportResponse, _change),
    "SetFunding": Order(pb.SetFundingRequest, pb.SetFundingResponse, _funding, "funding_id"),
    "MarkGoal": Order(pb.MarkGoalRequest, pb.MarkGoalResponse, _mark),
    "PlanEvaluation": Order(
        pb.PlanEvaluationRequest, pb.PlanEvaluationResponse, _evaluation, "evaluation_id"
    ),
    "HoldEvaluation": Order(pb.HoldEvaluationRequest, pb.HoldEvaluationResponse, _looking_back),
    "StartTrajectory": Order(
        pb.StartTrajectoryRequest, pb.StartTrajectoryResponse, _trajectory, "trajectory_id"
    ),
    "MoveTrajectory": Order(pb.MoveTrajectoryRequest, pb.MoveTrajectoryResponse, _move),
    "AnswerAgreement": Order(pb.AnswerAgreementRequest, pb.AnswerAgreementResponse, _answer),
    "PreferProvider": Order(
        pb.PreferProviderRequest, pb.PreferProviderResponse, _preference, "preference_id"
    ),
}
