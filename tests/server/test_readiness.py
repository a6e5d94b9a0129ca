"""Whether a node can serve, as health says it of each service: no after a while, yes again by itself."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from exchange.errors import StoreUnavailable
from exchange.logs import open_log
from exchange.server import readiness as room
from exchange.server.nodes import doors
from exchange.server.nodes.doors import NodeDoors
from exchange.server.readiness import Commits, Readiness, Steady
from tests.server.node_houses import Files, House
from tests.server.town import raw_call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.server.town import Town

HEALTH = "/grpc.health.v1.Health/"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
WAIT_S = 30
AWAY, BACK, SLOW, AGAIN = room.AWAY_S, room.BACK_S, room.SLOW_S, room.TRY_AGAIN_S
A_BIT = 0.01


# --- when it is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([(0.0, False), (AWAY - A_BIT, False)], True),
        ([(0.0, False), (AWAY, False)], False),
        ([(0.0, False), (1.0, True), (AWAY, False)], True),  # it flickered: counted anew
        ([(0.0, False), (AWAY, False), (AWAY + 1, True)], False),
        ([(0.0, False), (AWAY, False), (AWAY + 1, True), (AWAY + 1 + BACK - A_BIT, True)], False),
        ([(0.0, False), (AWAY, False), (AWAY + 1, True), (AWAY + 1 + BACK, True)], True),
        ([(0.0, False), (AWAY, False), (4.0, True), (4.1, False), (4.0 + BACK, True)], False),
    ],
)
def test_it_is_told_once_it_was_so_for_long_enough(looks: list[tuple[float, bool]], *, told: bool) -> None:
    steady = Steady(able=True)
    changes = [steady.take(at, able=able) for at, able in looks]
    assert steady.able is told
    assert sum(changes) % 2 == (not told)


def test_what_was_never_able_is_so_at_once() -> None:
    steady = Steady(able=False)
    assert not steady.take(0.0, able=False)
    assert steady.take(1.0, able=True)
    assert steady.able


# --- what the commits tell ----------------------------------------------------------------------------


def test_three_groups_that_failed_with_none_committed_between_them_are_a_store_that_takes_nothing() -> None:
    counts: Counter[str] = Counter()
    commits = Commits(counts)
    for faults, writable in ((1, True), (2, True), (3, False)):
        counts["store_faults"] = faults
        assert commits.look(1.0) == (writable, False)
    counts["committed"] += 1
    assert commits.look(2.0) == (True, True)
    counts["store_faults"] += 2
    counts["committed"] += 1
    assert commits.look(3.0) == (True, True)
    counts["store_faults"] += 2
    assert commits.look(4.0) == (True, False)


def test_where_nothing_failed_any_more_it_is_tried_again() -> None:
    counts: Counter[str] = Counter()
    commits = Commits(counts)
    counts["store_faults"] = 3
    assert commits.look(1.0) == (False, False)
    counts["store_faults"] += 1
    assert commits.look(2.0) == (False, False)
    assert commits.look(2.0 + AGAIN - A_BIT) == (False, False)
    assert commits.look(2.0 + AGAIN) == (True, False)


# --- the store ----------------------------------------------------------------------------------------


class Store:
    """Answers, fails, or keeps who asks waiting; counts who asks at once."""

    def __init__(self) -> None:
        self.down = False
        self.asked = self.at_once = self.most = 0
        self.open = threading.Event()
        self.open.set()

    def head(self) -> tuple[int, bytes]:
        self.asked += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        assert self.open.wait(WAIT_S)
        self.at_once -= 1
        if self.down:
            raise StoreUnavailable("the store is away on purpose")
        return 0, b""


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def counts() -> Counter[str]:
    return Counter()


@pytest.fixture
def only(store: Store, counts: Counter[str]) -> Iterator[Readiness]:
    """The only node of a shard."""
    made = Readiness(store.head, counts, None, open_log())
    yield made
    store.open.set()
    made.close()


def able(readiness: Readiness) -> bool:
    """Return what is told now."""
    return readiness.able


async def answered(readiness: Readiness) -> None:
    """Return when the store answered, either way."""
    assert readiness._asked is not None
    async with asyncio.timeout(WAIT_S):
        await asyncio.wait({readiness._asked})


async def looked(readiness: Readiness, *moments: float) -> list[bool]:
    """Look at some moments, the store having answered the look before; return what was told after each."""
    told = []
    for at in moments:
        await readiness.look(at)
        await answered(readiness)
        told.append(readiness.able)
    return told


async def test_a_store_that_is_gone_and_comes_back(only: Readiness, store: Store) -> None:
    assert able(only)
    store.down = True
    # What the store said is heard at the next look.
    assert await looked(only, 0.0, 1.0, 1.0 + AWAY - A_BIT) == [True] * 3
    assert await looked(only, 1.0 + AWAY) == [False]
    store.down = False
    assert await looked(only, 5.0, 6.0, 6.0 + BACK - A_BIT, 6.0 + BACK) == [False, False, False, True]


async def test_a_store_that_falls_silent_is_asked_once_and_is_away_when_it_took_too_long(
    only: Readiness, store: Store
) -> None:
    store.open.clear()
    await only.look(0.0)
    # As slow as it may be, and a commit as slow as that, change nothing.
    for at in (1.0, SLOW - A_BIT):
        assert not await only.look(at)
        assert only._store
    for at in (SLOW, SLOW + 1.0, SLOW + AWAY):
        await only.look(at)
    assert not able(only)
    assert store.asked == store.most == 1
    store.open.set()
    await answered(only)
    assert await looked(only, 8.0, 9.0) == [False, True]


async def test_while_groups_are_committed_nothing_is_asked(
    only: Readiness, store: Store, counts: Counter[str]
) -> None:
    for at in range(10):
        counts["committed"] += 1
        await only.look(float(at))
    assert store.asked == 0
    assert able(only)


async def test_a_store_that_can_be_read_and_not_written(only: Readiness, counts: Counter[str]) -> None:
    counts["store_faults"] = 3
    moments = 0.0, AWAY - A_BIT, AWAY, AGAIN, AGAIN + BACK - A_BIT, AGAIN + BACK
    assert await looked(only, *moments) == [True, True, False, False, False, True]


# --- the holder ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("readiness"))


@pytest.fixture
async def pair(files: Files) -> AsyncIterator[tuple[House, House]]:
    """Two nodes, of which the second one holds the shard."""
    houses = House(files), House(files)
    for house in houses:
        await house.open()
    houses[1].told.say(here=True)
    houses[0].told.say(holder=houses[1].address)
    try:
        yield houses
    finally:
        for house in houses:
            await house.close()


def of(house: House) -> NodeDoors:
    return NodeDoors(house.told, house.front, house.door, house.lines, house.files.node, "127.0.0.1", 0)


async def test_a_node_serves_where_it_holds_or_reaches_who_does(
    pair: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    front, holder = pair
    # Who is to answer is waited for as long as it takes.
    monkeypatch.setattr(doors, "HOLDER_ANSWERS_S", float(WAIT_S))
    assert await of(holder).holds()
    assert await of(front).holds()
    # The line stands, and at its end nobody holds.
    holder.told.say()
    assert not await of(front).holds()
    holder.told.say(here=True)
    assert await of(front).holds()
    front.told.say()
    assert not await of(front).holds()
    front.told.say(holder=holder.address)
    await holder.door.stop(0)
    monkeypatch.setattr(doors, "HOLDER_ANSWERS_S", 0.2)
    assert not await of(front).holds()
    front.told.say(here=True)
    assert await of(front).holds()


async def test_a_front_whose_holder_is_away_and_comes_back(
    pair: tuple[House, House], store: Store, counts: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "HOLDER_ANSWERS_S", float(WAIT_S))
    front, holder = pair
    made = Readiness(store.head, counts, of(front).holds, open_log())
    try:
        assert not able(made)
        holder.told.say()
        assert await looked(made, 0.0) == [False]
        holder.told.say(here=True)
        assert await looked(made, 1.0) == [True]
        front.told.say()
        assert await looked(made, 2.0, 2.0 + AWAY - A_BIT, 2.0 + AWAY) == [True, True, False]
        front.told.say(holder=holder.address)
        assert await looked(made, 6.0, 6.0 + BACK) == [False, True]
    finally:
        made.close()


async def test_a_holder_of_the_version_before_answers_and_says_nothing_of_it(files: Files) -> None:
    house = House(files)
    server = grpc.aio.server()
    key, pem = files.node.key, files.node.certificate
    secrets = grpc.ssl_server_credentials([(key, pem)], files.node.authorities, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", secrets)
    await server.start()
    try:
        assert await house.lines.holds(f"127.0.0.1:{port}", WAIT_S)
    finally:
        await server.stop(0)
        await house.lines.close()


# --- at the door --------------------------------------------------------------------------------------


def status(town: Town, service: str) -> int:
    asked = health_pb2.HealthCheckRequest(service=service)
    found: int = health_pb2.HealthCheckResponse.FromString(raw_call(town, f"{HEALTH}Check", asked)).status
    return found


def test_who_watches_a_service_hears_it_and_the_process_is_alive_all_the_while(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = "exchange.v1.PlanService"
    mine = town.credentials()
    secrets = grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)
    with grpc.secure_channel(town.target, secrets) as channel:
        call: Any = channel.unary_stream(f"{HEALTH}Watch")
        raw = health_pb2.HealthCheckRequest(service=plans).SerializeToString()
        heard = map(health_pb2.HealthCheckResponse.FromString, call(raw, timeout=WAIT_S))
        assert next(heard).status == SERVING
        assert town.server._metrics.registry.get_sample_value("exchange_ready") == 1
        for name, value in (("AWAY_S", 0.0), ("BACK_S", 0.0), ("LOOK_S", 0.02)):
            monkeypatch.setattr(room, name, value)
        readiness = town.server._readiness
        assert readiness is not None
        there = readiness._head
        gone = Store()
        gone.down = True
        monkeypatch.setattr(readiness, "_head", gone.head)
        assert next(heard).status == NOT_SERVING
        assert town.server._metrics.registry.get_sample_value("exchange_ready") == 0
        assert (status(town, ""), status(town, plans)) == (SERVING, NOT_SERVING)
        monkeypatch.setattr(readiness, "_head", there)
        assert next(heard).status == SERVING
        assert (status(town, ""), status(town, "exchange.v1.LedgerService")) == (SERVING, SERVING)
