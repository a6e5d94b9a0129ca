"""The rules across messages (control levels 3 and 4) for declarations. Pure.

Promises: each line is judged by itself against the terms that were told, the care that was told and what was
granted before; lines of one message count for each other in their order; findings carry their rule's code.
Readings of our own, in the provider's favour: minutes, hours and half days fit each other; a week that began
counts whole. Care that was never told, or fell outside a line, is told as 9307 or 9308, the nearest codes.
Source: technical rules of iWmo and iJw 3.2: TR304, TR307, TR308, TR314, TR318, TR319, TR321 to TR323, TR333,
TR338 to TR341, TR346, TR369, TR384, TR387 to TR390.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import Frequency, Unit
from adapters.provider.declaration_book import LineState
from adapters.provider.declaration_checks import lines_of
from adapters.provider.declarations import BODY
from adapters.provider.errors import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from adapters.provider.declaration_book import Declared
    from adapters.provider.declarations import Declaration, Performance
    from adapters.provider.records import Assignment, CareStart, CareStop
    from adapters.provider.terms import Term
    from adapters.provider.xml import Message

_MINUTES: Final = MappingProxyType({Unit.MINUTE: 1, Unit.HOUR: 60, Unit.HALF_DAY: 240})
_DAYS_OF_WEEK: Final = 7
_MONTHS: Final = 12
Span = tuple[date, date]
_Broken = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a declaration is judged against; each part is asked for what a line names."""

    terms: Callable[[int], Term | None]
    before: Callable[[str], Declared | None]
    under: Callable[[int], Sequence[Declared]]
    care: Callable[[str, int], Collection[Span]]
    number_used: bool = False
    latest: date | None = None  # the last day of the newest month declared before
    delivered_between: Callable[[Span], bool] = field(default=lambda _span: False)


def declaration_findings(
    message: Message, declared: Declaration, people: Sequence[str | None], ledger: Ledger
) -> tuple[Finding, ...]:
    """Judge a 323 that passed its in-message rules; `people` are the pseudonyms of its clients, in order."""
    whole = [Finding(rule, BODY, code) for rule, code in _whole(declared, ledger)]
    if whole:
        return tuple(whole)
    clients = message.root.children[1].find("Clienten")
    paths = [path for path, _ in lines_of(clients, f"{BODY}/Clienten")] if clients is not None else []
    lines = [
        (pseudonym, line)
        for pseudonym, (_, mine) in zip(people, declared.clients, strict=True)
        for line in mine
    ]
    judge = _Judge(declared, ledger)
    # A credit makes room for the debit that mends it, wherever both stand in the message.
    order = sorted(range(len(lines)), key=lambda at: lines[at][1].credits_reference is None)
    found = {at: list(judge.line(*lines[at])) for at in order}
    return tuple(Finding(rule, paths[at], code) for at in range(len(lines)) for rule, code in found[at])


def _whole(declared: Declaration, ledger: Ledger) -> Iterator[_Broken]:
    if ledger.number_used:
        yield "TR333", "9333"
    if ledger.latest is None:
        return
    expected = ledger.latest + timedelta(days=1)
    if declared.first < expected or (
        declared.first > expected and ledger.delivered_between((expected, declared.first - timedelta(days=1)))
    ):
        yield "TR318", "8214"


