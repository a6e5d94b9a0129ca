"""How many calls a second: questions and commands beside an echo of as many bytes, and beside the library.

Promises: of each round everything is measured once, in turns, with the same caller; the library does what one
command does, without gate, seal, leaf or door, in a process of its own on the same kind of store, and on the
same slow disk.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.wiring.load import processes
from exchange.wiring.load.figures import Found, figure, ratio
from exchange.wiring.load.place import Place
from exchange.wiring.load.slow_disk import slow_disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.wiring.load.processes import Obedient
    from exchange.wiring.load.site import Site

FAST: Final = "fast"
SLOW: Final = "slow"
SLOW_KEY: Final = "writes_vs_library_slow_disk"
KEYS: Final = frozenset({"reads_vs_echo", "writes_vs_echo", "writes_vs_library", SLOW_KEY})
NO_COMPILER: Final = "no C compiler on this machine: with gcc the disk of the measurement is made slow"
NO_SLOW_SERVER: Final = (
    "no server on a slow disk was named: `make bench-postgres` starts one, --slow-postgres names one"
)


class Slowness(NamedTuple):
    """A store on a slow disk, and what makes a process's own disk slow."""

    place: Place
    environment: dict[str, str]


def slowness(site: Site, slow_dsn: str) -> tuple[Slowness | None, str]:
    """Return a slow store, or None and why there is none. Of PostgreSQL the server is the one to be slow."""
    if site.place.dsn:
        return (Slowness(Place(slow_dsn), {}), "") if slow_dsn else (None, NO_SLOW_SERVER)
    preload = slow_disk(site.folder)
    return (None, NO_COMPILER) if preload is None else (Slowness(site.place, preload), "")


def measure_rates(site: Site, slow_dsn: str, progress: Callable[[str], None]) -> Found:
    """Measure with a service on the line `fast`, which is there already with its echo."""
    slow, why = slowness(site, slow_dsn)
    with ExitStack() as opened:
        stock = _library(site, site.place, {}, "library", opened)
        measures: dict[str, Callable[[], tuple[float, float]]] = {
            "echo_reads": lambda: site.timed(FAST, "read", echoed=True),
            "reads": lambda: site.timed(FAST, "read"),
            "echo_writes": lambda: site.timed(FAST, "write", echoed=True),
            "writes": lambda: site.timed(FAST, "write"),
            "batched": lambda: site.batched(FAST),
            "library": lambda: (stock.ask("commands", count=site.sizes.library_commands), 0.0),
        }
        if slow is not None:
            site.serve(SLOW, slow.place, slow.environment, until=opened)
            slowed = _library(site, slow.place, slow.environment, "slow-library", opened)
            measures["slow_library"] = lambda: (slowed.ask("commands", count=site.sizes.slow_commands), 0.0)
            measures["slow_writes"] = lambda: site.timed(SLOW, "write")
        runs: dict[str, list[float]] = {name: [] for name in measures}
        worked: dict[str, list[float]] = {name: [] for name in measures}
        for number in range(site.sizes.rounds):
            progress(f"through the door: round {number + 1} of {site.sizes.rounds}")
            # Who goes first changes from round to round.
            order = list(measures) if number % 2 else list(reversed(measures))
            for name in order:
                per_s, cpu_us = measures[name]()
                runs[name].append(per_s)
                worked[name].append(cpu_us)
    found = _found(runs, worked)
    if slow is None:
        found.without(SLOW_KEY, why)
    return found


def _found(runs: dict[str, list[float]], worked: dict[str, list[float]]) -> Found:
    found = Found(
        baselines={
            "echo_reads": figure(runs["echo_reads"], "calls/s"),
            "echo_writes": figure(runs["echo_writes"], "calls/s"),
            "library_commands": figure(runs["library"], "commands/s"),
            # These hold on a machine that does other things too.
            "echo_read_cpu_us": figure(worked["echo_reads"], "µs"),
            "echo_write_cpu_us": figure(worked["echo_writes"], "µs"),
        },
        results={
            "door_reads": figure(runs["reads"], "calls/s"),
            "door_writes": figure(runs["writes"], "commands/s"),
            "door_read_cpu_us": figure(worked["reads"], "µs"),
            "door_write_cpu_us": figure(worked["writes"], "µs"),
            "door_batched_writes": figure(runs["batched"], "commands/s"),
            "door_batched_write_cpu_us": figure(worked["batched"], "µs"),
        },
        ratios={
            "reads_vs_echo": ratio(runs["reads"], runs["echo_reads"]),
            "writes_vs_echo": ratio(runs["writes"], runs["echo_writes"]),
            "writes_vs_library": ratio(runs["writes"], runs["library"]),
            "batched_vs_writes": ratio(runs["batched"], runs["writes"]),
            "batched_vs_library": ratio(runs["batched"], runs["library"]),
        },
    )
    if "slow_writes" in runs:
        found.baselines["library_commands_slow_disk"] = figure(runs["slow_library"], "commands/s")
        found.results["door_writes_slow_disk"] = figure(runs["slow_writes"], "commands/s")
        found.ratios[SLOW_KEY] = ratio(runs["slow_writes"], runs["slow_library"])
    return found


def _library(site: Site, place: Place, environment: dict[str, str], name: str, opened: ExitStack) -> Obedient:
    settings = opened.enter_context(place.library(site.folder / name))
    library = opened.enter_context(processes.library(environment))
    library.ask("open", environment=settings)
    return library
