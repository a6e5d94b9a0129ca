"""The bell of a node over a line that the test rings: a hint is a hint, and a lost one costs delay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import SettingsInvalid, StoreUnavailable
from exchange.pipeline.bell import LocalBell
from exchange.settings import load_settings
from exchange.wiring import bells
from exchange.wiring.bells import HeardBell, open_bell, payload_of, position_in

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

SHARD = "00000001003214345000"
OTHER = "00000001003214345001"
WAIT_S = 20.0
NEVER_S = 3_600.0
DSN = "host=/run/postgresql dbname=exchange"


class Line:
    """Rung by the test; what is rung over it stands in `rung`."""

    def __init__(self) -> None:
        self.rung: list[str] = []
        self.heard: Callable[[str], None]
        self.connected: Callable[[], None]
        self.listens = asyncio.Event()

    async def listen(self, heard: Callable[[str], None], connected: Callable[[], None]) -> None:
        self.heard, self.connected = heard, connected
        self.listens.set()
        await asyncio.Event().wait()

    def ring(self, payload: str) -> None:
        self.rung.append(payload)

    def close(self) -> None:
        self.listens.clear()


class Node:
    """A node whose store is as far as the test says."""

    def __init__(self, poll_s: float = NEVER_S) -> None:
        self.head = 0
        self.away = False
        self.line = Line()
        self.bell = HeardBell(self.line, SHARD, self._asked, poll_s)

    async def _asked(self) -> int:
        if self.away:
            raise StoreUnavailable("away")
        return self.head

    async def waits(self, after: int) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.bell.wait(after, NEVER_S)

    async def asks(self, count: int) -> None:
        """Wait until the store was asked so often."""
        async with asyncio.timeout(WAIT_S):
            while self.bell.asked < count:  # noqa: ASYNC110 -- the bell tells nobody that it asked
                await asyncio.sleep(0)


def on_a_node(test: Callable[[Node], Coroutine[Any, Any, None]], poll_s: float = NEVER_S) -> None:
    async def run() -> None:
        node = Node(poll_s)
        node.bell.start()
        try:
            await node.line.listens.wait()
            await test(node)
        finally:
            node.bell.close()
            await node.bell.closed()

    asyncio.run(run())


def test_what_another_node_committed_is_heard_and_looked_for() -> None:
    async def heard(node: Node) -> None:
        node.head = 7
        node.line.heard(payload_of(SHARD, 7))
        await node.waits(6)
        assert node.bell.asked == 1

    on_a_node(heard)


def test_what_was_committed_here_wakes_here_at_once_and_is_rung_once() -> None:
    async def rung(node: Node) -> None:
        node.bell.ring(4)
        node.bell.ring(4)
        node.bell.ring(3)
        await node.waits(3)
        assert node.line.rung == [payload_of(SHARD, 4)]
        assert node.bell.asked == 0

    on_a_node(rung)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "ring",
        SHARD,
        f"{SHARD} ",
        f"{SHARD} -1",
        f"{SHARD} 1.5",
        f"{SHARD} ٣",
        f"{SHARD} {'9' * 17}",
        f"{SHARD}  7",
        f"{SHARD} 7\n",
        f"{OTHER} 7",
        "x" * 10_000,
        "�" * 8,
    ],
)
def test_garbage_and_the_bell_of_another_shard_wake_nobody(payload: str) -> None:
    async def garbled(node: Node) -> None:
        assert position_in(payload, SHARD) == 0
        node.line.heard(payload)
        # What comes after it is heard as ever.
        node.head = 2
        node.line.heard(payload_of(SHARD, 2))
        await node.waits(1)
        assert node.bell.asked == 1

    on_a_node(garbled)


def test_a_bell_ahead_of_the_store_wakes_nobody_before_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "NOT_YET_S", 0.0)

    async def ahead(node: Node) -> None:
        node.head = 5
        node.line.heard(payload_of(SHARD, 9_000_000_000_000_000))
        await node.waits(4)
        # Looked for some times, then given up: it was false, or a poll will find it.
        await node.asks(bells.NOT_YET_LOOKS_MAX)
        waiting = asyncio.create_task(node.waits(5))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        assert node.bell.asked == bells.NOT_YET_LOOKS_MAX
        node.head = 6
        node.line.heard(payload_of(SHARD, 6))
        await waiting

    on_a_node(ahead)


def test_a_store_that_follows_its_bell_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "NOT_YET_S", 0.0)

    async def late(node: Node) -> None:
        node.line.heard(payload_of(SHARD, 3))
        await node.asks(2)
        node.head = 3
        await node.waits(2)

    on_a_node(late)


def test_a_line_that_begins_to_listen_again_looks_for_what_it_missed() -> None:
    async def again(node: Node) -> None:
        node.head = 8
        node.line.connected()
        await node.waits(7)
        assert (node.bell.position, node.bell.asked) == (8, 1)

    on_a_node(again)


def test_a_bell_that_is_not_heard_costs_a_delay() -> None:
    async def silent(node: Node) -> None:
        node.away = True
        await node.asks(1)
        node.head, node.away = 8, False
        await node.waits(7)
        assert node.line.rung == []

    on_a_node(silent, poll_s=0.01)


def test_closing_wakes_who_waits() -> None:
    async def closing(node: Node) -> None:
        waiting = asyncio.create_task(node.waits(0))
        await asyncio.sleep(0)
        node.bell.close()
        await waiting

    on_a_node(closing)


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "wrong"),
    [
        ({"bell": "postgres"}, "bell"),
        ({"bell": "nats"}, "bell_nats"),
        ({"bell_nats": "nats://127.0.0.1:4222"}, "bell_nats"),
        ({"bell": "nats", "bell_nats": "nats://bel.voorbeeld.nl:4222"}, "bell_nats"),
        ({"bell": "nats", "bell_nats": "tls://bel.voorbeeld.nl:4222,nats://10.0.0.2:4222"}, "bell_nats"),
        ({"bell": "nats", "bell_nats": "tls://a:secret@bel.voorbeeld.nl:4222"}, "bell_nats"),
        ({"bell": "nats", "bell_nats": "http://127.0.0.1:4222"}, "bell_nats"),
        ({"bell": "nats", "bell_nats": "nats://127.0.0.1:4222,"}, "bell_nats"),
    ],
)
def test_half_a_bell_and_an_open_line_are_refused(named: dict[str, Any], wrong: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load_settings(**named)
    assert refused.value.metadata["name"] == wrong
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"bell": "postgres", "store": "postgres", "postgres": DSN},
        {"bell": "nats", "bell_nats": "nats://127.0.0.1:4222,nats://localhost:4223"},
        {"bell": "nats", "bell_nats": "tls://bel.voorbeeld.nl:4222,tls://bel2.voorbeeld.nl:4222"},
    ],
)
def test_a_whole_bell_is_taken(named: dict[str, Any]) -> None:
    assert load_settings(**named).bell == named.get("bell", "none")


def test_without_a_line_a_bell_is_this_process_own() -> None:
    async def local() -> None:
        def never() -> tuple[int, bytes]:
            raise AssertionError("nobody is asked")

        assert isinstance(open_bell(load_settings(), never), LocalBell)

    asyncio.run(local())
