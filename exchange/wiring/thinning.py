"""Old notes of checkpoints go while the service runs: all but the last of each hour, some at a time.

Promises: nothing is signed, published or answered later for it than one part takes; a part is whole or not at
all, and a pass that ended anywhere is begun again from the beginning, where it meets only what stays; a store
that fails is told once a pass. Of many nodes, who holds the shard does it.
Source: decision 188.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from exchange.errors import ExchangeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.ledger.checkpoints import CheckpointStore, Thinned

FIRST_S: Final = 60.0
EVERY_S: Final = 3600.0
# A hundred milliseconds between two parts: the publisher, who has the same line, is next in between.
REST_S: Final = 0.1
PART_NOTES: Final = 256
EVENT: Final = "checkpoints_thinned"
_Answer = TypeVar("_Answer")


class Thinning:
    """Owned by one event loop; `may` tells whether this node is the one to do it."""

    def __init__(
        self,
        store: CheckpointStore,
        days: int,
        log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
        clock: Callable[[], datetime],
        may: Callable[[], bool],
        *,
        first_s: float = FIRST_S,
        rest_s: float = REST_S,
    ) -> None:
        self._store = store
        self._kept = timedelta(days=days)
        self._log = log
        self._clock = clock
        self._may = may
        self._first_s = first_s
        self._rest_s = rest_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin a pass a minute from now, and one each hour."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End behind the part that runs: the store is closed after this."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await asyncio.sleep(self._first_s)
        while True:
            if self._may():
                await self._tell()
            await asyncio.sleep(EVERY_S)

    async def _tell(self) -> None:
        try:
            gone = await self.through()
        except ExchangeError as error:
            self._log.warning(EVENT, reason=error.code)
        else:
            if gone:
                self._log.info(EVENT, count=gone)

    async def through(self) -> int:
        """Go through every log once; return how many notes went. Raises StoreUnavailable."""
        before, gone = self._clock() - self._kept, 0
        for origin in sorted(await _whole(self._store.origins)):
            behind: int | None = 0
            while behind is not None and self._may():
                part = await _whole(self._part, origin, behind, before)
                gone, behind = gone + part.gone, part.behind
                await asyncio.sleep(self._rest_s if part.gone else 0)
        return gone

    def _part(self, origin: str, behind: int, before: datetime) -> Thinned:
        return self._store.thin(origin, behind, before, PART_NOTES)


async def _whole(function: Callable[..., _Answer], *values: object) -> _Answer:
    """Run it in a thread; who is cancelled meanwhile waits for its end."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *values))
    try:
        return await asyncio.shield(running)
    finally:
        await asyncio.wait([running])
