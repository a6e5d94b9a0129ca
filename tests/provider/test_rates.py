"""How often the counterparty is posted to: our own rate, the waits it asks for, and clocks that are set."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from adapters.kit.rates import Rate
from adapters.kit.serving import Serving
from adapters.provider.config import Side, Table
from adapters.provider.delivering import BEHIND_MS
from adapters.provider.errors import ConfigInvalid
from adapters.provider.journal import Outgoing
from adapters.provider.transport import RATE, Http, http_of
from tests.provider.around import Adapter, Clock, sent
from tests.provider.world import START, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request


class Sink:
    """Takes whatever is posted; first answers what it was told to: (status, Retry-After)."""

    def __init__(self) -> None:
        self.refusals: list[tuple[int, str]] = []
        self.taken = 0
        self._serving = Serving(Starlette(routes=[Route("/in", self._take, methods=["POST"])]))
        self._serving.start()
        self.url = f"{self._serving.url}/in"

    async def _take(self, request: Request) -> Response:
        await request.body()
        if self.refusals:
            status, wait = self.refusals.pop(0)
            return Response(status_code=status, headers={"Retry-After": wait} if wait else {})
        self.taken += 1
        return Response(status_code=202)

    def close(self) -> None:
        self._serving.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


@pytest.fixture
def sink(shared: Sink) -> Sink:
    shared.refusals, shared.taken = [], 0
    return shared


class Posting:
    """A municipality's adapter that posts bare messages, at a rate."""

    def __init__(self, folder: Path, sink: Sink, rate: Rate) -> None:
        self.clock, self.sink = Clock(), sink
        self._parts = (folder, Side.MUNICIPALITY, World(folder / "world"), self.clock)
        self._http = Http(deliver_to=sink.url, rate=rate)
        self.adapter = Adapter(*self._parts, http=self._http)

    def again(self) -> None:
        self.adapter.close()
        self.adapter = Adapter(*self._parts, http=self._http)

    def put(self, count: int) -> None:
        journal, now_ms = self.adapter.journal, self.adapter.desk.now_ms
        for number in range(count):
            name = f"WMO301-{number}.xml"
            journal.send(Outgoing(name, "WMO301", str(number), b"<a/>"), now_ms)

    def left(self) -> int:
        far = self.adapter.desk.now_ms + 10**13
        return len(self.adapter.journal.due(far, 10**6))

    def attempts(self) -> int:
        (found,) = self.adapter.journal.connection.execute("SELECT sum(attempts) FROM outbox").fetchone()
        return int(found)

    def delivered(self) -> list[str]:
        rows = self.adapter.journal.connection.execute(
            "SELECT name FROM outbox WHERE state = 'sent' ORDER BY number"
        )
        return [str(name) for (name,) in rows]


@pytest.fixture
def posting(tmp_path: Path, sink: Sink) -> Iterator[Posting]:
    made = Posting(tmp_path, sink, Rate(60, 5))
    yield made
    made.adapter.close()


def test_what_may_not_go_yet_waits_in_its_order_and_no_attempt_is_counted(posting: Posting) -> None:
    posting.put(20)
    # A start has one; then one a second, and after a quiet time five at once.
    for passed_s, left in ((0, 19), (0.8, 19), (0.2, 18), (3, 15), (100, 10), (100, 5), (100, 0)):
        posting.clock.pass_by(seconds=passed_s)
        posting.adapter.service.work()
        assert posting.left() == left
    assert posting.delivered() == [f"WMO301-{number}.xml" for number in range(20)]
    assert posting.attempts() == 0


def test_an_outbox_that_stays_behind_alarms_once_an_hour(posting: Posting) -> None:
    posting.put(12)
    posting.adapter.service._desk.limits["counterparty"].hold(3_600)
    posting.adapter.service.work()
    assert posting.left() == 12
    alarm = '"event": "outbox_behind"'
    assert posting.adapter.out.getvalue().count(alarm) == 0
    posting.clock.pass_by(milliseconds=BEHIND_MS)
    for _ in range(3):
        posting.adapter.service._desk.limits["counterparty"].hold(3_600)
        posting.adapter.service.work()
    assert posting.adapter.out.getvalue().count(alarm) == 1
    posting.clock.pass_by(milliseconds=BEHIND_MS)
    posting.adapter.service._desk.limits["counterparty"].hold(3_600)
    posting.adapter.service.work()
    assert posting.adapter.out.getvalue().count(alarm) == 2
    # Never lost: it goes when it may.
    for _ in range(20):
        posting.clock.pass_by(minutes=30)
        posting.adapter.service.work()
    assert posting.left() == 0


def test_a_wait_the_other_side_asks_for_stops_all_of_them_also_after_a_restart(posting: Posting) -> None:
    posting.clock.pass_by(minutes=5)
    posting.put(6)
    posting.sink.refusals.append((429, "100"))
    posting.adapter.service.work()
    assert (posting.left(), posting.delivered()) == (6, [])
    posting.clock.pass_by(seconds=99)
    posting.adapter.service.work()
    posting.again()
    posting.adapter.service.work()
    assert posting.left() == 6
    assert json.loads(posting.adapter.config.waits.read_bytes()).keys() == {"counterparty"}
    # Later than what it asked comes our own rate: one, and no burst behind the wait.
    posting.clock.pass_by(seconds=2)
    posting.adapter.service.work()
    posting.clock.pass_by(seconds=1)
    posting.adapter.service.work()
    assert 1 <= len(posting.delivered()) <= 3
    for _ in range(10):
        posting.clock.pass_by(seconds=60)
        posting.adapter.service.work()
    assert (posting.left(), len(posting.delivered())) == (0, 6)


def test_a_clock_that_was_set_back_holds_up_no_message_and_parks_none(posting: Posting) -> None:
    posting.clock.set_to(START + timedelta(days=400))
    posting.put(1)
    posting.sink.refusals += [(500, "")] * 2
    posting.adapter.service.work()
    assert posting.attempts() == 1
    posting.clock.set_to(START)
    posting.clock.pass_by(minutes=1)
    posting.adapter.service.work()
    assert posting.attempts() == 2
    posting.clock.pass_by(minutes=1)
    posting.adapter.service.work()
    assert (posting.left(), len(posting.delivered())) == (0, 1)
    assert posting.adapter.journal.parked() == ()


def test_an_errand_and_a_pause_do_not_wait_for_the_clock_of_the_day(tmp_path: Path) -> None:
    world, clock = World(tmp_path / "world"), Clock(START + timedelta(days=400))
    world.open_plan()
    adapter = Adapter(tmp_path, Side.PROVIDER, world, clock)
    adapter.drop("a.xml", sent())
    world.away = True
    adapter.work()
    clock.set_to(START)
    clock.pass_by(minutes=1)
    before = len(world.calls)
    adapter.work()
    # The pause was of seconds, and is over.
    assert len(world.calls) > before
    adapter.close()


def http(**told: object) -> Http:
    return http_of(Table("http.", {"deliver_to": "https://node.example/ggk", **told}), Path())


def test_a_rate_of_the_settings_is_read_within_its_bounds() -> None:
    assert http().rate == RATE
    assert http(calls_per_minute=1, calls_at_once=1).rate == Rate(1, 1)
    assert http(calls_per_minute=60_000, calls_at_once=1_000).rate == Rate(60_000, 1_000)
    wrong = {"calls_per_minute": (0, 60_001), "calls_at_once": (0, 1_001)}
    for key, value in ((key, value) for key, values in wrong.items() for value in values):
        with pytest.raises(ConfigInvalid, match=f"http.{key}"):
            http(**{key: value})