class _Judge:
    """Judges lines one by one, remembering what those before it took."""

    def __init__(self, declared: Declaration, ledger: Ledger) -> None:
        self._declared = declared
        self._ledger = ledger
        self._taken: Counter[int] = Counter()  # by assignment: minutes, pieces or cents of this message
        self._credited: set[str] = set()

    def line(self, pseudonym: str | None, line: Performance) -> list[_Broken]:
        """Judge a line; what passes counts for those after it."""
        term = self._ledger.terms(line.number)
        if term is None:
            return [("TR338", "9338")]
        if pseudonym is None or term.pseudonym != pseudonym:
            return [("TR304", "8187")]
        broken = [*self._once(line), *_in_terms(line, term.assignment, self._declared.last)]
        if line.credits_reference is None:
            broken += self._debit(line, term)
        else:
            broken += self._credit(line, line.credits_reference)
        if not broken:
            amount = measured(line)
            self._taken[line.number] += amount if line.credits_reference is None else -amount
            if line.credits_reference is not None:
                self._credited.add(line.credits_reference)
        return broken

    def _once(self, line: Performance) -> Iterator[_Broken]:
        if self._ledger.before(line.reference) is not None:
            yield "TR314", "8021"
        rate = None if line.unit is Unit.EURO else line.rate_cents
        if rate is not None and line.cents != line.volume * rate:
            yield "TR346", "9346"

    def _credit(self, line: Performance, previous: str) -> Iterator[_Broken]:
        debit = self._ledger.before(previous)
        if (
            debit is None
            or debit.state is LineState.REFUSED
            or debit.line.credits_reference is not None
            or debit.line.delivered != line.delivered
        ):
            yield "TR323", "8017"
        elif any(one.line.credits_reference == previous for one in self._ledger.under(line.number)):
            yield "TR390", "9390"

    def _debit(self, line: Performance, term: Term) -> Iterator[_Broken]:
        under = self._ledger.under(line.number)
        credited = self._credited | {one.line.credits_reference for one in under}
        standing = [one.line for one in under if one.line.credits_reference is None]
        if any(one.delivered == line.delivered and one.reference not in credited for one in standing):
            yield "TR389", "9389"
        yield from self._sized(line, term.assignment, under)
        yield from _delivered(line, self._ledger.care(term.pseudonym, line.number))

    def _sized(self, line: Performance, terms: Assignment, under: Sequence[Declared]) -> Iterator[_Broken]:
        before = sum(measured(one.line) * (1 if one.line.credits_reference is None else -1) for one in under)
        total = before + self._taken[line.number] + measured(line)
        if terms.budget_cents is not None:
            if total > terms.budget_cents:
                yield "TR369", "9369"
            return
        if terms.volume is None or not _fits(line, terms):
            return
        if measured(line) > _allowed(terms, (line.first, line.last)):
            yield "TR321", "9321"
        elif total > _allowed(terms, (terms.starts_on, terms.ends_on or line.last)):
            yield "TR322", "9322"


def measured(line: Performance) -> int:
    """Return how much a line is: minutes for time, cents for money, else pieces or days."""
    return line.volume * _MINUTES.get(line.unit, 1)


def _fits(line: Performance, terms: Assignment) -> bool:
    """Tell whether the unit of a line can be held against that of its assignment."""
    if terms.budget_cents is not None:
        return line.unit is Unit.EURO
    return terms.unit is None or line.unit is terms.unit or {line.unit, terms.unit} <= set(_MINUTES)


def _allowed(terms: Assignment, span: Span) -> int:
    """Return how much was assigned over a span, measured as `measured`; what has begun counts whole."""
    first, last = span
    days = (last - first).days + 1
    months = (last.year - first.year) * _MONTHS + last.month - first.month + 1
    times = {
        Frequency.PER_DAY: days,
        Frequency.PER_WEEK: -(-days // _DAYS_OF_WEEK),
        Frequency.PER_MONTH: months,
        Frequency.IN_TOTAL: 1,
    }
    unit = 1 if terms.unit is None else _MINUTES.get(terms.unit, 1)
    frequency = terms.frequency or Frequency.IN_TOTAL
    return (terms.volume or 0) * unit * times[frequency]


def _in_terms(line: Performance, terms: Assignment, declared_to: date) -> Iterator[_Broken]:
    if terms.removed:
        yield "TR384", "9384"
    if line.last > declared_to:
        yield "TR319", "9319"
    product = terms.product or line.product
    if line.product.category != product.category:
        yield "TR339", "9339"
    if product.code is not None and line.product.code != product.code:
        yield "TR340", "9340"
    if not _fits(line, terms):
        yield "TR341", "9341"
    yield from _in_days(line, terms.starts_on, terms.ends_on or date.max)


def _in_days(line: Performance, starts_on: date, ends_on: date) -> Iterator[_Broken]:
    """Judge the period of a line: its whole month, or what of it the assignment covers."""
    month = line.first.replace(day=1)
    if line.first < starts_on:
        yield "TR307", "9307"
    elif line.first != max(month, starts_on):
        yield "TR387", "9387"
    if line.last > ends_on:
        yield "TR308", "9308"
    elif line.last != min(month.replace(day=monthrange(month.year, month.month)[1]), ends_on):
        yield "TR388", "9388"


def _delivered(line: Performance, care: Collection[Span]) -> Iterator[_Broken]:
    """Tell when no care of the assignment fell in the period of the line."""
    if any(start <= line.last and end >= line.first for start, end in care):
        return
    if any(end < line.first for _, end in care):
        yield "CARE-STOPPED", "9308"
    else:
        yield "CARE-NOT-STARTED", "9307"


def spans_of_care(
    number: int, starts: Collection[CareStart], stops: Collection[CareStop]
) -> tuple[Span, ...]:
    """Return from when until when care under an assignment was told; care that goes on has no end."""
    spans = []
    for start in starts:
        if start.assignment_number == number:
            ends = [
                stop.ends_on
                for stop in stops
                if stop.assignment_number == number and stop.starts_on == start.starts_on
            ]
            spans.append((start.starts_on, max(ends, default=date.max)))
    return tuple(spans)
