"""Being told to end: SIGTERM and SIGINT set what a program looks at, as long as it runs.

Promises: afterwards both are heard as before, also where the program could not start.
Source: signal(7).
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_to_end(*events: threading.Event) -> Iterator[None]:
    """Set the events at SIGTERM and at SIGINT meanwhile. Of the main thread alone: ValueError in another."""

    def end(_number: int, _frame: object) -> None:
        for event in events:
            event.set()

    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        for number in STOP_SIGNALS:
            signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
