"""Follows a subscription in a thread of its own and hands over what happened, in order.

Promises: the cursor comes after everything before it; an outage is waited out, with growing pauses; what only
a person can mend is told again at every attempt and stops nothing else. At least once: who takes an event
remembers that it did. An asyncio adapter needs none of this: `AsyncSubscription` in a task does the same.
Source: protos/exchange/v1/subscription_service.proto.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.sdk.errors import SdkError
from adapters.sdk.subscription import Position, Subscription
from exchange.v1.subscription_service_pb2 import PublishedEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.sdk.client import ExchangeClient

WAITING_MAX: Final = 1_000
WAIT_FIRST_S: Final = 1.0
WAIT_MOST_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything up to here was handed over."""

    position: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Following stopped; it begins again after `wait_s`."""

    error: SdkError
    attempt: int
    wait_s: float


Item = PublishedEvent | Cursor | Trouble


class Follower:
    """A thread that follows; `wake` is set whenever there is something to take.

    `position` makes the position of one subscription from a cursor and from who keeps the next one.
    """

    def __init__(
        self,
        client: ExchangeClient,
        position: Callable[[int, Callable[[int], None]], Position],
        cursor: int,
        wake: threading.Event,
    ) -> None:
        self._client: Final = client
        self._position: Final = position
        self._wake: Final = wake
        self._cursor = cursor  # owned by the thread
        self._attempt = 0  # owned by the thread
        self._items: Final[queue.Queue[Item]] = queue.Queue(WAITING_MAX)
        self._stopped: Final = threading.Event()
        self._subscription: Subscription | None = None  # replaced by the thread, closed by any
        self._thread: Final = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was not taken comes again at the next start."""
        self._stopped.set()
        subscription = self._subscription
        if subscription is not None:
            subscription.close()
        self._thread.join(timeout=5.0)

    def taken(self) -> Iterator[Item]:
        """Give what came since the last time, without waiting."""
        while True:
            try:
                yield self._items.get_nowait()
            except queue.Empty:
                return

    def _run(self) -> None:
        while not self._stopped.is_set():
            subscription = Subscription(self._client, self._position(self._cursor, self._keep))
            self._subscription = subscription
            try:
                # Asked after it became known to stop(): one of the two sees the other.
                if not self._stopped.is_set():
                    for event in subscription:
                        self._hand_over(event)
            except SdkError as error:
                self._attempt += 1
                wait_s = min(WAIT_MOST_S, WAIT_FIRST_S * 2.0 ** min(self._attempt - 1, 30))
                self._hand_over(Trouble(error, self._attempt, wait_s))
                self._stopped.wait(wait_s)

    def _keep(self, cursor: int) -> None:
        self._attempt = 0
        self._cursor = cursor
        self._hand_over(Cursor(cursor))

    def _hand_over(self, item: Item) -> None:
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=_LOOK_EVERY_S)
            except queue.Full:
                continue
            self._wake.set()
            return
