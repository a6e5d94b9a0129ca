"""Lets the read models follow the events: at the start, and after every commit.

Promises: a commit never waits for a read model; what cannot be followed now is told once and tried again.
Where several nodes serve a shard, each follows what the others wrote, so that none has much to catch up with.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.errors import SettingsInvalid
from exchange.projections.decisions import FILE as DECISIONS
from exchange.projections.decisions import DecisionList
from exchange.projections.erasures import FILE as ERASURES
from exchange.projections.erasures import ErasureRecords
from exchange.projections.follower import Follower, catch_up
from exchange.projections.insight import FILE as INSIGHT
from exchange.projections.insight import InsightIndex
from exchange.projections.lookups.index import FILE as LOOKUPS
from exchange.projections.lookups.index import LookupIndex
from exchange.projections.matching import FILE as MATCHING
from exchange.projections.matching import OfferIndex
from exchange.projections.obligations import FILE as OBLIGATIONS
from exchange.projections.obligations import ObligationList
from exchange.wiring.core import open_core, projection_folder
from exchange.wiring.stores import has_events, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.errors import ExchangeError
    from exchange.pipeline.queue import Pipeline
    from exchange.projections.follower import ReadModel
    from exchange.settings import Settings
    from exchange.wiring.core import Core

FOLLOW_EVERY_S: Final = 1.0
_MODELS: Final[tuple[tuple[str, str, Callable[[Path], ReadModel]], ...]] = (
    # Asked where it stands only: it follows nothing, and looks up no entry.
    (ObligationList.name, OBLIGATIONS, lambda folder: ObligationList(folder, lambda _basis, _version: None)),
    (ErasureRecords.name, ERASURES, ErasureRecords),
    (InsightIndex.name, INSIGHT, InsightIndex),
    (OfferIndex.name, MATCHING, OfferIndex),
    (LookupIndex.name, LOOKUPS, LookupIndex),
    (DecisionList.name, DECISIONS, lambda folder: DecisionList(folder, lambda _ref: "")),
)


def models_of(core: Core) -> tuple[ReadModel, ...]:
    """Return every read model of a shard."""
    return core.obligations, core.records, core.insight, core.offers, core.lookups, core.decisions


class Following:
    """Owned by one event loop; the follower has a thread of its own."""

    def __init__(self, core: Core, on_error: Callable[[ExchangeError], None]) -> None:
        self._follower = Follower(models_of(core), core.reader, core.codec, on_error)
        # Where other nodes write, no commit of this process tells of theirs.
        self._look_every_s = FOLLOW_EVERY_S if core.settings.keys_postgres else None
        self._task: asyncio.Task[None] | None = None

    def followed(self, position: int, timeout_s: float) -> bool:
        """Wait until the read models hold a position; False where they do not by then."""
        return self._follower.wait_for(position, timeout_s)

    def start(self, pipeline: Pipeline) -> None:
        """Follow what is there, then every commit."""
        self._follower.start()
        pipeline.when_committed.append(self._follower.wake)
        if self._look_every_s is not None:
            self._task = asyncio.get_running_loop().create_task(self._look_now_and_then(self._look_every_s))

    def wake(self) -> None:
        """Look now: something may have been committed, here or elsewhere."""
        self._follower.wake()

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._follower.stop)

    async def _look_now_and_then(self, every_s: float) -> None:
        while True:
            self._follower.wake()
            await asyncio.sleep(every_s)


class Standing(NamedTuple):
    """Where a read model stands beside the events; None where there is none yet."""

    name: str
    position: int | None
    head: int


def rebuild(settings: Settings) -> Iterator[Standing]:
    """Make every read model anew from position 0, also beside a running service. Raises ExchangeError."""
    _refuse_no_store(settings)
    core = open_core(settings)
    try:
        for model in models_of(core):
            model.database.forget()
            yield Standing(model.name, catch_up(model, core.reader, core.codec), core.reader.head()[0])
    finally:
        core.close()


def standings(settings: Settings) -> Iterator[Standing]:
    """Tell where every read model stands; makes nothing. Raises ExchangeError."""
    _refuse_no_store(settings)
    with closing(open_reader(settings)) as reader:
        head = reader.head()[0]
    for name, file, opened in _MODELS:
        there = (projection_folder(settings) / file).exists()
        position = None
        if there:
            made = opened(projection_folder(settings))
            position = made.database.position()
            made.database.close()
        yield Standing(name, position, head)


def _refuse_no_store(settings: Settings) -> None:
    if not has_events(settings):
        raise SettingsInvalid("there is no event store in this folder", name="data")
