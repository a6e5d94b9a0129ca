"""Lets the read models follow the events: at the start, and after every commit.

Promises: a commit never waits for a read model; what cannot be followed now is told once and tried again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exchange.projections.follower import Follower, catch_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.errors import ExchangeError
    from exchange.pipeline.queue import Pipeline
    from exchange.wiring.core import Core


class Following:
    """Owned by one event loop; the follower has a thread of its own."""

    def __init__(self, core: Core, on_error: Callable[[ExchangeError], None]) -> None:
        self._follower = Follower([core.obligations], core.reader, core.codec, on_error)
        self._task: asyncio.Task[None] | None = None

    def followed(self, position: int, timeout_s: float) -> bool:
        """Wait until the read models hold a position; False where they do not by then."""
        return self._follower.wait_for(position, timeout_s)

    def start(self, pipeline: Pipeline) -> None:
        """Follow what is there, then every commit."""
        self._follower.start()
        self._task = asyncio.get_running_loop().create_task(self._wake_after_commits(pipeline))

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._follower.stop)

    async def _wake_after_commits(self, pipeline: Pipeline) -> None:
        while True:
            committed = pipeline.committed
            self._follower.wake()
            await committed.wait()


def rebuild(core: Core) -> Iterator[tuple[str, int]]:
    """Make every read model anew from position 0; yield name and position. Raises ExchangeError."""
    for model in (core.obligations,):
        model.database.forget()
        yield model.name, catch_up(model, core.reader, core.codec)
