"""A running service lets old notes go beside its writer: in parts, ended anywhere; what fails is told."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import StoreUnavailable
from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.checkpoints import CheckpointStore, Thinned
from exchange.wiring import thinning
from exchange.wiring.thinning import Thinning
from tests.ledger.builders import NOON, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

DAYS = 14
OTHER = "exchange.example/0014/2025"


class Log:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.came = asyncio.Event()

    def _tell(self, event: str, **values: object) -> None:
        self.told.append((event, values))
        self.came.set()

    info = warning = _tell


class Held(CheckpointStore):
    """Its first part waits until it is let go, or fails."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.begun, self.go_on = Event(), Event()
        self.fails = False

    def thin(self, origin: str, behind: int, before: datetime, limit: int) -> Thinned:
        self.begun.set()
        assert self.go_on.wait(30)
        if self.fails:
            raise StoreUnavailable("the checkpoint store did not answer")
        return super().thin(origin, behind, before, limit)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Held]:
    with closing(Held(tmp_path / "checkpoints.db")) as made:
        for origin in (ORIGIN, OTHER):
            last = None
            for size in range(1, 7):
                head = Checkpoint(origin, size, b"r" * 32)
                made.claim(last, head, NOON + timedelta(minutes=size))
                made.keep_note(head, b"note")
                last = head
        yield made


def sizes(store: CheckpointStore, origin: str = ORIGIN) -> list[int]:
    return [one.size for one in store.signed_below(origin, 100, 100)]


def of(store: CheckpointStore, log: Log, *, days_on: float, here: bool = True) -> Thinning:
    now = NOON + timedelta(days=days_on)
    return Thinning(store, DAYS, log, lambda: now, lambda: here, first_s=0, rest_s=0)


async def test_what_is_past_its_days_goes_of_every_log_and_is_told(
    store: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thinning, "PART_NOTES", 2)
    store.go_on.set()
    log = Log()
    assert await of(store, log, days_on=DAYS).through() == 0
    running = of(store, log, days_on=DAYS + 1)
    running.start()
    async with asyncio.timeout(30):
        await log.came.wait()
    await running.stop()
    assert log.told == [("checkpoints_thinned", {"count": 10})]
    assert (sizes(store), sizes(store, OTHER)) == ([6], [6])


async def test_told_to_stop_it_ends_behind_the_part_that_runs_and_another_goes_on(
    store: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thinning, "PART_NOTES", 2)
    log = Log()
    running = of(store, log, days_on=DAYS + 1)
    running.start()
    async with asyncio.timeout(30):
        await asyncio.to_thread(store.begun.wait, 30)
        stopping = asyncio.ensure_future(running.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        store.go_on.set()
        await stopping
    left = sizes(store, OTHER)
    assert (left, log.told) == ([6, 5, 4, 3], [])
    assert await of(store, log, days_on=DAYS + 1).through() == 8
    assert (sizes(store), sizes(store, OTHER)) == ([6], [6])


async def test_a_store_that_fails_is_told_and_a_node_that_only_follows_leaves_it(store: Held) -> None:
    store.go_on.set()
    assert await of(store, Log(), days_on=DAYS + 1, here=False).through() == 0
    store.fails = True
    log = Log()
    running = of(store, log, days_on=DAYS + 1)
    running.start()
    async with asyncio.timeout(30):
        await log.came.wait()
    await running.stop()
    assert log.told == [("checkpoints_thinned", {"reason": "STORE_UNAVAILABLE"})]
    assert sizes(store) == [6, 5, 4, 3, 2, 1]
