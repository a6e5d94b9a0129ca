"""Everything that is measured of a running service, one after another: rates first, then waits, then growth.

Promises: a service is alone with its caller while it is measured; what was started ends with the run, also
where that fails.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.wiring.load.figures import Found
from exchange.wiring.load.growth import filled, measure_growth
from exchange.wiring.load.machine_share import measure_memory, measure_shards
from exchange.wiring.load.place import SQLITE, Place
from exchange.wiring.load.profiled import go, profiled_command
from exchange.wiring.load.rates import FAST, measure_rates
from exchange.wiring.load.replays import measure_replays
from exchange.wiring.load.site import open_site
from exchange.wiring.load.sizes import SHORT, Sizes
from exchange.wiring.load.streams import measure_streams
from exchange.wiring.load.waits import measure_waits

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the bench measures, and where."""

    place: Place = SQLITE
    slow_dsn: str = field(default="", repr=False)  # of a PostgreSQL server on a slow disk
    sizes: Sizes = SHORT
    profile: Path | None = None


def measure_load(run: Run, progress: Callable[[str], None]) -> Found:
    """Measure; the folder it happens in goes with it. Raises ExchangeError where something does not start."""
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        folder = Path(name)
        found = _through_the_door(run, folder, progress)
        found.add(_in_the_store(run, folder, progress))
        if run.profile is not None:
            _profiles(run, folder, run.profile, progress)
    return found


def _through_the_door(run: Run, folder: Path, progress: Callable[[str], None]) -> Found:
    with open_site(run.place, folder, run.sizes) as site:
        progress("a service starts")
        site.echo(site.serve(FAST), FAST)
        found = measure_rates(site, run.slow_dsn, progress)
        found.add(measure_waits(site, found.results["door_writes"]["median"], progress))
        progress("events to subscribers")
        found.add(measure_streams(site))
        found.add(measure_memory(site, progress))
        progress("two shards")
        found.add(measure_shards(site))
    return found


def _in_the_store(run: Run, folder: Path, progress: Callable[[str], None]) -> Found:
    sizes, found = run.sizes, Found()
    with ExitStack() as opened:
        progress("plans made anew")
        settings = opened.enter_context(run.place.shard(folder / "few"))
        few, plans = filled(settings, sizes.plans, sizes.few_events)
        opened.callback(few.core.close)
        found.add(measure_replays(run.place, folder, sizes, few.core, plans))
        found.add(measure_growth(run.place, folder, sizes, progress, few))
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
