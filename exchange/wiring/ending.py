"""What tells a service to stop, and the bound on how long that takes: what is away by then is not waited for.

Promises: a process that was told to stop is gone within its grace and `ENDS_S` seconds, whatever hangs: a
database that is silent, a token, a disk. It ends then as a power cut would end it, which loses nothing that
was acknowledged: what was committed is published by the next start, and a lease that could not be given back
runs out, or is over as soon as the server sees that its session is gone.
Source: deploy/README.md, what SIGTERM does; exchange/decisions/0207-a-stop-has-a-bound.md.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDS_S: Final = 20.0  # beyond the grace of the calls: giving the lease back, publishing, closing
LEASH_BYTES: Final = 4096
CUT_OFF: Final = "cut_off"
EXIT: Final = 3  # as the command line says of what cannot be reached


class Ending:
    """Owned by one service: `begin` when it is told to stop, `over` when nothing is open any more."""

    def __init__(self, end: Callable[[int], object] = os._exit) -> None:
        """`end` ends the process with an exit code; nothing after it runs."""
        self._end = end
        self._over = Event()
        self._watching: Thread | None = None

    def begin(self, grace_s: float, log: Any) -> None:  # noqa: ANN401 -- structlog's bound logger has no public type
        """Count from now; only the first time counts."""
        if self._watching is None:
            # Beside the event loop, which may be what waits; a daemon, for it holds up no process itself.
            self._watching = Thread(
                target=self._watch, args=(grace_s + ENDS_S, log), name="ending", daemon=True
            )
            self._watching.start()

    def over(self) -> None:
        """Stop counting."""
        self._over.set()
        if self._watching is not None:
            self._watching.join()

    def _watch(self, seconds: float, log: Any) -> None:  # noqa: ANN401 -- as above
        if self._over.wait(seconds):
            return
        try:
            log.error("stopped", reason=CUT_OFF)
        finally:
            self._end(EXIT)


@contextmanager
def ended_in_time() -> Iterator[Ending]:
    """Give what bounds the end of all that is opened inside."""
    ending = Ending()
    try:
        yield ending
    finally:
        ending.over()


def stop_signal(leash: int | None) -> asyncio.Event:
    """Return what is set when the service is told to stop, or who started it is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if leash is not None:
        _hold(loop, leash, stop)
    return stop


def _hold(loop: asyncio.AbstractEventLoop, leash: int, stop: asyncio.Event) -> None:
    def look() -> None:
        if not os.read(leash, LEASH_BYTES):
            loop.remove_reader(leash)
            stop.set()

    loop.add_reader(leash, look)
