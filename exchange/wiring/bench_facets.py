"""How long an officer waits for counts and a page of a million decisions, by the slowest of his filters.

Promises: the decisions are made up, and filed by the read model's own insert, as a follower files them; every
filter that is offered is asked, alone, in common pairs and over spans of time, and the figure is that of the
slowest. A count that is not the number of rows filed is an error, no figure.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import LedgerDiffers
from exchange.projections import facets
from exchange.projections.decisions import DAY_US, DecisionList, Filed, file_all
from exchange.projections.facets import Span, Wanted
from exchange.projections.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.projections.decisions import DecisionFile

DECISIONS: Final = 1_000_000
DECISIONS_PER_BATCH: Final = 20_000
ROUNDS: Final = 5
PAGE_ROWS: Final = 51  # one more than a page, as the service asks
COUNTED: Final = "facets_ms"
PAGED: Final = "page_ms"
ORGANISATIONS: Final = 60
RESIDENTS: Final = 100_000
DAYS: Final = 365
BEGIN_US: Final = 1_764_547_200_000_000  # 2025-12-01
_TASKS: Final = ("college:WMO", "college:JW", "college:PW", "wmo-aanbieder", "jeugdhulpaanbieder", "fg")
_BASES: Final = ("WMO-2.3.2", "WMO-5.1.1-4", "WMO-5.2.1-2a", "JW-7.4.4", "PW-7", "SUBJECT-15", "FG-AUDIT-39")
_CATEGORIES: Final = ("WMO-PLAN", "JEUGDHULP", "INKOMEN", "WONEN", "ARBEID", "CONTACT", "STRAFRECHT")
_REFUSED: Final = ("R03", "R10", "R10 R22", "R14", "R03 R14", "R21", "R24", "R10 R12")


def with_facets(report: dict[str, Any]) -> dict[str, Any]:
    """Return the report with the figures of counts and pages among its results."""
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        made = DecisionList(Path(name), str)
        try:
            fill(made.database, DECISIONS)
            report["results"] |= measured(made.database, DECISIONS)
        finally:
            made.database.close()
    return report


def fill(database: DecisionFile, decisions: int) -> None:
    """File so many decisions."""
    after = database.position()
    while after < decisions:
        last = min(after + DECISIONS_PER_BATCH, decisions)
        with database.following(after, last) as c:
            file_all(c, (_made_up(position, decisions) for position in range(after + 1, last + 1)))
        after = last


def measured(database: DecisionFile, decisions: int) -> dict[str, Any]:
    """Return both figures: for each filter the median of its rounds, and of those the slowest."""
    end = decisions + 1
    if facets.counts(database, Wanted(), end).total != decisions:
        raise LedgerDiffers("the read model counts what was never filed", position=str(decisions))
    counted, paged = [], []
    for wanted in filters().values():
        counted.append(_median_ms(partial(facets.counts, database, wanted, end)))
        for newest_first in (True, False):
            span = Span(end=end, newest_first=newest_first)
            paged.append(_median_ms(partial(facets.page, database, wanted, span, PAGE_ROWS)))
    rows = {"decisions": decisions, "filters": len(counted)}
    return {COUNTED: _slowest(counted) | rows, PAGED: _slowest(paged) | rows}


def filters() -> Mapping[str, Wanted]:
    """Return what is asked: every filter alone, common pairs, and spans of time."""
    day = BEGIN_US + 100 * DAY_US + 12_345
    return {
        "none": Wanted(),
        "organisation": Wanted(organisations=(_oin(0),)),
        "task": Wanted(tasks=(_TASKS[1],)),
        "legal basis": Wanted(legal_bases=(_BASES[2],)),
        "purpose": Wanted(purposes=("purpose-3",)),
        "category": Wanted(categories=("STRAFRECHT",)),
        "outcome": Wanted(outcomes=("DENY",)),
        "rule": Wanted(rules=("R22",)),
        "emergency": Wanted(emergency=True),
        "resident": Wanted(resident=_resident(7).hex()),
        "decision": Wanted(decision_id=_name(DECISIONS // 2).hex()),
        "organisation, outcome": Wanted(organisations=(_oin(ORGANISATIONS - 1),), outcomes=("DENY",)),
        "category, rule": Wanted(categories=("STRAFRECHT",), rules=("R10",)),
        "task, legal basis": Wanted(tasks=(_TASKS[0],), legal_bases=(_BASES[0],)),
        "day": Wanted(since=day, until=day + DAY_US),
        "month, outcome": Wanted(since=day, until=day + 31 * DAY_US, outcomes=("DENY",)),
        "year": Wanted(since=BEGIN_US + 1, until=BEGIN_US + DAYS * DAY_US - 1),
        "since": Wanted(since=day),
        "own organisation": Wanted(asked_by=_oin(3)),
    }


def _made_up(position: int, decisions: int) -> Filed:
    """Return a decision: most by few organisations, one in twenty refused, its basis says what is asked."""
    drawn = _name(position)
    # The few ask the most: the product of two draws is small more often than not.
    organisation = drawn[0] * drawn[1] * ORGANISATIONS >> 16
    basis = drawn[2] * len(_BASES) >> 8
    refused, glass = drawn[3] < 13, drawn[4] == 0  # noqa: PLR2004 -- one in twenty of 256
    start = basis + (drawn[5] * 3 >> 8)
    steps = range(1 + drawn[5] % 2)
    categories = sorted({_CATEGORIES[(start + step) % len(_CATEGORIES)] for step in steps})
    kind = Kind(
        _oin(organisation),
        _TASKS[(organisation + (drawn[6] < 50)) % len(_TASKS)],  # noqa: PLR2004 -- one in five of 256
        _BASES[basis],
        "1",
        f"purpose-{basis}",
        "DENY" if refused else "PERMIT_BREAK_GLASS" if glass else "PERMIT",
        int(glass),
        " ".join(categories),
        _REFUSED[drawn[7] * len(_REFUSED) >> 8] if refused else f"P-{_BASES[basis]}",
    )
    at = BEGIN_US + position * DAYS * DAY_US // (decisions + 1)
    number = int.from_bytes(drawn[8:12], "big") % RESIDENTS
    return Filed(position, kind, at, drawn, _resident(number))


def _name(position: int) -> bytes:
    return sha256(position.to_bytes(8, "big")).digest()[:16]


def _resident(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _oin(number: int) -> str:
    return f"{number:020d}"


def _median_ms(ask: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        ask()
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


def _slowest(times: list[float]) -> dict[str, Any]:
    """Return a figure: the slowest of the filters; its runs are the filters in their order."""
    rounded = [round(one, 1) for one in times]
    return {"median": max(rounded), "unit": "ms", "runs": rounded}
