"""How much of planted snooping the review of lookups finds in a generated year, and how much else it names.

Promises: the real read model judges, from its own file, month by month; what was planted is compared with
what it says afterwards. Recall is the share of the planted that is named. Precision of one kind is what it
would be were nothing else planted; in all, of everything that is named. Nothing is asserted.
Source: exchange/decisions/0133-what-explains-a-lookup.md; the year: `lookups_year.py`.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.lookups import Month
from exchange.projections.lookups.index import LookupIndex
from exchange.projections.lookups.rules import INDICATORS, NO_FOLLOW_UP, RULES_VERSION
from exchange.wiring.lookups_year import LAWFUL, YEAR, made_year

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exchange.projections.lookups.counting import Judged
    from exchange.wiring.lookups_year import Year

FIGURE: Final = "lookups_judged_s"
MONTHS: Final = 12
IN_ALL: Final = "in all"
DIGITS: Final = 4
# Four ways to name an access. The weakest indicator alone says little of an access that nothing explains.
UNEXPLAINED: Final = "unexplained"
INDICATED: Final = "indicators"
BOTH: Final = "both"
STRONG: Final = "unexplained, and an indicator beside NO-FOLLOW-UP"
_WAYS: Final[dict[str, Callable[[Judged], bool]]] = {
    UNEXPLAINED: lambda one: not one.explained,
    INDICATED: lambda one: bool(one.indicators),
    BOTH: lambda one: not one.explained and bool(one.indicators),
    STRONG: lambda one: not one.explained and bool({*one.indicators} - {NO_FOLLOW_UP}),
}


def measure_lookups(accesses: int, seed: int = 1) -> dict[str, Any]:
    """Make a year, let it be judged, and return what was found: counts, precision, recall and times."""
    begun = time.perf_counter()
    year = made_year(accesses, seed)
    made = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        index = LookupIndex(Path(name))
        with closing(index.database):
            _write(index, year)
            written, cpu = time.perf_counter(), time.process_time()
            judged = [one for month in range(1, MONTHS + 1) for one in index.judged(Month(YEAR, month))]
            ended, cpu_ended = time.perf_counter(), time.process_time()
    return {
        "accesses": len(year.accesses),
        "professionals": len({one.person for one in year.accesses}),
        "residents": len({one.resident for one in year.accesses}),
        "rules_version": RULES_VERSION,
        "seconds": {
            "make": round(made - begun, 1),
            "write": round(written - made, 1),
            "judge": round(ended - written, 1),
            "judge_cpu": round(cpu_ended - cpu, 1),
        },
        "ways": {way: _scores(year, judged, names) for way, names in _WAYS.items()},
        "indicators": _by_indicator(year, judged),
        "explained_by": dict(Counter(one.explanation or UNEXPLAINED for one in judged).most_common()),
    }


def with_lookups(report: dict[str, Any], accesses: int) -> dict[str, Any]:
    """Return the report with what a year of so many accesses gave, and its time among the figures."""
    found = report["lookups"] = measure_lookups(accesses)
    seconds = found["seconds"]["judge"]
    report["results"][FIGURE] = {"median": seconds, "unit": "s", "runs": [seconds]}
    return report


def _write(index: LookupIndex, year: Year) -> None:
    with index.database.writing() as c:
        c.executemany(
            "INSERT INTO accesses VALUES (?,?,?,?,?,?,?,?)",
            (
                (number, str(number), one.at, *one.person, one.resident, one.emergency)
                for number, one in enumerate(year.accesses)
            ),
        )
        c.executemany(
            "INSERT INTO ties VALUES (NULL,?,?,?,?,?,?,?,?,?,'')",
            year.ties,
        )
        c.executemany(
            "INSERT INTO acts VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            ((*one[:-1], one.at // 86_400_000_000, one.at) for one in year.acts),
        )


def _scores(
    year: Year, judged: Iterable[Judged], names: Callable[[Judged], bool]
) -> dict[str, dict[str, Any]]:
    planted, named = Counter[str](), Counter[str]()
    for one in judged:
        kind = year.accesses[one.access.position].planted
        planted[kind] += 1
        named[kind] += names(one)
    wrong = named.pop(LAWFUL, 0)
    planted.pop(LAWFUL, None)
    found = {kind: _score(planted[kind], named[kind], wrong) for kind in sorted(planted)}
    return found | {IN_ALL: _score(planted.total(), named.total(), wrong)}


def _score(planted: int, named: int, wrong: int) -> dict[str, Any]:
    return {
        "planted": planted,
        "named": named,
        "named_wrongly": wrong,
        "recall": round(named / planted, DIGITS) if planted else None,
        "precision": round(named / (named + wrong), DIGITS) if named + wrong else None,
    }


def _by_indicator(year: Year, judged: Iterable[Judged]) -> dict[str, dict[str, Any]]:
    """Return each indicator by itself, of all accesses."""
    met, right, planted = Counter[str](), Counter[str](), 0
    for one in judged:
        bad = year.accesses[one.access.position].planted != LAWFUL
        planted += bad
        met.update(one.indicators)
        if bad:
            right.update(one.indicators)
    return {
        rule.name: _score(planted, right[rule.name], met[rule.name] - right[rule.name]) for rule in INDICATORS
    }
