"""Whether this node can serve now: what gRPC's health says of each service, for balancers and probes.

Promises: says no once nothing could be served for as long as a call would wait, and yes again by itself; one
failure, and one slow commit, changes nothing. The store is asked for its head, and for nothing of anybody;
never twice at once, not by a thread that serves calls, and not at all while groups are committed. Whether it
can be written is learnt of the commits alone. That the process lives is another question.
Source: grpc health checking protocol; exchange/decisions/0189-ready-is-not-alive.md.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable

LOOK_S: Final = 1.0
AWAY_S: Final = 3.0  # as long as a call waits for a holder: who comes later is better off at another node
BACK_S: Final = 0.5  # two looks: one good answer of a store that flickers is not enough
SLOW_S: Final = 2.0  # so long an answer of the store may take
FAULTS_MIN: Final = 3  # groups that failed with none committed between them
TRY_AGAIN_S: Final = 10.0  # without a new failure: then calls are let try it
EVENT: Final = "readiness"
HOLDER, STORE, COMMITS = "holder", "store", "commits"


class Steady:
    """What is told of something that is looked at now and then; it follows once it was so for long enough.

    What was never able is so at the first look that finds it. Times are seconds of one monotonic clock.
    """

    def __init__(self, *, able: bool) -> None:
        self.able = able
        self._was = able
        self._since: float | None = None  # since when every look was otherwise than is told

    def take(self, at: float, *, able: bool) -> bool:
        """Take one look; return whether what is told changed."""
        if able is self.able:
            self._since = None
            return False
        if self._since is None:
            self._since = at
        if at - self._since < (AWAY_S if self.able else BACK_S if self._was else 0.0):
            return False
        self.able, self._was, self._since = able, True, None
        return True


class Commits:
    """Whether the store can be written, as the queue's counts tell it. Times as in `Steady`."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._seen = counts["committed"], counts["store_faults"]
        self._faults = 0
        self._last_fault = 0.0

    def look(self, at: float) -> tuple[bool, bool]:
        """Return whether the store can be written, and whether a group was committed since the last look."""
        committed, faults = self._counts["committed"], self._counts["store_faults"]
        before, self._seen = self._seen, (committed, faults)
        if committed > before[0]:
            self._faults = 0
        elif faults > before[1]:
            self._faults += faults - before[1]
            self._last_fault = at
        elif self._faults and at - self._last_fault >= TRY_AGAIN_S:
            # Nobody writes where nobody is sent: the next calls show whether it can be written.
            self._faults = 0
        return self._faults < FAULTS_MIN, committed > before[0]


class Readiness:
    """Owned by one event loop: `keep` runs until it is cancelled, then `close`."""

    def __init__(
        self,
        head: Callable[[], object],
        counts: Counter[str],
        holds: Callable[[], Awaitable[bool]] | None,
        log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
    ) -> None:
        """`head` asks the store, from a thread; `counts` are the queue's.

        `holds` tells whether this node holds the shard or reaches who does; None for the only node, whose
        store was open a moment ago.
        """
        self._head = head
        self._commits = Commits(counts)
        self._holds = holds
        self._log = log
        self._steady = Steady(able=holds is None)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._asked: asyncio.Future[object] | None = None
        self._asked_at = 0.0
        self._store = True

    @property
    def able(self) -> bool:
        """What is told now."""
        return self._steady.able

    async def look(self, at: float) -> bool:
        """Look once, at a moment of the loop's clock; return whether what is told changed."""
        writable, committed = self._commits.look(at)
        self._ask(at, committed=committed)
        lacks = HOLDER if self._holds is not None and not await self._holds() else ""
        lacks = lacks or ("" if self._store else STORE) or ("" if writable else COMMITS)
        changed = self._steady.take(at, able=not lacks)
        if changed:
            self._log.warning(EVENT, reason=lacks or "able")
        return changed

    async def keep(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Look again and again, and have told what changes."""
        clock = asyncio.get_running_loop().time
        while True:
            if await self.look(clock()):
                await tell()
            await asyncio.sleep(LOOK_S)

    def close(self) -> None:
        """Let the last question be answered or fail, and stop."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _ask(self, at: float, *, committed: bool) -> None:
        """Take what the store answered to the last look, and ask it for the next."""
        asked = self._asked
        if asked is not None and not asked.done():
            self._store = committed or at - self._asked_at < SLOW_S
            return
        if asked is not None:
            # Whatever it failed with: who reads it next will not fare better.
            self._store = committed or asked.exception() is None
        if committed:
            self._asked = None
            return
        self._asked_at = at
        self._asked = asyncio.get_running_loop().run_in_executor(self._thread, self._head)
        # The last one may be taken by nobody.
        self._asked.add_done_callback(lambda done: done.cancelled() or done.exception())
