"""A thread that follows: in order, the cursor last, trouble told, an end from any side."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from adapters.sdk import following
from adapters.sdk.calls import claim
from adapters.sdk.errors import Denied
from adapters.sdk.following import Cursor, Follower, Item, Trouble
from adapters.sdk.subscription import Position
from exchange.errors import AccessDenied
from exchange.v1.common_pb2 import PURPOSE_WMO_AFSTEMMING
from exchange.v1.subscription_service_pb2 import PublishedEvent, SubscribeResponse
from tests.sdk.exchange_fake import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import grpc

    from adapters.sdk.client import ExchangeClient
    from exchange.v1.subscription_service_pb2 import SubscribeRequest
    from tests.sdk.exchange_fake import FakeExchange

CLAIM = claim(PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4")
WAIT_S = 60.0


class Feed:
    """Gives what comes after the cursor, two events a batch, then waits for the end."""

    def __init__(self, exchange: FakeExchange, last: int) -> None:
        self.cursors: list[int] = []
        self.refuses = False
        self._exchange, self._last = exchange, last
        exchange.on("Subscribe", self._subscribe)

    def _subscribe(
        self, request: SubscribeRequest, context: grpc.ServicerContext
    ) -> Iterator[SubscribeResponse]:
        self.cursors.append(request.cursor)
        if self.refuses:
            refuse(context, AccessDenied("no", rules=("R03",), decision_id="0" * 32, remedies=("x",)))
        for first in range(request.cursor + 1, self._last + 1, 2):
            events = [PublishedEvent(position=position) for position in (first, first + 1)]
            yield SubscribeResponse(events=events, cursor=first + 1)
        while context.is_active() and not self._exchange.stopping.wait(0.02):
            pass


@pytest.fixture
def follow(client: ExchangeClient) -> Iterator[Callable[[int], tuple[Follower, threading.Event]]]:
    made: list[Follower] = []

    def start(cursor: int) -> tuple[Follower, threading.Event]:
        wake = threading.Event()
        follower = Follower(
            client, lambda after, keep: Position(CLAIM, ["goals.own_words"], after, keep), cursor, wake
        )
        made.append(follower)
        follower.start()
        return follower, wake

    yield start
    for one in made:
        one.stop()


def taken(follower: Follower, wake: threading.Event, count: int) -> list[Item]:
    found: list[Item] = []
    while len(found) < count:
        assert wake.wait(WAIT_S)
        wake.clear()
        found += follower.taken()
    return found


def told(items: list[Item]) -> list[object]:
    return [one.position if isinstance(one, PublishedEvent) else one for one in items]


def test_the_cursor_comes_after_what_is_before_it(
    exchange: FakeExchange, follow: Callable[[int], tuple[Follower, threading.Event]]
) -> None:
    feed = Feed(exchange, 4)
    items = taken(*follow(0), 6)
    assert told(items) == [1, 2, Cursor(2), 3, 4, Cursor(4)]
    assert feed.cursors == [0]


def test_it_goes_on_after_a_cursor(
    exchange: FakeExchange, follow: Callable[[int], tuple[Follower, threading.Event]]
) -> None:
    Feed(exchange, 4)
    assert told(taken(*follow(2), 3)) == [3, 4, Cursor(4)]


def test_a_refusal_is_told_and_asked_again(
    exchange: FakeExchange,
    follow: Callable[[int], tuple[Follower, threading.Event]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "WAIT_FIRST_MS", 1)
    feed = Feed(exchange, 2)
    feed.refuses = True
    follower, wake = follow(0)
    first, second = taken(follower, wake, 2)[:2]
    assert isinstance(first, Trouble)
    assert isinstance(second, Trouble)
    assert isinstance(first.error, Denied)
    assert (first.attempt, second.attempt, second.wait_ms) == (1, 2, 2 * first.wait_ms)
    feed.refuses = False
    found: list[object] = []
    while Cursor(2) not in found:
        found += told(taken(follower, wake, 1))
    assert found[-3:] == [1, 2, Cursor(2)]


def test_it_ends_while_nothing_happens(
    exchange: FakeExchange, follow: Callable[[int], tuple[Follower, threading.Event]]
) -> None:
    Feed(exchange, 2)
    follower, wake = follow(0)
    taken(follower, wake, 3)
    follower.stop()
    assert not follower._thread.is_alive()
