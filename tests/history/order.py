"""Real time against the order of the log: what was answered before another was sent stands before it.

Promises: one sort and one pass; times of different clocks are not compared. A point of which one of the two
times is not known takes part with the other alone.
Source: Herlihy and Wing (1990): the order of a linearizable history extends that of real time.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple


class Point(NamedTuple):
    """Where something stands in the log, and between which moments it happened; 0 for a moment not known."""

    position: int
    sent_ns: int
    answered_ns: int
    clock: str
    what: str


def misplaced(points: list[Point]) -> tuple[int, list[tuple[Point, Point]]]:
    """Return how many were looked at, and (earlier, later) pairs that stand the other way round.

    Of each point that is misplaced one pair is told, with what stands furthest behind it.
    """
    by_clock: defaultdict[str, list[Point]] = defaultdict(list)
    for point in points:
        by_clock[point.clock].append(point)
    looked, faults = 0, []
    for of_one in by_clock.values():
        sent = sorted((one for one in of_one if one.sent_ns), key=lambda one: one.sent_ns)
        answered = sorted((one for one in of_one if one.answered_ns), key=lambda one: one.answered_ns)
        looked += len(sent)
        furthest, next_one = None, 0
        for point in sent:
            while next_one < len(answered) and answered[next_one].answered_ns < point.sent_ns:
                one = answered[next_one]
                next_one += 1
                if furthest is None or one.position > furthest.position:
                    furthest = one
            if furthest is not None and furthest.position > point.position:
                faults.append((furthest, point))
    return looked, faults
