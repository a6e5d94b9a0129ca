"""The privacy budget of a year: what it has, what each table took, and another total by two persons.

Promises: nothing is added up that the exchange did not count; a total is proposed by policy and agreed to by
somebody else, who reads why and agrees to the very total he read.
Source: Dwork and Roth 2014, 2.3, 3.5; GDPR 25, 38(6), 89(1); exchange/decisions/0064-published-tables.md.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from itertools import accumulate
from math import exp
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from exchange.console.language import DUTCH, later
from exchange.console.lookup_words import ask
from exchange.console.page import Page
from exchange.console.pages.insight import TABLES_MAX, THOUSANDTHS, WHY_CHARS_MAX, YEARS_SHOWN, asked_year
from exchange.console.roles import INSIGHT, OFFICER
from exchange.console.table_words import BUDGET, DOMAINS, READ, SAYS, row_in_words
from exchange.v1 import insight_service_pb2 as pb

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look

PLACE: Final = "/inzicht/budget"
TOTAL_MIN, TOTAL_MAX = 50, 4_000
PROPOSED, APPROVED = "1", "2"
SAID: Final = {
    PROPOSED: later("Uw voorstel is vastgelegd. Het geldt pas als een ander het goedkeurt."),
    APPROVED: later("Het nieuwe totaal geldt vanaf nu."),
}
_NO_TOTAL: Final = later("Vul een getal in van 0,05 tot en met 4,00, met hoogstens drie cijfers na de komma.")
_NO_WHY: Final = later("Schrijf op waarom, in hoogstens 1000 tekens.")
_is_total = re.compile(r"([0-9])(?:[,.]([0-9]{1,3}))?", re.ASCII).fullmatch


class Spent(NamedTuple):
    """What one table took, and what was left of the total as it is now."""

    table: pb.PublishedTable
    left: int


async def show(look: Look) -> Response:
    """Show a year."""
    return await _page(look, {}, {})


async def propose(look: Look) -> Response:
    """Propose another total."""
    total, why = _thousandths(look.field("totaal")), look.field("waarom").strip()
    faults = {}
    if not TOTAL_MIN <= total <= TOTAL_MAX:
        faults["totaal"] = _NO_TOTAL
    if not 0 < len(why) <= WHY_CHARS_MAX:
        faults["waarom"] = _NO_WHY
    if faults:
        return await _page(look, faults, {"totaal": look.field("totaal")[:9], "waarom": why[:WHY_CHARS_MAX]})
    year = asked_year(look)
    request = pb.ProposeBudgetRequest(
        request_id=look.field("request_id"), claim=BUDGET, year=year, total_thousandths=total, reason=why
    )
    await ask(look, request, pb.ProposeBudgetResponse, SAYS)
    return look.onward(_back(year, PROPOSED))


async def approve(look: Look) -> Response:
    """Agree to the total that was read."""
    year, told = asked_year(look), look.field("totaal")
    request = pb.ApproveBudgetRequest(
        request_id=look.field("request_id"),
        claim=BUDGET,
        year=year,
        total_thousandths=int(told)
        if told.isascii() and told.isdecimal() and len(told) <= len("4000")
        else 0,
    )
    await ask(look, request, pb.ApproveBudgetResponse, SAYS)
    return look.onward(_back(year, APPROVED))


async def _page(look: Look, faults: dict[str, str], said: dict[str, str]) -> Response:
    year = asked_year(look)
    request = pb.ListTablesRequest(claim=READ, year=year, page_size=TABLES_MAX)
    answer = await ask(look, request, pb.ListTablesResponse, SAYS)
    total = answer.budget.total_thousandths
    spent = accumulate(one.spent_thousandths for one in answer.tables)
    return look.page(
        "insight_budget.html",
        HTTPStatus.BAD_REQUEST if faults else HTTPStatus.OK,
        year=year,
        years=[look.now.year - back for back in range(YEARS_SHOWN)],
        budget=answer.budget,
        rows=[Spent(table, total - sofar) for table, sofar in zip(answer.tables, spent, strict=True)],
        faults=faults,
        said=said,
        proposes=look.session.role is INSIGHT,
        links=look.session.role is INSIGHT,
        number=look.fresh_id,
        done=SAID.get(look.query.get("klaar", ""), ""),
        **_words(look),
    )


def _words(look: Look) -> dict[str, Any]:
    comma = look.words.language == DUTCH

    def number(text: str) -> str:
        return text.replace(".", ",") if comma else text

    return {
        "row_told": lambda row: row_in_words(row, look.words.gettext),
        "domain_told": lambda domain: look.words.gettext(DOMAINS.get(domain, "")),
        "epsilon": lambda thousandths: number(f"{thousandths / THOUSANDTHS:.2f}"),
        # How many times likelier an answer may be with one resident in it than without him, at most.
        "times": lambda thousandths: number(f"{exp(thousandths / THOUSANDTHS):.1f}"),
    }


def _thousandths(told: str) -> int:
    """Return a total in thousandths; 0 for what is none."""
    found = _is_total(told.strip())
    return 0 if found is None else int(found[1]) * THOUSANDTHS + int((found[2] or "").ljust(3, "0"))


def _back(year: int, done: str) -> str:
    return f"{PLACE}?{urlencode({'jaar': year, 'klaar': done})}"


ROUTES: Final = (
    Page(PLACE, show, (INSIGHT, OFFICER), menu=later("Privacybudget"), place=85),
    Page(f"{PLACE}/voorstel", propose, (INSIGHT,), methods=("POST",)),
    Page(f"{PLACE}/akkoord", approve, (INSIGHT, OFFICER), methods=("POST",)),
)
