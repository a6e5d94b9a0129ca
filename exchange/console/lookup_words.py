"""The review of lookups in words: what explains a lookup, what makes one stand out, what a rule says no with.

Promises: each name is one the exchange counts by, with the source its rule has there; windows and thresholds
are told as they are there.
Source: exchange/decisions/0133-what-explains-a-lookup.md, 0134-names-take-two-persons.md.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from google.protobuf.message import Message

from exchange.console.language import later
from exchange.console.refusals import AnswerRefused, Refused
from exchange.v1.common_pb2 import PURPOSE_AUDIT, PURPOSE_TOEZICHT, Claim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.console.page import Look

_Answer = TypeVar("_Answer", bound=Message)
AUDIT: Final = Claim(purpose=PURPOSE_AUDIT, legal_basis="FG-AUDIT-39")
REVIEW: Final = Claim(purpose=PURPOSE_TOEZICHT, legal_basis="LOOKUPS-39")
READ: Final = Claim(purpose=PURPOSE_TOEZICHT, legal_basis="LOOKUPS-READ-39")
APPROVE_WITHIN: Final = timedelta(days=7)
MONTHS_IN_YEAR: Final = 12
MONTHS_SHOWN: Final = 24
_is_month = re.compile(r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])").fullmatch


class Reason(NamedTuple):
    """What explains a lookup, or makes one stand out. `counted` is its field of a cell."""

    name: str
    counted: str
    title: str
    says: str
    source: str


EXPLAINS: Final = (
    Reason(
        "CASE",
        "by_case",
        later("Werkt aan de zaak"),
        later(
            "Iemand anders betrok deze persoon bij de zaak, of hij deed dat zelf en legde binnen zes weken "
            "werk vast. Na afloop telt dit nog 14 dagen."
        ),
        "Fabbri en LeFevre 2011, 2; Wmo 2015 2.3.2(1), 5.3.3; AVG 5(1)(f)",
    ),
    Reason(
        "STAND-IN",
        "by_stand_in",
        later("Vervangt een collega"),
        later(
            "Iemand anders wees deze persoon aan als vervanger, of hij werkte die dag aan nog twee dossiers "
            "van dezelfde collega."
        ),
        "Awb 10:1; Fabbri en LeFevre 2011, 4",
    ),
    Reason(
        "REFERRAL",
        "by_referral",
        later("Kreeg de zaak toegestuurd"),
        later(
            "De zaak, een verbetering of een beperking is naar deze organisatie en taak gestuurd, hooguit 30 "
            "dagen eerder."
        ),
        "Fabbri en LeFevre 2011, 2; AVG 19",
    ),
    Reason(
        "RIGHTS",
        "by_rights",
        later("Behandelt een verzoek"),
        later("Deze persoon behandelt een verzoek van de inwoner. Na afloop telt dit nog 14 dagen."),
        "AVG 12(3), 15-21",
    ),
    Reason(
        "BREAK-GLASS",
        "by_break_glass",
        later("Noodtoegang die terecht was"),
        later("Een tweede persoon vond de noodtoegang terecht."),
        "AVG 6(1)(d)",
    ),
    Reason(
        "TASK",
        "by_task",
        later("Legde werk vast"),
        later("Deze persoon legde in de 14 dagen ervoor of erna werk vast in het dossier."),
        "Fabbri en LeFevre 2011, 2",
    ),
)
STANDS_OUT: Final = (
    Reason(
        "OFF-HOURS",
        "off_hours",
        later("Buiten kantoortijd"),
        later("Tussen 19.00 en 6.00 uur, in het weekend of op een feestdag."),
        "BKWI, generieke gebruiksrapportage Suwinet, 2.2; Algemene termijnenwet 3",
    ),
    Reason(
        "MANY-RESIDENTS",
        "many_residents",
        later("Veel inwoners in een uur"),
        later("Deze persoon raadpleegde 20 inwoners of meer in een uur."),
        "BKWI, specifieke gebruiksrapportage",
    ),
    Reason(
        "MANY-LOOKERS",
        "many_lookers",
        later("Veel kijkers bij een inwoner"),
        later("Acht personen of meer raadpleegden deze inwoner in een week."),
        "BKWI, specifieke gebruiksrapportage",
    ),
    Reason(
        "AFTER-END",
        "after_end",
        later("Na het einde van het werk"),
        later(
            "Deze persoon keek in de maand twee keer of vaker bij een inwoner van wie hij de zaak had "
            "verlaten, tot 180 dagen erna."
        ),
        "Wmo 2015 5.3.3",
    ),
    Reason(
        "PAIR",
        "pair",
        later("Vaak bij dezelfde inwoner"),
        later("Deze persoon keek bij deze inwoner op zes keer zoveel dagen als gewoon is in zijn taak."),
        "BKWI, generieke gebruiksrapportage Suwinet, 2",
    ),
    Reason(
        "NO-FOLLOW-UP",
        "no_follow_up",
        later("Zonder vervolg"),
        later("Niemand van deze taak legde in de 30 dagen eromheen iets vast over de inwoner."),
        "BKWI, generieke gebruiksrapportage Suwinet, 1.2",
    ),
)
TITLES: Final = {one.name: one.title for one in (*EXPLAINS, *STANDS_OUT)}
MONTHS: Final = (
    *(later("januari"), later("februari"), later("maart"), later("april"), later("mei"), later("juni")),
    *(later("juli"), later("augustus"), later("september"), later("oktober"), later("november")),
    later("december"),
)
SAYS: Final[Mapping[str, str]] = {
    "SAME_PERSON": later(
        "Wie namen vraagt, kan daar niet zelf mee instemmen. Laat een andere functionaris of de beheerder "
        "het doen."
    ),
    "NAMES_APPROVED_ALREADY": later("Iemand anders stemde hier al mee in."),
    "NAMES_REQUEST_EXPIRED": later("Dit verzoek wachtte langer dan zeven dagen. Vraag de namen opnieuw."),
    "NO_SUCH_NAMES_REQUEST": later("Zo'n verzoek wacht er niet bij deze organisatie, taak en maand."),
    "NAMES_NOT_OPEN": later("Deze namen zijn niet voor u geopend, of niet meer. Vraag ze eerst aan."),
    "NAMES_REQUESTS_FULL": later("Van deze maand zijn zo vaak namen gevraagd als kan."),
    "OTHER_ORGANISATION": later("U ziet toe op de raadplegingen van uw eigen organisatie."),
    "SAMPLE_DRAWN_ALREADY": later("De steekproef van deze maand is al getrokken. Er komt geen tweede."),
    "MONTH_NOT_OVER": later("Deze maand is nog niet voorbij, of er is daarna nog niets besloten."),
    "NOT_DRAWN": later("Deze raadpleging zit niet in de steekproef."),
}


async def ask(look: Look, request: Message, answer: type[_Answer], says: Mapping[str, str] = SAYS) -> _Answer:
    """Ask; what a rule of the domain says no to is told in its own words. Raises Refused."""
    try:
        return await look.ask(request, answer)
    except AnswerRefused as refused:
        told = next((rule for rule in refused.rules if rule in says), None)
        if told is None:
            raise
        raise Refused(told, says[told], refused.status) from refused


def asked_month(look: Look, *, back: int = 1) -> str:
    """Return the month of a form or an address, else the one so many before this one. Raises Refused."""
    told = look.field("maand") or look.query.get("maand", "") or months_back(look)[back]
    if not _is_month(told):
        raise Refused("MONTH", later("Kies een maand, zoals 2026-10."))
    return told


def asked_organisation(look: Look) -> str:
    """Return the OIN of a form or an address, else the console's own; the exchange judges what it is."""
    own = look.shown.line.organisation.oin
    return look.field("organisatie") or look.query.get("organisatie", "") or own


def months_back(look: Look) -> list[str]:
    """Return this month and those before it, newest first."""
    last = look.now.year * MONTHS_IN_YEAR + look.now.month - 1
    found = (divmod(last - back, MONTHS_IN_YEAR) for back in range(MONTHS_SHOWN))
    return [f"{year:04}-{month + 1:02}" for year, month in found]


def month_in_words(told: str) -> tuple[str, str]:
    """Return the Dutch word of a month and its year."""
    return MONTHS[int(told[5:]) - 1], told[:4]
