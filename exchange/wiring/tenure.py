"""Keeps the lease of a shard while this node lives, and knows who holds it.

Promises: a node that was stopped or cut off holds nothing from the moment its time has passed by its own
monotonic clock, before it looked at anything; a change is told at once to whoever waits for one.
Source: exchange/decisions/0095-a-lease-and-who-holds-it.md.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic  # a stopwatch, not a clock; the loop's own is read once a turn
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.store.lease import PostgresLease, Tenure

LOOKS_IN_A_LEASE: Final = 5
LOOK_AGAIN_S: Final = 0.1
GIVE_S: Final = 2.0  # so long an answer of the store may take
EVENT: Final = "lease"


class Keeping:
    """Owned by one event loop: `start` once, `give` before the doors close, `stop` once."""

    def __init__(
        self,
        lease: PostgresLease,
        seconds: float,
        log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
    ) -> None:
        self._lease = lease
        self._seconds = seconds
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lease")
        self._until = 0.0  # by the monotonic clock: so long it is ours
        self._term = 0
        self._holder = ""
        self._change = asyncio.Event()
        self._again = asyncio.Event()
        self._given = False
        self._told = False  # whether it was ours when that was last told
        self._task: asyncio.Task[None] | None = None
        self.when_taken: list[Callable[[], None]] = []
        self.when_looked: list[Callable[[], None]] = []

    # --- what the doors ask -------------------------------------------------------------------------------

    @property
    def here(self) -> bool:
        """This node holds the shard, as far as it knows."""
        return monotonic() < self._until

    @property
    def holder(self) -> str:
        """Where the node that holds it is reached; empty where nobody else is known to."""
        return self._holder

    @property
    def term(self) -> int:
        """The newest term that is known."""
        return self._term

    @property
    def next_change(self) -> asyncio.Event:
        """What is set when any of this changes; take it before looking."""
        return self._change

    def look_again(self) -> None:
        """Look soon."""
        self._again.set()

    # --- its life -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Look once, then keep looking. What cannot be asked now is asked again."""
        await self._look()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def give(self) -> None:
        """Let another node take the shard; what comes in from here on is sent on to it.

        A store that does not answer is not waited for: the lease runs out, and is this node's no longer.
        """
        self._given = True
        self._until = 0.0
        self._tell()
        giving = asyncio.ensure_future(self._in_thread(self._lease.give))
        # Where nobody waits any more, nobody asks how it ended.
        giving.add_done_callback(lambda done: done.cancelled() or done.exception())
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(GIVE_S):
                await asyncio.shield(giving)

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._in_thread(self._lease.close)
        self._thread.shutdown(wait=True)

    async def _keep(self) -> None:
        while True:
            pause = self._seconds / LOOKS_IN_A_LEASE
            if self._told:
                # To the moment it ends, so that streams end with it.
                pause = max(0.0, min(pause, self._until - monotonic()))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._again.wait()
                await asyncio.sleep(LOOK_AGAIN_S)
            self._again.clear()
            if self._told and not self.here:
                self._tell()
            await self._look()

    async def _look(self) -> None:
        before = monotonic()
        try:
            found: Tenure = await self._in_thread(self._lease.look if self._given else self._lease.take)
        except StoreUnavailable:
            # Ours no longer than it was; and so it is for whoever holds it.
            self._tell()
            return
        mine = found.mine and not self._given
        known = self._term, self._holder
        self._until = before + self._seconds if mine else 0.0
        self._term, self._holder = found.term, "" if found.mine or found.left_s <= 0 else found.holder
        self._tell(changed=known != (self._term, self._holder))
        for told in self.when_looked:
            told()

    def _tell(self, *, changed: bool = False) -> None:
        here = self.here
        if here != self._told:
            self._told = here
            self._log.info(EVENT, reason="taken" if here else "ended", term=self._term)
            if here:
                for taken in self.when_taken:
                    taken()
            changed = True
        if changed:
            change, self._change = self._change, asyncio.Event()
            change.set()

    async def _in_thread(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 -- what the lease tells
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
