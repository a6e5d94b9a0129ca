"""Questions to the read model of decisions: pages by key and exact counts, for any filter an officer sets.

Promises: a page is what was decided before a position, in the order of positions, and costs what it holds and
a look at each kind, however many decisions there are; a count is the number of rows that a full listing with
the same filter has. Values are bound, never part of a statement; no statement reads all decisions
(tests/projections/test_facets.py looks at the plan of each).
Source: SQLite's query planner (sqlite.org/queryplanner.html); exchange/decisions/0130-kinds-of-decisions.md.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack, closing
from heapq import merge, nlargest, nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.projections.decisions import ALL, DAY, DAY_US, DAYS_PER_MONTH, MONTH, name_of
from exchange.projections.kinds import Facet, basis_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

    from exchange.projections.decisions import DecisionFile, Filed
    from exchange.projections.kinds import Kind, Known

# Beyond every moment and every position; before every moment.
END: Final = 2**62
BEGIN: Final = -END
_WHOLE: Final = """
SELECT kind, sum(decisions) FROM counts WHERE level = :level AND number >= :first AND number < :end
GROUP BY kind"""
_AT: Final = """
SELECT kind, count(*) FROM decisions INDEXED BY decisions_at WHERE at >= :since AND at < :until
GROUP BY kind"""
# Decided since the question itself: a handful. The table is in the order of positions.
_SINCE: Final = """
SELECT kind, count(*) FROM decisions NOT INDEXED WHERE position >= :position AND at >= :since AND at < :until
GROUP BY kind"""
_ABOUT: Final = """
SELECT position, kind FROM decisions INDEXED BY decisions_about
WHERE resident = :resident AND resident <> x'' AND position >= :first AND position < :end
    AND at >= :since AND at < :until ORDER BY position {order}"""
_NAMED: Final = """
SELECT position, kind FROM decisions INDEXED BY decisions_named
WHERE name = :name AND (:resident = x'' OR resident = :resident) AND position >= :first AND position < :end
    AND at >= :since AND at < :until ORDER BY position {order}"""
_IN_ORDER: Final = """
SELECT position FROM decisions NOT INDEXED WHERE position >= :first AND position < :end
    AND at >= :since AND at < :until ORDER BY position {order}"""
_OF_KIND: Final = """
SELECT position FROM decisions INDEXED BY decisions_of_kind
WHERE kind = {kind} AND position >= :first AND position < :end AND at >= :since AND at < :until
ORDER BY position {order}"""
_NEXT_OF_EACH: Final = "SELECT value, ({next} LIMIT 1) FROM json_each(:kinds)"
_NEWEST: Final = "SELECT max(day) FROM days WHERE day <= :last"
_WHOLE_DAYS: Final = """
SELECT number, kind IN (SELECT value FROM json_each(:apart)), sum(decisions) FROM counts
WHERE level = :level AND number >= :first AND number < :end
    AND kind IN (SELECT value FROM json_each(:kinds)) GROUP BY 1, 2"""
_AT_DAYS: Final = """
SELECT at / :day_us, kind IN (SELECT value FROM json_each(:apart)), count(*)
FROM decisions INDEXED BY decisions_at WHERE at >= :since AND at < :until
    AND kind IN (SELECT value FROM json_each(:kinds)) GROUP BY 1, 2"""
_SINCE_DAYS: Final = """
SELECT at / :day_us, kind IN (SELECT value FROM json_each(:apart)), count(*)
FROM decisions NOT INDEXED WHERE position >= :position
    AND at >= :since AND at < :until AND kind IN (SELECT value FROM json_each(:kinds)) GROUP BY 1, 2"""
_DAYS_OF_ONE: Final = """
SELECT at / :day_us, kind IN (SELECT value FROM json_each(:apart)), count(*)
FROM decisions NOT INDEXED
WHERE position IN (SELECT value FROM json_each(:rows)) AND at >= :since AND at < :until GROUP BY 1, 2"""
DAYS_MAX: Final = 92
REFUSED: Final = "DENY"
_ENDS: Final = "SELECT min(first), max(last) FROM days WHERE day >= :first AND day <= :last"


class Wanted(NamedTuple):
    """Which decisions are asked: empty words and tuples are all; each of several values will do.

    Moments are microseconds since 1970 UTC, `until` not among them; `resident` is the log's pseudonym.
    """

    organisations: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    legal_bases: tuple[str, ...] = ()  # "WMO-2.3.2" is every version of it, "WMO-2.3.2@1" one
    purposes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    emergency: bool | None = None  # whether it was claimed, permitted or not
    since: int = BEGIN
    until: int = END
    resident: str = ""
    decision_id: str = ""
    asked_by: str = ""  # the only organisation whose questions are told to who asks

    def fits(self, kind: Kind) -> bool:
        """Tell whether decisions of a kind are asked."""
        return (
            self.asked_by in {"", kind.organisation}
            and (not self.organisations or kind.organisation in self.organisations)
            and (not self.tasks or kind.task in self.tasks)
            and (not self.legal_bases or not {kind.basis, basis_of(kind)}.isdisjoint(self.legal_bases))
            and (not self.purposes or kind.purpose in self.purposes)
            and (not self.outcomes or kind.outcome in self.outcomes)
            and (self.emergency is None or self.emergency == bool(kind.glass))
            and (not self.categories or not set(self.categories).isdisjoint(kind.categories.split()))
            and (not self.rules or not set(self.rules).isdisjoint(kind.rules.split()))
        )

    def holds(self, one: Filed) -> bool:
        """Tell whether one decision is asked."""
        return (
            self.since <= one.at < self.until
            and self.resident in {"", one.resident.hex()}
            and (not self.decision_id or name_of(self.decision_id) == one.name)
            and self.fits(one.kind)
        )

    @property
    def of_any_kind(self) -> bool:
        """Tell whether every kind is asked."""
        return self.emergency is None and not any((*self[:7], self.asked_by))


class Span(NamedTuple):
    """Where to look: positions from `first`, before `end`; from the end on where the newest come first."""

    first: int = 0
    end: int = END
    newest_first: bool = False

    def statement(self, text: str, **words: str) -> str:
        """Return a statement in this order; the words are our own."""
        return text.format(order="DESC" if self.newest_first else "ASC", **words)


class Counts(NamedTuple):
    """How many decisions there are, and how many of each value of each facet."""

    total: int
    facets: Mapping[Facet, Counter[str]]


class DayCounts(NamedTuple):
    """How many decisions one day has, and how many of them were refused whole."""

    decisions: int
    refused: int


def page(database: DecisionFile, wanted: Wanted, span: Span, limit: int) -> list[int]:
    """Return the positions of at most `limit` decisions, in the order asked. Raises StoreUnavailable."""
    with database.reading() as c, ExitStack() as opened:
        kinds = set() if wanted.of_any_kind else _fitting(database.known.read_on(c), wanted)
        if wanted.decision_id or wanted.resident:
            rows = _of_one(c, wanted, span, opened)
            found = (position for position, kind in rows if wanted.of_any_kind or kind in kinds)
            return list(islice(found, limit))
        span = _of_days(c, wanted, span)
        if wanted.of_any_kind:
            values = _values(wanted, span)
            every = opened.enter_context(closing(c.execute(span.statement(_IN_ORDER), values)))
            return [position for (position,) in islice(every, limit)]
        heads = _heads(c, _values(wanted, span) | {"kinds": json.dumps(sorted(kinds))}, span, limit)
        return list(islice(_merged(c, _values(wanted, span), span, heads, opened), limit))


def counts(database: DecisionFile, wanted: Wanted, position: int) -> Counts:
    """Count what was decided before a position. Raises StoreUnavailable."""
    with database.reading() as c, ExitStack() as opened:
        known = database.known.read_on(c)
        if wanted.decision_id or wanted.resident:
            found = Counter(kind for _, kind in _of_one(c, wanted, Span(end=position), opened))
        else:
            found = _within(c, wanted)
            found.subtract(_counted(c, _SINCE, wanted, position=position))
    return _summed(known, wanted, found)


def _summed(known: Known, wanted: Wanted, found: Counter[int]) -> Counts:
    """Return the counts of kinds as those of values."""
    fits, total, sums = wanted.fits, 0, [0] * len(known.values)
    every = wanted.of_any_kind
    for number, count in found.items():
        if count and (every or fits(known.kinds[number])):
            total += count
            for place in known.places[number]:
                sums[place] += count
    facets = {facet: Counter[str]() for facet in Facet}
    for value, count in zip(known.values, sums, strict=True):
        if count:
            facets[value.facet][value.word] = count
    return Counts(total, facets)


def by_day(database: DecisionFile, wanted: Wanted, position: int) -> dict[int, DayCounts]:
    """Count by day (since 1970, UTC) what was decided before a position. Raises StoreUnavailable.

    Only of the newest days that can have any, `DAYS_MAX` of them: a day costs a look at each of its kinds.
    """
    with database.reading() as c, ExitStack() as opened:
        known = database.known.read_on(c)
        kinds = _fitting(known, wanted)
        (newest,) = c.execute(_NEWEST, {"last": (wanted.until - 1) // DAY_US}).fetchone()
        if newest is None:
            return {}
        wanted = wanted._replace(
            since=max(wanted.since, (newest - DAYS_MAX + 1) * DAY_US),
            until=min(wanted.until, (newest + 1) * DAY_US),
        )
        values = {
            "kinds": json.dumps(sorted(kinds)),
            "apart": json.dumps(sorted(one for one in kinds if known.kinds[one].outcome == REFUSED)),
            "day_us": DAY_US,
        }
        if wanted.decision_id or wanted.resident:
            rows = [place for place, kind in _of_one(c, wanted, Span(end=position), opened) if kind in kinds]
            about = {"rows": json.dumps(rows), "since": wanted.since, "until": wanted.until}
            days = _days(c, _DAYS_OF_ONE, values | about)
        else:
            days = _days_within(c, wanted, values, position)
    every = sorted({day for (day, _), count in days.items() if count})
    return {day: DayCounts(days[day, 0] + days[day, 1], days[day, 1]) for day in every}


def _days_within(
    c: sqlite3.Connection, wanted: Wanted, values: Mapping[str, Any], position: int
) -> Counter[tuple[int, int]]:
    """Count by day what was decided between two moments: whole days by the counts, the rest one by one."""
    first, end = -(-wanted.since // DAY_US), wanted.until // DAY_US
    parts = [(wanted.since, wanted.until)]
    if first < end:
        parts = [(wanted.since, first * DAY_US), (end * DAY_US, wanted.until)]
    found = _days(c, _WHOLE_DAYS, {**values, "level": DAY, "first": first, "end": end})
    for since, until in parts:
        found += _days(c, _AT_DAYS, {**values, "since": since, "until": until})
    late = {"since": wanted.since, "until": wanted.until, "position": position}
    found.subtract(_days(c, _SINCE_DAYS, {**values, **late}))
    return found


def _days(c: sqlite3.Connection, statement: str, values: Mapping[str, Any]) -> Counter[tuple[int, int]]:
    """Count by day, and by whether a decision is one of those apart."""
    return Counter({(day, apart): count for day, apart, count in c.execute(statement, values)})


def position_of(database: DecisionFile, decision_id: str) -> int:
    """Return where a decision is recorded, 0 where none has this id. Raises StoreUnavailable."""
    return next(iter(page(database, Wanted(decision_id=decision_id), Span(), 1)), 0)


def _fitting(known: Known, wanted: Wanted) -> set[int]:
    """Return the kinds that are asked."""
    if wanted.of_any_kind:
        return set(known.kinds)
    return {number for number, kind in known.kinds.items() if wanted.fits(kind)}


def _of_one(
    c: sqlite3.Connection, wanted: Wanted, span: Span, opened: ExitStack
) -> Iterator[tuple[int, int]]:
    """Yield (position, kind) of one decision, or of those about one resident."""
    statement = span.statement(_NAMED if wanted.decision_id else _ABOUT)
    return opened.enter_context(closing(c.execute(statement, _values(wanted, span))))


def _heads(c: sqlite3.Connection, values: Mapping[str, Any], span: Span, limit: int) -> list[int]:
    """Return the kinds whose first decision comes first, as many as rows are asked.

    A page of n rows holds none of a kind whose first comes after the first ones of n others.
    """
    of_each = _NEXT_OF_EACH.format(next=span.statement(_OF_KIND, kind="value"))
    heads = [(position, kind) for kind, position in c.execute(of_each, values) if position is not None]
    first = (nlargest if span.newest_first else nsmallest)(limit, heads)
    return [kind for _, kind in first]


def _merged(
    c: sqlite3.Connection, values: Mapping[str, Any], span: Span, kinds: list[int], opened: ExitStack
) -> Iterator[int]:
    """Yield the positions of some kinds in order; no more is read than is taken."""
    statement = span.statement(_OF_KIND, kind=":kind")
    streams = [
        opened.enter_context(closing(c.execute(statement, {**values, "kind": kind}))) for kind in kinds
    ]
    for (position,) in merge(*streams, reverse=span.newest_first):
        yield position


def _of_days(c: sqlite3.Connection, wanted: Wanted, span: Span) -> Span:
    """Return the part of a span in which a decision of the wanted days can stand.

    That time does not run back is not taken for granted: a clock that was set back makes the part longer.
    """
    if (wanted.since, wanted.until) == (BEGIN, END):
        return span
    days = {"first": wanted.since // DAY_US, "last": (wanted.until - 1) // DAY_US}
    first, last = c.execute(_ENDS, days).fetchone()
    if first is None:
        return span._replace(end=span.first)
    return span._replace(first=max(span.first, first), end=min(span.end, last + 1))


def _within(c: sqlite3.Connection, wanted: Wanted) -> Counter[int]:
    """Count by kind what was decided between two moments: whole days by the counts, the rest one by one."""
    if (wanted.since, wanted.until) == (BEGIN, END):
        return _of_level(c, ALL, 0, 1)
    first, end = -(-wanted.since // DAY_US), wanted.until // DAY_US
    if first >= end:
        return _counted(c, _AT, wanted)
    found = _counted(c, _AT, wanted._replace(until=first * DAY_US))
    found += _counted(c, _AT, wanted._replace(since=end * DAY_US))
    first_month, end_month = -(-first // DAYS_PER_MONTH), end // DAYS_PER_MONTH
    if first_month >= end_month:
        return found + _of_level(c, DAY, first, end)
    found += _of_level(c, DAY, first, first_month * DAYS_PER_MONTH)
    found += _of_level(c, MONTH, first_month, end_month)
    return found + _of_level(c, DAY, end_month * DAYS_PER_MONTH, end)


def _of_level(c: sqlite3.Connection, level: int, first: int, end: int) -> Counter[int]:
    return Counter(dict(c.execute(_WHOLE, {"level": level, "first": first, "end": end}).fetchall()))


def _counted(c: sqlite3.Connection, statement: str, wanted: Wanted, position: int = 0) -> Counter[int]:
    values = {"since": wanted.since, "until": wanted.until, "position": position}
    return Counter(dict(c.execute(statement, values).fetchall()))


def _values(wanted: Wanted, span: Span) -> dict[str, Any]:
    return {
        "first": span.first,
        "end": span.end,
        "since": wanted.since,
        "until": wanted.until,
        "resident": bytes.fromhex(wanted.resident),
        "name": name_of(wanted.decision_id),
    }
