"""Erasure, of ResidentRightsService: proposed, approved, refused, certified; and what recipients did.

Promises: three persons with three tokens; the approval that destroys stands alone, so that what it finds in
the store is all there is, and is answered when the keys are gone and every answer judged before it has left.
What is told of an erasure names nobody, and to a recipient only what it was given before.
Source: GDPR 12(3), 17, 19; Wmo 2015 5.3.5; Jeugdwet 7.3.9; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.erasure.decision import ApproveErasure, ProposeErasure, RefuseErasure
from exchange.domain.erasure.purge import ERASURE, ConfirmErased
from exchange.domain.limits.holds import LiftHold, PlaceHold
from exchange.domain.resident import RESIDENT
from exchange.errors import AccessDenied, RequestInvalid, RuleBroken
from exchange.pipeline.erasure import EXECUTED, Holdings, steps_of_approving
from exchange.pipeline.sealed import kept_from
from exchange.pipeline.walk import Steps
from exchange.projections.erasures import Asked, Purge
from exchange.projections.obligations import moment
from exchange.server.contract.certificates import statement_of, statement_text
from exchange.server.contract.names import enum_names, required_day, set_time
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services.duties import followed
from exchange.server.walks import ask_about_nobody, author_of, command, receipt
from exchange.v1 import resident_rights_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.domain.resident import ResidentState
    from exchange.pipeline.walk import CommandOutcome, View
    from exchange.server.house import Call

OFFICER: Final = "fg"
_NOT_THE_OPERATOR: Final = "Alleen de gemeente van deze uitwisseling beslist over wissen."


async def propose_erasure(call: Call, request: pb.ProposeErasureRequest) -> pb.ProposeErasureResponse:
    """Propose."""
    reasons = enum_names(pb.KeepingReason.DESCRIPTOR)
    order = ProposeErasure(
        now=call.now,
        author=author_of(call.caller),
        erasure_id=call.house.parts.fresh_uuid(),
        article=enum_names(pb.ErasureArticle.DESCRIPTOR).stored(request.article),
        reason=enum_names(pb.ErasureReason.DESCRIPTOR).stored(request.reason),
        categories=tuple(request.categories),
        kept=tuple(reasons.stored(one) for one in request.kept),
        motivation=request.motivation,
    )

    def decide(_view: View, stream: str, state: ResidentState) -> Steps:
        return Steps(((stream, RESIDENT.decide(order, state)),), {"erasure_id": order.erasure_id})

    outcome = await _on_resident(call, request, decide)
    return pb.ProposeErasureResponse(receipt=receipt(outcome), erasure_id=outcome.ids["erasure_id"])


async def approve_erasure(call: Call, request: pb.ApproveErasureRequest) -> pb.ApproveErasureResponse:
    """Approve; with the second approval the keys are gone when this answers."""
    parts = call.house.parts

    def decide(view: View, _stream: str, state: ResidentState) -> Steps:
        held = Holdings(parts.reader, parts.codec, state.resident, parts.register.now)
        order = ApproveErasure(now=call.now, author=author_of(call.caller), erasure_id=request.erasure_id)
        return steps_of_approving(order, held, view, state, kept_from(state, call.caller).links)

    outcome = await _on_resident(call, request, decide, alone=True, fence=True)
    return pb.ApproveErasureResponse(
        receipt=receipt(outcome),
        executed=outcome.ids["executed"] == EXECUTED,
        recipients=int(outcome.ids["recipients"]),
    )


async def refuse_erasure(call: Call, request: pb.RefuseErasureRequest) -> pb.RefuseErasureResponse:
    """Refuse."""
    reasons = enum_names(pb.KeepingReason.DESCRIPTOR)
    order = RefuseErasure(
        now=call.now,
        author=author_of(call.caller),
        erasure_id=request.erasure_id,
        reasons=tuple(reasons.stored(one) for one in request.reasons),
        motivation=request.motivation,
    )

    def decide(_view: View, stream: str, state: ResidentState) -> Steps:
        return Steps(((stream, RESIDENT.decide(order, state)),))

    return pb.RefuseErasureResponse(receipt=receipt(await _on_resident(call, request, decide)))


async def get_erasure_certificate(
    call: Call, request: pb.GetErasureCertificateRequest
) -> pb.GetErasureCertificateResponse:
    """Give the certificate, with the ledger's proof."""
    parts = call.house.parts
    outcome = await ask_about_nobody(call, request, lambda view: _is_operator(call, view))
    await followed(call, outcome.position)
    loop = asyncio.get_running_loop()
    position = await loop.run_in_executor(call.house.pool, parts.erasures.position_of, request.erasure_id)
    # Who decides about erasing is told; to everybody else there is none.
    if position is None or not outcome.captured:
        raise RequestInvalid("no such erasure was executed", {"erasure_id": "is no executed erasure"})
    (row,) = await loop.run_in_executor(call.house.pool, parts.reader.page, position - 1, 1)
    proof = await parts.ledger.receipt(position - 1)
    (entry,) = await loop.run_in_executor(call.house.pool, parts.reader.leaf_entries, position - 1, position)
    return pb.GetErasureCertificateResponse(
        statement=statement_text(statement_of(row, proof.origin)),
        leaf_index=position - 1,
        tlog_proof=proof.text,
        decision_id=outcome.decision_id,
        leaf_entry=entry,
    )


