"""PlanService: commands on a plan by one table, and the read that releases permitted leaf fields only.

Promises: a command carries the version its caller saw; a plan that is not there is refused like one of
others.
Source: protos/exchange/v1/plan_service.proto; Wmo 2015 2.3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.plan import (
    PLAN,
    AgreeToPlan,
    AssessLens,
    AssignSupport,
    DescribeSituation,
    RecordConversation,
    RequestSupport,
    SetGoal,
    StartSupport,
    StopSupport,
)
from exchange.pipeline.elements import Asker
from exchange.pipeline.walk import Steps
from exchange.server.contract.names import day, enum_names, required_day, set_time
from exchange.server.contract.plans import PLAN_LABELS, build_plan
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, command, read, receipt
from exchange.v1 import plan_pb2
from exchange.v1 import plan_service_pb2 as pb
from exchange.v1.common_pb2 import Law, LifeDomain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.descriptor import EnumDescriptor
    from google.protobuf.message import Message

    from exchange.domain import Command
    from exchange.domain.values import Author
    from exchange.pipeline.walk import View
    from exchange.server.house import Call


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
    )


def _situation(said: pb.DescribeSituationRequest, who: Who) -> Command:
    return DescribeSituation(
        **who.when,
        life_domain=_word(LifeDomain.DESCRIPTOR, said.life_domain),
        description=said.description,
        strengths=said.strengths,
        score=said.score,
        judge_date=required_day(said.judge_date),
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


ORDERS: Final[Mapping[str, Order]] = {
    "RecordConversation": Order(pb.RecordConversationRequest, pb.RecordConversationResponse, _conversation),
    "DescribeSituation": Order(pb.DescribeSituationRequest, pb.DescribeSituationResponse, _situation),
    "SetGoal": Order(pb.SetGoalRequest, pb.SetGoalResponse, _goal, "goal_id"),
    "AssessLens": Order(pb.AssessLensRequest, pb.AssessLensResponse, _lens),
    "RequestSupport": Order(pb.RequestSupportRequest, pb.RequestSupportResponse, _support, "support_id"),
    "AgreeToPlan": Order(pb.AgreeToPlanRequest, pb.AgreeToPlanResponse, _agreement),
    "AssignSupport": Order(pb.AssignSupportRequest, pb.AssignSupportResponse, _assignment),
    "StartSupport": Order(pb.StartSupportRequest, pb.StartSupportResponse, _start),
    "StopSupport": Order(pb.StopSupportRequest, pb.StopSupportResponse, _stop),
}


def _commanding(order: Order) -> Unary:
    async def handle(call: Call, request: Any) -> Message:  # noqa: ANN401 -- the order's own message
        stream = stream_of("plan", request.plan_id)
        fresh_id = call.house.parts.fresh_uuid()
        author: Author = author_of(call.caller)
        told = order.told(request, Who({"now": call.now, "author": author}, fresh_id))
        ids = {order.new_id: fresh_id} if order.new_id else {}

        def process(view: View) -> Steps:
            return Steps(((stream, PLAN.decide(told, view.state(stream))),), ids)

        outcome = await command(
            call, request, anchor=stream, process=process, expected=(stream, request.expected_version)
        )
        return order.response(receipt=receipt(outcome), version=outcome.versions[PLAN.name], **outcome.ids)

    return Unary(order.request, handle)


async def get_plan(call: Call, request: pb.GetPlanRequest) -> pb.GetPlanResponse:
    """Read listed fields of a plan."""
    stream = stream_of("plan", request.plan_id)
    asker = Asker(call.caller, request.claim.legal_basis, call.now)
    outcome = await read(
        call,
        request,
        anchor=stream,
        labels=PLAN_LABELS,
        groups=call.house.plan_groups.of_plan(stream, asker),
        capture=lambda view: call.house.plan_groups.within_term(stream, view.state(stream), call.now),
        collections=call.house.plan_groups.collections,
    )
    answer = pb.GetPlanResponse(
        plan=build_plan(outcome.captured, outcome.groups, outcome.released),
        decision_id=outcome.decision_id,
        withheld_fields=outcome.withheld_paths,
        rules=outcome.rules,
        obligations=outcome.obligations,
    )
    if outcome.valid_until is not None:
        set_time(answer.expire_time, outcome.valid_until)
    return answer


RPCS: Final[Mapping[str, Unary]] = {
    **{name: _commanding(order) for name, order in ORDERS.items()},
    "GetPlan": Unary(pb.GetPlanRequest, get_plan),
}
