"""Following by name: acknowledged after it was taken, held back until it is parked, read anew each time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.calls import claim
from adapters.sdk.delivery import AsyncNamedFollower, NamedFollower
from adapters.sdk.errors import ReceiptRefused, RuleBroken
from adapters.sdk.named import KEEPING, CannotTakeError, Named
from adapters.sdk.patience import Patience
from exchange.errors import Draining
from exchange.errors import RuleBroken as Broken
from exchange.v1 import subscription_service_pb2 as sub
from exchange.v1.common_pb2 import PURPOSE_WMO_LEVERING, Receipt
from tests.sdk.exchange_fake import refuse

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from concurrent.futures import Future

    import grpc

    from adapters.sdk.client import ExchangeClient
    from tests.sdk.exchange_fake import FakeExchange

CLAIM = claim(PURPOSE_WMO_LEVERING, "WMO-5.2.1-2a")
NAMED = Named("ecd", CLAIM, ("supports.state",), "11111111-1111-4111-8111-111111111111")
SOON = Patience(attempts_max=2**31, wait_first_s=0.001, wait_max_s=0.01)
WAIT_S = 60
DEFECT = sub.FAILURE_REASON_DEFECT


def event(position: int) -> sub.PublishedEvent:
    return sub.PublishedEvent(event_id=f"e{position}", position=position)


class Exchange:
    """The exchange's side of one subscription: events 1 to `last`, two a batch; five attempts."""

    def __init__(self, fake: FakeExchange, last: int) -> None:
        self.last = last
        self.cursor = 0
        self.attempts: dict[str, int] = {}
        self.parked: dict[str, int] = {}
        self.readable = True
        self.done = threading.Event()
        self.requests = fake.requests
        for name in ("subscribe", "acknowledge_events", "report_failed_event", "list_subscriptions"):
            fake.on("".join(word.capitalize() for word in name.split("_")), getattr(self, name))
        fake.on("GetParkedEvent", self.get_parked_event)
        fake.on("CreateSubscription", lambda _request, _context: sub.CreateSubscriptionResponse())

    def subscribe(
        self, request: sub.SubscribeRequest, context: grpc.ServicerContext
    ) -> Iterator[sub.SubscribeResponse]:
        start = max(request.cursor, self.cursor)
        for first in range(start + 1, self.last + 1, 2):
            events = [event(position) for position in (first, first + 1) if position <= self.last]
            cursor = events[-1].position
            yield sub.SubscribeResponse(events=events, cursor=cursor, told_token=f"t{cursor}")
        yield sub.SubscribeResponse(cursor=max(start, self.last), told_token=f"t{self.last}")
        if context.is_active() and max(self.cursor, start) >= self.last:
            self.done.set()
        error = Draining("stopping")
        error.retry_after_ms = 1
        refuse(context, error)

    def acknowledge_events(
        self, request: sub.AcknowledgeEventsRequest, _context: object
    ) -> sub.AcknowledgeEventsResponse:
        assert request.cursor <= int(request.told_token.removeprefix("t") or 0)
        self.cursor = max(self.cursor, request.cursor)
        for settled in request.settled_event_ids:
            del self.parked[settled]
        return sub.AcknowledgeEventsResponse(cursor=self.cursor)

    def report_failed_event(
        self, request: sub.ReportFailedEventRequest, _context: object
    ) -> sub.ReportFailedEventResponse:
        name = request.event_id
        self.attempts[name] = self.attempts.get(name, 0) + 1
        if request.park or self.attempts[name] >= 5:
            self.parked[name] = request.position
        return sub.ReportFailedEventResponse(parked=name in self.parked, attempts=self.attempts[name])

    def list_subscriptions(
        self, request: sub.ListSubscriptionsRequest, _context: object
    ) -> sub.ListSubscriptionsResponse:
        if not request.page_token:
            other = sub.Subscription(subscription_id="ander", parked=[sub.ParkedEvent(event_id="x")])
            return sub.ListSubscriptionsResponse(subscriptions=[other], next_page_token="more")
        parked = [sub.ParkedEvent(event_id=name, position=at) for name, at in self.parked.items()]
        mine = sub.Subscription(subscription_id="ecd", parked=parked)
        return sub.ListSubscriptionsResponse(subscriptions=[mine])

    def get_parked_event(
        self, request: sub.GetParkedEventRequest, _context: object
    ) -> sub.GetParkedEventResponse:
        if not self.readable:
            return sub.GetParkedEventResponse()
        return sub.GetParkedEventResponse(event=event(self.parked[request.event_id]))