async def list_erasures(call: Call, request: pb.ListErasuresRequest) -> pb.ListErasuresResponse:
    """List what was erased to the operator; to everybody else there is none."""
    parts, caller, pages = call.house.parts, call.caller, call.house.pages
    place = pages.place(call.rpc, caller, request)
    outcome = await ask_about_nobody(call, request, lambda view: _is_operator(call, view))
    await followed(call, outcome.position)
    below, size, loop = (
        outcome.position if place is None else place,
        page_rows(request),
        asyncio.get_running_loop(),
    )
    rows = await loop.run_in_executor(call.house.pool, parts.erasures.executed, below, size + 1)
    answer = pb.ListErasuresResponse(decision_id=outcome.decision_id)
    if not outcome.captured:
        return answer
    for row in rows[:size]:
        told = answer.erasures.add(
            erasure_id=row.erasure_id,
            categories=row.categories,
            leaf_index=row.position - 1,
            recipients=row.recipients,
            open_recipients=row.open_recipients,
        )
        set_time(told.execute_time, moment(row.executed_at))
    if len(rows) > size:
        answer.next_page_token = pages.token(rows[size - 1].position, call.rpc, caller, request)
    return answer


async def list_purge_requests(
    call: Call, request: pb.ListPurgeRequestsRequest
) -> pb.ListPurgeRequestsResponse:
    """List what was asked: to the operator's officer all, to everybody else the own."""
    parts, caller, pages = call.house.parts, call.caller, call.house.pages
    after = pages.place(call.rpc, caller, request) or 0
    outcome = await ask_about_nobody(
        call, request, lambda view: caller.task == OFFICER and _is_operator(call, view)
    )
    await followed(call, outcome.position)
    whose = ("", "") if outcome.captured else (caller.organisation, caller.task)
    asked = Asked(*whose, only_open=request.only_open)
    size = page_rows(request)
    loop = asyncio.get_running_loop()
    rows = await loop.run_in_executor(call.house.pool, parts.erasures.page, asked, after, size + 1)
    answer = pb.ListPurgeRequestsResponse(decision_id=outcome.decision_id)
    for row in rows[:size]:
        _tell(row, answer.purge_requests.add())
    if len(rows) > size:
        answer.next_page_token = pages.token(rows[size - 1].position, call.rpc, caller, request)
    return answer


async def confirm_purge(call: Call, request: pb.ConfirmPurgeRequest) -> pb.ConfirmPurgeResponse:
    """Record what the recipient did."""
    stream = stream_of(ERASURE.name, request.erasure_id)
    order = ConfirmErased(
        now=call.now,
        author=author_of(call.caller),
        erasure_id=request.erasure_id,
        outcome=enum_names(pb.PurgeOutcome.DESCRIPTOR).stored(request.outcome),
    )

    def process(view: View) -> Steps:
        return Steps(((stream, ERASURE.decide(order, view.state(stream))),))

    outcome = await command(call, request, anchor="", process=process, streams=(stream,), relation=False)
    return pb.ConfirmPurgeResponse(receipt=receipt(outcome))


