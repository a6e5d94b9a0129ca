"""The hub of open streams: one look for all, in order; and a consumer that does not read."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk.line import PERSON_KEY
from adapters.sdk.tokens import Person, PersonTokens
from exchange.domain.disclosure import DeliveryAborted
from exchange.errors import StoreUnavailable
from exchange.logs import open_log
from exchange.pipeline.hot import HotStates
from exchange.server import hub as room
from exchange.server.hub import Hub
from exchange.server.services import subscription
from exchange.store import ports
from exchange.store.batch import Row
from exchange.v1 import common_pb2 as pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest, SubscribeResponse
from tests.server.story import Story
from tests.server.test_streams import WAIT_S, Follower
from tests.server.town import INVESTIGATE, Town, details_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from pathlib import Path

GOALS = 60
GOAL, OTHER, LEFT = "plan.goal_set.v1", "disclosure.decided.v1", "organisation.left.v1"


class Store:
    """The part of a store that the hub reads, in memory; it passes what is asked of pages in tests/store."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.fails = False
        self.asked: list[int] = []

    def append(self, *topics: str) -> int:
        for topic in topics:
            self.rows.append(Row(len(self.rows) + 1, "plan-1", 1, topic, b"sealed"))
        return len(self.rows)

    def page(
        self, after: int, limit: int, topics: Sequence[str] = (), until: int = ports.NEWEST
    ) -> list[Row]:
        self.asked.append(after)
        if self.fails:
            raise StoreUnavailable("away")
        return [row for row in self.rows if after < row.position <= until and row.topic in topics][:limit]


class Bench:
    """A hub over such a store."""

    def __init__(self) -> None:
        self.store, self.hot, self.rings = Store(), HotStates(), 0
        self.pool = ThreadPoolExecutor(1)
        self.hub = Hub(self.store, self.hot, self.pool, self._ring)  # type: ignore[arg-type] # the part that is read

    def _ring(self) -> None:
        self.rings += 1

    def commit(self, *topics: str) -> None:
        self.hot.as_of = self.store.append(*topics)


def in_a_loop(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        bench = Bench()
        try:
            await test(bench)
        finally:
            bench.pool.shutdown()

    asyncio.run(run())


def test_the_store_is_asked_once_for_all_streams() -> None:
    async def many(bench: Bench) -> None:
        bench.commit(GOAL, OTHER, GOAL)
        await bench.hub.tail()
        looks = bench.hub.looks
        found = [await bench.hub.after(0, (GOAL,)) for _ in range(100)]
        assert {tuple(row.position for row in one.rows) for one in found} == {(1, 3)}
        assert {one.place for one in found} == {3}
        assert bench.hub.looks == looks
        assert bench.rings == 1

    in_a_loop(many)


def test_nobody_is_woken_by_what_no_stream_is_about() -> None:
    async def quiet(bench: Bench) -> None:
        bench.commit(OTHER, OTHER)
        await bench.hub.tail()
        assert bench.rings == 0
        assert (await bench.hub.after(0, (GOAL,))) == ([], 2)
        bench.commit(LEFT)
        await bench.hub.tail()
        assert bench.rings == 1, "what may end a stream wakes it"
        assert (await bench.hub.after(2, (GOAL,))) == ([], 3)
        await bench.hub.tail()
        assert (bench.rings, len(bench.store.asked)) == (1, 2), "nothing new is no look"

    in_a_loop(quiet)


def test_what_the_states_do_not_know_yet_is_not_looked_at() -> None:
    async def early(bench: Bench) -> None:
        bench.commit(GOAL)
        bench.store.append(GOAL)
        await bench.hub.tail()
        assert (await bench.hub.after(0, (GOAL,))) == ([bench.store.rows[0]], 1)
        bench.hot.as_of = 2
        await bench.hub.tail()
        assert (await bench.hub.after(1, (GOAL,))).rows == [bench.store.rows[1]]

    in_a_loop(early)


def test_what_nobody_waits_for_is_not_looked_at_and_is_found_by_who_opens_later() -> None:
    async def unheard(bench: Bench) -> None:
        bench.commit(GOAL)
        bench.hub.pass_over()
        assert (bench.hub.looks, bench.rings) == (0, 0)
        # Behind what was passed over: a look of its own.
        assert (await bench.hub.after(0, (GOAL,))) == (bench.store.rows, 1)
        bench.commit(GOAL)
        tailing = asyncio.ensure_future(bench.hub.tail())
        await asyncio.sleep(0)
        # Under a look that is going on nothing is thrown away.
        bench.hub.pass_over()
        await tailing
        assert (await bench.hub.after(1, (GOAL,))) == ([bench.store.rows[1]], 2)

    in_a_loop(unheard)


def test_memory_is_bounded_and_who_is_behind_reads_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ROWS_KEPT_MAX", 3)
    monkeypatch.setattr(room, "ROWS_PER_LOOK", 2)

    async def behind(bench: Bench) -> None:
        bench.commit(*[GOAL, OTHER] * 5)
        await bench.hub.tail()
        assert len(bench.hub._rows) == 3
        place, seen = 0, list[int]()
        while True:
            rows, place = await bench.hub.after(place, (GOAL,), 2)
            seen += [row.position for row in rows]
            assert len(rows) <= 2
            if not rows:
                break
        assert seen == [1, 3, 5, 7, 9]
        assert place == 10

    in_a_loop(behind)


def test_who_is_far_behind_what_is_rare_looks_by_parts_and_leaves_room_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "POSITIONS_PER_LOOK", 4)

    async def far(bench: Bench) -> None:
        bench.commit(*[OTHER] * 10, GOAL, OTHER)
        bench.hub.pass_over()
        behind = asyncio.ensure_future(bench.hub.after(0, (GOAL,)))
        await asyncio.sleep(0)
        # The pool has one thread: what is asked meanwhile comes between two parts.
        between = await asyncio.get_running_loop().run_in_executor(bench.pool, len, bench.store.asked)
        assert between < 3
        assert (await behind) == ([bench.store.rows[10]], 12)
        assert bench.store.asked == [0, 4, 8]
        assert (await bench.hub.after(11, (GOAL,))) == ([], 12)

    in_a_loop(far)


