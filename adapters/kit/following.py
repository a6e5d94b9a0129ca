"""Follows the plans in a thread of its own and hands over what happened, in order.

Promises: nothing is handed over twice by one object; the cursor comes after everything before it; an outage
is waited out; what can only be mended by a person is told again at every attempt and stops nothing else.
Source: adapters/sdk/subscription.py; protos/exchange/v1/subscription_service.proto (at least once, in order).
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from adapters.kit.journal import wait_before_retry_ms
from adapters.sdk.errors import SdkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAITING_MAX: Final = 1_000
_LOOK_EVERY_S: Final = 0.2


class Happening(Protocol):
    """Something that happened on a plan; what is read of it is the adapter's own."""

    @property
    def position(self) -> int:
        """Return its place in the order of all that happens."""

    @property
    def plan_id(self) -> str:
        """Return of which plan."""


class Followed(Protocol):
    """What can be followed. Every method raises the SDK's errors."""

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[Happening]:
        """Give what happened after a position, in order, at least once; `keep_cursor` after each batch."""

    def stop_following(self) -> None:
        """End `follow`, from any thread."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything up to here was handed over."""

    position: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Following stopped; it begins again after `wait_ms`."""

    error: SdkError
    attempt: int
    wait_ms: int


Item = Happening | Cursor | Trouble


class Follower:
    """A thread that follows; `wake` is set whenever there is something to take."""

    def __init__(self, exchange: Followed, cursor: int, wake: threading.Event) -> None:
        self._exchange: Final = exchange
        self._wake: Final = wake
        self._cursor = cursor  # owned by the thread
        self._attempt = 0  # owned by the thread
        self._items: Final[queue.Queue[Item]] = queue.Queue(WAITING_MAX)
        self._stopped: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was not taken comes again at the next start."""
        self._stopped.set()
        self._exchange.stop_following()
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
            try:
                for happening in self._exchange.follow(self._cursor, self._keep, until_caught_up=False):
                    self._hand_over(happening)
            except SdkError as error:
                self._attempt += 1
                wait_ms = wait_before_retry_ms(self._attempt, 0.0)
                self._hand_over(Trouble(error, self._attempt, wait_ms))
                self._stopped.wait(wait_ms / 1_000)

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