async def place_hold(call: Call, request: pb.PlaceHoldRequest) -> pb.PlaceHoldResponse:
    """Place a hold."""
    order = PlaceHold(
        now=call.now,
        author=author_of(call.caller),
        hold_id=call.house.parts.fresh_uuid(),
        kind=enum_names(pb.HoldKind.DESCRIPTOR).stored(request.kind),
        reference=request.reference,
        reason=request.reason,
        review_date=required_day(request.review_date),
    )

    def decide(_view: View, stream: str, state: ResidentState) -> Steps:
        return Steps(((stream, RESIDENT.decide(order, state)),), {"hold_id": order.hold_id})

    outcome = await _on_resident(call, request, decide)
    return pb.PlaceHoldResponse(receipt=receipt(outcome), hold_id=outcome.ids["hold_id"])


async def lift_hold(call: Call, request: pb.LiftHoldRequest) -> pb.LiftHoldResponse:
    """Lift a hold."""
    order = LiftHold(
        now=call.now,
        author=author_of(call.caller),
        hold_id=request.hold_id,
        reason=request.reason,
    )

    def decide(_view: View, stream: str, state: ResidentState) -> Steps:
        return Steps(((stream, RESIDENT.decide(order, state)),))

    return pb.LiftHoldResponse(receipt=receipt(await _on_resident(call, request, decide)))


async def _on_resident(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message that names a case
    decide: Callable[[View, str, ResidentState], Steps],
    *,
    alone: bool = False,
    fence: bool = False,
) -> CommandOutcome:
    case_stream = stream_of("case", request.case_id)

    def process(view: View) -> Steps:
        if not _is_operator(call, view):
            raise AccessDenied("only the operator may do this", explanation=_NOT_THE_OPERATOR)
        case = view.state(case_stream)
        stream = "" if case is None else stream_of(RESIDENT.name, case.resident)
        state = view.state(stream) if stream else None
        if state is None:
            # Alike for a case that never was and one whose resident was erased.
            raise RuleBroken("there is no such case", rule="NO_CASE")
        return decide(view, stream, state)

    return await command(
        call, request, anchor=case_stream, process=process, relation=False, alone=alone, fence=fence
    )


def _is_operator(call: Call, view: View) -> bool:
    return bool(view.state(stream_of("organisation", call.caller.organisation)).operator)


def _tell(row: Purge, told: pb.PurgeRequest) -> None:
    told.erasure_id, told.organisation, told.task = row.erasure_id, row.organisation, row.task
    told.subjects.extend(row.subjects)
    told.categories.extend(row.categories)
    set_time(told.request_time, moment(row.asked_at))
    set_time(told.due_time, moment(row.due_at))
    if row.confirmed_at is not None:
        set_time(told.confirm_time, moment(row.confirmed_at))
        told.outcome = pb.PurgeOutcome.ValueType(enum_names(pb.PurgeOutcome.DESCRIPTOR).number(row.outcome))


RPCS: Final[Mapping[str, Unary]] = {
    "PlaceHold": Unary(pb.PlaceHoldRequest, place_hold),
    "LiftHold": Unary(pb.LiftHoldRequest, lift_hold),
    "ProposeErasure": Unary(pb.ProposeErasureRequest, propose_erasure),
    "ApproveErasure": Unary(pb.ApproveErasureRequest, approve_erasure),
    "RefuseErasure": Unary(pb.RefuseErasureRequest, refuse_erasure),
    "GetErasureCertificate": Unary(pb.GetErasureCertificateRequest, get_erasure_certificate),
    "ListErasures": Unary(pb.ListErasuresRequest, list_erasures),
    "ListPurgeRequests": Unary(pb.ListPurgeRequestsRequest, list_purge_requests),
    "ConfirmPurge": Unary(pb.ConfirmPurgeRequest, confirm_purge),
}
