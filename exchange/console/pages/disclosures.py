"""Disclosures: who asked what of whom, found by what decisions have in common; as table, timeline or JSON.

Promises: the address holds the whole question; a count is of the very same filter as the list; a page that
could not be asked says which field is wrong and asks nothing. Looking is itself a recorded decision: one for
the counts, one for the list.
Source: GDPR 5(2), 30, 39(1)(b).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.responses import Response

from exchange.console.decision_filter import (
    CHOICES,
    JSON,
    PLACE,
    TABLE,
    TIMELINE,
    VIEWS,
    YES,
    Asked,
    asked_of,
    stored_word,
)
from exchange.console.decision_rows import AUDIT, as_csv, as_json, every_row, page_of, purpose_of, rows_of
from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.roles import OFFICER
from exchange.console.templating import HERE
from exchange.console.timeline import timeline_of
from exchange.documents.words import words_of
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from exchange.console.decision_filter import Choice
    from exchange.console.page import Look

SHOWN_FIRST: Final = 8
COUNTS: Final = ["total", "counts.facet", "counts.value", "counts.decisions"]
DAYS: Final = ["days.day", "days.decisions", "days.refused"]
# What speaks where consent is needed and is not there, is not free, is of something else, or has ended.
CONSENT_RULES: Final = ("R15", "R16", "R17", "R18", "R19")
VIEW_TITLES: Final = {TABLE: later("Tabel"), TIMELINE: later("Tijdlijn"), JSON: later("JSON")}
FORMS: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_FORM: Final = later("Kies csv of json.")


class Value(NamedTuple):
    """One value of a facet: `address` is the page with it, or without it where it is chosen."""

    word: str
    decisions: int
    chosen: bool
    address: str


class Saved(NamedTuple):
    """A question that is asked often."""

    title: str
    address: str
    here: bool


async def show(look: Look) -> Response:
    """Show the decisions of an address."""
    asked = asked_of(look.request.query_params.multi_items())
    if asked.faults:
        return _page(look, asked)
    try:
        counts = await _counts(look, asked)
        found = None if asked.view == TIMELINE else await page_of(look, asked)
    except AnswerRefused as refused:
        if refused.status is not HTTPStatus.BAD_REQUEST or not refused.fields:
            raise
        return _page(look, asked.with_faults(refused.fields))
    return _page(look, asked, counts, found)


async def save(look: Look) -> Response:
    """Give every decision of an address as a file."""
    query = look.request.query_params.multi_items()
    form = look.query.get("vorm", "")
    asked = asked_of([one for one in query if one[0] != "vorm"])
    if form not in FORMS:
        raise Refused("FORM", _FORM)
    if asked.faults:
        return _page(look, asked)
    try:
        rows = await every_row(look, asked)
    except AnswerRefused as refused:
        if refused.status is not HTTPStatus.BAD_REQUEST or not refused.fields:
            raise
        return _page(look, asked.with_faults(refused.fields))
    content = as_csv(rows) if form == "csv" else as_json(rows).encode() + b"\n"
    name = f'attachment; filename="raadplegingen.{form}"'
    return Response(content, headers={"Content-Type": FORMS[form], "Content-Disposition": name})


async def _counts(look: Look, asked: Asked) -> pb.FacetDecisionsResponse:
    fields = [*COUNTS, *(DAYS if asked.view == TIMELINE else ())]
    request = pb.FacetDecisionsRequest(claim=AUDIT, fields=fields, filter=asked.filter())
    return await look.ask(request, pb.FacetDecisionsResponse)


def _page(
    look: Look,
    asked: Asked,
    counts: pb.FacetDecisionsResponse | None = None,
    found: pb.ListDecisionsResponse | None = None,
) -> Response:
    decisions = found.decisions if found else ()
    more = found.next_page_token if found else ""
    return look.page(
        "disclosures.html",
        HTTPStatus.BAD_REQUEST if asked.faults else HTTPStatus.OK,
        asked=asked,
        choices=CHOICES,
        facets=_facets(asked, counts) if counts else [],
        total=counts.total if counts else 0,
        timeline=timeline_of(counts.days) if counts else None,
        decisions=decisions,
        json_text=as_json(rows_of(decisions)) if asked.view == JSON else "",
        more=asked.address(page_token=more) if more else "",
        views=[
            (VIEW_TITLES[view], asked.address(view=view, page_token=""), view == asked.view) for view in VIEWS
        ],
        saved=_saved(look, asked),
        files={form: _file_address(asked, form) for form in FORMS},
        told=words_of(look.words.language),
        purpose_of=purpose_of,
    )


def _facets(asked: Asked, counts: pb.FacetDecisionsResponse) -> list[tuple[Choice, list[Value], int]]:
    """Return each facet with its values, and how many decisions have one that is not listed."""
    found = []
    for choice in CHOICES:
        values, rest = [], 0
        for count in counts.counts:
            if count.facet != choice.facet:
                continue
            word = stored_word(count.value) if choice.name == "doel" else count.value
            if not word:
                rest = count.decisions
                continue
            chosen = word in asked.values(choice.name)
            values.append(Value(word, count.decisions, chosen, asked.toggled(choice.name, word)))
        # What is chosen and found nothing must be there too, to be taken away.
        there = {one.word for one in values}
        gone = [one for one in asked.values(choice.name) if one not in there]
        # A basis without a version is chosen for all its versions.
        values += [Value(one, 0, chosen=True, address=asked.toggled(choice.name, one)) for one in gone]
        found.append((choice, values, rest))
    return found


def _saved(look: Look, asked: Asked) -> list[Saved]:
    today = look.now.astimezone(HERE).date()
    ways = (
        (later("Alles"), Asked()),
        (later("Geweigerd"), Asked(chosen={"uitkomst": ("DENY",)})),
        (later("Zonder toestemming"), Asked(chosen={"regel": CONSENT_RULES})),
        (later("Noodtoegang"), Asked(emergency=YES)),
        (later("Vandaag"), Asked(first_day=today, last_day=today)),
        (later("Laatste 30 dagen"), Asked(first_day=today - timedelta(days=30), last_day=today)),
    )
    here = asked.address(view=TABLE, page_token="")
    return [
        Saved(title, replace(way, view=asked.view).address(), way.address() == here) for title, way in ways
    ]


def _file_address(asked: Asked, form: str) -> str:
    told = asked.address(f"{PLACE}/bestand", view=TABLE, page_token="")
    return f"{told}{'&' if '?' in told else '?'}vorm={form}"


ROUTES: Final = (
    Page(PLACE, show, (OFFICER,), menu=later("Raadplegingen"), place=20),
    Page(f"{PLACE}/bestand", save, (OFFICER,)),
)
