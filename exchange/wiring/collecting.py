"""When cyclic garbage is collected: in idle moments, not in the middle of a group.

Promises: what lives for ever is frozen after warm-up, and so is what is left after an idle collection;
automatic collection is off while serving; a guard looks at all of it when memory grew by more than
`GROWN_BYTES_MAX` since it last did.
Source: the gc module's `freeze`; measured by `exchange bench`.
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
GARBAGE_MIN: Final = 20_000  # objects made since the last collection, before an idle moment is spent on it
GROWN_BYTES_MAX: Final = 48 * 1024 * 1024
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


def collect_whole() -> None:
    """Collect what was kept out of sight as well, and put out of sight what is left."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def collect_when_idle(is_idle: Callable[[], bool]) -> None:
    """Run until cancelled; then automatic collection is on again."""
    await asyncio.sleep(WARM_UP_S)
    quiet_collector()
    floor = resident_bytes()
    try:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if resident_bytes() - floor > GROWN_BYTES_MAX:
                collect_whole()
                floor = resident_bytes()
            elif is_idle() and gc.get_count()[0] > GARBAGE_MIN:
                gc.collect()
                # With nothing under way, what is left stays for long: no later look goes over it again.
                gc.freeze()
    finally:
        gc.enable()
