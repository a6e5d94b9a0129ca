"""A timeline as plain numbers: a bar for each day, between the first day that has decisions and the last.

Promises: heights are of one scale, from nought; a day without decisions is a day without a bar, and stands in
the row; the template draws them as SVG, and gives the same numbers as a table.
Source: WCAG 2.1, 1.1.1 and 1.4.1 (a picture has its words; colour is never the only sign).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.v1 import audit_service_pb2 as pb

WIDTH, HEIGHT, ABOVE, BELOW = 720, 180, 20, 24
BARS_MAX: Final = 92
_GAP: Final = 0.2  # of a bar's place


class Bar(NamedTuple):
    """One day: where its bar stands, in units of the picture, and what it says."""

    day: date
    decisions: int
    refused: int
    left: float
    width: float
    top: float
    refused_top: float
    bottom: float


class Timeline(NamedTuple):
    """What is drawn. `most` is the scale: the decisions of the busiest day."""

    bars: tuple[Bar, ...]
    most: int

    @property
    def counted(self) -> tuple[Bar, ...]:
        """Return the days that have decisions, newest first."""
        return tuple(bar for bar in reversed(self.bars) if bar.decisions)


def timeline_of(days: Sequence[pb.DayCount]) -> Timeline | None:
    """Return the timeline of some days in order; None where there are none."""
    if not days:
        return None
    told = {date.fromisoformat(one.day): one for one in days}
    first, last = min(told), max(told)
    row = [first + timedelta(days=number) for number in range((last - first).days + 1)][-BARS_MAX:]
    most = max(one.decisions for one in days)
    place = WIDTH / max(len(row), 7)
    bottom = HEIGHT - BELOW
    scale = (bottom - ABOVE) / most
    bars = []
    for number, day in enumerate(row):
        one = told.get(day)
        decisions, refused = (one.decisions, one.refused) if one else (0, 0)
        bars.append(
            Bar(
                day,
                decisions,
                refused,
                left=round(number * place + place * _GAP / 2, 2),
                width=round(place * (1 - _GAP), 2),
                top=round(bottom - decisions * scale, 2),
                refused_top=round(bottom - refused * scale, 2),
                bottom=bottom,
            )
        )
    return Timeline(tuple(bars), most)
