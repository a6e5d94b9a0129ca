"""What all services share behind the door. Owned by the event loop.

Promises: made once at the start; nothing in it survives the process.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import ExchangeError, OutcomeOpen
from exchange.pipeline.elements import PlanGroups
from exchange.server.caller.identity import Identities
from exchange.server.caller.residents import Residents
from exchange.server.contract.pages import Pages
from exchange.server.contract.plans import PLAN_LABELS
from exchange.server.hub import Hub
from exchange.server.limits import Buckets, Streams
from exchange.server.named import Named
from exchange.server.opened_once import OpenedOnce

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.ledger.leaf import Signed
    from exchange.pipeline.walk import Caller
    from exchange.server.caller.identity import Identity
    from exchange.server.parts import Parts, ServerConfig

POOL_THREADS: Final = 4
SECONDS_PER_MINUTE: Final = 60
# Streams are bounded; each leaves a place behind for every event it told.
LOOKED_KEPT_MAX: Final = 4_096


class Bells:
    """Wakes open streams: after a commit, and when the door closes."""

    def __init__(self) -> None:
        self.closing = False
        self._ring = asyncio.Event()

    @property
    def next_ring(self) -> asyncio.Event:
        """The event of the next ring; take it before looking, so that no ring is missed."""
        return self._ring

    def ring(self) -> None:
        """Wake everybody who waits."""
        rung, self._ring = self._ring, asyncio.Event()
        rung.set()

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.closing = True
        self.ring()


class Looked:
    """How far streams looked beyond what they told, so that going on there is cheap. Owned by the event loop.

    Not in the cursor: how far that moves would tell how much there was of others, and of what is sealed. What
    is forgotten, at a restart or when there is too much, is looked at and judged anew.
    """

    def __init__(self) -> None:
        self._places: OrderedDict[tuple[bytes, int], int] = OrderedDict()

    def beyond(self, question: bytes, told: int) -> int:
        """Return up to which position this question needs no look any more, at least what was told."""
        return self._places.get((question, told), told)

    def keep(self, question: bytes, told: int, place: int) -> None:
        """Remember."""
        self._places[question, told] = place
        self._places.move_to_end((question, told))
        if len(self._places) > LOOKED_KEPT_MAX:
            self._places.popitem(last=False)


@dataclass(slots=True)
class House:
    """Parts, limits and tables."""

    parts: Parts
    config: ServerConfig
    pool: ThreadPoolExecutor
    residents: Residents
    identities: Identities
    pages: Pages
    plan_groups: PlanGroups
    calls: Buckets
    evaluations: Buckets
    streams: Streams
    hub: Hub
    bells: Bells
    opened: OpenedOnce
    looked: Looked = field(default_factory=Looked)
    named: Named = field(default_factory=Named)

    async def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return a stream's folded state as last committed, None where it is empty."""
        entry = self.parts.hot.peek(stream)
        if entry is None:
            loop = asyncio.get_running_loop()
            entry = await loop.run_in_executor(self.pool, self.parts.loader.load, stream)
            self.parts.hot.put(stream, entry)
        return entry.state

    async def state_behind(self, stream: str) -> Any:  # noqa: ANN401 -- as above
        """Return a stream's state behind a command on it. Raises OutcomeOpen: that command stands."""
        try:
            return await self.state(stream)
        except ExchangeError as error:
            raise OutcomeOpen(
                "it is recorded, and what is answered of it cannot be read now", because=error.code
            ) from error


@dataclass(slots=True)
class Call:
    """One call: which rpc, who asks, when, and the house it came into; for a command, what was signed."""

    rpc: str
    identity: Identity
    now: datetime
    house: House
    trace: str = ""
    at_end: list[Callable[..., None]] = field(default_factory=list)
    held: list[Callable[..., None]] = field(default_factory=list)  # of answers that wait behind these
    resume_at: str = ""  # of a stream: the cursor whose events are all on their way
    signed: Signed | None = None

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.identity.caller


def open_house(parts: Parts, config: ServerConfig) -> House:
    """Make the house; the running loop's clock counts the limits."""
    clock = asyncio.get_running_loop().time
    pool = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="door")
    residents = Residents(parts.links, parts.fresh_uuid, pool)
    plan_groups = PlanGroups(PLAN_LABELS, parts.register)
    opened = OpenedOnce(parts.codec)
    parts.hot.when_evicted += [plan_groups.forget, opened.forget]
    bells = Bells()
    return House(
        parts=parts,
        config=config,
        pool=pool,
        residents=residents,
        identities=Identities(parts.hot, parts.loader, residents, pool),
        pages=Pages(parts.page_key),
        plan_groups=plan_groups,
        calls=Buckets("calls", config.calls_per_second, config.calls_burst, clock),
        evaluations=Buckets(
            "evaluations",
            config.evaluations_per_minute / SECONDS_PER_MINUTE,
            config.evaluations_per_minute,
            clock,
        ),
        streams=Streams(config.streams_per_organisation_max, config.streams_max),
        hub=Hub(parts.reader, parts.hot, pool, bells.ring),
        bells=bells,
        opened=opened,
    )
