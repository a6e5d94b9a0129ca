"""A writer that waits to be let go, and ways to wait for it without a clock."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.pipeline.walk import Walk
    from exchange.pipeline.walked import Walked
    from tests.pipeline.shard import Shard


class Held:
    """A writer that waits until it is let go, so that a test decides what is in flight.

    It waits before walking, or before committing; the other goes on as ever.
    """

    def __init__(self, shard: Shard, *, at_commit: bool = False) -> None:
        self._writer = shard.core.writer
        self._at_commit = at_commit
        self.groups: list[int] = []
        self.entered = threading.Event()
        self.walked = threading.Event()  # a second group was, or could not be
        self.go = threading.Event()
        self.recovering = threading.Event()
        self.recovers = threading.Event()  # cleared by a test that wants a recovery to last
        self.recovers.set()

    def walk(self, walks: Sequence[Walk]) -> Walked:
        self.groups.append(len(walks))
        if not self._at_commit:
            self._wait()
        try:
            return self._writer.walk(walks)
        finally:
            if len(self.groups) > 1:
                self.walked.set()

    def commit(self, walked: Walked) -> None:
        if self._at_commit:
            self._wait()
        self._writer.commit(walked)

    def run(self, walks: Sequence[Walk]) -> list[Any]:
        return self._writer.run(walks)

    def recover(self, walks: Sequence[Walk], error: BaseException | None) -> list[Any]:
        self.recovering.set()
        assert self.recovers.wait(30)
        return self._writer.recover(walks, error)

    def _wait(self) -> None:
        self.entered.set()
        assert self.go.wait(30)


async def turns(count: int = 50) -> None:
    """Let the loop turn: nothing here depends on how long that takes."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(event: threading.Event) -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, event.wait, 30)
