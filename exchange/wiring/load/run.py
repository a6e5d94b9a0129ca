"""Everything that is measured of a running service, one after another: rates first, then waits, then growth.

Promises: a service is alone with its caller while it is measured; what was started ends with the run, also
where that fails; of a part that nobody asked for nothing is started.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.wiring.load import growth, machine_share, rates, replays, streams, waits
from exchange.wiring.load.figures import Found
from exchange.wiring.load.filler import filled
from exchange.wiring.load.place import SQLITE, Place
from exchange.wiring.load.profiled import go, profiled_command
from exchange.wiring.load.rates import FAST
from exchange.wiring.load.site import open_site
from exchange.wiring.load.sizes import SHORT, Sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exchange.wiring.load.site import Site

THROUGH_THE_DOOR: Final = (
    rates.KEYS | waits.KEYS | streams.KEYS | machine_share.MEMORY_KEYS | machine_share.SHARD_KEYS
)
IN_THE_STORE: Final = replays.KEYS | growth.KEYS
LONG_KEYS: Final = growth.LONG_KEYS | {machine_share.GROWN}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the bench measures, and where."""

    place: Place = SQLITE
    slow_dsn: str = field(default="", repr=False)  # of a PostgreSQL server on a slow disk
    sizes: Sizes = SHORT
    profile: Path | None = None
    only: frozenset[str] = frozenset()  # keys that are asked for; empty: all there are

    def asks(self, keys: Collection[str]) -> bool:
        """Tell whether any of these keys is asked for. What has none is measured with all the others."""
        return not self.only or not self.only.isdisjoint(keys)


def measure_load(run: Run, progress: Callable[[str], None]) -> Found:
    """Measure; the folder it happens in goes with it. Raises ExchangeError where something does not start."""
    found = Found()
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        folder = Path(name)
        if run.asks(THROUGH_THE_DOOR):
            found.add(_through_the_door(run, folder, progress))
        if run.asks(IN_THE_STORE):
            found.add(_in_the_store(run, folder, progress))
        if run.profile is not None:
            _profiles(run, folder, run.profile, progress)
    return found


def _through_the_door(run: Run, folder: Path, progress: Callable[[str], None]) -> Found:
    found = Found()
    with open_site(run.place, folder, run.sizes) as site:
        progress("a service starts")
        site.echo(site.serve(FAST), FAST)
        if run.asks(rates.KEYS):
            found.add(rates.measure_rates(site, run.slow_dsn, progress))
        if run.asks(waits.KEYS):
            found.add(waits.measure_waits(site, _writes_per_s(site, found), progress))
        if run.asks(streams.KEYS):
            progress("events to subscribers")
            found.add(streams.measure_streams(site))
        if run.asks(machine_share.MEMORY_KEYS):
            found.add(machine_share.measure_memory(site, progress))
        if run.asks(machine_share.SHARD_KEYS):
            progress("two shards")
            found.add(machine_share.measure_shards(site))
    return found


def _writes_per_s(site: Site, found: Found) -> float:
    """Return the most commands a second, measured here where that was not asked for."""
    if "door_writes" in found.results:
        return float(found.results["door_writes"]["median"])
    return statistics.median(site.timed(FAST, "write")[0] for _ in range(site.sizes.rounds))


def _in_the_store(run: Run, folder: Path, progress: Callable[[str], None]) -> Found:
    sizes, found = run.sizes, Found()
    if run.asks(replays.KEYS):
        with ExitStack() as opened:
            progress("plans made anew")
            settings = opened.enter_context(run.place.shard(folder / "few"))
            few, plans = filled(settings, sizes.plans, sizes.few_events)
            opened.callback(few.core.close)
            found.add(replays.measure_replays(run.place, folder, sizes, few.core, plans))
    where = growth.Where(run.place, folder, sizes)
    for store in growth.STORES:
        asked = [key for key in store.keys if run.asks({key})]
        if asked:
            found.add(growth.measure_growth(where, store, asked, progress))
    return found


def _profiles(run: Run, folder: Path, into: Path, progress: Callable[[str], None]) -> None:
    """Write where a service is under commands, and under questions: each in a service of its own."""
    into = into.absolute()
    into.mkdir(parents=True, exist_ok=True)
    for kind in ("write", "read"):
        progress(f"profile of a service under load: {kind}")
        with open_site(run.place, folder / f"profiled-{kind}", run.sizes) as site:
            site.serve(FAST, command=partial(profiled_command, into, kind))
            go(into, kind)
            site.closed(FAST, kind, run.sizes.profiled_calls)
        shutil.rmtree(folder / f"profiled-{kind}", ignore_errors=True)