def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BYTES_KEPT_MAX", 2 * len(b"sealed"))

    async def heavy(bench: Bench) -> None:
        bench.commit(GOAL, GOAL, GOAL)
        await bench.hub.tail()
        assert [row.position for row in bench.hub._rows] == [2, 3]
        assert [row.position for row in (await bench.hub.after(0, (GOAL,))).rows] == [1, 2, 3]

    in_a_loop(heavy)


def test_a_store_that_was_away_is_read_on_from_where_it_was() -> None:
    async def away(bench: Bench) -> None:
        bench.commit(GOAL)
        bench.store.fails = True
        with pytest.raises(StoreUnavailable):
            await bench.hub.tail()
        bench.store.fails = False
        bench.commit(GOAL)
        await bench.hub.tail()
        assert [row.position for row in (await bench.hub.after(0, (GOAL,))).rows] == [1, 2]
        assert bench.rings == 1

    in_a_loop(away)


# --- over the wire ------------------------------------------------------------------------------------


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Town]:
    """Yield a town with one stream for each organisation, that waits a tenth of a second for a reader."""
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines), streams_per_organisation_max=1, stream_wait_s=0.1)
        town.start()
        yield town
        town.close()


def set_long_goals(story: Story, count: int) -> None:
    for number in range(count):
        story.version = story.wmo.plan.set_goal(
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version,
            own_words=f"{number} Weer zelf koken. ".ljust(4_000, "x"),
            desired_effect="rust",
            life_domain=pb.LIFE_DOMAIN_HOUSING,
            target_date="2027-06-01",
        ).version


@contextmanager
def small_window(town: Town, story: Story) -> Iterator[Any]:
    """Yield a stream over a connection that takes no more than 64 KiB without being read."""
    mine = town.credentials()
    secrets = grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)
    person = Person(f"w-{story.bsn[-5:]}", "college:WMO", "regisseur")
    token = PersonTokens(mine, time.time).token_for(person)
    asked = SubscribeRequest(claim=INVESTIGATE, fields=["goals.own_words"], heartbeat_seconds=60)
    options = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535))
    with grpc.secure_channel(town.target, secrets, options) as channel:
        call: Any = channel.unary_stream(
            "/exchange.v1.SubscriptionService/Subscribe",
            request_serializer=SubscribeRequest.SerializeToString,
            response_deserializer=SubscribeResponse.FromString,
        )
        yield call(asked, metadata=((PERSON_KEY, token),))


def read_out(stream: Any, found: list[SubscribeResponse]) -> None:  # noqa: ANN401 -- a stream of answers
    for answer in stream:
        found.append(answer)  # noqa: PERF402 -- what came before the end is wanted


def test_a_consumer_that_never_reads_is_ended_and_told_where_to_resume(
    impatient: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "EVENTS_BYTES_MAX", 32 * 1024)
    story = Story(impatient, next(impatient.bsns))
    set_long_goals(story, GOALS)
    lines = impatient.settings.data / "log"
    with small_window(impatient, story) as stream:
        wait_until(lambda: "STREAM_NOT_READ" in lines.read_text("utf-8"))
        # What was not taken lies with gRPC: so long it keeps its place, and costs no more than that.
        other = Follower(story.wmo)
        other.wait(lambda: other.error)
        other.close()
        assert details_of(other.error)["ErrorInfo"].reason == "QUOTA_EXCEEDED"
        # Whoever reads after all gets what was on its way, and then why it ended.
        found: list[SubscribeResponse] = []
        with pytest.raises(grpc.RpcError) as ended:
            read_out(stream, found)
    told = details_of(ended.value)
    assert told["ErrorInfo"].reason == "STREAM_NOT_READ"
    assert ended.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    given = sum(len(answer.events) for answer in found)
    assert 0 < given < GOALS
    # Behind that cursor nothing was lost; what was on its way comes a second time.
    assert int(told["ErrorInfo"].metadata["cursor"]) in {0, *(answer.cursor for answer in found)}
    # Its place is free again; and what was judged and never handed over is recorded as not given.
    house = impatient.server._house
    assert house is not None
    wait_until(lambda: not house.streams.count)
    wait_until(lambda: len(impatient.core.reader.page(0, 10_000, (DeliveryAborted.TOPIC,))) == GOALS - given)


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
