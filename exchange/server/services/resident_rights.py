"""ResidentRightsService: limits on what may be done with a resident's data, each by a walk.

Promises: who speaks is the token's person, so that one token never stands for two; a command that ends a
right is answered when every answer judged before it has left; nothing tells whether anything is sealed.
Source: GDPR 18, 21, 32; Participatiewet 67(3); protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.case import CASE
from exchange.domain.limits.compartments import MEMBERSHIP
from exchange.domain.limits.determinations import RecordDetermination
from exchange.domain.limits.links import is_link, linked_oins
from exchange.domain.limits.objections import DecideObjection, Object, WithdrawObjection
from exchange.domain.limits.seals import ConfirmSeal, LiftSeal, SealCompartment
from exchange.domain.obligations import Duty, DutyOutcome
from exchange.domain.relations import AppointStandIn, EndConflict, RecordConflict
from exchange.errors import RuleBroken
from exchange.pipeline.walk import Steps
from exchange.server.contract.names import day, enum_names, moment
from exchange.server.contract.plans import plan_leaves
from exchange.server.interceptor import Unary
from exchange.server.services import (
    access_answer,
    correction,
    erasure,
    portability,
    rectification,
    restriction,
    rights_requests,
    told_recipients,
)
from exchange.server.services.duties import decided_duties, execution
from exchange.server.walks import author_of, command, receipt
from exchange.v1 import resident_rights_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.domain import Command
    from exchange.domain.kernel import Event
    from exchange.domain.resident import ResidentState
    from exchange.pipeline.walk import CommandOutcome, View
    from exchange.server.house import Call

RESIDENT: Final = "resident"


async def seal_compartment(call: Call, request: pb.SealCompartmentRequest) -> pb.SealCompartmentResponse:
    """Propose a seal."""
    # Who runs the exchange is said once, when it joins: no walk changes it.
    linked = [await call.house.state(stream_of("organisation", oin)) for oin in linked_oins(request.paths)]
    order = SealCompartment(
        now=call.now,
        author=author_of(call.caller),
        proposal_id=call.house.parts.fresh_uuid(),
        # The domain says of a link what is wrong with it: which links there are is asked of nobody.
        paths=plan_leaves(request.paths, but=_is_no_path),
        readers=tuple(request.readers),
        reason=request.reason,
        review_date=day(request.review_date),
        names_operator=any(one is not None and one.operator for one in linked),
    )
    outcome = await _on_resident(call, request, order, ids={"proposal_id": order.proposal_id})
    return pb.SealCompartmentResponse(receipt=receipt(outcome), proposal_id=outcome.ids["proposal_id"])


def _is_no_path(word: str) -> bool:
    """Tell whether a word of a seal names a link, or that somebody is a member of a household."""
    return is_link(word) or word == MEMBERSHIP


async def lift_seal(call: Call, request: pb.LiftSealRequest) -> pb.LiftSealResponse:
    """Propose to lift a seal."""
    order = LiftSeal(
        now=call.now,
        author=author_of(call.caller),
        proposal_id=call.house.parts.fresh_uuid(),
        compartment=request.seal_id,
        reason=request.reason,
    )
    outcome = await _on_resident(call, request, order, ids={"proposal_id": order.proposal_id})
    return pb.LiftSealResponse(receipt=receipt(outcome), proposal_id=outcome.ids["proposal_id"])


async def confirm_seal(call: Call, request: pb.ConfirmSealRequest) -> pb.ConfirmSealResponse:
    """Speak as the second person."""
    order = ConfirmSeal(now=call.now, author=author_of(call.caller), proposal_id=request.proposal_id)
    outcome = await _on_resident(call, request, order, fence=True)
    return pb.ConfirmSealResponse(receipt=receipt(outcome))


async def object_to(call: Call, request: pb.ObjectRequest) -> pb.ObjectResponse:
    """Record an objection, and with it end the duty it comes from."""
    order = Object(
        now=call.now,
        author=author_of(call.caller),
        objection_id=call.house.parts.fresh_uuid(),
        purpose=_purpose(request.objected_purpose),
        recipient=request.recipient,
        reason=request.reason,
    )

    def known(state: ResidentState) -> str:
        scope = (order.purpose, order.recipient)
        return next(one.objection_id for one in state.objections if one.scope == scope)

    also = None
    if request.because_decision_id:
        duties = await decided_duties(call, request.because_decision_id)
        also = execution(
            call,
            duties,
            duty=Duty.TREAT_AS_OBJECTION,
            outcome=DutyOutcome.OBJECTION_RECORDED,
            how="objection",
        )
    outcome = await _on_resident(call, request, order, named=("objection_id", known), also=also, fence=True)
    return pb.ObjectResponse(receipt=receipt(outcome), objection_id=outcome.ids["objection_id"])


async def decide_objection(call: Call, request: pb.DecideObjectionRequest) -> pb.DecideObjectionResponse:
    """Decide an objection."""
    order = DecideObjection(
        now=call.now,
        author=author_of(call.caller),
        objection_id=request.objection_id,
        outcome=enum_names(pb.ObjectionOutcome.DESCRIPTOR).stored(request.outcome).upper(),
        reason=request.reason,
    )
    outcome = await _on_resident(call, request, order, fence=True)
    return pb.DecideObjectionResponse(receipt=receipt(outcome))


async def withdraw_objection(
    call: Call, request: pb.WithdrawObjectionRequest
) -> pb.WithdrawObjectionResponse:
    """Take an objection back."""
    order = WithdrawObjection(now=call.now, author=author_of(call.caller), objection_id=request.objection_id)
    return pb.WithdrawObjectionResponse(receipt=receipt(await _on_resident(call, request, order)))


async def record_determination(
    call: Call, request: pb.RecordDeterminationRequest
) -> pb.RecordDeterminationResponse:
    """Record what was weighed."""
    order = RecordDetermination(
        now=call.now,
        author=author_of(call.caller),
        kind=enum_names(pb.DeterminationKind.DESCRIPTOR).stored(request.kind),
        holds=request.holds,
        purpose=_purpose(request.determined_purpose),
        recipient=request.recipient,
        representative_id=request.representative_id,
        reason=request.reason,
    )
    outcome = await _on_resident(call, request, order, fence=True)
    return pb.RecordDeterminationResponse(receipt=receipt(outcome))


async def record_conflict(call: Call, request: pb.RecordConflictRequest) -> pb.RecordConflictResponse:
    """Let a person keep away."""
    order = RecordConflict(
        now=call.now,
        author=author_of(call.caller),
        oin=request.oin,
        professional=request.professional,
        kind=enum_names(pb.ConflictKind.DESCRIPTOR).stored(request.kind),
        reason=request.reason,
    )
    return pb.RecordConflictResponse(receipt=receipt(await _on_case(call, request, order, fence=True)))


async def end_conflict(call: Call, request: pb.EndConflictRequest) -> pb.EndConflictResponse:
    """Let a person come back."""
    order = EndConflict(
        now=call.now,
        author=author_of(call.caller),
        oin=request.oin,
        professional=request.professional,
        reason=request.reason,
    )
    return pb.EndConflictResponse(receipt=receipt(await _on_case(call, request, order)))


async def appoint_stand_in(call: Call, request: pb.AppointStandInRequest) -> pb.AppointStandInResponse:
    """Let somebody work in another's place."""
    order = AppointStandIn(
        now=call.now,
        author=author_of(call.caller),
        oin=call.caller.organisation,
        task=request.task,
        professional=request.professional,
        stand_in_for=request.stand_in_for,
        mandate=request.mandate,
        start_time=moment(request.start_time),
        end_time=moment(request.end_time),
    )
    outcome = await _on_case(call, request, order)
    return pb.AppointStandInResponse(receipt=receipt(outcome), version=outcome.versions[CASE.name])


