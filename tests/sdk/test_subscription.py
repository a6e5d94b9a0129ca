"""Following plans: in order, resumed at the cursor, through cuts, silence and outages."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import aclosing
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.calls import claim
from adapters.sdk.errors import Denied, PersonMissing, Unavailable, Unreachable
from adapters.sdk.patience import Patience
from adapters.sdk.subscription import AsyncSubscription, Position, Subscription
from exchange.errors import AccessDenied, Draining
from exchange.v1.common_pb2 import PURPOSE_WMO_AFSTEMMING
from exchange.v1.subscription_service_pb2 import PublishedEvent, SubscribeResponse
from tests.sdk.exchange_fake import refuse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import grpc

    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from exchange.v1.subscription_service_pb2 import SubscribeRequest
    from tests.sdk.exchange_fake import FakeExchange

CLAIM = claim(PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4")
# Longer than a busy machine needs for a line and an answer, which are no silence.
SILENCE_S = 2.0
SILENT_AT_MOST_S = 60.0
SOON = Patience(attempts_max=2**31, wait_first_s=0.001, wait_max_s=0.01)


class Plans:
    """A feed of positions 1 to `last`, two events a batch; `ends` says how each stream ends."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.cursors: list[int] = []
        self.ends: Callable[[int, grpc.ServicerContext], None] = lambda _number, _context: None
        self.overlap = 0

    def subscribe(
        self, request: SubscribeRequest, context: grpc.ServicerContext
    ) -> Iterator[SubscribeResponse]:
        self.cursors.append(request.cursor)
        number = len(self.cursors)
        start = max(0, request.cursor - self.overlap)
        for first in range(start + 1, min(self.last, start + 4 + self.overlap) + 1, 2):
            positions = [position for position in (first, first + 1) if position <= self.last]
            events = [PublishedEvent(event_id=f"e{position}", position=position) for position in positions]
            yield SubscribeResponse(events=events, cursor=positions[-1])
        self.ends(number, context)


@pytest.fixture
def plans(exchange: FakeExchange) -> Plans:
    plans = Plans(10)
    exchange.on("Subscribe", plans.subscribe)
    return plans


def position(kept: list[int], *, cursor: int = 0, silence_max_s: float = 10.0, **more: float) -> Position:
    return Position(
        CLAIM,
        ["supports.state"],
        cursor,
        kept.append,
        silence_max_s=silence_max_s,
        give_up_after_s=more.get("give_up_after_s"),
        patience=SOON,
    )


def drained(_number: int, context: grpc.ServicerContext) -> None:
    error = Draining("stopping")
    error.retry_after_ms = 1
    refuse(context, error)


def test_events_come_in_order_through_every_end_of_a_stream(plans: Plans, client: ExchangeClient) -> None:
    plans.ends = lambda number, context: drained(number, context) if number % 2 else None
    kept: list[int] = []
    subscription = Subscription(client, position(kept))
    found = [event.position for event in islice(subscription, 10)]
    subscription.close()
    assert found == list(range(1, 11))
    assert plans.cursors == [0, 4, 8]
    # The last batch was taken, but nobody came back to say so.
    assert kept == [2, 4, 6, 8]


def test_a_restart_goes_on_after_the_kept_cursor(plans: Plans, client: ExchangeClient) -> None:
    subscription = Subscription(client, position([], cursor=6))
    assert [event.position for event in islice(subscription, 2)] == [7, 8]
    subscription.close()
    assert plans.cursors[0] == 6


def test_events_sent_again_are_taken_once(plans: Plans, client: ExchangeClient) -> None:
    plans.overlap = 3
    plans.ends = drained
    subscription = Subscription(client, position([]))
    assert [event.position for event in islice(subscription, 10)] == list(range(1, 11))
    subscription.close()


def test_the_request_says_what_is_wanted(
    exchange: FakeExchange, plans: Plans, client: ExchangeClient
) -> None:
    subscription = Subscription(client, position([]))
    list(islice(subscription, 1))
    subscription.close()
    (request,) = exchange.requests["Subscribe"]
    assert request.claim == CLAIM
    assert list(request.fields) == ["supports.state"]
    assert request.heartbeat_seconds == 10


def test_a_batch_whose_cursor_was_not_kept_comes_again(plans: Plans, client: ExchangeClient) -> None:
    def full(_cursor: int) -> None:
        raise OSError("no space left")

    here = Position(CLAIM, ["supports.state"], 0, full, patience=SOON)
    subscription = Subscription(client, here)
    found: list[int] = []
    with pytest.raises(OSError, match="no space"):
        found.extend(event.position for event in subscription)
    assert here.cursor == 0


def test_an_empty_heartbeat_moves_the_cursor(exchange: FakeExchange, client: ExchangeClient) -> None:
    def beat(request: SubscribeRequest, _context: object) -> Iterator[SubscribeResponse]:
        yield SubscribeResponse(cursor=request.cursor + 5)
        yield SubscribeResponse(
            events=[PublishedEvent(event_id="e", position=request.cursor + 6)], cursor=request.cursor + 6
        )

    exchange.on("Subscribe", beat)
    kept: list[int] = []
    subscription = Subscription(client, position(kept))
    assert [event.position for event in islice(subscription, 1)] == [6]
    subscription.close()
    assert kept == [5]


def test_a_refusal_ends_it(plans: Plans, client: ExchangeClient) -> None:
    plans.last = 0
    plans.ends = lambda _number, context: refuse(context, AccessDenied("no", rules=("R05",)))
    with pytest.raises(Denied):
        list(Subscription(client, position([])))
    assert plans.cursors == [0]


