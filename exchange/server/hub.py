"""The hub: one look into the store for all open streams, and a window of the newest events in memory.

Promises: after a commit the store is asked once, however many streams are open, and not at all where none is;
a stream that is up to date is served from memory, one that is behind from the store, in the same order; who
waits is woken by what his stream is about and by nothing else, so an idle stream costs a wait. What is kept
is as it is stored, sealed, and bounded in events and bytes. Nothing is decided here: each stream judges what
it is given.
Source: ARCHITECTURE, section 1 (one tailer for each process); PERFORMANCE, section 2.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from exchange.domain.case_events import ProfessionalJoined
from exchange.domain.delivery import DeliveryCancelled
from exchange.domain.household import MEMBERSHIP
from exchange.domain.organisation import ORGANISATION
from exchange.domain.plan import PLAN
from exchange.store.ports import Found, look
from exchange.store.upcasts import UPCASTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from concurrent.futures import ThreadPoolExecutor

    from exchange.pipeline.hot import HotStates
    from exchange.store.batch import Row
    from exchange.store.ports import EventReader

ROWS_KEPT_MAX: Final = 4_096
BYTES_KEPT_MAX: Final = 8 * 1024 * 1024
ROWS_PER_LOOK: Final = 256
JUDGED_AT_ONCE: Final = 2  # looks of all streams together; each is at most ROWS_PER_LOOK walks
# With those of earlier versions: what was stored then is streamed as what would be written today.
TOPICS: Final = tuple(
    sorted(
        {event.TOPIC for event in PLAN.events} | {old for old in UPCASTS if old.startswith(f"{PLAN.name}.")}
    )
)
OF_MEMBERSHIPS: Final = tuple(sorted(event.TOPIC for event in MEMBERSHIP.events))
STREAMED: Final = (*TOPICS, *OF_MEMBERSHIPS)
# Told to who was let in, and asks for it; to nobody else, and to no named subscription.
OF_JOINING: Final = (ProfessionalJoined.TOPIC,)
# What ends a stream, though no stream tells of it: it has to look at itself then.
ENDING: Final = frozenset({event.TOPIC for event in ORGANISATION.events} | {DeliveryCancelled.TOPIC})


class Hub:
    """Owned by the event loop, but for the store, which the pool reads."""

    def __init__(
        self,
        reader: EventReader,
        hot: HotStates,
        pool: ThreadPoolExecutor,
        ring: Callable[[], None],
    ) -> None:
        """Tail what is committed from now on; `ring` wakes the streams."""
        self._reader = reader
        self._hot = hot
        self._pool = pool
        self._topics = tuple(sorted({*STREAMED, *OF_JOINING, *ENDING}))
        self._rows: list[Row] = []  # a window: all of these topics in (_start, _end]
        self._positions: list[int] = []
        self._start = self._end = hot.as_of
        self._bytes = 0
        self._ring = ring
        self._tailing = asyncio.Lock()
        self.turns = asyncio.Semaphore(JUDGED_AT_ONCE)  # so that who catches up leaves room for commands
        self.looks = 0  # into the store

    async def tail(self) -> None:
        """Take in what was committed up to where the states are; wake the streams where that is theirs.

        Raises StoreUnavailable: then the next one goes on where this one ended.
        """
        until, found = self._hot.as_of, False
        async with self._tailing:
            try:
                while self._end < until:
                    rows, place = await self._look(self._end, self._topics, until, ROWS_PER_LOOK)
                    found = found or bool(rows)
                    self._keep(rows, place)
            finally:
                if found:
                    self._ring()

    def pass_over(self) -> None:
        """Take in nothing of what was committed up to where the states are: no stream is open to be told.

        Whoever opens one that is behind looks for itself.
        """
        if not self._tailing.locked():
            self._rows, self._positions, self._bytes = [], [], 0
            self._start = self._end = max(self._end, self._hot.as_of)

    async def after(self, place: int, topics: Collection[str], most: int = ROWS_PER_LOOK) -> Found:
        """Return at most so many events of these topics after a place. Raises StoreUnavailable."""
        if place < self._start:
            # Behind what is kept, or of before the start: a look of its own, up to where all may look.
            return await self._look(place, tuple(topics), self._hot.as_of, most)
        first = bisect_right(self._positions, place)
        rows: list[Row] = []
        for row in self._rows[first:]:
            if row.topic in topics:
                rows.append(row)
                if len(rows) == most:
                    return Found(rows, row.position)
        return Found(rows, max(place, self._end))

    async def _look(self, place: int, topics: tuple[str, ...], until: int, most: int) -> Found:
        # A row can be in the store before the states know of it: it is not looked at before they do.
        loop = asyncio.get_running_loop()
        while True:
            # Part by part: whoever is far behind keeps no thread of the pool, and ends with his call.
            self.looks += 1
            found = await loop.run_in_executor(self._pool, look, self._reader, place, until, most, topics)
            if found.rows or found.place >= until:
                return found
            place = found.place

    def _keep(self, rows: list[Row], place: int) -> None:
        self._rows += rows
        self._positions += [row.position for row in rows]
        self._bytes += sum(len(row.state) for row in rows)
        self._end = place
        gone = 0
        while len(self._rows) - gone > ROWS_KEPT_MAX or self._bytes > BYTES_KEPT_MAX:
            self._bytes -= len(self._rows[gone].state)
            gone += 1
        if gone:
            self._start = self._positions[gone - 1]
            del self._rows[:gone], self._positions[:gone]