async def _on_resident(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message that names a case
    order: Command,
    *,
    ids: Mapping[str, str] | None = None,
    named: tuple[str, Callable[[ResidentState], str]] | None = None,
    also: Callable[[View, str], tuple[str, tuple[Event, ...]]] | None = None,
    fence: bool = False,
) -> CommandOutcome:
    """Let the resident of a case decide; `named` finds the id of what then stands, new or not."""
    case_stream = stream_of("case", request.case_id)

    def process(view: View) -> Steps:
        case = view.state(case_stream)
        if case is None:
            raise RuleBroken("there is no such case", rule="NO_CASE")
        stream = stream_of(RESIDENT, case.resident)
        aggregate = AGGREGATES[RESIDENT]
        state = view.state(stream)
        events = aggregate.decide(order, state)
        told = dict(ids or {})
        if named is not None:
            for event in events:
                state = aggregate.evolve(state, event)
            told[named[0]] = named[1](state)
        appends = [(stream, events)]
        if also is not None:
            appends.append(also(view, case.resident))
        return Steps(appends, told)

    return await command(call, request, anchor=case_stream, process=process, fence=fence)


async def _on_case(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message that names a case
    order: Command,
    *,
    fence: bool = False,
) -> CommandOutcome:
    stream = stream_of("case", request.case_id)

    def process(view: View) -> Steps:
        return Steps(((stream, CASE.decide(order, view.state(stream))),))

    return await command(call, request, anchor=stream, process=process, fence=fence)


def _purpose(number: int) -> str:
    return enum_names(Purpose.DESCRIPTOR).stored(number)


RPCS: Final[Mapping[str, Unary]] = {
    "SealCompartment": Unary(pb.SealCompartmentRequest, seal_compartment),
    "LiftSeal": Unary(pb.LiftSealRequest, lift_seal),
    "ConfirmSeal": Unary(pb.ConfirmSealRequest, confirm_seal),
    "Object": Unary(pb.ObjectRequest, object_to),
    "DecideObjection": Unary(pb.DecideObjectionRequest, decide_objection),
    "WithdrawObjection": Unary(pb.WithdrawObjectionRequest, withdraw_objection),
    "RecordDetermination": Unary(pb.RecordDeterminationRequest, record_determination),
    "RecordConflict": Unary(pb.RecordConflictRequest, record_conflict),
    "EndConflict": Unary(pb.EndConflictRequest, end_conflict),
    "AppointStandIn": Unary(pb.AppointStandInRequest, appoint_stand_in),
    **erasure.RPCS,
    **rights_requests.RPCS,
    **access_answer.RPCS,
    **rectification.RPCS,
    **restriction.RPCS,
    **told_recipients.RPCS,
    **correction.RPCS,
    **portability.RPCS,
}
