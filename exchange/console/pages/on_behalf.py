"""For whom somebody acts: himself, or a person who is recorded here as represented by him.

Promises: there is no list of who represents whom: he names the person, whose BSN is blinded in that request
and kept nowhere; nobody known, no case, and no authority are answered alike; of a person and for a person the
forms are others, so that what was opened for one is never sent for another. Who keeps the money names the
plan too, and sees what is about money.
Source: GDPR 12(2), 12(6), 15; UAVG 5; Wmo 2015 5.3.2; BW 1:431, 1:441; Wabb 10; ADR 166, ADR 174.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from exchange.console.blinding import is_bsn
from exchange.console.language import later
from exchange.console.login import ANY_RESIDENT
from exchange.console.page import Page
from exchange.console.recognition import recognise
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.resident.asking import NoCase, index_of, own_case
from exchange.console.resident.money import arrears_of
from exchange.console.roles import MONEY, NO_STAFF, REPRESENTATIVE, RESIDENT
from exchange.console.session import ID_BYTES, Represented

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look
    from exchange.console.session import Session

PLACE: Final = "/mijn/6"
TITLE: Final = later("Voor wie")
NEUTRAL: Final = later("Overzicht")
NAME_CHARS_MAX: Final = 40
TRIES_MAX: Final = 5
REPRESENTED_MAX: Final = 20
HIMSELF: Final = "0"
# What the exchange says to an organisation that does not hold the task of who represents residents.
NO_PORTAL: Final = "CALLER_UNKNOWN"
_NO_NAME: Final = later("Schrijf op hoe u deze persoon noemt, met hoogstens 40 tekens en zonder nummers.")
_NO_BSN: Final = later("Dit is geen goed burgerservicenummer. Het heeft negen cijfers.")
_NO_PLAN: Final = later(
    "Dit is geen nummer van een plan. Neem het over zoals de gemeente het gaf, of laat dit leeg."
)
_YOURSELF: Final = later("Dit bent u zelf.")
_NOT_FOR_HIM: Final = later("U kunt hier niets voor deze persoon doen.")
_TOO_OFTEN: Final = later("Dit ging vijf keer niet goed. Log uit en later opnieuw in, of bel de gemeente.")
_NO_MARK: Final = later("Met deze aanmelding kunt u niet voor een ander handelen. Bel de gemeente.")
_separators = re.compile(r"[ .\-]").sub
_is_plan = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII).fullmatch
_has_number = re.compile(r"\d.*\d.*\d.*\d").search


async def show(look: Look) -> Response:
    """Show for whom somebody acts, and whom he may choose."""
    return _page(look, {}, "")


async def choose(look: Look) -> Response:
    """Go on as himself, or for somebody he acted for before in this session."""
    session = look.session
    if look.field("wie") == HIMSELF:
        look.keep(
            replace(
                session,
                role=RESIDENT,
                professional=ANY_RESIDENT,
                resident=session.himself,
                acting="",
                plan="",
                csrf=_word(look),
            )
        )
        return look.onward(RESIDENT.home)
    known = session.represented
    return await _act(look, session, known[index_of(look.field("wie"), len(known))])


async def name(look: Look) -> Response:
    """Act for somebody who is named by his BSN. What may hold a number is not written into a page again."""
    session, said = look.session, look.field("naam").strip()
    if not session.person:
        raise Refused("NO_MARK", _NO_MARK, HTTPStatus.FORBIDDEN)
    faults = {}
    if not 0 < len(said) <= NAME_CHARS_MAX or not said.isprintable() or _has_number(said):
        faults["naam"] = _NO_NAME
    bsn = _separators("", look.field("bsn"))
    if not is_bsn(bsn):
        faults["bsn"] = _NO_BSN
    plan = look.field("plan").strip().lower()
    if plan and not _is_plan(plan):
        faults["plan"] = _NO_PLAN
    if faults:
        return _page(look, faults, "" if "naam" in faults else said)
    _count_try(look)
    # Under his own mark: whoever tries numbers is found by it.
    asking = replace(session, professional=session.person, resident=None)
    shown = look.shown
    shown.turns.take(session.role.name, session.person)
    pseudonym = await recognise(bsn, asking, shown.line, shown.pins, look.fresh_id())
    if pseudonym == session.himself:
        return _page(look, {"bsn": _YOURSELF}, said)
    return await _act(look, session, Represented(said, pseudonym, plan))


async def _act(look: Look, session: Session, whom: Represented) -> Response:
    acting = replace(
        session,
        role=MONEY if whom.plan else REPRESENTATIVE,
        professional=session.person,
        resident=whom.resident,
        acting=whom.name,
        plan=whom.plan,
        csrf=_word(look),
    )
    may = replace(look, session=acting)
    try:
        # Where a case is, is about care: who keeps the money names the plan, and asks what is about money.
        await (arrears_of(may) if whom.plan else own_case(may))
    except AnswerRefused as refused:
        if refused.reason != NO_PORTAL:
            raise
        raise Refused("NO_PORTAL", _NO_MARK, HTTPStatus.FORBIDDEN) from None
    except NoCase:
        raise Refused("NOT_FOR_HIM", _NOT_FOR_HIM, HTTPStatus.FORBIDDEN) from None
    others = (one for one in session.represented if one.resident != whom.resident)
    look.keep(replace(acting, represented=(whom, *others)[:REPRESENTED_MAX], tries=0))
    return look.onward(acting.role.home)


def _count_try(look: Look) -> None:
    """Count a number before it is looked at, so that many at once are not more. Raises Refused."""
    session = look.at_this_moment()
    if session.tries >= TRIES_MAX:
        raise Refused("TOO_OFTEN", _TOO_OFTEN, HTTPStatus.TOO_MANY_REQUESTS)
    look.keep(replace(session, tries=session.tries + 1))


def _word(look: Look) -> str:
    """Return a new word for forms: one that was opened for somebody else is refused from here on."""
    return urlsafe_b64encode(look.shown.fresh(ID_BYTES)).rstrip(b"=").decode()


def _page(look: Look, faults: dict[str, str], said: str) -> Response:
    session = look.session
    return look.page(
        "on_behalf.html",
        HTTPStatus.BAD_REQUEST if faults else HTTPStatus.OK,
        # For whom it is stands above it already, and this page is where it is chosen.
        heading=look.words.gettext(NEUTRAL if session.safe else TITLE),
        faults=faults,
        said=said,
        himself=session.role is RESIDENT,
        known=session.represented,
        may_name=bool(session.person) and session.tries < TRIES_MAX,
        person=session.person,
        why_not=_TOO_OFTEN if session.person else _NO_MARK,
    )


ROUTES: Final = (
    Page(PLACE, show, NO_STAFF, menu=TITLE, place=60),
    Page(f"{PLACE}/kies", choose, NO_STAFF, methods=("POST",)),
    Page(f"{PLACE}/ander", name, NO_STAFF, methods=("POST",)),
)
