"""Bells over a real NATS: heard live and after coming late, and what happens when it is killed or lied to."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import nats as library
from nats.js.errors import NotFoundError

from exchange.keys.authority import DevelopmentAuthority
from exchange.settings import load_settings
from exchange.wiring.bells import HeardBell, payload_of
from exchange.wiring.nats_line import STREAM, NatsLine
from tests.nats.server import NatsServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from nats.js.api import RawStreamMsg

    from exchange.pipeline.bell import LocalBell

SHARD, OTHER = "00000001003214345000", "00000001003214345001"
WAIT_S = 30.0
NEVER_S = 3_600.0
POLL_S = 0.05
LOOK_EVERY_S = 0.02


class Shard:
    """How far the one store of a shard is, and the nodes on it."""

    def __init__(self, servers: str, oin: str = SHARD, **settings: Any) -> None:  # noqa: ANN401 -- any setting
        self.head = 0
        self.oin = oin
        self._settings = load_settings(bell="nats", bell_nats=servers, operator_oin=oin, **settings)

    async def _asked(self) -> int:
        return self.head

    @asynccontextmanager
    async def node(self, poll_s: float = NEVER_S) -> AsyncIterator[HeardBell]:
        bell = HeardBell(NatsLine(self._settings), self.oin, self._asked, poll_s)
        bell.start()
        try:
            yield bell
        finally:
            bell.close()
            await bell.closed()

    def commit(self, bell: HeardBell | LocalBell) -> int:
        """Commit one more on a node; return its position."""
        self.head += 1
        bell.ring(self.head)
        return self.head


async def hears(bell: HeardBell, position: int) -> None:
    async with asyncio.timeout(WAIT_S):
        await bell.wait(position - 1, NEVER_S)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


async def publish(server: NatsServer, subject: str, payload: bytes) -> None:
    client = await library.connect(server.url)
    await client.publish(subject, payload)
    await client.flush()
    await client.close()


async def newest_kept(server: NatsServer) -> RawStreamMsg:
    """Return what waits for who comes later, once it does: who listens may hear it before it is kept."""
    client = await library.connect(server.url)
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                with suppress(NotFoundError):
                    return await client.jetstream().get_last_msg(STREAM, f"exchange.bell.{SHARD}")
                await asyncio.sleep(LOOK_EVERY_S)
    finally:
        await client.close()


def test_one_node_hears_what_another_committed(nats: NatsServer) -> None:
    async def story() -> None:
        shard = Shard(nats.url)
        async with shard.node() as one, shard.node() as two:
            for _ in range(3):
                await hears(two, shard.commit(one))
                await hears(one, shard.commit(two))

    run(story)


def test_who_comes_later_hears_the_newest(nats: NatsServer) -> None:
    async def story() -> None:
        shard = Shard(nats.url)
        async with shard.node() as one, shard.node() as two:
            await hears(two, shard.commit(one))
            async with shard.node() as late:
                await hears(late, 1)
        kept = await newest_kept(nats)
        # A shard and a position, and nothing else.
        assert kept.data == payload_of(SHARD, 1).encode()

    run(story)


def test_killed_and_back_it_is_missed_for_a_poll_and_then_heard_again(nats: NatsServer) -> None:
    async def story() -> None:
        shard = Shard(nats.url)
        async with shard.node() as one, shard.node(POLL_S) as two, shard.node() as three:
            await hears(two, shard.commit(one))
            await asyncio.to_thread(nats.kill)
            # By the poll, for as long as it takes.
            await hears(two, shard.commit(one))
            await hears(two, shard.commit(one))
            await asyncio.to_thread(nats.start)
            # What could not be rung is rung then; who never polls hears it by the bell.
            await hears(three, 3)
            await hears(three, shard.commit(one))

    run(story)


def test_a_server_that_is_not_there_yet_holds_up_nobody(nats: NatsServer) -> None:
    nats.kill()

    async def story() -> None:
        shard = Shard(nats.url)
        async with shard.node() as one, shard.node() as two:
            position = shard.commit(one)
            await hears(one, position)
            await asyncio.to_thread(nats.start)
            await hears(two, position)

    run(story)


def test_garbage_and_false_bells_wake_nobody_and_the_next_one_is_heard(nats: NatsServer) -> None:
    async def story() -> None:
        shard = Shard(nats.url)
        async with shard.node() as one, shard.node() as two:
            await hears(two, shard.commit(one))
            asked = two.asked
            for payload in (b"", b"\xff\xfe", b"ring", payload_of(OTHER, 99).encode(), b"x" * 60):
                await publish(nats, f"exchange.bell.{SHARD}", payload)
            await hears(two, shard.commit(one))
            assert two.asked == asked + 1
            # Ahead of the store: looked for, and nobody is woken by it.
            await publish(nats, f"exchange.bell.{SHARD}", payload_of(SHARD, 1_000).encode())
            await hears(two, shard.commit(one))
            waiting = asyncio.create_task(two.wait(shard.head, NEVER_S))
            await publish(nats, f"exchange.bell.{SHARD}", b"once more")
            assert not waiting.done()
            waiting.cancel()

    run(story)


def test_a_bell_of_another_shard_is_not_heard(nats: NatsServer) -> None:
    async def story() -> None:
        shard, neighbour = Shard(nats.url), Shard(nats.url, OTHER)
        async with shard.node() as one, shard.node() as two, neighbour.node() as other:
            neighbour.head = 10
            await hears(other, neighbour.commit(other))
            await hears(two, shard.commit(one))
            assert two._local.position == 1

    run(story)


def test_a_line_is_under_tls_and_only_to_who_shows_a_name_that_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    issued = DevelopmentAuthority(folder).issue_server(tmp_path / "of-nats")
    server = NatsServer(tmp_path / "tls", (issued.certificate, issued.key))
    try:
        server.start()

        async def story() -> None:
            shard = Shard(server.url, bell_nats_authority=issued.client_ca)
            unknown = Shard(server.url)
            async with shard.node() as one, shard.node() as two, unknown.node(POLL_S) as stranger:
                await hears(two, shard.commit(one))
                # Who does not know the authority connects to nobody, and finds out by himself.
                unknown.head = 7
                await hears(stranger, 7)

        run(story)
    finally:
        server.kill()


def test_the_stream_keeps_one_ring_of_each_shard(nats: NatsServer) -> None:
    async def story() -> None:
        shard = Shard(nats.url)
        async with shard.node() as one, shard.node() as two:
            for _ in range(20):
                await hears(two, shard.commit(one))
            client = await library.connect(nats.url)
            info = await client.jetstream().stream_info(STREAM)
            await client.close()
            assert info.state.messages == 1
            assert (info.config.max_msgs_per_subject, info.config.num_replicas) == (1, 1)

    run(story)
