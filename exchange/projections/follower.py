"""Follows the events and feeds the read models, in a thread of its own.

Promises: catches up at the start and after the commits it is told of, together where they come close behind
each other, at once where somebody waits; what failed for a moment is tried again; who waits for a position
gets it or is told that it is not there yet.
Source: the design's floors (position and rows in one transaction, rebuildable from position 0).
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from exchange.errors import ExchangeError
from exchange.store.errors import HeadMoved
from exchange.store.ports import look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.projections.database import Database
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

ROWS_PER_BATCH: Final = 500
RETRY_WAIT_S: Final = 1.0
# A catch-up costs the same for one commit as for many: under load they are followed together.
REST_S: Final = 0.25


class ReadModel(Protocol):
    """What a follower feeds."""

    @property
    def database(self) -> Database:
        """Its file."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def topics(self) -> tuple[str, ...]:
        """Which events it is made of."""

    def apply(self, rows: Sequence[Row], after: int, position: int, codec: Codec) -> None:
        """Fold rows and move from one position to another, in one transaction. Raises HeadMoved."""


def catch_up(model: ReadModel, reader: EventReader, codec: Codec) -> int:
    """Bring a read model up to the head of the store; return the position. Raises ExchangeError.

    One that stands behind the newest event is made anew.
    """
    while True:
        # Asked anew each time: it may be rebuilt meanwhile.
        after = model.database.position()
        head, _ = reader.head()
        if after > head:
            # It followed other events, of before a backup came back: it would pass over as many new ones.
            model.database.forget()
            continue
        if after == head:
            return after
        rows, position = look(reader, after, head, ROWS_PER_BATCH, model.topics)
        with suppress(HeadMoved):
            model.apply(rows, after, position, codec)


class Follower:
    """One thread for all read models. `wake` never waits: it may be called from a loop too."""

    def __init__(
        self,
        models: Sequence[ReadModel],
        reader: EventReader,
        codec: Codec,
        on_error: Callable[[ExchangeError], None],
    ) -> None:
        self._models = models
        self._reader = reader
        self._codec = codec
        self._on_error = on_error
        self._woken = threading.Event()
        self._hurried = threading.Event()  # somebody waits: no rest
        self._stopping = False  # written by `stop` only
        self._reached = threading.Condition()
        self._position = 0  # owned by the holder of _reached
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._woken.set()
        self._thread.start()

    def wake(self) -> None:
        """Tell that something was committed."""
        if not self._woken.is_set():
            self._woken.set()

    def stop(self) -> None:
        """Follow what is there, then end."""
        self._stopping = True
        self._woken.set()
        self._hurried.set()
        self._thread.join()

    def wait_for(self, position: int, timeout_s: float) -> bool:
        """Wait until every read model has followed up to a position; False where it has not by then."""
        self._woken.set()
        self._hurried.set()
        with self._reached:
            return self._reached.wait_for(lambda: self._position >= position, timeout_s)

    def _run(self) -> None:
        while not self._stopping:
            self._woken.wait()
            self._woken.clear()
            # Before following: who hurries from here on is heard at the rest.
            self._hurried.clear()
            try:
                self._follow()
            except ExchangeError as error:
                self._on_error(error)
                # Not a sleep of the thread alone: whoever stops or wakes it is heard at once.
                self._woken.wait(RETRY_WAIT_S)
                self._woken.set()
            else:
                self._hurried.wait(REST_S)

    def _follow(self) -> None:
        reached, failed = [], []
        for model in self._models:
            try:
                reached.append(catch_up(model, self._reader, self._codec))
            except ExchangeError as error:
                # What one cannot read holds up none of the others. For a store that is away each would wait:
                # who is told to stop waits once, and the next start goes on from where they stand.
                failed.append(error)
                if self._stopping:
                    break
        if failed:
            raise failed[0]
        with self._reached:
            self._position = min(reached)
            self._reached.notify_all()
