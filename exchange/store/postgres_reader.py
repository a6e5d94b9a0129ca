"""Reads of committed state in PostgreSQL, on connections of their own.

Promises: what one call returns is of one moment, for it is one statement. Safe between threads. A connection
that broke is replaced and the read is made once more: reading twice changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.rows import tuple_row
from psycopg_pool import PoolTimeout

from exchange.errors import StoreUnavailable
from exchange.store import ports
from exchange.store.batch import Heads, Opened, Row, request_name
from exchange.store.ports import ALL_OF_THEM, NEWEST, Extent, Scope, Tail
from exchange.store.postgres import store_errors
from exchange.store.postgres_pool import pool_of

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECTIONS_MAX: Final = 8

_COLUMNS: Final = b"notification_id, originator_id, originator_version, topic, state"
_EVENTS: Final = b"SELECT " + _COLUMNS + b" FROM stored_events "
_HEAD: Final = b"SELECT position, frontier FROM head"
_HEADS: Final = b"""
SELECT h.position, h.frontier, l.first, l.origin, l.former
FROM head h LEFT JOIN logs l ON true ORDER BY l.first"""
# The head stands beside each row, so that both are of one moment; where there are no rows, beside nothing.
_TAIL: Final = (
    b"""
SELECT h.position, e.* FROM head h LEFT JOIN LATERAL (
    SELECT %b FROM stored_events WHERE originator_id = %%b AND originator_version > %%b
    ORDER BY originator_version LIMIT %%b
) e ON true ORDER BY e.originator_version"""
    % _COLUMNS
)
_PAGE_OF_STREAM: Final = (
    _EVENTS
    + b"WHERE originator_id = %b AND originator_version < %b ORDER BY originator_version DESC LIMIT %b"
)
_BETWEEN: Final = b"WHERE notification_id > %b AND notification_id <= %b"
_PAGE: Final = _EVENTS + _BETWEEN + b" ORDER BY notification_id LIMIT %b"
_PAGE_OF_TOPICS: Final = (
    _EVENTS + _BETWEEN + b" AND topic = ANY(%b::text[]) ORDER BY notification_id LIMIT %b"
)
_ROWS_OF_STREAMS: Final = (
    _EVENTS
    + b"WHERE originator_id >= %b AND originator_id < %b AND notification_id > %b ORDER BY notification_id"
)
_LAST_VERSION: Final = b"""
SELECT h.position, (SELECT max(originator_version) FROM stored_events WHERE originator_id = %b) FROM head h"""
_SCOPE: Final = (
    b"SELECT h.position, l.stream FROM head h LEFT JOIN links l ON l.resident = %b ORDER BY l.stream"
)
_ANSWER: Final = b"SELECT content, answer FROM requests WHERE name = %b"
_LEAVES: Final = (
    b"SELECT leaf_index, entry FROM leaves WHERE leaf_index >= %b AND leaf_index < %b ORDER BY leaf_index"
)
_POSITIONS: Final = b"""
SELECT notification_id FROM stored_events
WHERE originator_id = ANY(%b::text[]) AND notification_id <= %b ORDER BY notification_id"""
_ROWS_AT: Final = _EVENTS + b"WHERE notification_id = ANY(%b::bigint[]) ORDER BY notification_id"
_LEAVES_AT: Final = (
    b"SELECT leaf_index, entry FROM leaves WHERE leaf_index = ANY(%b::bigint[]) ORDER BY leaf_index"
)
_EXTENT: Final = b"""
SELECT (SELECT position FROM head),
    (SELECT count(*) FROM stored_events), (SELECT coalesce(max(notification_id), 0) FROM stored_events),
    (SELECT count(*) FROM leaves), (SELECT coalesce(max(leaf_index) + 1, 0) FROM leaves)"""


class PostgresReader:
    """Read-only view of one shard's store."""

    def __init__(self, dsn: str) -> None:
        self._pool = pool_of(dsn, CONNECTIONS_MAX, read_only=True)
        with store_errors():
            self._pool.open()

    def head(self) -> tuple[int, bytes]:
        """Return the last position and the ledger's frontier."""
        ((position, frontier),) = self._all(_HEAD)
        return position, frontier

    def heads(self) -> Heads:
        """Return how far the logs are, the former ones with how they ended."""
        rows = self._all(_HEADS)
        position, frontier, *_ = rows[0]
        return Heads(position, frontier, tuple(Opened(*row[2:]) for row in rows if row[2] is not None))

    def tail(self, stream: str, after_version: int = 0, limit: int = ALL_OF_THEM) -> Tail:
        """Return the events of a stream after a version, oldest first: at most `limit` of them."""
        rows = self._all(_TAIL, stream, after_version, None if limit < 0 else limit)
        return Tail(rows[0][0], [Row(*row[1:]) for row in rows if row[1] is not None])

    def last_version(self, stream: str) -> tuple[int, int]:
        """Return (as of, version) of a stream that need not be folded; version 0 where there is none."""
        ((as_of, version),) = self._all(_LAST_VERSION, stream)
        return as_of, version or 0

    def scope(self, resident: str) -> Scope:
        """Return the streams linked to a resident."""
        rows = self._all(_SCOPE, resident)
        return Scope(rows[0][0], tuple(stream for _, stream in rows if stream is not None))

    def page_of_stream(self, stream: str, before_version: int, limit: int) -> list[Row]:
        """Return at most `limit` events of a stream below a version, newest first."""
        return self._rows(_PAGE_OF_STREAM, stream, before_version, min(limit, ports.ROWS_PER_PAGE_MAX))

    def rows_of_streams(self, prefix: str, after: int) -> list[Row]:
        """Return all events after a position of streams whose ids begin so, oldest first.

        Found by the index of streams: for the few streams that everything is judged by, never for residents'.
        """
        beyond = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return self._rows(_ROWS_OF_STREAMS, prefix, beyond, after)

    def page(self, after: int, limit: int, topics: Sequence[str] = (), until: int = NEWEST) -> list[Row]:
        """Return at most `limit` events after a position, up to another, of the given topics or all."""
        most = min(limit, ports.ROWS_PER_PAGE_MAX)
        if topics:
            return self._rows(_PAGE_OF_TOPICS, after, until, list(topics), most)
        return self._rows(_PAGE, after, until, most)

    def rows_at(self, positions: Sequence[int]) -> list[Row]:
        """Return the events at some positions, oldest first."""
        return self._rows(_ROWS_AT, list(positions))

    def positions(self, streams: Sequence[str], most: int) -> list[int]:
        """Return where the events of some streams stand, up to a position, in order; none is opened."""
        return [row[0] for row in self._all(_POSITIONS, list(streams), most)]

    def leaves_at(self, indexes: Sequence[int]) -> list[tuple[int, bytes]]:
        """Return (leaf index, entry) of some leaves, in order."""
        return self._all(_LEAVES_AT, list(indexes))

    def answer(self, organisation: str, request_id: str) -> tuple[bytes, bytes] | None:
        """Return (content hash, answer) recorded for a request id."""
        found = self._all(_ANSWER, request_name(organisation, request_id))
        return found[0] if found else None

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        """Return leaf entries of [start, stop) in order."""
        return [entry for _, entry in self.leaf_rows(start, stop)]

    def leaf_rows(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        """Return (leaf index, entry) of the leaves that are there in [start, stop), in order."""
        return self._all(_LEAVES, start, stop)

    def extent(self) -> Extent:
        """Count events and leaves. Reads the whole index: for verifying, not for serving."""
        (found,) = self._all(_EXTENT)
        return Extent(*found)

    def ledger_head(self) -> tuple[int, bytes]:
        """Return (size, frontier): the size of the ledger is the last position."""
        return self.head()

    def close(self) -> None:
        """Close every connection; later reads raise StoreUnavailable."""
        self._pool.close()

    def _rows(self, statement: bytes, *values: object) -> list[Row]:
        return [Row(*row) for row in self._all(statement, *values)]

    def _all(self, statement: bytes, *values: object) -> list[Any]:
        try:
            return self._once(statement, values)
        except StoreUnavailable as error:
            cause = error.__cause__
            # Who waited for a connection and got none waited long enough, and would wait twice as long.
            if not isinstance(cause, psycopg.OperationalError) or isinstance(cause, PoolTimeout):
                raise
            # The server went away: whoever holds a broken connection gets another one.
            self._pool.check()
            return self._once(statement, values)

    def _once(self, statement: bytes, values: tuple[object, ...]) -> list[Any]:
        with store_errors(), self._pool.connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=tuple_row)
            return cursor.execute(statement, values, prepare=True).fetchall()
