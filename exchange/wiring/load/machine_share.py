"""What a service takes of the machine, and what a second one adds.

Promises: memory is what the kernel counts as resident after all the load; of two shards each has a process
and a store of its own, as many calls and as many of them under way as one has alone, from one caller, who
takes a core himself where there are but two.
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
NO_SOAK: Final = "measured with --long, or with --only: ten minutes of load"
LOOKS: Final = 20
GROWN: Final = "rss_growth_mb_10min"
GROWN_SINCE_FIRST: Final = "rss_growth_from_first_look_mb"
MEMORY_KEYS: Final = frozenset({"rss_mb", GROWN})
SHARD_KEYS: Final = frozenset({"shards_2_vs_1"})


def measure_shards(site: Site) -> Found:
    """Measure commands a second of one service, and of two at once."""
    one, two = [], []
    with ExitStack() as opened:
        site.serve(SECOND, until=opened)
        for _ in range(site.sizes.rounds):
            one.append(site.closed(FAST, "write", site.sizes.calls)["per_s"])
            # Of each as many, and as many under way: with half of them its groups would be half as large.
            calls, in_flight = 2 * site.sizes.calls, 2 * site.sizes.in_flight
            two.append(site.closed((FAST, SECOND), "write", calls, in_flight)["per_s"])
    found = Found(
        baselines={"one_shard_commands": figure(one, "commands/s")},
        results={"two_shards_commands": figure(two, "commands/s")},
        ratios={"shards_2_vs_1": ratio(two, one)},
    )
    if (os.cpu_count() or 1) < CORES_MIN:
        found.reasons["shards_2_vs_1"] = SHARED
    return found


def measure_memory(site: Site, progress: Callable[[str], None]) -> Found:
    """Tell the memory of the service on the line `fast`, and by how much ten minutes of load let it grow.

    Growth is told twice: from the first look, and from after so many calls that what is kept of the last
    ones is full. The key is the second; the first stands beside it.
    """
    begun = site.rss_mb(FAST)
    found = Found(
        results={"rss_mb": figure([begun], "MB", 1)},
        ratios={"rss_mb": round(begun, 1)},
    )
    if not site.sizes.soak_s:
        found.without(GROWN, NO_SOAK)
        return found
    progress(f"under load, {site.sizes.soak_after_calls:,} calls and then for minutes")
    warm = 0
    while warm < site.sizes.soak_after_calls:
        warm += _load(site)
    looks, calls, until = [site.rss_mb(FAST)], 0, time.monotonic() + site.sizes.soak_s
    part = site.sizes.soak_s / LOOKS
    while time.monotonic() < until:
        ends = time.monotonic() + part
        while time.monotonic() < ends:
            calls += _load(site)
        looks.append(site.rss_mb(FAST))
    since_first = round(looks[-1] - begun, 1)
    found.results["rss_growth_mb"] = figure(looks, "MB", 1) | {
        "seconds": site.sizes.soak_s,
        "calls": calls,
        "after_calls": warm,
    }
    found.results[GROWN_SINCE_FIRST] = figure([since_first], "MB", 1) | {"calls": warm + calls}
    found.ratios[GROWN] = round(looks[-1] - looks[0], 1)
    found.reasons[GROWN] = f"counted after {warm:,} calls; from the first look, before them, {since_first} MB"
    found.ratios["rss_mb"] = round(max(begun, *looks), 1)
    return found


def _load(site: Site) -> int:
    """Call for a while; return how many calls that were."""
    for kind in ("write", "read"):
        site.closed(FAST, kind, site.sizes.calls)
    return 2 * site.sizes.calls
