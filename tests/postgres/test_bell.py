"""The bell of a real PostgreSQL: rung by the commit, heard by others, and what a lost connection costs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from exchange.store.errors import HeadMoved
from exchange.store.postgres import CHANNEL, PostgresRecorder, head_position
from exchange.wiring.bells import HeardBell, PostgresLine, payload_of
from tests.store.postgres_store import PostgresStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from tests.postgres.server import PostgresServer

SHARD, OTHER = "00000001003214345000", "00000001003214345001"
WAIT_S = 30.0
NEVER_S = 3_600.0
POLL_S = 0.05


class RingingStore(PostgresStore):
    """A store whose commits ring for a shard."""

    def __init__(self, dsn: str, shard: str = SHARD) -> None:
        self._shard = shard
        super().__init__(dsn)

    def _open(self) -> tuple[Any, Any]:
        opened, reader = super()._open()
        opened.close()
        return PostgresRecorder(self.dsn, rings_as=self._shard), reader


@pytest.fixture
def ringing(postgres: PostgresServer) -> Iterator[RingingStore]:
    made = RingingStore(postgres.schema())
    yield made
    made.close()


@asynccontextmanager
async def node(store: PostgresStore, poll_s: float = NEVER_S) -> AsyncIterator[HeardBell]:
    """Yield the bell of another node on this store, once it listens."""

    async def asked() -> int:
        return await asyncio.to_thread(head_position, store.dsn) or 0

    bell = HeardBell(PostgresLine(store.dsn), SHARD, asked, poll_s)
    bell.start()
    try:
        async with asyncio.timeout(WAIT_S):
            # It looks once when it listens.
            while not bell.asked:  # noqa: ASYNC110 -- the bell tells nobody that it asked
                await asyncio.sleep(0.01)
        yield bell
    finally:
        bell.close()
        await bell.closed()


async def hears(bell: HeardBell, position: int) -> None:
    async with asyncio.timeout(WAIT_S):
        await bell.wait(position - 1, NEVER_S)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def listeners(store: PostgresStore, then: str = "") -> list[Any]:
    """Return the connections that listen; `then` says what becomes of each."""
    with psycopg.connect(store.dsn, autocommit=True) as connection:
        asked = f"SELECT pid{then} FROM pg_stat_activity WHERE query = 'LISTEN \"{CHANNEL}\"'"  # noqa: S608 -- words of this test
        return connection.execute(asked.encode()).fetchall()


def test_a_commit_is_heard_by_another_node_and_by_the_next(ringing: RingingStore) -> None:
    async def story() -> None:
        async with node(ringing) as one, node(ringing) as two:
            for _ in range(3):
                await asyncio.to_thread(ringing.add, "plan-1", "plan-2")
                await hears(one, ringing.position)
                await hears(two, ringing.position)

    run(story)


def test_what_was_not_committed_is_not_rung(ringing: RingingStore) -> None:
    async def story() -> None:
        async with node(ringing) as other:
            stale = ringing.batch("plan-1")
            await asyncio.to_thread(ringing.add, "plan-1")
            await hears(other, 1)
            asked = other.asked
            with pytest.raises(HeadMoved):
                await asyncio.to_thread(ringing.recorder.commit, stale)
            await asyncio.to_thread(ringing.add, "plan-1")
            await hears(other, 2)
            assert other.asked == asked + 1

    run(story)


def test_it_says_a_shard_and_a_position_and_nothing_else(ringing: RingingStore) -> None:
    with psycopg.connect(ringing.dsn, autocommit=True) as connection:
        connection.execute(f'LISTEN "{CHANNEL}"'.encode())
        ringing.add("plan-1", "resident-1")
        (notice,) = list(connection.notifies(timeout=WAIT_S, stop_after=1))
    assert (notice.channel, notice.payload) == (CHANNEL, payload_of(SHARD, 2))


def test_who_asked_for_no_bell_rings_none(postgres_quiet: PostgresStore) -> None:
    with psycopg.connect(postgres_quiet.dsn, autocommit=True) as connection:
        connection.execute(f'LISTEN "{CHANNEL}"'.encode())
        postgres_quiet.add("plan-1")
        connection.execute(f"NOTIFY {CHANNEL}, 'the last one'".encode())
        (notice,) = list(connection.notifies(timeout=WAIT_S, stop_after=1))
    assert notice.payload == "the last one"


@pytest.fixture
def postgres_quiet(postgres: PostgresServer) -> Iterator[PostgresStore]:
    made = PostgresStore(postgres.schema())
    yield made
    made.close()


def test_another_shard_in_the_same_database_is_not_heard(
    postgres: PostgresServer, ringing: RingingStore
) -> None:
    neighbour = RingingStore(postgres.schema(), OTHER)

    async def story() -> None:
        async with node(ringing) as mine:
            asked = mine.asked
            await asyncio.to_thread(neighbour.add, *["plan-9"] * 5)
            await asyncio.to_thread(ringing.add, "plan-1")
            await hears(mine, 1)
            assert mine.asked == asked + 1

    try:
        run(story)
    finally:
        neighbour.close()


def test_a_connection_that_is_cut_is_made_again_and_what_was_missed_is_found(ringing: RingingStore) -> None:
    async def story() -> None:
        async with node(ringing) as other:
            assert await asyncio.to_thread(listeners, ringing, ", pg_terminate_backend(pid)")
            await asyncio.to_thread(ringing.add, "plan-1")
            # Missed or not: when it listens again it looks.
            await hears(other, 1)
            async with asyncio.timeout(WAIT_S):
                while not await asyncio.to_thread(listeners, ringing):  # noqa: ASYNC110 -- nobody tells
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(ringing.add, "plan-1")
            await hears(other, 2)

    run(story)


def test_without_its_connection_the_poll_finds_what_is_there(ringing: RingingStore) -> None:
    async def story() -> None:
        async def asked() -> int:
            return await asyncio.to_thread(head_position, ringing.dsn) or 0

        bell = HeardBell(PostgresLine("host=/nowhere"), SHARD, asked, POLL_S)
        bell.start()
        try:
            await asyncio.to_thread(ringing.add, "plan-1")
            await hears(bell, 1)
        finally:
            bell.close()
            await bell.closed()

    run(story)
