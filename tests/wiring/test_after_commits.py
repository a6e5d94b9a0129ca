"""Who follows the commits of this process is told by the commit itself, and looks at no clock for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from exchange.pipeline.bell import LocalBell
from exchange.wiring.bells import Ringing
from exchange.wiring.core import pipeline_of
from exchange.wiring.following import Following
from tests.pipeline.held import turns
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from exchange.errors import ExchangeError
    from exchange.pipeline.queue import Pipeline

WAIT_S = 30.0


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    made = Shard(tmp_path / "data")
    yield made
    made.close()


@asynccontextmanager
async def queue(shard: Shard) -> AsyncIterator[Pipeline]:
    made = pipeline_of(shard.core)
    yield made
    await made.drain()


async def test_the_bell_is_rung_by_every_group_that_was_committed(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    heard: list[int] = []
    bell = LocalBell()
    async with queue(shard) as pipeline:
        ringing = Ringing(bell, pipeline, shard.core.hot, lambda: heard.append(bell.position))
        ringing.start()
        assert bell.position == shard.head, "what is there is rung at the start"
        for _ in range(3):
            await pipeline.submit(shard.goal(plan_id))
            await turns(3)
            assert bell.position == shard.head
    await ringing.stop()
    assert heard == [], "nobody else rings it, so there is nothing to hear of"


async def test_who_waits_for_the_bell_is_woken_by_a_commit(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    bell = LocalBell()
    async with queue(shard) as pipeline:
        ringing = Ringing(bell, pipeline, shard.core.hot, lambda: None)
        ringing.start()
        waiting = asyncio.ensure_future(bell.wait(shard.head, 3600.0))
        await turns()
        assert not waiting.done()
        await pipeline.submit(shard.goal(plan_id))
        await asyncio.wait_for(waiting, WAIT_S)
    await ringing.stop()


async def test_read_models_follow_a_commit_that_nobody_asks_them_about(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    errors: list[ExchangeError] = []
    following = Following(shard.core, errors.append)
    follower = following._follower

    def reached() -> bool:
        # Not by `followed`: that hurries them.
        with follower._reached:
            return follower._reached.wait_for(lambda: follower._position >= shard.head, WAIT_S)

    async with queue(shard) as pipeline:
        following.start(pipeline)
        assert await asyncio.to_thread(reached)
        for _ in range(2):
            await pipeline.submit(shard.goal(plan_id))
            assert await asyncio.to_thread(reached)
    await following.stop()
    assert errors == []
