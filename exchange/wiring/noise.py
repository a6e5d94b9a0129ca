"""Noise for published tables: the home of `opendp`.

Promises: whole numbers in, whole numbers out, by the discrete Laplace mechanism of the library, which draws
from the system's own randomness; what it says it costs is compared with what the ledger will say was spent,
and a table that would cost more is never made.
Source: OpenDP `make_laplace` (two-sided geometric for integers); Dwork and Roth 2014, section 3.3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import opendp.prelude as dp

from exchange.domain.insight.cells import PARTS, THOUSANDTHS, Noised, Scales
from exchange.domain.insight.changes import CELLS_PER_RESIDENT_MAX, CHANGE_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opendp.mod import Measurement

# The mechanism is proven in a paper, and not yet vetted by the library's own committee: it asks to be told.
dp.enable_features("contrib")

# The library rounds its sums of floats upwards: a hair, not a budget.
ROUNDING: Final = 1e-9
KEPT_MAX: Final = 64


def add_noise(residents: Sequence[int], steps: Sequence[int], spend_thousandths: int) -> Noised:
    """Return both with noise that costs this epsilon together, whoever of the residents is left out."""
    of_residents, of_steps = _mechanisms(spend_thousandths)
    return Noised(of_residents(list(residents)), of_steps(list(steps)))


@lru_cache(maxsize=KEPT_MAX)
def _mechanisms(spend_thousandths: int) -> tuple[Measurement, Measurement]:
    scales = Scales.of(spend_thousandths)
    residents, steps = _laplace(scales.residents), _laplace(scales.steps)
    costs = _cost(residents, CELLS_PER_RESIDENT_MAX) + _cost(steps, CELLS_PER_RESIDENT_MAX * CHANGE_MAX)
    assert costs <= spend_thousandths / THOUSANDTHS + ROUNDING, f"{PARTS} parts cost more than the whole"
    return residents, steps


def _cost(mechanism: Measurement, sensitivity: int) -> float:
    """Return the epsilon of a mechanism where one resident changes its numbers by so much in all."""
    return float(mechanism.map(sensitivity))  # type: ignore[no-untyped-call] # the library types all but this


def _laplace(scale: float) -> Measurement:
    return dp.m.make_laplace(dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int), scale=scale)
