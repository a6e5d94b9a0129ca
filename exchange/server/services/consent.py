"""ConsentService: notices, questions to the resident, the answers, withdrawal, and receipts.

Promises: withdrawing asks no version, and its answer waits until every answer judged before it has left; each
consent is shown by its own origin, and of one not shown neither a page, a count nor a token tells; who speaks
is found in the resident's records, never in a claim of the message.
Source: GDPR 4(11), 7; Jeugdwet 7.3.4, 7.3.15; ISO/IEC TS 27560; protos/exchange/v1/consent_service.proto.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from exchange.domain import stream_of
from exchange.domain.answering import answer_consent, put_aside_by
from exchange.domain.consent import CONSENT, GiveConsent, RefuseConsent, RequestConsent, WithdrawConsent
from exchange.domain.days import day_of
from exchange.domain.notice import NOTICE, RegisterNotice, key_of, notice_in_force
from exchange.domain.representation import spoken_by
from exchange.domain.unlinked import RECIPIENTS, event_without
from exchange.domain.values import TASKS_OF_RESIDENTS_SIDE
from exchange.errors import RuleBroken
from exchange.ledger.leaf import parse_leaf
from exchange.pipeline.elements import OTHER_ORGANISATION, Asker, held_as, of_origin, of_rows
from exchange.pipeline.speakers import holders_in, refuse_not_to_withdraw, refuse_unheard, said_by
from exchange.pipeline.walk import Steps
from exchange.server.contract.consent_receipts import Recorded, Telling, receipt_text
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import enum_names, moment
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, command, read, receipt
from exchange.store.shown import committed_fields
from exchange.v1 import consent_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from exchange.domain.answering import Answer
    from exchange.domain.consent import ConsentState
    from exchange.domain.kernel import Events
    from exchange.domain.resident import ResidentState
    from exchange.pipeline.walk import CommandOutcome, ReadOutcome, View
    from exchange.server.house import Call
    from exchange.server.parts import Parts

CONSENT_PREFIX: Final = "consent-"
_LABELS: Final = labels_of(pb.ListConsentsResponse.DESCRIPTOR)
_RECEIPT_LABELS: Final = labels_of(pb.GetConsentReceiptResponse.DESCRIPTOR)


async def register_notice(call: Call, request: pb.RegisterNoticeRequest) -> pb.RegisterNoticeResponse:
    """Register what residents are told."""
    stream = stream_of("notice", key_of(call.caller.organisation, request.notice_id))
    order = RegisterNotice(
        now=call.now,
        author=author_of(call.caller),
        notice_id=request.notice_id,
        version=request.version,
        sha256=request.sha256.hex(),
        language=request.language,
        level=request.level,
        withdrawal_channels=tuple(request.withdrawal_channels),
        valid_from=moment(request.start_time),
        valid_to=moment(request.end_time),
    )

    def process(view: View) -> Steps:
        return Steps(((stream, NOTICE.decide(order, view.state(stream))),))

    outcome = await command(call, request, anchor="", process=process, streams=(stream,), relation=False)
    return pb.RegisterNoticeResponse(receipt=receipt(outcome))


async def request_consent(call: Call, request: pb.RequestConsentRequest) -> pb.RequestConsentResponse:
    """Put a question to the resident of a case."""
    consent_id = call.house.parts.fresh_uuid()
    case_stream, stream = stream_of("case", request.case_id), stream_of("consent", consent_id)
    notice_stream = stream_of("notice", key_of(call.caller.organisation, request.notice_id))

    def process(view: View) -> Steps:
        case = view.state(case_stream)
        if case is None:
            raise RuleBroken("there is no such case", rule="NO_CASE")
        notice = notice_in_force(view.state(notice_stream), request.notice_sha256.hex(), call.now)
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
            sources=tuple(request.sources),
            regime=request.regime,
            start_time=moment(request.start_time),
            end_time=moment(request.end_time),
            notice_id=request.notice_id,
            notice_version=notice.version,
            notice_sha256=notice.sha256,
            notice_language=notice.language,
            notice_level=notice.level,
            withdrawal_channels=notice.withdrawal_channels,
        )
        return Steps(((stream, CONSENT.decide(order, None)),), {"consent_id": consent_id})

    outcome = await command(
        call,
        request,
        anchor=case_stream,
        process=process,
        streams=(stream, notice_stream),
        about_consent=True,
    )
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
        alternatives=request.freely_given.alternatives,
        no_detriment=request.freely_given.no_detriment,
        method=request.method,
    )
    outcome = await _answer(call, request, order, expected=request.expected_version)
    return pb.GiveConsentResponse(receipt=receipt(outcome), version=_version(outcome))


async def refuse_consent(call: Call, request: pb.RefuseConsentRequest) -> pb.RefuseConsentResponse:
    """Record a no."""
    order = RefuseConsent(now=call.now, author=author_of(call.caller))
    outcome = await _answer(call, request, order, expected=request.expected_version, takes_back=True)
    return pb.RefuseConsentResponse(receipt=receipt(outcome), version=_version(outcome))


async def withdraw_consent(call: Call, request: pb.WithdrawConsentRequest) -> pb.WithdrawConsentResponse:
    """Withdraw; never loses a race."""
    order = WithdrawConsent(now=call.now, author=author_of(call.caller))
    outcome = await _answer(call, request, order, takes_back=True)
    return pb.WithdrawConsentResponse(
        receipt=receipt(outcome), version=_version(outcome), put_aside=bool(outcome.ids.get("put_aside"))
    )


async def list_consents(call: Call, request: pb.ListConsentsRequest) -> pb.ListConsentsResponse:
    """List the consents of a case's resident that the caller may see, oldest question first."""
    caller, stream = call.caller, stream_of("case", request.case_id)
    start = call.house.pages.place(call.rpc, caller, request) or 0
    asker = Asker(caller, request.claim.legal_basis, call.now)

    def origins(view: View) -> list[str]:
        return [held_as(state, caller) for state in consents_of(view, stream)]

    outcome = await read(
        call,
        request,
        anchor=stream,
        labels=_LABELS,
        groups=of_rows(_LABELS, origins, asker, call.house.parts.register),
        capture=lambda view: consents_of(view, stream),
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


def consents_of(view: View, case_stream: str) -> list[Any]:
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
    order: Answer,
    *,
    expected: int | None = None,
    takes_back: bool = False,
) -> CommandOutcome:
    stream = stream_of("consent", request.consent_id)
    dispute_id = call.house.parts.fresh_uuid()

    def process(view: View) -> Steps:
        consent = view.state(stream)
        if consent is None:
            raise RuleBroken("there is no such consent", rule="NO_CONSENT")
        resident = view.state(stream_of("resident", consent.resident))
        if resident is None:
            return Steps(((stream, _of_nobody(order, consent)),))
        if isinstance(order, GiveConsent):
            # Between question and answer it may have expired: a yes to what no longer holds is none.
            asker = consent.origin.partition("@")[2]
            notice = stream_of("notice", key_of(asker, consent.notice_id))
            notice_in_force(view.state(notice), consent.notice_sha256, call.now)
        day = day_of(call.now)
        spoken = _spoken(order, request, consent, resident, day)
        appends = answer_consent(
            spoken,
            consent,
            resident,
            others=_others(view, consent),
            holders=holders_in(resident, consent, day),
            dispute_id=dispute_id,
        )
        return Steps(appends, {"put_aside": "yes"} if put_aside_by(spoken, consent, resident) else {})

    version = None if expected is None else (stream, expected)
    return await command(
        call,
        request,
        anchor=stream,
        process=process,
        expected=version,
        fence=takes_back,
        takes_back=takes_back,
        about_consent=True,
    )


