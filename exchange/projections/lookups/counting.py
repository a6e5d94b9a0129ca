"""A month of accesses judged, and counted in cells without people.

Promises: pure; a cell is the accesses of one organisation in one task in one month. Where a cell has fewer
than ten professionals, what its people do is not told apart by kind: among three a kind of behaviour is a
name. Accesses are gone through as they come, and none is kept.
Source: GDPR 25, 32; recital 162; exchange/decisions/0134-names-take-two-persons.md.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from exchange.projections.lookups.explaining import UNEXPLAINED, explain
from exchange.projections.lookups.indicating import indicated
from exchange.projections.lookups.rules import EXPLANATIONS, INDICATORS, PROFESSIONALS_MIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exchange.projections.lookups.accesses import Access, Known


class Judged(NamedTuple):
    """One access with what explains it, empty where nothing does, and which indicators it meets."""

    access: Access
    explanation: str
    indicators: tuple[str, ...]

    @property
    def explained(self) -> bool:
        """Tell whether anything explains it."""
        return self.explanation != UNEXPLAINED


class Cell(NamedTuple):
    """Counts of one organisation and task; `few` says that kinds are left out."""

    organisation: str
    task: str
    accesses: int
    unexplained: int
    indicated: int  # unexplained, and with an indicator at least
    few: bool
    explanations: tuple[tuple[str, int], ...]
    indicators: tuple[tuple[str, int], ...]  # of the unexplained ones


def judged(accesses: Iterable[Access], known: Known, start: int) -> Iterator[Judged]:
    """Judge the accesses from `start` on, one by one; all come in order, and are gone through twice."""
    for one, indicators in indicated(accesses, known, start):
        yield Judged(one, explain(one, known), indicators)


def cells_of(month: Iterable[Judged]) -> tuple[Cell, ...]:
    """Count a month, in the order of organisation and task."""
    cells = Cells()
    for one in month:
        cells.add(one)
    return cells.told()


class Cells:
    """A month while it is counted."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Counts] = {}

    def add(self, one: Judged) -> None:
        """Count one access."""
        cell = one.access.organisation, one.access.task
        if cell not in self._counts:
            self._counts[cell] = _Counts(*cell)
        self._counts[cell].add(one)

    def told(self) -> tuple[Cell, ...]:
        """Return what was counted."""
        return tuple(self._counts[cell].told() for cell in sorted(self._counts))


class _Counts:
    """One cell while it is counted."""

    def __init__(self, organisation: str, task: str) -> None:
        self._cell = organisation, task
        self._professionals: set[str] = set()
        self._reasons: Counter[str] = Counter()
        self._met: Counter[str] = Counter()
        self._indicated = 0

    def add(self, one: Judged) -> None:
        """Count one access of it."""
        self._professionals.add(one.access.professional)
        self._reasons[one.explanation] += 1
        if not one.explained:
            self._indicated += bool(one.indicators)
            self._met.update(one.indicators)

    def told(self) -> Cell:
        """Return what was counted."""
        few = len(self._professionals) < PROFESSIONALS_MIN
        return Cell(
            *self._cell,
            accesses=self._reasons.total(),
            unexplained=self._reasons[UNEXPLAINED],
            indicated=self._indicated,
            few=few,
            explanations=() if few else tuple((rule.name, self._reasons[rule.name]) for rule in EXPLANATIONS),
            indicators=() if few else tuple((rule.name, self._met[rule.name]) for rule in INDICATORS),
        )
