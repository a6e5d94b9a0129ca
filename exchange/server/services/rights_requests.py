"""Requests of residents, of ResidentRightsService: received, extended, decided, executed, listed.

Promises: the term is counted from the day of receipt in the Netherlands; what a college reads of requests is
the resident's own, under a basis that opens no record of who looked at him.
Source: GDPR 12(3)-(4); Wmo 2015 5.3.5; Jeugdwet 7.3.9; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.days import day_of
from exchange.domain.rights.answering import decide_request, execute_request, is_told_by_portal
from exchange.domain.rights.request import (
    RIGHTS_REQUEST,
    DecideRightsRequest,
    ExecuteRightsRequest,
    ExtendRightsRequest,
    ReceiveRightsRequest,
    RightsRequestState,
)
from exchange.domain.rights.terms import due_day
from exchange.domain.values import RESIDENT_TASK
from exchange.errors import RuleBroken
from exchange.pipeline.elements import of_origin
from exchange.pipeline.recipients import parted, recipients_of, was_answered
from exchange.pipeline.sealed import kept_from
from exchange.pipeline.walk import Steps
from exchange.projections.workdays import end_of_day, is_workday
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import day, enum_names
from exchange.server.contract.pages import page_rows
from exchange.server.contract.plans import plan_leaves
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, command, given_paths, read, receipt
from exchange.v1 import resident_rights_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, datetime

    from exchange.domain.kernel import Events
    from exchange.domain.resident import ResidentState
    from exchange.domain.rights.recipients import ToTell
    from exchange.pipeline.walk import CommandOutcome, View
    from exchange.server.house import Call

NAME: Final = RIGHTS_REQUEST.name
PREFIX: Final = stream_of(NAME, "")
_LABELS: Final = labels_of(pb.ListRightsRequestsResponse.DESCRIPTOR)


async def receive_rights_request(
    call: Call, request: pb.ReceiveRightsRequestRequest
) -> pb.ReceiveRightsRequestResponse:
    """Record a request."""
    drawn, today = call.house.parts.fresh_uuid(), day_of(call.now)
    received = day(request.received_date) or today
    right = enum_names(pb.Right.DESCRIPTOR).stored(request.right)
    anchor = stream_of("case", request.case_id)

    def process(view: View) -> Steps:
        case = view.state(anchor)
        if case is None:
            raise RuleBroken("there is no such case", rule="NO_CASE")
        order = ReceiveRightsRequest(
            now=call.now,
            author=author_of(call.caller),
            rights_request_id=drawn,
            resident=case.resident,
            case_id=request.case_id,
            right=right,
            statement=request.statement,
            received_date=received,
            today=today,
            due_at=_due(right, received, extended=False),
            open_requests=sum(one.waits for one in requests_of(view, case.resident)),
        )
        events = RIGHTS_REQUEST.decide(order, None)
        return Steps(((stream_of(NAME, drawn), events),), {"rights_request_id": drawn})

    outcome = await command(call, request, anchor=anchor, process=process)
    return pb.ReceiveRightsRequestResponse(
        receipt=receipt(outcome), rights_request_id=outcome.ids["rights_request_id"]
    )


async def extend_rights_request(
    call: Call, request: pb.ExtendRightsRequestRequest
) -> pb.ExtendRightsRequestResponse:
    """Extend the term."""

    def decide(_view: View, state: RightsRequestState | None) -> Events:
        order = ExtendRightsRequest(
            now=call.now,
            author=author_of(call.caller),
            reason=request.reason,
            how=request.how,
            due_at=call.now if state is None else _due(state.right, state.received_date, extended=True),
        )
        return RIGHTS_REQUEST.decide(order, state)

    return pb.ExtendRightsRequestResponse(receipt=receipt(await _on_request(call, request, decide)))


async def decide_rights_request(
    call: Call, request: pb.DecideRightsRequestRequest
) -> pb.DecideRightsRequestResponse:
    """Decide a request."""
    order = DecideRightsRequest(
        now=call.now,
        author=author_of(call.caller),
        outcome=enum_names(pb.RightsOutcome.DESCRIPTOR).stored(request.outcome),
        reason=request.reason,
        refusal_article=enum_names(pb.RefusalArticle.DESCRIPTOR).stored(request.refusal_article),
        complain_at=request.complain_at,
    )

    def decide(view: View, state: RightsRequestState | None) -> Events:
        return decide_request(order, state, _resident(view, state))

    return pb.DecideRightsRequestResponse(receipt=receipt(await _on_request(call, request, decide)))


async def execute_rights_request(
    call: Call, request: pb.ExecuteRightsRequestRequest
) -> pb.ExecuteRightsRequestResponse:
    """Record that it was done."""
    parts, paths = call.house.parts, plan_leaves(request.paths)
    author = author_of(call.caller)
    stream = stream_of(NAME, request.rights_request_id)

    def process(view: View) -> Steps:
        state = view.state(stream)
        # What went out before is on disk; what is judged beside this reads what was rectified before it.
        told: tuple[ToTell, ...] = ()
        if state is not None and paths:
            told = recipients_of(parts.reader, parts.codec, view, state.resident, paths, but=author)
        order = ExecuteRightsRequest(
            now=call.now,
            author=author,
            reference=request.reference,
            how=request.how,
            sha256=request.sha256.hex(),
            paths=paths,
            recipients=told,
        )
        answered = (
            state is not None
            and is_told_by_portal(order, state)
            and was_answered(parts.reader, parts.codec, state.resident, order.reference)
        )
        resident = _resident(view, state)
        events = execute_request(order, state, resident, answered=answered)
        unseen, seen = parted(events, kept_from(resident, call.caller).links)
        return Steps(
            ((stream, seen),),
            {"recipients": str(len(told) - len(unseen))},
            ((stream, unseen),) if unseen else (),
        )

    outcome = await command(call, request, anchor=stream, process=process)
    return pb.ExecuteRightsRequestResponse(
        receipt=receipt(outcome), recipients=int(outcome.ids["recipients"])
    )


async def list_rights_requests(
    call: Call, request: pb.ListRightsRequestsRequest
) -> pb.ListRightsRequestsResponse:
    """List the requests of a case's resident, newest first."""
    pages, caller = call.house.pages, call.caller
    place = pages.place(call.rpc, caller, request)
    anchor = stream_of("case", request.case_id)

    def held(view: View) -> list[RightsRequestState]:
        case = view.state(anchor)
        return [] if case is None else requests_of(view, case.resident)

    outcome = await read(
        call,
        request,
        anchor=anchor,
        labels=_LABELS,
        groups=of_origin(_LABELS, RESIDENT_TASK),
        capture=held,
    )
    answer = pb.ListRightsRequestsResponse(
        decision_id=outcome.decision_id, withheld_fields=outcome.withheld_paths
    )
    # Counted from the oldest, so that what comes in between two pages moves none.
    below = len(outcome.captured) if place is None else place
    first = max(below - page_rows(request), 0)
    copies = copies_of(pb.RightsRequest.DESCRIPTOR)
    leaves = [path.partition(".")[2] for path in given_paths(outcome)]
    for row in reversed(outcome.captured[first:below]):
        told = answer.requests.add()
        for leaf in leaves:
            copies[leaf](row, told)
    if first:
        answer.next_page_token = pages.token(first, call.rpc, caller, request)
    return answer


