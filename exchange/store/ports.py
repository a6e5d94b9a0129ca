"""What any event store does: one commit for a group, and reads of one moment.

Promises: both stores pass the same tests (tests/store), which hold each to what is said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from exchange.store.batch import Batch, Heads, Row

ROWS_PER_PAGE_MAX: Final = 10_000
ALL_OF_THEM: Final = -1
NEWEST: Final = 2**62  # beyond every position
# Some 20 ms of reading: who looks for few among many gives way to others so often.
POSITIONS_PER_LOOK: Final = 50_000


class Extent(NamedTuple):
    """What is counted and what is there, of one moment. Without gaps and extras all five are equal."""

    position: int
    events: int
    last_event: int
    leaves: int
    last_leaf: int


class Scope(NamedTuple):
    """Streams of one resident as of a position."""

    as_of: int
    streams: tuple[str, ...]


class Tail(NamedTuple):
    """Events of one stream after a version, as of a position."""

    as_of: int
    rows: list[Row]


class EventRecorder(Protocol):
    """Writes one shard's store. Owned by the writer thread."""

    def commit(self, batch: Batch) -> None:
        """Commit a group, or nothing of it.

        Raises HeadMoved, Taken (a version or request id exists), StoreFull or StoreUnavailable. After
        StoreUnavailable the outcome can be either: compare the head before going on.
        """

    def turn(self) -> AbstractContextManager[None]:
        """Let no other node commit meanwhile, where the store can: for who was overtaken again and again.

        One commit is made in it. Safety is the head check's, here as everywhere.
        """

    def settle(self, position: int | None = None) -> None:
        """Return when what was read up to a position, or all there is, is as lasting as what is acknowledged.

        What is under way when it is called has ended when it returns. Raises StoreUnavailable: then what was
        read may still be lost. Called by any thread.
        """

    def close(self) -> None:
        """Close every connection; later commits raise StoreUnavailable."""


class EventReader(Protocol):
    """Reads one shard's store. Safe between threads. Every call raises StoreUnavailable when it cannot."""

    def head(self) -> tuple[int, bytes]:
        """Return the last position and the ledger's frontier."""

    def heads(self) -> Heads:
        """Return how far the logs are, the former ones with how they ended."""

    def tail(self, stream: str, after_version: int = 0, limit: int = ALL_OF_THEM) -> Tail:
        """Return the events of a stream after a version, oldest first: at most `limit` of them."""

    def last_version(self, stream: str) -> tuple[int, int]:
        """Return (as of, version) of a stream that need not be folded; version 0 where there is none."""

    def scope(self, resident: str) -> Scope:
        """Return the streams linked to a resident."""

    def page_of_stream(self, stream: str, before_version: int, limit: int) -> list[Row]:
        """Return at most `limit` events of a stream below a version, newest first."""

    def rows_of_streams(self, prefix: str, after: int) -> list[Row]:
        """Return all events after a position of streams whose ids begin so, oldest first.

        Found by the index of streams: for the few streams that everything is judged by, never for residents'.
        """

    def page(self, after: int, limit: int, topics: Sequence[str] = (), until: int = NEWEST) -> list[Row]:
        """Return at most `limit` events after a position, oldest first, of the given topics or all.

        None after `until`. No index knows topics: few among many are looked for through all, or by `look`.
        """

    def rows_at(self, positions: Sequence[int]) -> list[Row]:
        """Return the events at some positions, oldest first."""

    def positions(self, streams: Sequence[str], most: int) -> list[int]:
        """Return where the events of some streams stand, up to a position, in order; none is opened."""

    def leaves_at(self, indexes: Sequence[int]) -> list[tuple[int, bytes]]:
        """Return (leaf index, entry) of some leaves, in order."""

    def answer(self, organisation: str, request_id: str) -> tuple[bytes, bytes] | None:
        """Return (content hash, answer) recorded for a request id."""

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        """Return leaf entries of [start, stop) in order."""

    def leaf_rows(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        """Return (leaf index, entry) of the leaves that are there in [start, stop), in order."""

    def extent(self) -> Extent:
        """Count events and leaves. Reads the whole index: for verifying, not for serving."""

    def ledger_head(self) -> tuple[int, bytes]:
        """Return (size, frontier): the size of the ledger is the last position."""

    def close(self) -> None:
        """Close every connection; later reads raise StoreUnavailable."""


class Found(NamedTuple):
    """Events of some topics after a place, oldest first, and up to where there are no others."""

    rows: list[Row]
    place: int


def look(reader: EventReader, after: int, until: int, limit: int, topics: Sequence[str]) -> Found:
    """Look once for at most `limit` events of these topics, at `POSITIONS_PER_LOOK` positions at most.

    Whoever finds its place before `until` looks on from there. Raises StoreUnavailable.
    """
    end = min(until, after + POSITIONS_PER_LOOK)
    rows = reader.page(after, limit, topics, end)
    return Found(rows, rows[-1].position if len(rows) == limit else max(after, end))
