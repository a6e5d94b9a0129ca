"""From noisy numbers to the cells that are published: what is left out, and how far the rest may be off.

Promises: works on noisy numbers only, so that nothing here takes from what the noise promises
(post-processing); a cell with fewer than ten residents is shown once in a thousand times at most.
Source: Dwork and Roth 2014, proposition 2.1 (post-processing), 3.3 (Laplace); Ghosh, Roughgarden and
Sundararajan 2009 (the two-sided geometric distribution).
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from exchange.domain.insight.changes import CELLS_PER_RESIDENT_MAX, CHANGE_MAX
from exchange.domain.insight.question import Question, Row

RESIDENTS_MIN: Final = 10
SHOWN_BY_CHANCE_MAX: Final = 0.001
ERROR_QUANTILE: Final = 0.95
THOUSANDTHS: Final = 1_000
# Half of what a table spends is for how many residents, half for how far they came.
PARTS: Final = 2
_SEPARATOR: Final = " "
# Of who was handed over, where it may be too few to tell.
FEW: Final = "few"


class Scales(NamedTuple):
    """How wide the noise is: of a number of residents, and of a sum of steps."""

    residents: float
    steps: float

    @classmethod
    def of(cls, spend_thousandths: int) -> "Scales":
        """Return what a table of this epsilon needs: sensitivity over its part of the epsilon."""
        epsilon = spend_thousandths / THOUSANDTHS / PARTS
        return cls(CELLS_PER_RESIDENT_MAX / epsilon, CELLS_PER_RESIDENT_MAX * CHANGE_MAX / epsilon)


class Noised(NamedTuple):
    """Numbers of every cell of a question, in its order, with their noise."""

    residents: Sequence[int]
    steps: Sequence[int]


class PublishedCell(NamedTuple):
    """One cell as everybody may see it; None where it is suppressed."""

    row: Row
    life_domain: str
    residents: int | None
    steps: int | None

    @property
    def mean(self) -> float | None:
        """Steps for each resident, within what a change can be."""
        if not self.residents or self.steps is None:
            return None
        return max(-CHANGE_MAX, min(CHANGE_MAX, self.steps / self.residents))


def exceeds_by_chance(scale: float, chance: float) -> int:
    """Return the smallest number that noise of this scale reaches with at most this chance.

    Of the two-sided geometric distribution with q = e^(-1/scale), P(noise >= k) = q^k / (1 + q) for k >= 1.
    """
    q = math.exp(-1 / scale)
    return max(1, math.ceil(math.log(chance * (1 + q)) / math.log(q)))


def shown_from(spend_thousandths: int) -> int:
    """Return the noisy number of residents from which a cell is shown."""
    margin = exceeds_by_chance(Scales.of(spend_thousandths).residents, SHOWN_BY_CHANCE_MAX)
    return RESIDENTS_MIN - 1 + margin


def residents_error(spend_thousandths: int) -> int:
    """Return how far a number of residents is off at most, nineteen times in twenty."""
    one_side = (1 - ERROR_QUANTILE) / 2
    return exceeds_by_chance(Scales.of(spend_thousandths).residents, one_side) - 1


def published_cells(question: Question, noised: Noised, spend_thousandths: int) -> tuple[str, ...]:
    """Return every cell of a question in a word for the record, the small ones without their numbers."""
    least = shown_from(spend_thousandths)
    found = []
    for (row, domain), residents, steps in zip(question.cells(), noised.residents, noised.steps, strict=True):
        numbers = (str(residents), str(steps)) if residents >= least else ()
        found.append(_SEPARATOR.join((row.name, domain, *numbers)))
    return tuple(found)


def published_handed_over(residents: int, spend_thousandths: int) -> str:
    """Return how many were handed over, with noise, in a word for the record: as a cell is told."""
    return str(residents) if residents >= shown_from(spend_thousandths) else FEW


def told_handed_over(recorded: str) -> int | None:
    """Return a recorded number of residents handed over; None where it is not told."""
    return None if recorded in {"", FEW} else int(recorded)


def told_cell(recorded: str) -> PublishedCell:
    """Return a recorded cell."""
    name, domain, *numbers = recorded.split(_SEPARATOR)
    residents, steps = map(int, numbers) if numbers else (None, None)
    return PublishedCell(Row.named(name), domain, residents, steps)
