"""ConsentService: questions to the resident, the answers, and withdrawal.

Promises: withdrawing asks no version, and its answer waits until every answer judged before it has left; each
consent is shown by its own origin, and of one that is not shown neither a page, a count nor a token tells.
Source: GDPR 4(11), 7; protos/exchange/v1/consent_service.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.consent import CONSENT, GiveConsent, RefuseConsent, RequestConsent, WithdrawConsent
from exchange.errors import RuleBroken
from exchange.pipeline.elements import Asker, held_as, of_rows
from exchange.pipeline.walk import Steps
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import enum_names, moment
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, command, read, receipt
from exchange.v1 import consent_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.domain import Command
    from exchange.pipeline.walk import CommandOutcome, ReadOutcome, View
    from exchange.server.house import Call

CONSENT_PREFIX: Final = "consent-"
_LABELS: Final = labels_of(pb.ListConsentsResponse.DESCRIPTOR)


async def request_consent(call: Call, request: pb.RequestConsentRequest) -> pb.RequestConsentResponse:
    """Put a question to the resident of a case."""
    consent_id = call.house.parts.fresh_uuid()
    case_stream, stream = stream_of("case", request.case_id), stream_of("consent", consent_id)

    def process(view: View) -> Steps:
        case = view.state(case_stream)
        if case is None:
            raise RuleBroken("there is no such case", rule="NO_CASE")
        order = RequestConsent(
            now=call.now,
            author=author_of(call.caller),
            consent_id=consent_id,
            case_id=request.case_id,
            resident=case.resident,
            kind=enum_names(pb.ConsentKind.DESCRIPTOR).stored(request.kind),
            purpose=enum_names(Purpose.DESCRIPTOR).stored(request.consent_purpose),
            recipients=tuple(request.recipients),
            categories=tuple(request.categories),
            start_time=moment(request.start_time),
            end_time=moment(request.end_time),
            notice_id=request.notice_id,
            notice_sha256=request.notice_sha256.hex(),
        )
        return Steps(((stream, CONSENT.decide(order, None)),), {"consent_id": consent_id})

    outcome = await command(call, request, anchor=case_stream, process=process, streams=(stream,))
    return pb.RequestConsentResponse(
        receipt=receipt(outcome), consent_id=outcome.ids["consent_id"], version=_version(outcome)
    )


async def give_consent(call: Call, request: pb.GiveConsentRequest) -> pb.GiveConsentResponse:
    """Record a yes."""
    order = GiveConsent(
        now=call.now,
        author=author_of(call.caller),
        given_by=tuple(request.given_by),
        explicit=request.explicit,
        free_assessed=request.free_assessed,
        method=request.method,
    )
    outcome = await _answer(call, request, order, expected=request.expected_version)
    return pb.GiveConsentResponse(receipt=receipt(outcome), version=_version(outcome))


async def refuse_consent(call: Call, request: pb.RefuseConsentRequest) -> pb.RefuseConsentResponse:
    """Record a no."""
    order = RefuseConsent(now=call.now, author=author_of(call.caller))
    outcome = await _answer(call, request, order, expected=request.expected_version, fence=True)
    return pb.RefuseConsentResponse(receipt=receipt(outcome), version=_version(outcome))


async def withdraw_consent(call: Call, request: pb.WithdrawConsentRequest) -> pb.WithdrawConsentResponse:
    """Withdraw; never loses a race."""
    order = WithdrawConsent(now=call.now, author=author_of(call.caller))
    outcome = await _answer(call, request, order, fence=True)
    return pb.WithdrawConsentResponse(receipt=receipt(outcome), version=_version(outcome))


async def list_consents(call: Call, request: pb.ListConsentsRequest) -> pb.ListConsentsResponse:
    """List the consents of a case's resident that the caller may see, oldest question first."""
    caller, stream = call.caller, stream_of("case", request.case_id)
    start = call.house.pages.place(call.rpc, caller, request) or 0
    asker = Asker(caller, request.claim.legal_basis, call.now)

    def origins(view: View) -> list[str]:
        return [held_as(state, caller) for state in _consents(view, stream)]

    outcome = await read(
        call,
        request,
        anchor=stream,
        labels=_LABELS,
        groups=of_rows(_LABELS, origins, asker, call.house.parts.register),
        capture=lambda view: _consents(view, stream),
    )
    answer = pb.ListConsentsResponse(decision_id=outcome.decision_id)
    leaves = _leaves_by_origin(outcome)
    # Only now paged: a row that is not shown takes no place on a page.
    shown = [(state, held) for state in outcome.captured if (held := held_as(state, caller)) in leaves]
    rows = shown[start : start + page_rows(request)]
    copies = copies_of(pb.Consent.DESCRIPTOR)
    for state, held in rows:
        told = answer.consents.add()
        for leaf in leaves[held]:
            copies[leaf](state, told)
    if start + len(rows) < len(shown):
        answer.next_page_token = call.house.pages.token(start + len(rows), call.rpc, caller, request)
    return answer


def _consents(view: View, case_stream: str) -> list[Any]:
    """Return the consents of a case's resident, oldest question first."""
    case = view.state(case_stream)
    if case is None:
        return []
    linked = (one for one in view.scope(case.resident) if one.startswith(CONSENT_PREFIX))
    states = [state for one in linked if (state := view.state(one)) is not None]
    return sorted(states, key=lambda state: (state.start_time, state.consent_id))


def _leaves_by_origin(outcome: ReadOutcome) -> dict[str, list[str]]:
    """Return the released leaves of a consent by the origin they are released of."""
    found: dict[str, list[str]] = {}
    for group in outcome.groups:
        if group.fact.name in outcome.released:
            found.setdefault(group.origin, []).append(group.path.partition(".")[2])
    return found


async def _answer(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message that names a consent
    order: Command,
    *,
    expected: int | None = None,
    fence: bool = False,
) -> CommandOutcome:
    stream = stream_of("consent", request.consent_id)

    def process(view: View) -> Steps:
        return Steps(((stream, CONSENT.decide(order, view.state(stream))),))

    version = None if expected is None else (stream, expected)
    return await command(call, request, anchor=stream, process=process, expected=version, fence=fence)


def _version(outcome: CommandOutcome) -> int:
    return outcome.versions[CONSENT.name]


RPCS: Final[Mapping[str, Unary]] = {
    "RequestConsent": Unary(pb.RequestConsentRequest, request_consent),
    "GiveConsent": Unary(pb.GiveConsentRequest, give_consent),
    "RefuseConsent": Unary(pb.RefuseConsentRequest, refuse_consent),
    "WithdrawConsent": Unary(pb.WithdrawConsentRequest, withdraw_consent),
    "ListConsents": Unary(pb.ListConsentsRequest, list_consents),
}
