"""What a service takes of the machine, and what a second one adds.

Promises: memory is what the kernel counts as resident after all the load; of two shards each has a process
and a store of its own, called at once by one caller, who takes a core himself where there are but two.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from exchange.wiring.load.figures import Found, figure, ratio
from exchange.wiring.load.rates import FAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.wiring.load.site import Site

SECOND: Final = "second"
CORES_MIN: Final = 3  # two services and who calls
SHARED: Final = "two cores: the caller takes one of them, so that a second service finds hardly any left"
NO_SOAK: Final = "measured with --long only: ten minutes of load"
LOOKS: Final = 20


def measure_shards(site: Site) -> Found:
    """Measure commands a second of one service, and of two at once."""
    one, two = [], []
    with ExitStack() as opened:
        site.serve(SECOND, until=opened)
        for _ in range(site.sizes.rounds):
            one.append(site.closed(FAST, "write", site.sizes.calls)["per_s"])
            two.append(site.closed((FAST, SECOND), "write", site.sizes.calls)["per_s"])
    found = Found(
        baselines={"one_shard_commands": figure(one, "commands/s")},
        results={"two_shards_commands": figure(two, "commands/s")},
        ratios={"shards_2_vs_1": ratio(two, one)},
    )
    if (os.cpu_count() or 1) < CORES_MIN:
        found.reasons["shards_2_vs_1"] = SHARED
    return found


def measure_memory(site: Site, progress: Callable[[str], None]) -> Found:
    """Tell the memory of the service on the line `fast`, and by how much ten minutes of load let it grow."""
    begun = site.rss_mb(FAST)
    found = Found(
        results={"rss_mb": figure([begun], "MB", 1)},
        ratios={"rss_mb": round(begun, 1)},
    )
    if not site.sizes.soak_s:
        found.without("rss_growth_mb_10min", NO_SOAK)
        return found
    progress("under load, for minutes")
    looks, until = [begun], time.monotonic() + site.sizes.soak_s
    part = site.sizes.soak_s / LOOKS
    while time.monotonic() < until:
        ends = time.monotonic() + part
        while time.monotonic() < ends:
            site.closed(FAST, "write", site.sizes.calls)
            site.closed(FAST, "read", site.sizes.calls)
        looks.append(site.rss_mb(FAST))
    found.results["rss_growth_mb"] = figure(looks, "MB", 1) | {"seconds": site.sizes.soak_s}
    found.ratios["rss_growth_mb_10min"] = round(looks[-1] - looks[0], 1)
    found.ratios["rss_mb"] = round(max(looks), 1)
    return found
