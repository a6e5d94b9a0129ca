"""My rights: see, correct, object, restrict, take along, erase; what was asked, and until when it waits.

Promises: a request is the resident's own, in his words, and its term is the law's; an objection and a
restriction stand from the answer on. What is fetched is made for this one answer and kept nowhere.
Source: GDPR 12(3), 15-18, 20, 21, 77; Wmo 2015 5.3.5; Jeugdwet 7.3.9.
"""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.console.files import file_of, refuse_where_watched
from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.pdfs import RESIDENTS
from exchange.console.refusals import Refused
from exchange.console.resident.asking import (
    ACCESS,
    ASK,
    LIMIT,
    OBJECT,
    labelled,
    own_case,
    pages,
    told,
    words_of_form,
)
from exchange.console.resident.authority import authority_of
from exchange.console.resident.gathering import gather, take_along
from exchange.console.resident.known import SELF, known_of
from exchange.console.resident.plain import Plain
from exchange.console.resident.ways import ERASED, RIGHTS, WAYS
from exchange.console.roles import IN_PERSON
from exchange.documents.access import access_document
from exchange.documents.gathered import read_gathered
from exchange.documents.words import words_of
from exchange.v1 import resident_rights_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look
    from exchange.console.resident.asking import Case
    from exchange.console.resident.known import Known
    from exchange.console.resident.ways import Way

PLACE: Final = "/mijn/4"
TITLE: Final = later("Mijn rechten")
NEUTRAL: Final = later("Overzicht")
BY_NUMBER: Final = {way.number: way for way in WAYS}
PARTS: Final = ("reports", "conversations", "situations", "goals", "supports", "agreements")
OPEN: Final = ("REQUEST_STATUS_RECEIVED", "REQUEST_STATUS_EXTENDED", "REQUEST_STATUS_GRANTED")
RESTRICTION: Final = "RESTRICTION"
KEY_CHARS: Final = 16
_NO_PDF: Final = later("Een bestand om te lezen (PDF) kan hier niet worden gemaakt. Kies het andere bestand.")
AROUND: Final = [
    *("processings.purpose", "recipients.organisation", "recipients.task"),
    *("limits.limit_id", "limits.state", "limits.limited_purpose", "limits.recipient"),
]
# An address tells by a number alone what was recorded.
ASKED, OBJECTED, RESTRICTED, TAKEN_BACK = "1", "2", "3", "4"
SAID: Final = {
    ASKED: later("Uw verzoek is ontvangen. Hieronder staat wanneer u uiterlijk antwoord krijgt."),
    OBJECTED: later("Uw bezwaar is ontvangen en geldt vanaf nu. U hoort wat er wordt beslist."),
    RESTRICTED: later("Vanaf nu worden uw gegevens hiervoor niet gebruikt. Wie ze al kreeg, hoort dat ook."),
    TAKEN_BACK: later("U nam uw bezwaar terug. Het geldt niet meer."),
}


class Choices(NamedTuple):
    """Against what somebody can speak: purposes and recipients, as the contract writes them and in words.

    A form names one by `key_of`, not by its place: who got something meanwhile may stand before it.
    """

    purposes: list[tuple[str, str]]
    recipients: list[tuple[str, str]]


def key_of(one: str) -> str:
    """Return by what a form names a choice: it says nothing to whoever looks at the page."""
    return sha256(one.encode()).hexdigest()[:KEY_CHARS]


async def show(look: Look) -> Response:
    """Show what was asked, which limits stand, and what can be asked."""
    case = await own_case(look)
    plain = Plain(words_of(look.words.language))
    fields = labelled(pb.ListRightsRequestsResponse.DESCRIPTOR)
    request = pb.ListRightsRequestsRequest(claim=ACCESS, case_id=case.case_id, fields=fields)
    asked = [
        told(one)
        async for page in pages(look, request, pb.ListRightsRequestsResponse)
        for one in page.requests
    ]
    around, authority = await _around(look, case), await authority_of(look, case.case_id)
    return look.page(
        "my_rights.html",
        heading=look.heading(TITLE, NEUTRAL),
        plain=plain,
        asked=asked,
        is_open=OPEN,
        limits=around.get("limits", []),
        against=partial(_against, known=await known_of(look) if around.get("limits") else None, plain=plain),
        restriction=RESTRICTION,
        ways=WAYS,
        speaks=authority.speaks,
        takes_back=authority.takes_back,
        fresh=look.fresh_id,
        done=SAID.get(look.query.get("klaar", ""), ""),
    )


async def show_way(look: Look) -> Response:
    """Show the form of one right."""
    way = _way(look)
    case = await own_case(look)
    plain = Plain(words_of(look.words.language))
    limiting = way.name in {"bezwaar", "beperken"}
    choices = await _choices(look, case, plain) if limiting else Choices([], [])
    return look.page(
        "my_right.html",
        heading=look.heading(way.title, NEUTRAL),
        way=way,
        speaks=(await authority_of(look, case.case_id)).speaks,
        plain=plain,
        choices=choices,
        key_of=key_of,
        parts=PARTS if way.name == "verbeteren" else (),
        erased=ERASED if way.name == "wissen" else {},
        fresh=look.fresh_id,
    )


