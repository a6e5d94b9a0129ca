"""Insight: what works, as published tables of a year, and what the year has left to spend on them.

Promises: shows what was published and nothing else: no number here is added to another, so that none can be
taken from another; what a table costs is told before it is spent.
Source: GDPR 25, 89(1); Wmo 2015 2.5.3; exchange/decisions/0064-published-tables.md.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from exchange.console.language import DUTCH, later
from exchange.console.lookup_words import ask
from exchange.console.page import Page
from exchange.console.refusals import Refused
from exchange.console.roles import INSIGHT
from exchange.console.table_words import (
    COSTS,
    DOMAINS,
    KINDS,
    PRODUCTS,
    READ,
    SAYS,
    Cost,
    publish_claim,
    row_in_words,
)
from exchange.v1 import common_pb2 as common
from exchange.v1 import insight_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.responses import Response

    from exchange.console.page import Look

YEARS_SHOWN: Final = 10
YEARS_COMPARED: Final = 3
TABLES_MAX: Final = 200
ROWS_MAX: Final = 40
THOUSANDTHS: Final = 1_000
WHY_CHARS_MAX: Final = 1_000
CUSTOM: Final = "custom"
# Of what is filled in, as far as it is no box to tick, so much is written into the page again.
TEXTS: Final = {"andere": 120, "prijs": 5, "waarom": WHY_CHARS_MAX}
_PREFIX: Final = "LIFE_DOMAIN_"
_is_category = re.compile(r"[0-9]{2}").fullmatch
_is_year = re.compile(r"(?:19|20)[0-9]{2}").fullmatch
DOMAIN_NAMES: Final = {common.LifeDomain.Name(one).removeprefix(_PREFIX).lower(): one for one in DOMAINS}
ROWS_OFFERED: Final = (*(kind for kind in KINDS if kind != CUSTOM), *(f"{CUSTOM}/{one}" for one in PRODUCTS))


class Wanted(NamedTuple):
    """A table as a form asks for it."""

    year: int
    rows: list[str]
    domains: list[common.LifeDomain.ValueType]
    cost: Cost
    why: str

    @property
    def cells(self) -> set[tuple[str, int]]:
        """Return which cells it would have."""
        return {(row, domain) for row in self.rows for domain in self.domains}


class Bar(NamedTuple):
    """One bar of the chart: where it begins and how wide, in its own units; right of the middle is better."""

    row: str
    domain: str
    top: int
    start: float
    width: float
    better: bool
    mean: str


async def show(look: Look) -> Response:
    """Show a year: what it spent, its tables, and a form for another."""
    return await _year(look, {})


async def _year(look: Look, faults: Mapping[str, str]) -> Response:
    """Show a year; where a form has faults, with what was filled in and what is wrong beside each field."""
    year, form = asked_year(look), look.form
    answer = await _tables(look, year)
    return look.page(
        "insight.html",
        HTTPStatus.BAD_REQUEST if faults else HTTPStatus.OK,
        year=year,
        years=[look.now.year - back for back in range(YEARS_SHOWN)],
        budget=answer.budget,
        tables=answer.tables,
        rows_offered=ROWS_OFFERED,
        domains_offered=DOMAIN_NAMES,
        costs=COSTS,
        faults=faults,
        ticked={name: set() if form is None else set(form.getlist(name)) for name in ("rij", "leefgebied")},
        said={name: look.field(name)[:most] for name, most in TEXTS.items()},
        **_words(look),
    )


async def price(look: Look) -> Response:
    """Say what a table would cost, before anything is spent."""
    wanted, faults = _wanted(look)
    if wanted is None:
        return await _year(look, faults)
    answer = await _tables(look, wanted.year)
    known = next((one for one in answer.tables if _cells_of(one) == wanted.cells), None)
    left = answer.budget.total_thousandths - answer.budget.spent_thousandths
    return look.page(
        "insight_price.html",
        wanted=wanted,
        known=known,
        left=left,
        after=left - wanted.cost.thousandths,
        budget=answer.budget,
        names={number: name for name, number in DOMAIN_NAMES.items()},
        request_id=look.fresh_id(),
        **_words(look),
    )


async def publish(look: Look) -> Response:
    """Publish a table, and spend what it costs."""
    wanted, faults = _wanted(look)
    if wanted is None:
        return await _year(look, faults)
    request = pb.PublishTableRequest(
        request_id=look.field("request_id"),
        claim=publish_claim(wanted.why),
        year=wanted.year,
        rows=wanted.rows,
        life_domains=wanted.domains,
        spend_thousandths=wanted.cost.thousandths,
    )
    answer = await ask(look, request, pb.PublishTableResponse, SAYS)
    return look.onward(f"/inzicht/tabel/{answer.table.table_id}?{urlencode({'jaar': wanted.year})}")


async def show_table(look: Look) -> Response:
    """Show one table, its chart, and the same question in the years before."""
    year, table_id = asked_year(look), look.request.path_params["table_id"]
    answer = await _tables(look, year)
    table = next((one for one in answer.tables if one.table_id == table_id), None)
    if table is None:
        raise Refused("NOT_FOUND", later("Deze tabel is er niet in dit jaar."), HTTPStatus.NOT_FOUND)
    before: dict[int, dict[tuple[str, int], pb.TableCell]] = {}
    for other in range(year - YEARS_COMPARED, year):
        for one in (await _tables(look, other)).tables:
            if _cells_of(one) == _cells_of(table):
                before[other] = {(cell.row, cell.life_domain): cell for cell in one.cells}
    words = _words(look)
    bars = bars_of(table.cells, words["row_told"], words["domain_told"], words["change"])
    return look.page("insight_table.html", table=table, bars=bars, before=before, year=year, **words)


def bars_of(
    cells: Sequence[pb.TableCell],
    row_told: Callable[[str], str],
    domain_told: Callable[[int], str],
    change: Callable[[float], str],
) -> list[Bar]:
    """Return a bar for each cell that has numbers, one under another: 80 units a step, nought at 180."""
    shown = [one for one in cells if not one.suppressed]
    return [
        Bar(
            row_told(one.row),
            domain_told(one.life_domain),
            24 + 60 * place,
            180 + 80 * min(0.0, one.mean_change),
            max(1.0, 80 * abs(one.mean_change)),
            one.mean_change >= 0,
            change(one.mean_change),
        )
        for place, one in enumerate(shown)
    ]


async def _tables(look: Look, year: int) -> pb.ListTablesResponse:
    request = pb.ListTablesRequest(claim=READ, year=year, page_size=TABLES_MAX)
    return await ask(look, request, pb.ListTablesResponse, SAYS)


def _cells_of(table: pb.PublishedTable) -> set[tuple[str, int]]:
    return {(one.row, one.life_domain) for one in table.cells}


def asked_year(look: Look) -> int:
    """Return the year of a form or an address, else this one. Raises Refused."""
    told = look.field("jaar") or look.query.get("jaar", "") or str(look.now.year)
    if not _is_year(told) or int(told) > look.now.year:
        raise Refused("YEAR", later("Kies een jaar dat al begonnen is."))
    return int(told)


def _wanted(look: Look) -> tuple[Wanted | None, dict[str, str]]:
    """Return what a form asks for; or nothing, and what is wrong by the name of its field. Raises Refused."""
    form, year, faults = look.form, asked_year(look), dict[str, str]()
    assert form is not None, "these pages are forms"
    rows = [one for one in form.getlist("rij") if isinstance(one, str)]
    others = look.field("andere").replace(",", " ").split()
    if not all(map(_is_category, others)):
        faults["andere"] = later("Een productcategorie is twee cijfers, zoals 45.")
    rows = list(dict.fromkeys([*rows, *(f"{CUSTOM}/{one}" for one in others)]))
    if "andere" not in faults and not (1 <= len(rows) <= ROWS_MAX and all(map(_is_row, rows))):
        faults["rij"] = later("Kies ten minste één voorziening, en hooguit veertig.")
    names = [one for one in form.getlist("leefgebied") if isinstance(one, str)]
    if not names or not DOMAIN_NAMES.keys() >= set(names):
        faults["leefgebied"] = later("Kies ten minste één leefgebied.")
    cost = next((one for one in COSTS if str(one.thousandths) == look.field("prijs")), None)
    if cost is None:
        faults["prijs"] = later("Kies wat de tabel mag kosten.")
    why = look.field("waarom").strip()
    if not 0 < len(why) <= WHY_CHARS_MAX:
        faults["waarom"] = later("Schrijf in het kort op waarvoor de tabel nodig is.")
    if faults or cost is None:
        return None, faults
    return Wanted(year, rows, [DOMAIN_NAMES[one] for one in dict.fromkeys(names)], cost, why), faults


def _is_row(told: str) -> bool:
    kind, slash, category = told.partition("/")
    return told in ROWS_OFFERED or (kind in KINDS and bool(slash) and _is_category(category) is not None)


def _words(look: Look) -> dict[str, Any]:
    """Return how these pages write rows, domains and numbers, in the language of who looks."""
    comma = look.words.language == DUTCH

    def number(text: str) -> str:
        return text.replace(".", ",") if comma else text

    return {
        "row_told": lambda row: row_in_words(row, look.words.gettext),
        "domain_told": lambda domain: look.words.gettext(DOMAINS.get(domain, "")),
        "change": lambda mean: number(f"{mean:+.1f}".replace("-", "\N{MINUS SIGN}")),
        "epsilon": lambda thousandths: number(f"{thousandths / THOUSANDTHS:.2f}"),
    }


ROUTES: Final = (
    Page("/inzicht", show, (INSIGHT,), menu=later("Inzicht"), place=10),
    Page("/inzicht/prijs", price, (INSIGHT,), methods=("POST",)),
    Page("/inzicht/publiceren", publish, (INSIGHT,), methods=("POST",)),
    Page("/inzicht/tabel/{table_id}", show_table, (INSIGHT,)),
)
