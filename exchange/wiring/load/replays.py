"""How fast plans are made anew from their events: beside only selecting and opening them, and the library.

Promises: both sides select the same streams and open the same events by the same code, and one folds them;
the library reads its own events through its own mapper, compressed and encrypted as its documentation says.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.pipeline.hot import HotStates, Loader
from exchange.store.library_baseline import LibraryBaseline, sealed
from exchange.wiring.load.figures import Found, figure, ratio
from exchange.wiring.load.library import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exchange.wiring.core import Core
    from exchange.wiring.load.place import Place
    from exchange.wiring.load.sizes import Sizes

LIBRARY_PLANS: Final = 20
KEYS: Final = frozenset({"replay_vs_raw", "replay_vs_mapper"})


def measure_replays(place: Place, folder: Path, sizes: Sizes, core: Core, plans: Sequence[str]) -> Found:
    """Measure on a shard that holds these plans."""
    streams = [stream_of("plan", plan) for plan in plans[: sizes.replayed_plans]]
    raw, folded, mapped = [], [], []
    with place.library(folder / "mapped") as environment:
        library = LibraryBaseline(environment | sealed(), LIBRARY_PLANS)
        try:
            events = sum(core.reader.last_version(stream)[1] for stream in streams)
            library.set_goals(events, WORDS)
            for _ in range(sizes.rounds):
                raw.append(_rate(lambda: _opened(core, streams)))
                folded.append(_rate(lambda: _folded(core, streams)))
                mapped.append(_rate(library.read_all))
        finally:
            library.close()
    return Found(
        baselines={
            "select_and_open_events": figure(raw, "events/s"),
            "library_mapper_events": figure(mapped, "events/s"),
        },
        results={"replay_events": figure(folded, "events/s")},
        ratios={"replay_vs_raw": ratio(folded, raw), "replay_vs_mapper": ratio(folded, mapped)},
    )


def _rate(read: Callable[[], int]) -> float:
    started = time.perf_counter()
    return read() / (time.perf_counter() - started)


def _opened(core: Core, streams: Sequence[str]) -> int:
    count = 0
    for stream in streams:
        for _ in core.codec.read(stream, core.reader.tail(stream).rows):
            count += 1
    return count


def _folded(core: Core, streams: Sequence[str]) -> int:
    loader = Loader(core.reader, core.codec, HotStates())
    return sum(loader.load(stream).version for stream in streams)