def requests_of(view: View, resident: str) -> list[RightsRequestState]:
    """Return the requests of a resident, oldest first; what was corrected unasked is none."""
    states = (view.state(stream) for stream in view.scope(resident) if stream.startswith(PREFIX))
    return sorted((one for one in states if one is not None and not one.unasked), key=_age)


def _resident(view: View, state: RightsRequestState | None) -> ResidentState | None:
    found: ResidentState | None = None if state is None else view.state(stream_of("resident", state.resident))
    return found


def _age(one: RightsRequestState) -> tuple[datetime, str]:
    return one.receive_time, one.rights_request_id


def _due(right: str, received: date, *, extended: bool) -> datetime:
    return end_of_day(due_day(right, received, is_workday, extended=extended))


async def _on_request(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message that names a request
    decide: Callable[[View, RightsRequestState | None], Events],
) -> CommandOutcome:
    stream = stream_of(NAME, request.rights_request_id)

    def process(view: View) -> Steps:
        return Steps(((stream, decide(view, view.state(stream))),))

    return await command(call, request, anchor=stream, process=process)


RPCS: Final[Mapping[str, Unary]] = {
    "ReceiveRightsRequest": Unary(pb.ReceiveRightsRequestRequest, receive_rights_request),
    "ExtendRightsRequest": Unary(pb.ExtendRightsRequestRequest, extend_rights_request),
    "DecideRightsRequest": Unary(pb.DecideRightsRequestRequest, decide_rights_request),
    "ExecuteRightsRequest": Unary(pb.ExecuteRightsRequestRequest, execute_rights_request),
    "ListRightsRequests": Unary(pb.ListRightsRequestsRequest, list_rights_requests),
}