def _of_nobody(order: Answer, consent: ConsentState) -> Events:
    """Return what happens where the resident is not registered: a no is always heard, a yes needs an age."""
    if isinstance(order, GiveConsent):
        raise RuleBroken("this resident is not registered: register him first", rule="NOT_REGISTERED")
    return CONSENT.decide(order, consent)


def _spoken(
    order: Answer,
    request: Any,  # noqa: ANN401 -- a message that answers a consent
    consent: ConsentState,
    resident: ResidentState,
    day: date,
) -> Answer:
    """Return the order with the records that show who speaks. Raises RuleBroken where that is not enough."""
    people = resident.representation
    if isinstance(order, GiveConsent):
        named = tuple(request.authority)
        spoken = spoken_by(people, order.author, order.given_by, named, day)
        refuse_unheard(resident, consent, spoken, day)
        return replace(order, authority=spoken.authority)
    spoken = said_by(people, order.author, request.authority, consent.authority, day)
    # The resident's own no is always heard; that of somebody who does not decide here is no no.
    if isinstance(order, RefuseConsent) and spoken.authority:
        refuse_unheard(resident, consent, spoken, day)
    said = replace(order, said_by=spoken.words[0], authority="".join(spoken.authority))
    # Of who was overruled it is kept that he said so, and nothing ends.
    if isinstance(said, WithdrawConsent) and put_aside_by(said, consent, resident) is None:
        refuse_not_to_withdraw(resident, consent, spoken, day)
    return said


