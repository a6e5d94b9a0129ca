"""When cyclic garbage is collected: a little at a time, so that no call waits long for it.

Promises: what lives for ever is frozen after warm-up; while serving, only what was made since is looked at,
by `YOUNG_MAX` objects at once, and what outlived that once more a moment later; a guard looks at all of it
when memory grew by more than `GROWN_BYTES_MAX` since it last did, in a moment without calls where one comes
before memory grew by `GROWN_BYTES_LIMIT`.
Source: the gc module (generations, `freeze`, `set_threshold`); measured by tracing every call.
"""

from __future__ import annotations

import asyncio
import gc
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UP_S: Final = 2.0
LOOK_EVERY_S: Final = 0.25
# Objects made and not gone again: about what 140 calls leave, and less than a millisecond of the collector.
YOUNG_MAX: Final = 1_000
NEVER: Final = 2**31 - 1
GROWN_BYTES_MAX: Final = 48 * 1024 * 1024
GROWN_BYTES_LIMIT: Final = 3 * GROWN_BYTES_MAX
_STATM: Final = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return resident memory; the peak where the system does not tell the present."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def quiet_collector() -> None:
    """Collect, freeze what is left, and stop automatic collection."""
    gc.collect()
    gc.freeze()
    gc.disable()


def collect_young() -> None:
    """Collect, freeze what is left, and let nothing but the youngest be collected by itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, NEVER, NEVER)
    gc.enable()


def collect_whole() -> None:
    """Collect what was kept out of sight as well, and put out of sight what is left."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def collect_when_serving(is_idle: Callable[[], bool]) -> None:
    """Run until cancelled; then Python collects as it did before."""
    await asyncio.sleep(WARM_UP_S)
    before = gc.get_threshold()
    collect_young()
    floor = resident_bytes()
    try:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            grown = resident_bytes() - floor
            if grown > GROWN_BYTES_LIMIT or (grown > GROWN_BYTES_MAX and is_idle()):
                collect_whole()
                floor = resident_bytes()
            elif gc.get_count()[1]:
                # What was young at the last look and is not gone stays for long: no later look goes over it.
                gc.collect(1)
    finally:
        gc.set_threshold(*before)
