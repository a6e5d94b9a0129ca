"""Reads of committed state on connections of their own, so that readers never queue behind the writer.

Promises: what one call returns is of one moment (one read transaction). Safe between threads: a connection
each, closed together.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from exchange.store import ports
from exchange.store.batch import Heads, Opened, Row, request_name
from exchange.store.ports import ALL_OF_THEM, NEWEST, Extent, Scope, Tail
from exchange.store.sqlite import LOCK_TIMEOUT_S, store_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


# SQLite would keep two megabytes for each thread that ever reads. It holds the upper pages of each tree;
# those below are other ones each time, and the system has them.
CACHE_KIB: Final = 256
# As `Row._make`, without a call of Python for each row of a fold.
_row: Final[Callable[[tuple[int, str, int, str, bytes]], Row]] = partial(tuple.__new__, Row)
_HEAD: Final = "SELECT position, frontier FROM head WHERE one = 1"
_HAS_LOGS: Final = "SELECT 1 FROM sqlite_schema WHERE name = 'logs'"
_OPENED: Final = "SELECT first, origin, former FROM logs ORDER BY first"
_OF_STREAM: Final = """
SELECT position, ?1, version, topic, state FROM stored_events
WHERE stream = (SELECT number FROM streams WHERE name = ?1)"""
_TAIL: Final = f"{_OF_STREAM} AND version > ?2 ORDER BY version LIMIT ?3"
_PAGE_OF_STREAM: Final = f"{_OF_STREAM} AND version < ?2 ORDER BY version DESC LIMIT ?3"
_ALL: Final = """
SELECT position, name, version, topic, state FROM stored_events JOIN streams ON number = stream
WHERE position > ? AND position <= ?"""
_PAGE: Final = f"{_ALL} ORDER BY position LIMIT ?"
_OF_TOPICS: Final = "AND topic IN (SELECT value FROM json_each(?))"
_PAGE_OF_TOPICS: Final = f"{_ALL} {_OF_TOPICS} ORDER BY position LIMIT ?"
# Streams first, whatever their number: by position every event would be looked at.
_ROWS_OF_STREAMS: Final = """
SELECT position, name, version, topic, state FROM streams CROSS JOIN stored_events ON stream = number
WHERE name >= ? AND name < ? AND position > ? ORDER BY position"""
_LAST_VERSION: Final = """
SELECT max(version) FROM stored_events WHERE stream = (SELECT number FROM streams WHERE name = ?)"""
_SCOPE: Final = "SELECT stream FROM links WHERE resident = ? ORDER BY stream"
_ANSWER: Final = "SELECT content, answer FROM requests WHERE name = ?"
_LEAVES: Final = """
SELECT leaf_index, entry FROM leaves WHERE leaf_index >= ? AND leaf_index < ? ORDER BY leaf_index"""
_POSITIONS: Final = """
SELECT position FROM stored_events
WHERE stream IN (SELECT number FROM streams WHERE name IN (SELECT value FROM json_each(?1)))
    AND position <= ?2 ORDER BY position"""
_ROWS_AT: Final = """
SELECT position, name, version, topic, state FROM stored_events JOIN streams ON number = stream
WHERE position IN (SELECT value FROM json_each(?)) ORDER BY position"""
_LEAVES_AT: Final = """
SELECT leaf_index, entry FROM leaves WHERE leaf_index IN (SELECT value FROM json_each(?))
ORDER BY leaf_index"""
_EXTENT: Final = """
SELECT (SELECT position FROM head WHERE one = 1),
    (SELECT count(*) FROM stored_events), (SELECT coalesce(max(position), 0) FROM stored_events),
    (SELECT count(*) FROM leaves), (SELECT coalesce(max(leaf_index) + 1, 0) FROM leaves)"""


class SQLiteReader:
    """Read-only view of one shard's store."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: list[sqlite3.Connection] = []  # owned by the holder of _lock

    def head(self) -> tuple[int, bytes]:
        """Return the last position and the ledger's frontier."""
        with self._moment() as c:
            position, frontier = c.execute(_HEAD).fetchone()
            return position, frontier

    def heads(self) -> Heads:
        """Return how far the logs are, the former ones with how they ended."""
        with self._moment() as c:
            position, frontier = c.execute(_HEAD).fetchone()
            # A store that no service of this version has opened yet has one log, and no table of others.
            opened = c.execute(_OPENED).fetchall() if c.execute(_HAS_LOGS).fetchone() else []
            return Heads(position, frontier, tuple(map(Opened._make, opened)))

    def tail(self, stream: str, after_version: int = 0, limit: int = ALL_OF_THEM) -> Tail:
        """Return the events of a stream after a version, oldest first: at most `limit` of them."""
        with self._moment() as c:
            rows = c.execute(_TAIL, (stream, after_version, limit)).fetchall()
            return Tail(_position(c), [*map(_row, rows)])

    def last_version(self, stream: str) -> tuple[int, int]:
        """Return (as of, version) of a stream that need not be folded; version 0 where there is none."""
        with self._moment() as c:
            row = c.execute(_LAST_VERSION, (stream,)).fetchone()
            return _position(c), row[0] or 0

    def scope(self, resident: str) -> Scope:
        """Return the streams linked to a resident."""
        with self._moment() as c:
            rows = c.execute(_SCOPE, (resident,)).fetchall()
            return Scope(_position(c), tuple(row[0] for row in rows))

    def page_of_stream(self, stream: str, before_version: int, limit: int) -> list[Row]:
        """Return at most `limit` events of a stream below a version, newest first."""
        with self._moment() as c:
            rows = c.execute(_PAGE_OF_STREAM, (stream, before_version, min(limit, ports.ROWS_PER_PAGE_MAX)))
            return [Row(*row) for row in rows]

    def rows_of_streams(self, prefix: str, after: int) -> list[Row]:
        """Return all events after a position of streams whose ids begin so, oldest first.

        Found by the index of streams: for the few streams that everything is judged by, never for residents'.
        """
        beyond = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        with self._moment() as c:
            return [Row(*row) for row in c.execute(_ROWS_OF_STREAMS, (prefix, beyond, after))]

    def page(self, after: int, limit: int, topics: Sequence[str] = (), until: int = NEWEST) -> list[Row]:
        """Return at most `limit` events after a position, up to another, of the given topics or all."""
        most = min(limit, ports.ROWS_PER_PAGE_MAX)
        with self._moment() as c:
            if topics:
                rows = c.execute(_PAGE_OF_TOPICS, (after, until, json.dumps(list(topics)), most))
            else:
                rows = c.execute(_PAGE, (after, until, most))
            return [Row(*row) for row in rows]

    def rows_at(self, positions: Sequence[int]) -> list[Row]:
        """Return the events at some positions, oldest first."""
        with self._moment() as c:
            return [Row(*row) for row in c.execute(_ROWS_AT, (json.dumps(list(positions)),))]

    def positions(self, streams: Sequence[str], most: int) -> list[int]:
        """Return where the events of some streams stand, up to a position, in order; none is opened."""
        with self._moment() as c:
            return [row[0] for row in c.execute(_POSITIONS, (json.dumps(list(streams)), most))]

    def leaves_at(self, indexes: Sequence[int]) -> list[tuple[int, bytes]]:
        """Return (leaf index, entry) of some leaves, in order."""
        with self._moment() as c:
            return c.execute(_LEAVES_AT, (json.dumps(list(indexes)),)).fetchall()

    def answer(self, organisation: str, request_id: str) -> tuple[bytes, bytes] | None:
        """Return (content hash, answer) recorded for a request id."""
        with self._moment() as c:
            row: tuple[bytes, bytes] | None = c.execute(
                _ANSWER, (request_name(organisation, request_id),)
            ).fetchone()
            return row

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        """Return leaf entries of [start, stop) in order."""
        return [entry for _, entry in self.leaf_rows(start, stop)]

    def leaf_rows(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        """Return (leaf index, entry) of the leaves that are there in [start, stop), in order."""
        with self._moment() as c:
            return c.execute(_LEAVES, (start, stop)).fetchall()

    def extent(self) -> Extent:
        """Count events and leaves. Reads the whole index: for verifying, not for serving."""
        with self._moment() as c:
            return Extent(*c.execute(_EXTENT).fetchone())

    def ledger_head(self) -> tuple[int, bytes]:
        """Return (size, frontier): the size of the ledger is the last position."""
        return self.head()

    def close(self) -> None:
        """Close every connection; later reads raise StoreUnavailable."""
        with self._lock:
            for connection in self._all:
                connection.close()

    @contextmanager
    def _moment(self) -> Iterator[sqlite3.Connection]:
        with store_errors():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro",
                uri=True,
                check_same_thread=False,
                isolation_level=None,
                timeout=LOCK_TIMEOUT_S,
            )
            try:
                connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            except BaseException:
                connection.close()
                raise
            self._local.connection = connection
            with self._lock:
                self._all.append(connection)
        return connection


def _position(c: sqlite3.Connection) -> int:
    position: int = c.execute(_HEAD).fetchone()[0]
    return position
