"""Review of lookups: counts of a month without people, names of one cell for a reason and by two persons.

Promises: no name is asked before two persons agreed; what is counted is shown as it came, and nothing is
added up here; each look is itself a recorded decision.
Source: GDPR 5(1)(c), 24, 32, 39(1)(b); exchange/decisions/0134-names-take-two-persons.md.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from exchange.console.language import later
from exchange.console.lookup_words import (
    APPROVE_WITHIN,
    AUDIT,
    EXPLAINS,
    READ,
    REVIEW,
    STANDS_OUT,
    TITLES,
    ask,
    asked_month,
    asked_organisation,
    month_in_words,
    months_back,
)
from exchange.console.page import Page
from exchange.console.roles import KEEPER, OFFICER
from exchange.console.templating import as_datetime
from exchange.v1 import lookup_review_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from starlette.responses import Response

    from exchange.console.page import Look

CELL_FIELDS: Final = [f"cells.{field.name}" for field in pb.LookupCell.DESCRIPTOR.fields]
LOOKUP_FIELDS: Final = [f"lookups.{field.name}" for field in pb.UnexplainedLookup.DESCRIPTOR.fields]
# Where no month is named: a request waits a week, mostly about the month before.
MONTHS_LISTED: Final = 3
WAITS: Final = "waits"
OPEN: Final = "open"
OVER: Final = "over"


class Asked(NamedTuple):
    """One request for names, of which month, how it stands, and until when."""

    told: pb.NamesRequest
    month: str
    state: str
    until: datetime


async def show(look: Look) -> Response:
    """Show the counts of a month: of the one that runs, where none is named."""
    month = asked_month(look, back=0)
    running, before = months_back(look)[:2]
    cells = await _cells(look, month)
    return look.page(
        "lookups.html",
        cells=cells,
        running=running,
        before=before,
        organisations=sorted({cell.organisation for cell in cells}),
        **_around(look, month),
    )


async def show_cell(look: Look) -> Response:
    """Show one cell: what its counts mean, and what names were asked of it."""
    return await _cell(look, look.query.get("taak", ""), "")


async def _cell(look: Look, task: str, fault: str) -> Response:
    """Show one cell; `fault` is what is wrong with the reason that was written."""
    month, organisation = asked_month(look), asked_organisation(look)
    found = [one for one in await _cells(look, month) if (one.organisation, one.task) == (organisation, task)]
    asked = [one for one in await _asked(look, organisation, month) if one.told.of_task == task]
    return look.page(
        "lookup_cell.html",
        HTTPStatus.BAD_REQUEST if fault else HTTPStatus.OK,
        fault=fault,
        cell=found[0] if found else None,
        organisation_told=organisation,
        task=task,
        asked=asked,
        request_id=look.fresh_id(),
        **_around(look, month),
    )


async def request_names(look: Look) -> Response:
    """Record that names were asked for, and say how a second person finds the request."""
    month, organisation, task = asked_month(look), asked_organisation(look), look.field("taak")
    reason = look.field("waarom").strip()
    if not reason:
        fault = later("Schrijf op waarom u de namen nodig hebt. Dat wordt vastgelegd.")
        return await _cell(look, task, fault)
    request = pb.RequestNamesRequest(
        request_id=look.field("request_id"),
        claim=REVIEW,
        of_organisation=organisation,
        of_task=task,
        month=month,
        reason=reason,
    )
    answer = await ask(look, request, pb.RequestNamesResponse)
    way = later("De namen zijn aangevraagd; nu moet een tweede persoon instemmen")
    return look.page("receipt.html", receipt=answer.receipt, way=way, back=_list_of(organisation, month))


async def show_requests(look: Look) -> Response:
    """Show what names were asked for, to who may agree to it."""
    organisation, named = asked_organisation(look), look.query.get("maand", "")
    months = [asked_month(look)] if named else months_back(look)[:MONTHS_LISTED]
    asked = [one for month in months for one in await _asked(look, organisation, month)]
    return look.page(
        "lookup_requests.html",
        asked=sorted(asked, key=lambda one: (one.state != WAITS, one.until)),
        ids={one.told.names_request_id: look.fresh_id() for one in asked},
        organisation_told=organisation,
        named=named,
        **_around(look, named or months[0]),
    )


async def approve_names(look: Look) -> Response:
    """Record that a second person agreed."""
    month, organisation = asked_month(look), asked_organisation(look)
    request = pb.ApproveNamesRequest(
        request_id=look.field("request_id"),
        claim=REVIEW,
        names_request_id=look.field("verzoek"),
        of_organisation=organisation,
        of_task=look.field("taak"),
        month=month,
    )
    answer = await ask(look, request, pb.ApproveNamesResponse)
    way = later("U stemde in: wie de namen vroeg kan ze nu 14 dagen lezen")
    return look.page("receipt.html", receipt=answer.receipt, way=way, back=_list_of(organisation, month))


async def show_names(look: Look) -> Response:
    """Show the unexplained lookups of one cell, to who asked while it is open."""
    month, organisation, task = asked_month(look), asked_organisation(look), look.query.get("taak", "")
    only, token = look.query.get("kenmerk", ""), look.query.get("vanaf", "")
    request = pb.ListUnexplainedRequest(
        claim=AUDIT,
        fields=LOOKUP_FIELDS,
        of_organisation=organisation,
        of_task=task,
        month=month,
        only_indicated=bool(only),
        page_token=token,
    )
    answer = await ask(look, request, pb.ListUnexplainedResponse)
    cell = {"maand": month, "organisatie": organisation, "taak": task}
    return look.page(
        "lookup_names.html",
        lookups=answer.lookups,
        titles=TITLES,
        only=bool(only),
        task=task,
        organisation_told=organisation,
        cell=cell,
        first=not token,
        more=cell | {"kenmerk": only, "vanaf": answer.next_page_token} if answer.next_page_token else {},
        **_around(look, month),
    )


async def _cells(look: Look, month: str) -> Sequence[pb.LookupCell]:
    request = pb.ListLookupCellsRequest(claim=AUDIT, fields=CELL_FIELDS, month=month)
    return (await ask(look, request, pb.ListLookupCellsResponse)).cells


async def _asked(look: Look, organisation: str, month: str) -> list[Asked]:
    request = pb.ListNamesRequestsRequest(claim=READ, of_organisation=organisation, month=month)
    answer = await ask(look, request, pb.ListNamesRequestsResponse)
    return [_stands(one, month, look.now) for one in answer.requests]


def _stands(told: pb.NamesRequest, month: str, now: datetime) -> Asked:
    agreed = told.HasField("end_time")
    until = as_datetime(told.end_time) if agreed else as_datetime(told.request_time) + APPROVE_WITHIN
    return Asked(told, month, OVER if now >= until else OPEN if agreed else WAITS, until)


def _around(look: Look, month: str) -> Mapping[str, Any]:
    """Return what each of these pages shows besides."""
    words = {one: month_in_words(one) for one in dict.fromkeys((month, *months_back(look)))}
    return {"month": month, "months": words, "explains": EXPLAINS, "stands_out": STANDS_OUT}


def _list_of(organisation: str, month: str) -> str:
    return f"/toezicht/verzoeken?{urlencode({'maand': month, 'organisatie': organisation})}"


ROUTES: Final = (
    Page("/toezicht", show, (OFFICER,), menu=later("Toezicht"), place=50),
    Page("/toezicht/cel", show_cell, (OFFICER,)),
    Page("/toezicht/namen", request_names, (OFFICER,), methods=("POST",)),
    Page(
        "/toezicht/verzoeken",
        show_requests,
        (OFFICER, KEEPER),
        menu=later("Verzoeken om namen"),
        place=52,
    ),
    Page("/toezicht/instemmen", approve_names, (OFFICER, KEEPER), methods=("POST",)),
    Page("/toezicht/onverklaard", show_names, (OFFICER,)),
)