def silent_once(exchange: FakeExchange, plans: Plans) -> None:
    def fall_silent(number: int, context: grpc.ServicerContext) -> None:
        if number == 1:
            over = threading.Event()
            context.add_callback(over.set)
            over.wait(SILENT_AT_MOST_S)

    plans.ends = fall_silent
    exchange.on("Subscribe", plans.subscribe)


def test_silence_is_ended_and_the_stream_opened_again(
    exchange: FakeExchange, plans: Plans, client: ExchangeClient
) -> None:
    silent_once(exchange, plans)
    began = time.monotonic()
    subscription = Subscription(client, position([], silence_max_s=SILENCE_S))
    assert [event.position for event in islice(subscription, 8)] == list(range(1, 9))
    subscription.close()
    assert plans.cursors == [0, 4]
    assert SILENCE_S <= time.monotonic() - began < SILENT_AT_MOST_S


def test_a_slow_reader_is_not_taken_for_silence(
    exchange: FakeExchange, plans: Plans, client: ExchangeClient
) -> None:
    silent_once(exchange, plans)
    subscription = Subscription(client, position([], silence_max_s=SILENCE_S))
    for event in islice(subscription, 4):
        if event.position == 1:
            threading.Event().wait(SILENCE_S + 0.4)
    subscription.close()
    assert plans.cursors == [0]


def test_an_outage_is_waited_out(exchange: FakeExchange, plans: Plans, client: ExchangeClient) -> None:
    plans.ends = drained
    events = iter(Subscription(client, position([])))
    assert [next(events).position for _ in range(4)] == [1, 2, 3, 4]
    exchange.stop()
    restart = threading.Timer(0.1, exchange.start)
    restart.start()
    assert [next(events).position for _ in range(4)] == [5, 6, 7, 8]
    restart.join()


def test_a_limit_ends_the_wait(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.stop()
    with pytest.raises(Unreachable):
        list(Subscription(client, position([], give_up_after_s=0.05)))


def test_close_from_another_thread_ends_a_waiting_iteration(
    exchange: FakeExchange, plans: Plans, client: ExchangeClient
) -> None:
    silent_once(exchange, plans)
    subscription = Subscription(client, position([]))
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.extend(event.position for event in subscription))
    reader.start()
    deadline = time.monotonic() + SILENT_AT_MOST_S
    while len(found) < 4 and time.monotonic() < deadline:
        threading.Event().wait(0.001)
    subscription.close()
    reader.join(SILENT_AT_MOST_S)
    assert not reader.is_alive()
    assert found == [1, 2, 3, 4]


def test_it_is_a_person_who_follows(exchange: FakeExchange, credentials: Credentials) -> None:
    from adapters.sdk.client import ExchangeClient

    with ExchangeClient(exchange.target, credentials) as client, pytest.raises(PersonMissing):
        list(Subscription(client, position([])))


def test_a_heartbeat_sets_how_long_silence_may_last() -> None:
    assert Position(CLAIM, ["x"], 0, print, heartbeat_s=20).silence_max_s == 60


@pytest.fixture
async def async_client(
    exchange: FakeExchange, credentials: Credentials, person: Person
) -> AsyncIterator[AsyncExchangeClient]:
    async with AsyncExchangeClient(exchange.target, credentials, person) as client:
        yield client


async def take(client: AsyncExchangeClient, here: Position, count: int) -> list[int]:
    found: list[int] = []
    async with aclosing(aiter(AsyncSubscription(client, here))) as events:
        async for event in events:
            found.append(event.position)
            if len(found) == count:
                break
    return found


async def test_asyncio_comes_in_order_through_every_end(
    plans: Plans, async_client: AsyncExchangeClient
) -> None:
    plans.ends = lambda number, context: drained(number, context) if number % 2 else None
    kept: list[int] = []
    assert await take(async_client, position(kept), 10) == list(range(1, 11))
    assert plans.cursors == [0, 4, 8]
    assert kept == [2, 4, 6, 8]


async def test_asyncio_ends_silence(
    exchange: FakeExchange, plans: Plans, async_client: AsyncExchangeClient
) -> None:
    silent_once(exchange, plans)
    assert await take(async_client, position([], silence_max_s=SILENCE_S), 8) == list(range(1, 9))
    assert plans.cursors == [0, 4]


async def test_asyncio_raises_a_refusal(plans: Plans, async_client: AsyncExchangeClient) -> None:
    plans.last = 0
    plans.ends = lambda _number, context: refuse(context, AccessDenied("no"))
    with pytest.raises(Denied):
        await take(async_client, position([]), 1)


async def test_asyncio_gives_up_when_told(exchange: FakeExchange, async_client: AsyncExchangeClient) -> None:
    exchange.stop()
    with pytest.raises(Unavailable):
        await take(async_client, position([], give_up_after_s=0.05), 1)


async def test_asyncio_cancelling_ends_it(
    exchange: FakeExchange, plans: Plans, async_client: AsyncExchangeClient
) -> None:
    silent_once(exchange, plans)
    async with (
        asyncio.timeout(SILENT_AT_MOST_S),
        aclosing(aiter(AsyncSubscription(async_client, position([])))) as events,
    ):
        assert [(await anext(events)).position for _ in range(4)] == [1, 2, 3, 4]
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert plans.cursors == [0]