class Books:
    """What was taken; `fails` says of a position how often it cannot be taken first, and how."""

    def __init__(self, **fails: tuple[int, bool]) -> None:
        self.taken: list[int] = []
        self.fails = {int(name.removeprefix("e")): how for name, how in fails.items()}

    def take(self, one: sub.PublishedEvent) -> None:
        left, park = self.fails.get(one.position, (0, False))
        if left:
            self.fails[one.position] = (left - 1, park)
            raise CannotTakeError(DEFECT, park=park)
        self.taken.append(one.position)


class Awaited:
    """The asyncio follower as the blocking one is used: in a loop of a thread of its own."""

    def __init__(self, client: ExchangeClient, take: Callable[[sub.PublishedEvent], None]) -> None:
        self._like = client
        self._take = take
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client, self._follower = self._here(self._opened())
        self._running: Future[None] | None = None

    async def _opened(self) -> tuple[AsyncExchangeClient, AsyncNamedFollower]:
        line = self._like._connection.current[0]
        made = AsyncExchangeClient(line.target, line.credentials, self._like._person)

        async def take(one: sub.PublishedEvent) -> None:
            await asyncio.sleep(0)
            self._take(one)

        return made, AsyncNamedFollower(made, NAMED, take, patience=SOON, acknowledge_every_s=0.0)

    def _here(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 -- whatever it gives
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    def run(self) -> None:
        self._running = asyncio.run_coroutine_threadsafe(self._follower.run(), self._loop)
        with suppress(CancelledError):
            self._running.result()

    def close(self) -> None:
        assert self._running is not None
        self._running.cancel()

    def create(self, *, begin_cursor: int = 0) -> None:
        self._here(self._follower.create(begin_cursor=begin_cursor))

    def parked(self) -> Iterator[sub.ParkedEvent]:
        return iter(self._here(self._follower.parked()))

    def take_parked(self) -> int:
        return int(self._here(self._follower.take_parked()))

    def end(self) -> None:
        self._here(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()


Follow = Callable[[Callable[[sub.PublishedEvent], None]], "NamedFollower | Awaited"]


@pytest.fixture(params=["blocking", "asyncio"])
def follower(request: pytest.FixtureRequest, client: ExchangeClient) -> Iterator[Follow]:
    """Make a follower, of either kind."""
    made: list[Awaited] = []

    def blocking(take: Callable[[sub.PublishedEvent], None]) -> NamedFollower:
        return NamedFollower(client, NAMED, take, patience=SOON, acknowledge_every_s=0.0)

    def awaited(take: Callable[[sub.PublishedEvent], None]) -> Awaited:
        made.append(Awaited(client, take))
        return made[-1]

    yield blocking if request.param == "blocking" else awaited
    for one in made:
        one.end()


def followed(there: Exchange, follower: Follow, books: Books) -> NamedFollower | Awaited:
    """Follow until everything was told and acknowledged."""
    one = follower(books.take)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        assert there.done.wait(WAIT_S)
    finally:
        one.close()
        thread.join(WAIT_S)
    assert not thread.is_alive()
    return one


def test_events_are_taken_in_order_and_acknowledged_after(exchange: FakeExchange, follower: Follow) -> None:
    there, books = Exchange(exchange, 5), Books()
    followed(there, follower, books)
    assert books.taken == [1, 2, 3, 4, 5]
    assert there.cursor == 5
    first = there.requests["Subscribe"][0]
    assert (first.subscription_id, first.household_plan_id) == ("ecd", NAMED.household_plan_id)
    assert there.requests["AcknowledgeEvents"][0].claim == KEEPING
    assert [one.cursor for one in there.requests["AcknowledgeEvents"]][:2] == [2, 4]


def test_what_fails_holds_back_what_comes_after_and_is_read_anew(
    exchange: FakeExchange, follower: Follow
) -> None:
    there, books = Exchange(exchange, 5), Books(e2=(3, False))
    followed(there, follower, books)
    assert books.taken == [1, 2, 3, 4, 5]
    assert there.attempts == {"e2": 3}
    # Each attempt is a stream of its own that begins before it: nothing of it was kept here.
    assert [one.cursor for one in there.requests["Subscribe"]][:4] == [0, 1, 1, 1]


def test_what_cannot_be_taken_is_parked_and_the_rest_goes_on(
    exchange: FakeExchange, follower: Follow
) -> None:
    there, books = Exchange(exchange, 4), Books(e2=(99, False), e3=(99, True))
    followed(there, follower, books)
    assert books.taken == [1, 4]
    assert there.attempts == {"e2": 5, "e3": 1}
    assert there.parked == {"e2": 2, "e3": 3}
    assert there.cursor == 4


def test_what_is_parked_is_fetched_and_settled(exchange: FakeExchange, follower: Follow) -> None:
    there, books = Exchange(exchange, 4), Books(e2=(2, True), e3=(1, True))
    one = followed(there, follower, books)
    assert [letter.event_id for letter in one.parked()] == ["e2", "e3"]
    assert one.take_parked() == 1
    assert there.parked == {"e2": 2}
    assert one.take_parked() == 1
    assert sorted(books.taken) == [1, 2, 3, 4]
    assert one.take_parked() == 0


def test_what_may_be_told_no_more_is_settled_and_never_taken(
    exchange: FakeExchange, follower: Follow
) -> None:
    there, books = Exchange(exchange, 2), Books(e2=(1, True))
    one = followed(there, follower, books)
    there.readable = False
    assert one.take_parked() == 1
    assert books.taken == [1]
    assert there.parked == {}


def test_what_breaks_in_who_takes_ends_the_follower_and_acknowledges_nothing(
    exchange: FakeExchange, follower: Follow
) -> None:
    there = Exchange(exchange, 4)

    def breaks(one: sub.PublishedEvent) -> None:
        raise ZeroDivisionError(one.position)

    with pytest.raises(ZeroDivisionError, match="1"):
        follower(breaks).run()
    assert (there.cursor, there.attempts) == (0, {})


def test_it_is_named_with_its_question(exchange: FakeExchange, follower: Follow) -> None:
    there = Exchange(exchange, 0)
    follower(Books().take).create(begin_cursor=7)
    (request,) = there.requests["CreateSubscription"]
    assert (request.subscribed_purpose, request.subscribed_legal_basis) == (
        CLAIM.purpose,
        CLAIM.legal_basis,
    )
    assert (list(request.paths), request.begin_cursor, request.claim) == (["supports.state"], 7, KEEPING)


def test_an_acknowledgement_that_is_lost_is_said_again(exchange: FakeExchange, follower: Follow) -> None:
    there, books = Exchange(exchange, 2), Books()
    lost: list[Any] = []

    def losing(request: Any, context: grpc.ServicerContext) -> sub.AcknowledgeEventsResponse:  # noqa: ANN401 -- AcknowledgeEventsRequest
        if len(lost) < 3:
            lost.append(request)
            error = Draining("stopping")
            error.retry_after_ms = 1
            refuse(context, error)
        return there.acknowledge_events(request, context)

    exchange.on("AcknowledgeEvents", losing)
    followed(there, follower, books)
    assert there.cursor == 2
    assert books.taken == [1, 2]


def test_an_exchange_that_is_away_when_a_failure_is_told_ends_no_follower(
    exchange: FakeExchange, follower: Follow
) -> None:
    there, books = Exchange(exchange, 3), Books(e2=(99, False))
    away: list[str] = []

    def leaving(request: Any, context: grpc.ServicerContext) -> sub.ReportFailedEventResponse:  # noqa: ANN401 -- ReportFailedEventRequest
        # Longer than one call is tried again.
        if len(away) < 12:
            away.append(request.event_id)
            error = Draining("stopping")
            error.retry_after_ms = 1
            refuse(context, error)
        return there.report_failed_event(request, context)

    exchange.on("ReportFailedEvent", leaving)
    followed(there, follower, books)
    assert (books.taken, there.parked, there.cursor) == ([1, 3], {"e2": 2}, 3)
    assert set(away) == {"e2"}


def test_a_subscription_that_is_no_more_ends_the_follower(exchange: FakeExchange, follower: Follow) -> None:
    def gone(_request: object, context: grpc.ServicerContext) -> Iterator[sub.SubscribeResponse]:
        yield from ()
        refuse(context, Broken("you have no subscription of this name", rule="NO_SUCH_SUBSCRIPTION"))

    exchange.on("Subscribe", gone)
    with pytest.raises(RuleBroken):
        follower(Books().take).run()


def test_only_an_acknowledgement_may_come_back_without_a_receipt(
    exchange: FakeExchange, client: ExchangeClient
) -> None:
    exchange.on("AcknowledgeEvents", lambda _request, _context: sub.AcknowledgeEventsResponse(cursor=3))
    asked: dict[str, Any] = {"claim": KEEPING, "subscription_id": "ecd"}
    assert client.subscription.acknowledge_events(**asked, cursor=4).cursor == 3
    forged = sub.AcknowledgeEventsResponse(receipt=Receipt(leaf_entry=b"of somebody else"))
    exchange.on("AcknowledgeEvents", lambda _request, _context: forged)
    with pytest.raises(ReceiptRefused):
        client.subscription.acknowledge_events(**asked, cursor=4)