async def ask_for(look: Look) -> Response:
    """Record what is asked."""
    way = _way(look)
    said = words_of_form(look, "woorden", required=way.needed)
    case = await own_case(look)
    if way.name in {"bezwaar", "beperken"}:
        return await _limit(look, way, case, said)
    right = RIGHTS.get(way.name)
    if right is None:
        chosen = ERASED.get(look.field("wat"))
        if chosen is None:
            raise Refused("CHOICE", later("Kies wat u wilt laten wissen."))
        right = chosen[0]
    part = look.field("deel")
    if part and part not in PARTS:
        raise Refused("PART", later("Kies over welk deel het gaat."))
    about = f"{words_of('nl').field(part)}: " if part else ""
    request = pb.ReceiveRightsRequestRequest(
        request_id=look.field("request_id"),
        claim=ASK,
        case_id=case.case_id,
        right=right,
        statement=about + said,
    )
    await look.ask(request, pb.ReceiveRightsRequestResponse)
    return look.onward(f"{PLACE}?klaar={ASKED}")


async def take_back(look: Look) -> Response:
    """Take back an objection."""
    case = await own_case(look)
    request = pb.WithdrawObjectionRequest(
        request_id=look.field("request_id"),
        claim=OBJECT,
        case_id=case.case_id,
        objection_id=look.field("bezwaar"),
    )
    await look.ask(request, pb.WithdrawObjectionResponse)
    return look.onward(f"{PLACE}?klaar={TAKEN_BACK}")


async def save_json(look: Look) -> Response:
    """Give the answer on access as a file for computers."""
    refuse_where_watched(look)
    return file_of(await gather(look, await own_case(look)), "json")


async def save_pdf(look: Look) -> Response:
    """Give the answer on access as a document."""
    refuse_where_watched(look)
    gathered = read_gathered(await gather(look, await own_case(look)))
    document = access_document(gathered, look.words.language)
    return file_of(await RESIDENTS.set(lambda: document, look.session.resident, _NO_PDF), "pdf")


async def save_copy(look: Look) -> Response:
    """Give what may be taken along."""
    refuse_where_watched(look)
    return file_of(await take_along(look, (await own_case(look)).plan_id), "jsonld")


def _way(look: Look) -> Way:
    way = BY_NUMBER.get(look.request.path_params["number"])
    if way is None:
        raise Refused("NO_SUCH", later("Dit is er niet, of niet meer."))
    return way


async def _limit(look: Look, way: Way, case: Case, said: str) -> Response:
    """Object or restrict, against everything or against what was chosen."""
    plain = Plain(words_of(look.words.language))
    choices = await _choices(look, case, plain)
    purpose, recipient = look.field("waarvoor"), look.field("wie")
    asked: dict[str, Any] = {
        "request_id": look.field("request_id"),
        "case_id": case.case_id,
        "reason": said,
        "recipient": _chosen(choices.recipients, recipient) if recipient else "",
    }
    against = _chosen(choices.purposes, purpose) if purpose else ""
    number = Purpose.Value(against) if against else Purpose.PURPOSE_UNSPECIFIED
    if way.name == "bezwaar":
        objecting = pb.ObjectRequest(claim=OBJECT, objected_purpose=number, **asked)
        await look.ask(objecting, pb.ObjectResponse)
        return look.onward(f"{PLACE}?klaar={OBJECTED}")
    restricting = pb.RestrictRequest(claim=LIMIT, restricted_purpose=number, **asked)
    await look.ask(restricting, pb.RestrictResponse)
    return look.onward(f"{PLACE}?klaar={RESTRICTED}")


def _chosen(choices: list[tuple[str, str]], key: str) -> str:
    found = next((one for one, _ in choices if key_of(one) == key), None)
    if found is None:
        raise Refused("NO_SUCH", later("Dit is er niet, of niet meer."), HTTPStatus.NOT_FOUND)
    return found


def _against(recipient: str, known: Known | None, plain: Plain) -> str:
    """Return against whom a limit stands, in words; nothing where it is against everybody."""
    oin, _, task = recipient.partition("/")
    return known.who(oin, task, plain.words) if known is not None and recipient else ""


async def _around(look: Look, case: Case) -> dict[str, Any]:
    request = pb.GetAccessAnswerRequest(claim=ACCESS, case_id=case.case_id, fields=AROUND)
    return told(await look.ask(request, pb.GetAccessAnswerResponse))


async def _choices(look: Look, case: Case, plain: Plain) -> Choices:
    """Return what can be chosen."""
    around, known = await _around(look, case), await known_of(look)
    purposes = {one.get("purpose", "") for one in around.get("processings", ())}
    pairs = {
        (one.get("organisation", ""), one.get("task", ""))
        for one in around.get("recipients", ())
        if one.get("task") not in SELF
    }
    recipients = ((f"{oin}/{task}", known.who(oin, task, plain.words)) for oin, task in sorted(pairs))
    return Choices(
        [(one, says) for one in sorted(purposes) if (says := plain.purpose(one))],
        [(one, says) for one, says in recipients if says],
    )


ROUTES: Final = (
    Page(PLACE, show, IN_PERSON, menu=TITLE, place=40),
    Page(f"{PLACE}/bestand/pdf", save_pdf, IN_PERSON),
    Page(f"{PLACE}/bestand/json", save_json, IN_PERSON),
    Page(f"{PLACE}/bestand/kopie", save_copy, IN_PERSON),
    Page(f"{PLACE}/terug", take_back, IN_PERSON, methods=("POST",)),
    Page(f"{PLACE}/{{number}}", show_way, IN_PERSON),
    Page(f"{PLACE}/{{number}}/vraag", ask_for, IN_PERSON, methods=("POST",)),
)
