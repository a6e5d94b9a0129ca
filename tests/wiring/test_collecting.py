"""When garbage is collected: in idle moments, and in spite of a crowd when memory grows."""

from __future__ import annotations

import asyncio
import gc
import weakref
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.wiring import collecting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_MAX_S = 10
LOOKS = 20


class Collections:
    """Counts what was asked of the collector, not what Python collects by itself before that."""

    def __init__(self) -> None:
        self.seen = 0
        self._collect = gc.collect

    def __call__(self) -> int:
        self.seen += 1
        return self._collect()


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collections]:
    monkeypatch.setattr(collecting, "WARM_UP_S", 0.0)
    monkeypatch.setattr(collecting, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(collecting, "resident_bytes", lambda: 0)
    found = Collections()
    monkeypatch.setattr(gc, "collect", found)
    # Counting asks nothing of what is out of sight; that it is found again has a test of its own.
    monkeypatch.setattr(gc, "unfreeze", lambda: None)
    yield found
    gc.enable()


async def look(times: int, is_idle: Callable[[], bool]) -> None:
    """Let the collector look so often, then stop it."""
    looks, enough = count(1), asyncio.Event()

    def looked() -> bool:
        if next(looks) >= times:
            enough.set()
        return is_idle()

    task = asyncio.create_task(collecting.collect_when_idle(looked))
    await asyncio.wait_for(enough.wait(), WAIT_MAX_S)
    assert not gc.isenabled()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_idle_moment_is_used(collections: Collections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "GARBAGE_MIN", -1)
    await look(LOOKS, lambda: True)
    # One for the warm-up, and one for each look but the last, which was stopped.
    assert collections.seen >= LOOKS


async def test_a_busy_moment_is_not(collections: Collections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "GARBAGE_MIN", -1)
    await look(LOOKS, lambda: False)
    assert collections.seen == 1


async def test_little_garbage_is_left(collections: Collections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "GARBAGE_MIN", 10**9)
    await look(LOOKS, lambda: True)
    assert collections.seen == 1


@pytest.mark.parametrize(("grown", "collected"), [(0, 1), (1, 2)])
async def test_growth_is_met_also_while_busy(
    grown: int, collected: int, collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly the limit is let be; a byte more is collected once, and counted from there."""
    sizes = iter([0, *[collecting.GROWN_BYTES_MAX + grown] * 1000])
    monkeypatch.setattr(collecting, "resident_bytes", lambda: next(sizes))
    await look(LOOKS, lambda: False)
    assert collections.seen == collected


@pytest.mark.usefixtures("collections")
async def test_what_is_left_after_an_idle_moment_is_gone_over_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collecting, "GARBAGE_MIN", -1)
    kept: list[list[object]] = []
    looked = gc.get_freeze_count()

    def idle() -> bool:
        kept.append([kept])
        return True

    await look(LOOKS, idle)
    # The warm-up came before all of them, and the last look after all of these.
    assert not any(one is last for one in gc.get_objects() for last in kept[: LOOKS - 2])
    assert gc.get_freeze_count() > looked


def test_what_became_garbage_out_of_sight_is_found_all_the_same() -> None:
    one = Collections()
    one.itself = one  # type: ignore[attr-defined] # a ring, which counting references does not free
    gone = weakref.ref(one)
    gc.freeze()
    del one
    gc.collect()
    assert gone() is not None
    collecting.collect_whole()
    assert gone() is None


async def test_automatic_collection_is_on_again_afterwards(collections: Collections) -> None:
    await look(1, lambda: False)
    assert gc.isenabled()
    assert collections.seen == 1


async def test_stopping_during_the_warm_up_changes_nothing(
    collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "WARM_UP_S", 3600.0)
    task = asyncio.create_task(collecting.collect_when_idle(lambda: True))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert gc.isenabled()
    assert collections.seen == 0


@pytest.mark.parametrize("statm", [collecting._STATM, Path("absent")])
def test_resident_memory_is_told_everywhere(statm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "_STATM", statm)
    assert 2**20 < collecting.resident_bytes() < 2**40
