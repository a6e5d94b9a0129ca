"""When garbage is collected: a little at a time, and all of it when memory grew."""

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
    """Keeps what was asked of the collector, not what Python collects by itself."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []
        self._collect = gc.collect

    def __call__(self, *generation: int) -> int:
        self.asked.append(generation)
        return self._collect(*generation)


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


async def serve(until: Callable[[], bool], is_idle: Callable[[], bool] = lambda: False) -> None:
    """Let the collector look while serving until something holds, then stop it."""
    task = asyncio.create_task(collecting.collect_when_serving(is_idle))
    async with asyncio.timeout(WAIT_MAX_S):
        while not until():  # noqa: ASYNC110 -- what is waited for is told by the collector, which sets no event
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def times(number: int) -> Callable[[], bool]:
    """Return what holds once it was asked so often: each time the collector may have looked."""
    asked = count(1)
    return lambda: next(asked) > number


async def test_the_young_are_collected_in_the_middle_of_everything(
    collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "LOOK_EVERY_S", 3600.0)
    rings: list[weakref.ref[Collections]] = []

    def first_is_gone() -> bool:
        ring = Collections()
        ring.itself = ring  # type: ignore[attr-defined] # which counting references does not free
        rings.append(weakref.ref(ring))
        return bool(collections.asked) and rings[0]() is None and rings[len(rings) // 2]() is None

    await serve(first_is_gone)
    assert collections.asked == [()], "only the warm-up was asked for"


async def test_only_the_young_are(collections: Collections) -> None:
    found: list[tuple[int, int, int]] = []

    def seen() -> bool:
        found.append(gc.get_threshold())
        return len(found) > LOOKS and bool(collections.asked)

    before = gc.get_threshold()
    await serve(seen)
    assert found[-1] == (collecting.YOUNG_MAX, collecting.NEVER, collecting.NEVER)
    assert gc.isenabled()
    assert gc.get_threshold() == before, "and Python collects as before when nobody is served"


async def test_what_outlived_that_is_looked_at_once_more(
    collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the young were collected since the last look, and else not."""
    counts = iter([(0, 0, 0), (0, 1, 0), (0, 7, 0)])
    monkeypatch.setattr(gc, "get_count", lambda: next(counts, (collecting.YOUNG_MAX, 0, 0)))
    await serve(times(LOOKS))
    assert collections.asked == [(), (1,), (1,)]


@pytest.mark.parametrize(
    ("grown", "calls", "collected"),
    [
        (collecting.GROWN_BYTES_MAX, 0, 1),
        (collecting.GROWN_BYTES_MAX + 1, 1, 1),
        (collecting.GROWN_BYTES_MAX + 1, 0, 2),
        (collecting.GROWN_BYTES_LIMIT, 1, 1),
        (collecting.GROWN_BYTES_LIMIT + 1, 1, 2),
    ],
)
async def test_growth_is_met_in_an_idle_moment_or_at_its_limit(
    grown: int, calls: int, collected: int, collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Met once, and counted from there."""
    sizes = iter([0])
    monkeypatch.setattr(collecting, "resident_bytes", lambda: next(sizes, grown))
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 0))
    await serve(times(LOOKS), lambda: calls == 0)
    assert collections.asked == [()] * collected


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


async def test_stopping_during_the_warm_up_changes_nothing(
    collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "WARM_UP_S", 3600.0)
    task = asyncio.create_task(collecting.collect_when_serving(lambda: True))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert gc.isenabled()
    assert not collections.asked


@pytest.mark.parametrize("statm", [collecting._STATM, Path("absent")])
def test_resident_memory_is_told_everywhere(statm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "_STATM", statm)
    assert 2**20 < collecting.resident_bytes() < 2**40
