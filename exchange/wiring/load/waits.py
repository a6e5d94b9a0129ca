"""How long a caller waits: alone, among four, and while calls come at a rate of their own.

Promises: each figure beside what an echo, and one commit of the same store, take in the same round. At a rate
every call counts from when it was due: one that had to wait behind a slow one is as slow as its caller felt.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from exchange.wiring.load.figures import Found, figure, ratio
from exchange.wiring.load.rates import FAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.wiring.load.place import Rows
    from exchange.wiring.load.site import Site

FEW: Final = 4
KEYS: Final = frozenset({"idle_p50_ms", "p50_idle_ms_4", "p99_vs_echo"})
P50: Final = "p50_ms"
P99: Final = "p99_ms"


def measure_waits(site: Site, writes_per_s: float, progress: Callable[[str], None]) -> Found:
    """Measure on the line `fast`; calls come at a share of `writes_per_s`."""
    with site.place.rows(site.folder / "rows", site.row_bytes) as rows:
        progress("one caller, and four")
        idle = [_alone(site, rows) for _ in range(site.sizes.rounds)]
    few = [site.closed(FAST, "write", site.sizes.few_calls, FEW)[P50] for _ in range(site.sizes.rounds)]
    per_s = writes_per_s * site.sizes.rate_of_most
    rated = []
    for number in range(site.sizes.rounds):
        progress(f"calls at a rate of {per_s:.0f} a second: round {number + 1} of {site.sizes.rounds}")
        # Who goes first changes from round to round.
        sides = {
            echoed: site.rate(FAST, "write", per_s, site.sizes.rate_s, echoed=echoed)[P99]
            for echoed in ((True, False) if number % 2 else (False, True))
        }
        rated.append((sides[False], sides[True]))
    least = [echo + commit for _, echo, commit in idle]
    return Found(
        baselines={
            "echo_alone_ms": figure([echo for _, echo, _ in idle], "ms", 3),
            "raw_commit_ms": figure([commit for _, _, commit in idle], "ms", 3),
            "echo_p99_ms": figure([echo for _, echo in rated], "ms", 2),
        },
        results={
            "door_write_alone_ms": figure([write for write, _, _ in idle], "ms", 3),
            "door_write_among_four_ms": figure(few, "ms", 2),
            "door_write_p99_ms": figure([write for write, _ in rated], "ms", 2)
            | {"calls_per_s": round(per_s)},
        },
        ratios={
            "idle_p50_ms": ratio([write for write, _, _ in idle], least),
            "p50_idle_ms_4": round(statistics.median(few), 2),
            "p99_vs_echo": ratio([write for write, _ in rated], [echo for _, echo in rated]),
        },
    )


def _alone(site: Site, rows: Rows) -> tuple[float, float, float]:
    """Return the medians in ms of a command, an echo and one commit of the store, nothing else running."""
    calls = site.sizes.idle_calls
    echoed = site.closed(FAST, "write", calls, 1, echoed=True)[P50]
    committed = statistics.median(rows.one() for _ in range(calls)) * 1e3
    return site.closed(FAST, "write", calls, 1)[P50], echoed, committed
