"""One thread beside the event loop: a job goes there in one step, and what came of it comes back in one.

Promises: jobs are done one after another, in the order in which they were given; each is told once, on the
loop that gave it, unless that is closed by then. A pool's futures, three for a job and chained, cost more
than handing over does.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    # What came of a job, or None and why nothing did.
    Take = Callable[[Any, BaseException | None], None]
    Job = tuple[asyncio.AbstractEventLoop, Take, Callable[..., Any], tuple[object, ...]]


class Aside:
    """Given jobs by one event loop; the thread begins with the first of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: Thread | None = None

    def give(self, take: Take, work: Callable[..., Any], *arguments: object) -> None:
        """Let a job be done; `take` is called on the running loop once it is."""
        if self._thread is None:
            # A daemon: what was never closed must not keep a process from ending.
            self._thread = Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put((asyncio.get_running_loop(), take, work, arguments))

    def close(self) -> None:
        """Wait until every job was done, and let go of the thread."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            _do(*job)
            # Nothing of it is held while the next one is waited for.
            del job


def _do(
    loop: asyncio.AbstractEventLoop, take: Take, work: Callable[..., Any], arguments: tuple[object, ...]
) -> None:
    done, failed = None, None
    try:
        done = work(*arguments)
    except BaseException as error:  # noqa: BLE001 -- whoever gave the job is told, whatever it was
        failed = error
    # A loop that was closed meanwhile waits for nothing any more.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(take, done, failed)
