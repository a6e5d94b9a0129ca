"""How figures are told: medians over rounds, with every round beside them.

Promises: a ratio is the median of the rounds' own ratios, of what was measured side by side.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Found:
    """What was measured: what it is measured against, what it is, and the ratios; None has a reason."""

    baselines: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    ratios: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        """Take in what was measured elsewhere."""
        self.baselines |= other.baselines
        self.results |= other.results
        self.ratios |= other.ratios
        self.reasons |= other.reasons

    def without(self, name: str, why: str) -> None:
        """Tell that a ratio could not be measured here, and why."""
        self.ratios[name], self.reasons[name] = None, why


def figure(runs: Sequence[float], unit: str, digits: int = 0) -> dict[str, Any]:
    """Return a figure as it is printed."""
    told = [round(one, digits) if digits else round(one) for one in runs]
    return {"median": round(statistics.median(told), digits or None), "unit": unit, "runs": told}


def ratio(those: Sequence[float], by: Sequence[float], digits: int = 2) -> float:
    """Return the median of the ratios of each round."""
    pairs = zip(those, by, strict=True)
    return round(statistics.median(one / other for one, other in pairs), digits)


def percentile(times: Sequence[float], share: float) -> float:
    """Return the smallest of the times that so large a share of them does not pass."""
    ordered = sorted(times)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
