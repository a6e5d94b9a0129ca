"""Who looked at this resident's data: from the question somebody brings to the list of what was asked.

Promises: the BSN comes in a form, is blinded in that request and stands afterwards in no address, page, log
or session; without a reason nobody is looked up; somebody unknown is answered like anybody. That he was
looked up the resident reads in his own list.
Source: GDPR 15, 38(4), 39(1)(b); Wabb art. 10; ADR 132 (from a resident to the log), ADR 147, ADR 148.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from exchange.console.blinding import is_bsn
from exchange.console.decision_filter import PLACE, Asked
from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.roles import OFFICER
from exchange.console.templating import HERE
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1.common_pb2 import PURPOSE_AUDIT, Claim, Necessity

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look

ASKING: Final = f"{PLACE}/inwoner"
REASON_CHARS_MAX: Final = 400
_NO_REASON: Final = later("Schrijf op waarom u dit opzoekt, zoals het nummer van het verzoek.")
_LONG: Final = later("Gebruik hoogstens 400 tekens.")
_NO_BSN: Final = later("Dit is geen geldig burgerservicenummer. Het heeft negen cijfers.")
_NOT_TAKEN: Final = later(
    "Deze reden is niet te gebruiken. Noem geen burgerservicenummer en gebruik gewone tekens."
)
_NOT_HERE: Final = later(
    "Een inwoner opzoeken kan alleen de functionaris van de gemeente die de uitwisseling beheert."
)
BSN_DIGITS: Final = 9
# What the exchange says to an organisation that does not hold the task of the college.
NO_COLLEGE: Final = "CALLER_UNKNOWN"


async def show(look: Look) -> Response:
    """Show the form."""
    return _form(look, {}, "")


async def find(look: Look) -> Response:
    """Go from a resident to what was asked of him, in last month and since."""
    reason, bsn = look.field("reden").strip(), re.sub(r"[ .\-]", "", look.field("bsn"))
    faults = {}
    if not reason:
        faults["reden"] = _NO_REASON
    elif len(reason) > REASON_CHARS_MAX:
        faults["reden"] = _LONG
    elif bsn and bsn in _digits(reason):
        faults["reden"] = _NOT_TAKEN
    if not is_bsn(bsn):
        faults["bsn"] = _NO_BSN
    if faults:
        # What may hold a number is not written into a page again.
        shown = "reden" not in faults and len(_digits(reason)) < BSN_DIGITS
        return _form(look, faults, reason if shown else "")
    request = pb.FindLogPseudonymRequest(
        claim=Claim(purpose=PURPOSE_AUDIT, legal_basis="FG-AUDIT-39", necessity=Necessity(text=reason)),
        fields=["resident_pseudonym"],
        resident=await _recognised(look, bsn),
    )
    try:
        answer = await look.ask(request, pb.FindLogPseudonymResponse)
    except AnswerRefused as refused:
        if "claim.necessity.text" not in refused.fields:
            raise
        return _form(look, {"reden": _NOT_TAKEN}, "")
    today = look.now.astimezone(HERE).date()
    asked = Asked(first_day=_last_month(today), last_day=today, resident=answer.resident_pseudonym)
    return look.onward(asked.address())


async def _recognised(look: Look, bsn: str) -> bytes:
    try:
        return await look.recognise(bsn)
    except AnswerRefused as refused:
        if refused.reason != NO_COLLEGE:
            raise
        raise Refused("NO_COLLEGE", _NOT_HERE, HTTPStatus.FORBIDDEN) from None


def _form(look: Look, faults: dict[str, str], reason: str) -> Response:
    status = HTTPStatus.BAD_REQUEST if faults else HTTPStatus.OK
    return look.page("resident_question.html", status, faults=faults, reason=reason)


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _last_month(today: date) -> date:
    """Return the first day of the month before."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


ROUTES: Final = (
    Page(ASKING, show, (OFFICER,)),
    Page(ASKING, find, (OFFICER,), methods=("POST",)),
)
