"""Whether a command costs as much with a million stored events as with ten thousand.

Promises: the whole walk is measured on both stores in turns, without gRPC: a door would hide part of what
grows. Once on plans that were made first, whose rows lie close together, and once on plans of those that
fill the store, as far apart as there are: the same number of the same kind of plan on both sides. The small
store is a new one each time, for what is measured makes it larger.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.wiring.bench import Bench, rate_and_cpu
from exchange.wiring.load import rebuilds
from exchange.wiring.load.figures import Found, figure, ratio
from exchange.wiring.load.filler import filled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from exchange.wiring.load.place import Place
    from exchange.wiring.load.sizes import Sizes

BYTES_OF_ONE: Final = 2_500  # of disk; 1,800 were measured, leaf, answer and indexes among them
SPREAD_PLANS: Final = 64  # of those that fill the small store there are some eighty
NO_ROOM: Final = "not enough room on this disk for so many events"
NOT_LONG: Final = "measured with --long, or with --only: a quarter of an hour, and 25 GB of disk"


class Where(NamedTuple):
    """Where is measured, and how much."""

    place: Place
    folder: Path
    sizes: Sizes


class Store(NamedTuple):
    """A large store, and the keys of what is measured on it; `made_anew` is empty where that is not."""

    together: str
    spread: str
    made_anew: str
    events: Callable[[Sizes], int]

    @property
    def keys(self) -> frozenset[str]:
        """All of them."""
        return frozenset(filter(None, (self.together, self.spread, self.made_anew)))


STORES: Final = (
    Store("flat_1e6_vs_1e4", "flat_1e6_spread_vs_1e4", "", lambda sizes: sizes.many_events),
    Store("flat_1e7_vs_1e4", "flat_1e7_spread_vs_1e4", rebuilds.KEY, lambda sizes: sizes.most_events),
)
KEYS: Final = STORES[0].keys | STORES[1].keys
LONG_KEYS: Final = STORES[1].keys


def measure_growth(
    where: Where, store: Store, asked: Collection[str], progress: Callable[[str], None]
) -> Found:
    """Measure what is asked for on one large store, each beside a small one."""
    found, (place, folder, sizes), events = Found(), where, store.events(where.sizes)
    room = bool(place.dsn) or shutil.disk_usage(folder).free >= events * BYTES_OF_ONE
    if not events or not room:
        for key in sorted(asked):
            found.without(key, NO_ROOM if events else NOT_LONG)
        return found
    progress(f"a store of {events:,} events is filled")
    with _store(where, store.together, events) as (many, spread):
        for key in (store.together, store.spread):
            if key not in asked:
                continue
            with _store(where, f"{key}-few", sizes.few_events) as (few, few_spread):
                progress(f"commands on {events:,} events and on {few.core.reader.head()[0]:,}")
                sides = few, many
                if key == store.spread:
                    count = min(SPREAD_PLANS, len(few_spread), len(spread))
                    sides = _on(few, far_apart(few_spread, count)), _on(many, far_apart(spread, count))
                found.add(_turns(key, *sides, sizes))
        if store.made_anew in asked:
            progress(f"read models of {events:,} events, made anew")
            with _store(where, f"{store.made_anew}-few", sizes.few_events) as (few, _):
                found.add(rebuilds.measure_rebuilds(few.core, many.core))
    return found


@contextmanager
def _store(where: Where, name: str, events: int) -> Iterator[tuple[Bench, list[str]]]:
    """Yield a shard of so many events with plans to measure with, and the plans that fill it."""
    folder = where.folder / name
    try:
        with where.place.shard(folder) as settings:
            bench, plans = filled(settings, where.sizes.plans, events)
            try:
                yield bench, plans
            finally:
                bench.core.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _on(bench: Bench, plans: list[str]) -> Bench:
    return replace(bench, plans=plans)


def far_apart(plans: Sequence[str], count: int) -> list[str]:
    """Return so many of the plans, from one end to the other, as far apart as they come."""
    return [plans[number * len(plans) // count] for number in range(count)]


def _turns(key: str, few: Bench, many: Bench, sizes: Sizes) -> Found:
    rates: Mapping[int, list[tuple[float, float]]] = {id(few): [], id(many): []}
    events, few_events = (side.core.reader.head()[0] for side in (many, few))
    # As many commands in a turn, whatever the size of a group.
    groups = max(1, sizes.flat_groups * sizes.plans // len(few.plans))
    for side in (few, many):
        # What a store pays once for being opened is not what a command costs.
        _rate(side, 1)
    for number in range(sizes.flat_turns):
        for side in (few, many) if number % 2 else (many, few):
            rates[id(side)].append(_rate(side, groups))
    (one, one_us), (other, other_us) = (list(zip(*rates[id(side)], strict=True)) for side in (few, many))
    grown = {"events": few_events, "events_after": few.core.reader.head()[0]}
    return Found(
        # In processor time too: that holds on a machine that does other things as well.
        baselines={
            f"{key}_few": figure(one, "commands/s") | grown,
            f"{key}_few_cpu_us": figure(one_us, "µs", 1),
        },
        results={
            f"{key}_many": figure(other, "commands/s") | {"events": events},
            f"{key}_many_cpu_us": figure(other_us, "µs", 1),
        },
        ratios={key: ratio(other, one, 3), f"{key}_cpu": ratio(one_us, other_us, 3)},
    )


def _rate(bench: Bench, groups: int) -> tuple[float, float]:
    size = len(bench.plans)
    return rate_and_cpu(bench, size, [bench.steady_group(size) for _ in range(groups)])
