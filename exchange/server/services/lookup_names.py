"""Names behind a count of unexplained lookups: asked for a reason, agreed to by a second person, for a time.

Promises: who agrees is told what he agrees to, and sees no name; names go to who asked, for one cell, while
the yes stands.
Source: GDPR 5(1)(c), 24, 32; exchange/decisions/0134-names-take-two-persons.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from exchange.domain.lookups import ApproveNames, RequestNames
from exchange.domain.shape import person_key
from exchange.errors import RuleBroken
from exchange.pipeline.walk import Steps
from exchange.projections.obligations import moment
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import set_time
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services.lookup_asking import (
    decide,
    leaves_of,
    look,
    look_at_requests,
    month_of_request,
    of_month,
    stream_for,
)
from exchange.server.walks import author_of, receipt
from exchange.v1 import lookup_review_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from exchange.domain.lookups import LookupsState
    from exchange.pipeline.walk import View
    from exchange.projections.lookups.counting import Judged
    from exchange.server.house import Call

_NAMES_REQUEST_ID: Final = "names_request_id"
_UNEXPLAINED: Final = labels_of(pb.ListUnexplainedResponse.DESCRIPTOR)


@dataclass(frozen=True, slots=True)
class Unexplained:
    """One access; attributes have the names of the contract's fields."""

    decision_id: str
    decide_time: datetime
    professional: str
    resident_pseudonym: str
    indicators: tuple[str, ...]


async def request_names(call: Call, request: pb.RequestNamesRequest) -> pb.RequestNamesResponse:
    """Ask for the names of one cell."""
    order = RequestNames(
        now=call.now,
        author=author_of(call.caller),
        names_request_id=call.house.parts.fresh_uuid(),
        of_organisation=request.of_organisation,
        of_task=request.of_task,
        month=request.month,
        reason=request.reason,
    )
    outcome = await decide(call, request, order, {_NAMES_REQUEST_ID: order.names_request_id})
    return pb.RequestNamesResponse(receipt=receipt(outcome), names_request_id=outcome.ids[_NAMES_REQUEST_ID])


async def approve_names(call: Call, request: pb.ApproveNamesRequest) -> pb.ApproveNamesResponse:
    """Agree to it."""
    order = ApproveNames(
        now=call.now,
        author=author_of(call.caller),
        names_request_id=request.names_request_id,
        of_organisation=request.of_organisation,
        of_task=request.of_task,
        month=request.month,
    )
    outcome = await decide(call, request, order)
    state: LookupsState = await call.house.state_behind(stream_for(request))
    asked = state.request(request.names_request_id)
    assert asked is not None, "what was approved was asked"
    assert asked.end_time is not None, "and has an end"
    answer = pb.ApproveNamesResponse(receipt=receipt(outcome))
    set_time(answer.end_time, asked.end_time)
    return answer


async def list_unexplained(call: Call, request: pb.ListUnexplainedRequest) -> pb.ListUnexplainedResponse:
    """List the names of one cell, to who may read them now."""
    month, pages = month_of_request(request.month), call.house.pages
    after = pages.place(call.rpc, call.caller, request) or 0
    stream, who = stream_for(request), (call.caller.organisation, call.caller.professional)

    def refused(view: View) -> Steps:
        state: LookupsState | None = view.state(stream)
        if state is None or state.opens(request.of_task, *who, call.now) is None:
            what = "no second person let you read these names, or not any more"
            raise RuleBroken(what, rule="NAMES_NOT_OPEN")
        return Steps(())

    outcome = await look(call, request, _UNEXPLAINED, refused)
    cell = (request.of_organisation, request.of_task)
    # By position: what is explained meanwhile goes, and nothing behind it is passed over.
    size = page_rows(request)
    look_up = partial(call.house.parts.lookups.unexplained, only_indicated=request.only_indicated)
    found: list[Judged] = await of_month(call, outcome, partial(look_up, month, cell, after, size + 1))
    answer = pb.ListUnexplainedResponse(decision_id=outcome.decision_id)
    copies, leaves = copies_of(pb.UnexplainedLookup.DESCRIPTOR), leaves_of(outcome, "lookups")
    for one in found[:size]:
        shown, told = _unexplained(one, call.house.parts.log_pseudonym), answer.lookups.add()
        for leaf in leaves:
            copies[leaf](shown, told)
    if len(found) > size:
        last = found[size - 1].access.position
        answer.next_page_token = pages.token(last, call.rpc, call.caller, request)
    return answer


def _unexplained(one: Judged, log_pseudonym: Callable[[str], str]) -> Unexplained:
    access = one.access
    return Unexplained(
        access.decision_id,
        moment(access.at),
        access.professional,
        log_pseudonym(access.resident),
        one.indicators,
    )


async def list_names_requests(
    call: Call, request: pb.ListNamesRequestsRequest
) -> pb.ListNamesRequestsResponse:
    """List what was asked of one organisation's month, for who may agree to it."""
    month_of_request(request.month)
    outcome = await look_at_requests(call, request)
    state: LookupsState | None = outcome.captured
    answer = pb.ListNamesRequestsResponse(decision_id=outcome.decision_id)
    # One person wherever he signs in, as where he agrees.
    me = person_key(call.caller.professional)
    for one in () if state is None else state.requests:
        told = answer.requests.add(
            names_request_id=one.names_request_id,
            of_task=one.of_task,
            reason=one.reason,
            organisation=one.organisation,
            asked_by_caller=person_key(one.professional) == me,
        )
        set_time(told.request_time, one.at)
        if one.end_time is not None:
            set_time(told.end_time, one.end_time)
    return answer


RPCS: Final[Mapping[str, Unary]] = {
    "RequestNames": Unary(pb.RequestNamesRequest, request_names),
    "ListNamesRequests": Unary(pb.ListNamesRequestsRequest, list_names_requests),
    "ApproveNames": Unary(pb.ApproveNamesRequest, approve_names),
    "ListUnexplained": Unary(pb.ListUnexplainedRequest, list_unexplained),
}
