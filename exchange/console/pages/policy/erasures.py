"""Where keys are gone: which erasures were executed, when, what recipients answered, and the proof of each.

Promises: shows nothing that leads to a person: an erasure is known by its id, and its leaf by its number.
Source: GDPR 5(2), 17, 19; Wmo 2015 5.3.5; Jeugdwet 7.3.9; c2sp.org/tlog-proof@v1.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.purges import ASKED, Purge, purges
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.roles import OFFICER
from exchange.v1 import resident_rights_service_pb2 as pb

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look

PATH: Final = "/grootboek/gewist"
_is_id: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII).fullmatch
_is_token: Final = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII).fullmatch
PAGE_ROWS: Final = 50
_OTHER_PAGE: Final = later("Deze bladzijde is er niet. Begin weer bij de eerste.")
_NONE: Final = later("Deze wissing is er niet, of zij is niet uitgevoerd.")


class Erasure(NamedTuple):
    """One erasure, and what each recipient that was told of it answered, as far as that is on this page."""

    told: pb.Erasure
    recipients: list[Purge]


async def show(look: Look) -> Response:
    """Show the erasures that were executed, the newest first."""
    wanted = look.query.get("wissing", "").strip().lower()
    if wanted:
        return look.onward(f"{PATH}/{_id(wanted)}")
    request = pb.ListErasuresRequest(
        claim=ASKED, page_size=PAGE_ROWS, page_token=_token(look.query.get("volgende", ""))
    )
    try:
        answer = await look.ask(request, pb.ListErasuresResponse)
    except AnswerRefused as refused:
        if "page_token" not in refused.fields:
            raise
        raise Refused("PAGE", _OTHER_PAGE) from None
    rows = [Erasure(one, []) for one in answer.erasures]
    more = False
    if any(row.told.recipients for row in rows):
        known = {row.told.erasure_id: row.recipients for row in rows}
        found, more = await purges(look, only_open=False)
        for one in found:
            known.get(one.told.erasure_id, []).append(one)
    return look.page("erasures.html", rows=rows, more=more, onward=answer.next_page_token)


async def certificate(look: Look) -> Response:
    """Show the certificate of one erasure, with the proof of its leaf."""
    request = pb.GetErasureCertificateRequest(
        claim=ASKED, erasure_id=_id(look.request.path_params["erasure_id"])
    )
    try:
        answer = await look.ask(request, pb.GetErasureCertificateResponse)
    except AnswerRefused as refused:
        if "erasure_id" not in refused.fields:
            raise
        raise Refused("NO_ERASURE", _NONE, HTTPStatus.NOT_FOUND) from None
    statement: dict[str, Any] = json.loads(answer.statement)
    origin = answer.tlog_proof.partition("\n\n")[2].partition("\n")[0]
    keys = look.shown.log_keys()
    return look.page(
        "erasure.html",
        erasure_id=request.erasure_id,
        says=str(statement.get("tekst", "")),
        statement=answer.statement,
        leaf=answer.leaf_index,
        proof=answer.tlog_proof,
        entry=answer.leaf_entry.decode("ascii", "replace"),
        key=next((key for key in keys if key.partition("+")[0] == origin), ""),
    )


def _token(told: str) -> str:
    if told and _is_token(told) is None:
        raise Refused("PAGE", _OTHER_PAGE)
    return told


def _id(told: str) -> str:
    if _is_id(told) is None:
        raise Refused("NO_ERASURE", _NONE, HTTPStatus.NOT_FOUND)
    return told


ROUTES: Final = (
    Page(PATH, show, (OFFICER,)),
    Page(f"{PATH}/{{erasure_id}}", certificate, (OFFICER,)),
)
