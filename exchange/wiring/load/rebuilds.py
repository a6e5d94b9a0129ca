"""What it takes to make all read models anew from ten million events, beside ten thousand.

Promises: each model goes through all events by itself, as after a restore, one after another in one process;
processor time for each event, which other work on the machine does not change, and by the clock beside it.
A model of the large store is made once, of the small one three times.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Final

from exchange.projections.follower import catch_up
from exchange.wiring.following import models_of
from exchange.wiring.load.figures import Found, figure

if TYPE_CHECKING:
    from exchange.wiring.core import Core

KEY: Final = "rebuild_1e7_vs_1e4"
ROUNDS: Final = 3  # of the small store


def measure_rebuilds(few: Core, many: Core) -> Found:
    """Measure both."""
    small, large = [_made_anew(few) for _ in range(ROUNDS)], _made_anew(many)
    small_us, large_us = [sum(one[1].values()) for one in small], sum(large[1].values())
    return Found(
        baselines={"rebuild_1e4_cpu_us": figure(small_us, "µs", 2)},
        results={
            "rebuild_1e7_events_s": figure([large[0]], "events/s") | {"events": many.reader.head()[0]},
            "rebuild_1e7_cpu_us": figure([large_us], "µs", 2)
            | {"of": {name: round(took, 2) for name, took in large[1].items()}},
        },
        ratios={KEY: round(statistics.median(small_us) / large_us, 3)},
    )


def _made_anew(core: Core) -> tuple[float, dict[str, float]]:
    """Return events a second, and the microseconds of processor of each model for each event."""
    events, took = core.reader.head()[0], dict[str, float]()
    started = time.perf_counter()
    for model in models_of(core):
        busy = time.process_time()
        model.database.forget()
        catch_up(model, core.reader, core.codec)
        took[model.name] = (time.process_time() - busy) / events * 1e6
    return events / (time.perf_counter() - started), took
