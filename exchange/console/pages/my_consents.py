"""My consents: what was asked, what it opens and closes, and one step for a yes, a no, and taking a yes back.

Promises: nobody says yes here without the text he is asked by, word for word: it is shown where its SHA-256
is that of the registered notice. Taking back asks less than giving: no text, no version and no reason.
Source: GDPR 4(11), 7(1), 7(3), 7(4); ISO/IEC TS 27560 (receipts); the consent service.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.console.files import file_of, refuse_where_watched
from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.refusals import Refused
from exchange.console.resident.asking import (
    ACCESS,
    WORD,
    index_of,
    labelled,
    own_case,
    pages,
    told,
    version_of,
)
from exchange.console.resident.authority import authority_of
from exchange.console.resident.known import known_of
from exchange.console.resident.plain import Plain
from exchange.console.roles import IN_PERSON
from exchange.documents.disclosures import receipts_json_ld
from exchange.documents.gathered import Gathered
from exchange.documents.words import words_of
from exchange.v1 import consent_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from exchange.console.page import Look

PLACE: Final = "/mijn/3"
TITLE: Final = later("Toestemming")
NEUTRAL: Final = later("Overzicht")
PORTAL: Final = "portal"
FIELDS: Final = labelled(pb.ListConsentsResponse.DESCRIPTOR)
ASKED, GIVEN, SAID_NO, TAKEN_BACK = (
    "CONSENT_STATE_REQUESTED",
    "CONSENT_STATE_GIVEN",
    "CONSENT_STATE_REFUSED",
    "CONSENT_STATE_WITHDRAWN",
)
# Only this kind is the ground itself, and has to be free before it counts (GDPR 7(4)).
GDPR_KIND: Final = "CONSENT_KIND_GDPR"
# An address tells by a number alone what was recorded.
YES, NO, BACK, PUT_ASIDE = "1", "2", "3", "4"
SAID: Final = {
    YES: later(
        "U zei ja. De gegevens die hieronder staan mogen nu naar wie hieronder staat. "
        "U kunt uw ja altijd terugnemen."
    ),
    NO: later("U zei nee. Er gaat niets naar wie hieronder staat op deze vraag."),
    BACK: later(
        "U nam uw ja terug. Vanaf nu gaat er op deze grond niets meer naar wie hieronder staat. "
        "Wat al gegeven was, is daarmee niet weg: vraag daarvoor om wissen."
    ),
    PUT_ASIDE: later(
        "Wat u zei is opgeschreven. Een ander die voor u mag spreken zei ja, en er is besloten "
        "dat dat nu telt. Vraag de gemeente om er opnieuw over te beslissen."
    ),
}


class Notice(NamedTuple):
    """What somebody is told when he is asked: `text` is empty where this console does not have it."""

    version: str
    text: str


async def show(look: Look) -> Response:
    """Show every consent, newest question first."""
    found = await _consents(look)
    return look.page(
        "my_consents.html",
        heading=look.heading(TITLE, NEUTRAL),
        consents=list(enumerate(found, start=1))[::-1],
        **await _around(look),
    )


async def show_one(look: Look) -> Response:
    """Show one consent, with the text it is asked by."""
    number, one = await _asked_for(look)
    return look.page(
        "my_consent.html",
        heading=look.heading(TITLE, NEUTRAL),
        number=number,
        one=one,
        notice=await _notice(look, one["consent_id"]),
        free=one.get("kind") == GDPR_KIND,
        done=SAID.get(look.query.get("klaar", ""), ""),
        **await _around(look),
    )


async def say_yes(look: Look) -> Response:
    """Record a yes."""
    number, one = await _asked_for(look)
    if not (await _notice(look, one["consent_id"])).text:
        raise Refused(
            "NO_NOTICE",
            later("De tekst bij deze vraag is er niet. Zonder die tekst kunt u hier geen ja zeggen."),
        )
    authority = await authority_of(look, (await own_case(look)).case_id)
    free = bool(look.field("anders")) and bool(look.field("geen_nadeel"))
    request = pb.GiveConsentRequest(
        request_id=look.field("request_id"),
        claim=WORD,
        consent_id=one["consent_id"],
        given_by=[authority.word],
        explicit=True,
        free_assessed=free,
        method=PORTAL,
        expected_version=version_of(look),
    )
    if free:
        request.freely_given.alternatives = request.freely_given.no_detriment = True
    await look.ask(request, pb.GiveConsentResponse)
    return look.onward(f"{PLACE}/{number}?klaar={YES}")


async def say_no(look: Look) -> Response:
    """Record a no."""
    number, one = await _asked_for(look)
    request = pb.RefuseConsentRequest(
        request_id=look.field("request_id"),
        claim=WORD,
        consent_id=one["consent_id"],
        expected_version=version_of(look),
    )
    await look.ask(request, pb.RefuseConsentResponse)
    return look.onward(f"{PLACE}/{number}?klaar={NO}")


async def take_back(look: Look) -> Response:
    """Record that a yes is taken back."""
    number, one = await _asked_for(look)
    request = pb.WithdrawConsentRequest(
        request_id=look.field("request_id"), claim=WORD, consent_id=one["consent_id"]
    )
    answer = await look.ask(request, pb.WithdrawConsentResponse)
    return look.onward(f"{PLACE}/{number}?klaar={PUT_ASIDE if answer.put_aside else BACK}")


async def save_receipt(look: Look) -> Response:
    """Give the receipt of one consent."""
    refuse_where_watched(look)
    _, one = await _asked_for(look)
    return file_of((await receipt_of(look, one["consent_id"])).encode(), "jsonld")


async def save_receipts(look: Look) -> Response:
    """Give all receipts in one file."""
    refuse_where_watched(look)
    texts = [await receipt_of(look, one["consent_id"]) for one in await _consents(look)]
    gathered = Gathered(gathered_at=look.now, receipts=tuple(map(json.loads, texts)))
    return file_of(receipts_json_ld(gathered), "jsonld")


async def receipt_of(look: Look, consent_id: str) -> str:
    """Return a receipt, JSON-LD."""
    request = pb.GetConsentReceiptRequest(claim=ACCESS, consent_id=consent_id, fields=["json_ld"])
    return (await look.ask(request, pb.GetConsentReceiptResponse)).json_ld


async def _around(look: Look) -> dict[str, Any]:
    known, plain = await known_of(look), Plain(words_of(look.words.language))

    def recipients(one: Mapping[str, Any]) -> list[str]:
        pairs = (recipient.partition("/") for recipient in one.get("recipients", ()))
        return list(filter(None, (known.who(oin, task, plain.words) for oin, _, task in pairs)))

    def sources(one: Mapping[str, Any]) -> list[str]:
        return list(filter(None, (known.who("", task, plain.words) for task in one.get("sources", ()))))

    return {
        "authority": await authority_of(look, (await own_case(look)).case_id),
        "plain": plain,
        "recipients": recipients,
        "sources": sources,
        "fresh": look.fresh_id,
        "asked": ASKED,
        "given": GIVEN,
        "said_no": SAID_NO,
    }


async def _consents(look: Look) -> Sequence[dict[str, Any]]:
    """Return all of them, oldest question first: a place in this list stays the same."""
    case = await own_case(look)
    request = pb.ListConsentsRequest(claim=ACCESS, case_id=case.case_id, fields=FIELDS, allow_partial=True)
    return [
        told(one) async for page in pages(look, request, pb.ListConsentsResponse) for one in page.consents
    ]


async def _asked_for(look: Look) -> tuple[int, dict[str, Any]]:
    """Return the consent of this page by its place; a form names its id, so that it is about no other."""
    found = await _consents(look)
    place = index_of(look.request.path_params["number"], len(found))
    one = found[place]
    if look.form is not None and look.field("vraag") != one["consent_id"]:
        raise Refused("OTHER_CONSENT", later("Dit formulier is niet goed. Open de pagina opnieuw."))
    return place + 1, one


async def _notice(look: Look, consent_id: str) -> Notice:
    receipt = json.loads(await receipt_of(look, consent_id))
    notice = receipt["dpv:hasRecordOfActivity"]["dpv:hasNotice"]
    version = notice["@id"].rpartition(":v")[2]
    return Notice(version, look.shown.notices.get(notice.get("exchange:sha256", ""), ""))


ROUTES: Final = (
    Page(PLACE, show, IN_PERSON, menu=TITLE, place=30),
    Page(f"{PLACE}/bewijzen", save_receipts, IN_PERSON),
    Page(f"{PLACE}/{{number}}", show_one, IN_PERSON),
    Page(f"{PLACE}/{{number}}/bewijs", save_receipt, IN_PERSON),
    Page(f"{PLACE}/{{number}}/ja", say_yes, IN_PERSON, methods=("POST",)),
    Page(f"{PLACE}/{{number}}/nee", say_no, IN_PERSON, methods=("POST",)),
    Page(f"{PLACE}/{{number}}/terug", take_back, IN_PERSON, methods=("POST",)),
)
