"""What goes out: the report of a month, the record of processing activities, and the logs of the standards.

Promises: all of it can be saved here, a log a part at a time; how else a log is had, the page says too.
Source: GDPR 5(2), 30(1), 39(1)(b); Logboek Dataverwerkingen (Logius); Verwerkingenlogging (VNG); NEN 7513;
Authorization Decision Log (VNG, November 2025).
"""

from __future__ import annotations

import re
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.pages.policy.logs import KINDS, LOGS, PURPOSES, save_log, usual
from exchange.console.pages.policy.papers import FORMS, Paper, form_of, saved
from exchange.console.pages.policy.replay import AUDIT
from exchange.console.refusals import Refused
from exchange.console.roles import OFFICER
from exchange.console.templating import HERE, as_datetime
from exchange.documents.month import Decisions, Duties, Ledger, Scope, Summary, month_csv, month_document
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

    from exchange.console.page import Look
    from exchange.console.pages.policy.logs import Asked

PATH: Final = "/uitvoer"
MONTHS_SHOWN: Final = 24
MONTHS_PER_YEAR: Final = 12
# Of 50,000 events each.
PAGES_MAX: Final = 1_000
_is_month: Final = re.compile(r"(2[0-9]{3})-(0[1-9]|1[0-2])", re.ASCII).fullmatch
_KIND: Final = ("organisation", "legal_basis", "action", "outcome")
FIELDS: Final = [
    *(f"scope.{name}" for name in Scope.__struct_fields__),
    *(f"decisions.{name}" for name in Decisions.__struct_fields__),
    *(f"duties.{name}" for name in Duties.__struct_fields__),
    *(f"ledger.{name}" for name in Ledger.__struct_fields__),
]
MONTH_NAMES: Final = (
    later("januari"),
    later("februari"),
    later("maart"),
    later("april"),
    later("mei"),
    later("juni"),
    later("juli"),
    later("augustus"),
    later("september"),
    later("oktober"),
    later("november"),
    later("december"),
)


class Month(NamedTuple):
    """A month as it is asked, and as it is called."""

    value: str
    name: str
    year: int


async def show(look: Look) -> Response:
    """Show what can go out."""
    return _page(look, usual(look.now), HTTPStatus.OK)


async def save_a_log(look: Look) -> Response:
    """Give a log as a file, or the form again with what is wrong with it."""
    return await save_log(look, _page)


def _page(look: Look, asked: Asked, status: HTTPStatus) -> Response:
    return look.page(
        "exports.html",
        status,
        months=months_until(look.now),
        forms=FORMS,
        logs=LOGS,
        asked=asked,
        purposes=PURPOSES,
        kinds=KINDS,
    )


async def save_month(look: Look) -> Response:
    """Give the report of a month as a file."""
    form, told = form_of(look.query.get("vorm", "")), look.query.get("maand", "")
    asked = _is_month(told)
    if asked is None:
        raise Refused("MONTH", later("Kies een maand."))
    found = await _summary(look, int(asked[1]), int(asked[2]))
    language = look.words.language
    paper = Paper(
        f"maandverslag-{told}", found, lambda: month_document(found, language), lambda: month_csv(found)
    )
    return await saved(paper, form)


def months_until(now: datetime) -> list[Month]:
    """Return the last months, the newest first; the running one is the first."""
    at = now.astimezone(HERE)
    last = at.year * MONTHS_PER_YEAR + at.month - 1
    counted = (divmod(one, MONTHS_PER_YEAR) for one in range(last, last - MONTHS_SHOWN, -1))
    return [Month(f"{year}-{month + 1:02}", MONTH_NAMES[month], year) for year, month in counted]


async def _summary(look: Look, year: int, month: int) -> Summary:
    """Return the month: the decisions of all pages, and the rest of the first."""
    kinds, token, first = Counter[tuple[str, ...]](), "", None
    for _ in range(PAGES_MAX):
        request = pb.SummariseMonthRequest(
            claim=AUDIT, fields=FIELDS, year=year, month=month, page_token=token
        )
        answer = await look.ask(request, pb.SummariseMonthResponse)
        first = first or answer
        for one in answer.decisions:
            kinds[tuple(getattr(one, name) for name in _KIND)] += one.count
        token = answer.next_page_token
        if not token:
            break
    assert first is not None
    scope, ledger = first.scope, first.ledger
    return Summary(
        scope=Scope(
            as_datetime(scope.start_time),
            as_datetime(scope.end_time),
            as_datetime(scope.answer_time),
            scope.organisation,
        ),
        author=look.shown.line.organisation.name,
        decisions=tuple(
            Decisions(**dict(zip(_KIND, kind, strict=True)), count=count)
            for kind, count in sorted(kinds.items())
        ),
        duties=tuple(
            Duties(*(getattr(one, name) for name in Duties.__struct_fields__)) for one in first.duties
        ),
        ledger=Ledger(
            ledger.origin,
            ledger.leaves,
            ledger.signed_leaves,
            ledger.quorum,
            tuple(ledger.missing_witnesses),
        ),
    )


ROUTES: Final = (
    Page(PATH, show, (OFFICER,), menu=later("Uitvoer"), place=60),
    Page(f"{PATH}/maand", save_month, (OFFICER,)),
    Page(f"{PATH}/logboek", save_a_log, (OFFICER,)),
)