def _others(view: View, consent: ConsentState) -> list[ConsentState]:
    linked = (one for one in view.scope(consent.resident) if one.startswith(CONSENT_PREFIX))
    states = (view.state(one) for one in linked)
    return [state for state in states if state is not None and state.consent_id != consent.consent_id]


async def get_consent_receipt(
    call: Call, request: pb.GetConsentReceiptRequest
) -> pb.GetConsentReceiptResponse:
    """Give the resident's side what it keeps of a consent."""
    stream = stream_of("consent", request.consent_id)
    parts = call.house.parts

    def groups(view: View, paths: tuple[str, ...]) -> Any:  # noqa: ANN401 -- groups, as of_origin gives them
        state = view.state(stream)
        mine = state is not None and call.caller.task in TASKS_OF_RESIDENTS_SIDE
        # No basis names the other kind: who is not of the resident's side reads consents by ListConsents.
        return of_origin(_RECEIPT_LABELS, state.origin if mine else OTHER_ORGANISATION)(view, paths)

    outcome = await read(
        call, request, anchor=stream, labels=_RECEIPT_LABELS, groups=groups, capture=lambda _view: None
    )
    answer = pb.GetConsentReceiptResponse(decision_id=outcome.decision_id)
    if outcome.released:
        telling = Telling(str(UUID(outcome.decision_id)), call.now, "")
        loop = asyncio.get_running_loop()
        answer.json_ld = await loop.run_in_executor(call.house.pool, _told, parts, stream, outcome, telling)
    return answer


def _told(parts: Parts, stream: str, outcome: ReadOutcome, telling: Telling) -> str:
    rows = [row for row in parts.reader.tail(stream).rows if row.position <= outcome.position]
    history = []
    for row in rows:
        opened = parts.codec.decode(row.state, stream=stream, version=row.version, topic=row.topic)
        # The leaf of position p has index p - 1.
        (entry,) = parts.reader.leaf_entries(row.position - 1, row.position)
        committed = tuple(committed_fields(parts.codec, opened, parse_leaf(entry).fields))
        event = event_without(opened.event, outcome.links)
        if event is not opened.event:
            # What the leaf binds is the whole field: with its salt, whoever is left out could be shown.
            committed = tuple(one for one in committed if one.name != RECIPIENTS)
        history.append(Recorded(event, opened.meta.at, row.position - 1, committed, entry))
    asked: Any = history[0].event
    organisation = parts.loader.load(stream_of("organisation", asked.organisation)).state
    return receipt_text(history, replace(telling, controller_name=organisation.name))


def _version(outcome: CommandOutcome) -> int:
    return outcome.versions[CONSENT.name]


RPCS: Final[Mapping[str, Unary]] = {
    "RegisterNotice": Unary(pb.RegisterNoticeRequest, register_notice),
    # Two purposes are two consents: the last one of two would be a question nobody put.
    "RequestConsent": Unary(pb.RequestConsentRequest, request_consent, once=True),
    "GiveConsent": Unary(pb.GiveConsentRequest, give_consent),
    "RefuseConsent": Unary(pb.RefuseConsentRequest, refuse_consent),
    "WithdrawConsent": Unary(pb.WithdrawConsentRequest, withdraw_consent),
    "ListConsents": Unary(pb.ListConsentsRequest, list_consents),
    "GetConsentReceipt": Unary(pb.GetConsentReceiptRequest, get_consent_receipt),
}
