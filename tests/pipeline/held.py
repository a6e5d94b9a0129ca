"""A writer that waits to be let go, and ways to wait for it without a clock."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.pipeline.walk import Walk
    from tests.pipeline.shard import Shard


class Held:
    """A writer that waits until it is let go, so that a test decides what is in flight."""

    def __init__(self, shard: Shard) -> None:
        self._writer = shard.core.writer
        self.groups: list[int] = []
        self.entered = threading.Event()
        self.go = threading.Event()

    def run(self, walks: Sequence[Walk]) -> list[Any]:
        self.groups.append(len(walks))
        self.entered.set()
        assert self.go.wait(30)
        return self._writer.run(walks)


async def turns(count: int = 50) -> None:
    """Let the loop turn: nothing here depends on how long that takes."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(event: threading.Event) -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, event.wait, 30)
