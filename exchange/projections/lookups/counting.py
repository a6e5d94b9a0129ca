"""A month of accesses judged, and counted in cells without people.

Promises: pure; a cell is the accesses of one organisation in one task in one month. Where a cell has fewer
than ten professionals, what its people do is not told apart by kind: among three a kind of behaviour is a
name.
Source: GDPR 25, 32; recital 162; exchange/decisions/0134-names-take-two-persons.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from exchange.projections.lookups.explaining import UNEXPLAINED, explain
from exchange.projections.lookups.indicating import indicated
from exchange.projections.lookups.rules import EXPLANATIONS, INDICATORS, PROFESSIONALS_MIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def judged(accesses: Sequence[Access], known: Known, start: int) -> list[Judged]:
    """Judge the accesses from `start` on; all come in order."""
    month = (one for one in accesses if one.at >= start)
    met = indicated(accesses, known, start)
    return [Judged(one, explain(one, known), indicators) for one, indicators in zip(month, met, strict=True)]


def cells_of(month: Iterable[Judged]) -> list[Cell]:
    """Count a month, in the order of organisation and task."""
    sorted_in: defaultdict[tuple[str, str], list[Judged]] = defaultdict(list)
    for one in month:
        sorted_in[one.access.organisation, one.access.task].append(one)
    return [_cell(organisation, task, found) for (organisation, task), found in sorted(sorted_in.items())]


def _cell(organisation: str, task: str, found: Sequence[Judged]) -> Cell:
    unexplained = [one for one in found if not one.explained]
    few = len({one.access.professional for one in found}) < PROFESSIONALS_MIN
    reasons = Counter(one.explanation for one in found if one.explained)
    met = Counter(name for one in unexplained for name in one.indicators)
    return Cell(
        organisation,
        task,
        accesses=len(found),
        unexplained=len(unexplained),
        indicated=sum(bool(one.indicators) for one in unexplained),
        few=few,
        explanations=() if few else tuple((rule.name, reasons[rule.name]) for rule in EXPLANATIONS),
        indicators=() if few else tuple((rule.name, met[rule.name]) for rule in INDICATORS),
    )
