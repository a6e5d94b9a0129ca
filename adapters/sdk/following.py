"""Follows in a thread of its own and hands over what happened, in order.

`Follower` follows one subscription of a client; `FollowingThread` follows whatever can be followed.
Promises: the cursor comes after everything before it; nothing is handed over twice by one object after its
cursor; an outage is waited out, with growing pauses; what only a person can mend is told again at every
attempt and stops nothing else. At least once: who takes an event remembers that it did. An asyncio adapter
needs none of this: `AsyncSubscription` in a task does the same.
Source: protos/exchange/v1/subscription_service.proto.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from adapters.sdk.errors import SdkError
from adapters.sdk.subscription import Position, Subscription
from exchange.v1.subscription_service_pb2 import PublishedEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.sdk.client import ExchangeClient

WAITING_MAX: Final = 1_000
WAIT_FIRST_MS: Final = 1_000
WAIT_MOST_MS: Final = 60_000
_LOOK_EVERY_S: Final = 0.2
_Told = TypeVar("_Told")
_Gives_co = TypeVar("_Gives_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything up to here was handed over."""

    position: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Following stopped; it begins again after `wait_ms`."""

    error: SdkError | OSError
    attempt: int
    wait_ms: int


Item = PublishedEvent | Cursor | Trouble


class Followed(Protocol[_Gives_co]):
    """What can be followed. Every method raises the SDK's errors."""

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[_Gives_co]:
        """Give what happened after a position, in order, at least once; `keep_cursor` after each batch."""

    def stop_following(self) -> None:
        """End `follow`, from any thread."""


class FollowingThread(Generic[_Told]):
    """A thread that follows; `wake` is set whenever there is something to take."""

    def __init__(self, source: Followed[_Told], cursor: int, wake: threading.Event) -> None:
        self._source: Final = source
        self._wake: Final = wake
        self._cursor = cursor  # owned by the thread
        self._attempt = 0  # owned by the thread
        self._items: Final[queue.Queue[_Told | Cursor | Trouble]] = queue.Queue(WAITING_MAX)
        self._stopped: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was not taken comes again at the next start."""
        self._stopped.set()
        self._source.stop_following()
        self._thread.join(timeout=5.0)

    def taken(self) -> Iterator[_Told | Cursor | Trouble]:
        """Give what came since the last time, without waiting."""
        while True:
            try:
                yield self._items.get_nowait()
            except queue.Empty:
                return

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                for told in self._source.follow(self._cursor, self._keep, until_caught_up=False):
                    self._hand_over(told)
            except (SdkError, OSError) as error:
                self._attempt += 1
                wait_ms = min(WAIT_MOST_MS, WAIT_FIRST_MS << min(self._attempt - 1, 30))
                self._hand_over(Trouble(error, self._attempt, wait_ms))
                self._stopped.wait(wait_ms / 1_000)

    def _keep(self, cursor: int) -> None:
        self._attempt = 0
        self._cursor = cursor
        self._hand_over(Cursor(cursor))

    def _hand_over(self, item: _Told | Cursor | Trouble) -> None:
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=_LOOK_EVERY_S)
            except queue.Full:
                continue
            self._wake.set()
            return


class _Subscribed:
    """One subscription of a client, as something that is followed."""

    def __init__(
        self, client: ExchangeClient, position: Callable[[int, Callable[[int], None]], Position]
    ) -> None:
        self._client: Final = client
        self._position: Final = position
        self._ended: Final = threading.Event()
        self._subscription: Subscription | None = None  # replaced by who follows, closed by any

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[PublishedEvent]:
        """Give events until the end; it never is known here that there are no more."""
        assert not until_caught_up
        subscription = Subscription(self._client, self._position(cursor, keep_cursor))
        self._subscription = subscription
        # Asked after it became known to stop_following(): one of the two sees the other.
        if not self._ended.is_set():
            yield from subscription

    def stop_following(self) -> None:
        """End it, and what is opened after it."""
        self._ended.set()
        subscription = self._subscription
        if subscription is not None:
            subscription.close()


class Follower(FollowingThread[PublishedEvent]):
    """Follows one subscription.

    `position` makes its position from a cursor and from who keeps the next one.
    """

    def __init__(
        self,
        client: ExchangeClient,
        position: Callable[[int, Callable[[int], None]], Position],
        cursor: int,
        wake: threading.Event,
    ) -> None:
        super().__init__(_Subscribed(client, position), cursor, wake)
