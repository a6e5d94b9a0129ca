"""SQLite recorder: one transaction for a group's head check, events, leaves, request ids and links.

Promises: WAL with synchronous=FULL, so an acknowledged group survives power loss; the group is refused whole
when the head moved, a version or a request id is taken. Source: sqlite.org/wal.html, pragma.html#synchronous;
`eventsourcing` 9.5 recorders (persistence hooks).
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Final

from eventsourcing.persistence import ConnectionPoolClosedError, IntegrityError, PersistenceError
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteDatastore,
)

from exchange.errors import HistoryUnreadable, StoreFull, StoreUnavailable
from exchange.store.errors import HeadMoved, Taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteCursor

    from exchange.store.batch import Batch

SCHEMA_VERSION: Final = 2
CHECKPOINT_PAGES: Final = 10_000
LOCK_TIMEOUT_S: Final = 5
STATEMENTS_KEPT: Final = 128
FULL_MARKS: Final = ("disk is full", "disk I/O error")
EMPTY_FRONTIER: Final = (0).to_bytes(8, "big")
NOTIFICATIONS: Final = "notifications"
NUMBERS_KEPT_MAX: Final = 100_000
# The row id is our own position, so that notifications have no gaps. Streams are numbered: an index over
# numbers is a fifth of one over names, and every commit writes pages of it for each stream it touches.
TABLES: Final = (
    "CREATE TABLE streams (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE stored_events (
        position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, version INTEGER NOT NULL,
        topic TEXT NOT NULL, state BLOB NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX stored_events_stream ON stored_events (stream, version)",
    # The library's own names: what it reads, it reads here.
    """CREATE VIEW notifications AS
        SELECT position AS rowid, name AS originator_id, version AS originator_version, topic, state
        FROM stored_events JOIN streams ON number = stream""",
    "CREATE TABLE leaves (leaf_index INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT",
    """CREATE TABLE requests (
        number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, content BLOB NOT NULL, answer BLOB NOT NULL
    ) STRICT""",
    "CREATE TABLE links (resident TEXT, stream TEXT, PRIMARY KEY (resident, stream)) STRICT, WITHOUT ROWID",
    """CREATE TABLE head (
        one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, frontier BLOB NOT NULL
    ) STRICT""",
    "CREATE TABLE schema_version (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL) STRICT",
)
# Columns by name: the row id alias and the extra column must not depend on their order.
_EVENTS: Final = "INSERT INTO stored_events (position, stream, version, topic, state) VALUES "
_LEAVES: Final = "INSERT OR ROLLBACK INTO leaves (leaf_index, entry) VALUES "
_REQUESTS: Final = "INSERT OR ROLLBACK INTO requests (name, content, answer) VALUES "
_LINKS: Final = "INSERT OR IGNORE INTO links (resident, stream) VALUES "
# Rows of one statement: powers of two, so that every size of group is made of a few statements kept prepared.
_STEPS: Final = tuple(1 << power for power in range(7, -1, -1))


def insert_rows(c: SQLiteCursor, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows, up to 128 in one statement.

    Python's lock is given back and asked again at every step of a statement; with a step for each row, a
    group's commit waited for the event loop hundreds of times.
    """
    start = 0
    for count in _STEPS:
        while len(rows) - start >= count:
            some = rows[start : start + count]
            c.execute(_statement(statement, len(some[0]), count), tuple(chain.from_iterable(some)))
            start += count


@cache
def _statement(statement: str, columns: int, count: int) -> str:
    row = f"({','.join('?' * columns)})"
    return statement + ",".join([row] * count)


class FullSyncPool(SQLiteConnectionPool):
    """Connections that flush every commit to the disk before it is acknowledged.

    Made here and not by the library, whose connections keep one prepared statement (it gives `True` where a
    count is asked), so that every statement of a commit is compiled anew.
    """

    def _create_connection(self) -> SQLiteConnection:
        with store_errors():
            connection = sqlite3.connect(
                self.db_name,
                uri=True,
                check_same_thread=False,
                isolation_level=None,
                cached_statements=STATEMENTS_KEPT,
                timeout=LOCK_TIMEOUT_S,
            )
            try:
                # Pages that many groups touch are copied back once for all of them; 40 MB of log at the most.
                for pragma in (
                    "journal_mode=WAL",
                    "synchronous=FULL",
                    f"wal_autocheckpoint={CHECKPOINT_PAGES}",
                ):
                    connection.execute(f"PRAGMA {pragma}")
            except BaseException:
                # It may hold a lock that would keep out whoever tries again.
                connection.close()
                raise
        self.is_journal_mode_wal = True
        connection.row_factory = sqlite3.Row
        return SQLiteConnection(sqlite_conn=connection, max_age=self.max_age)


class FullSyncDatastore(SQLiteDatastore):
    """The library's datastore over `FullSyncPool`, with text stream ids."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), lock_timeout=LOCK_TIMEOUT_S, originator_id_type="text")
        self.pool.close()
        self.pool = FullSyncPool(db_name=str(path), lock_timeout=LOCK_TIMEOUT_S)


class SQLiteRecorder(SQLiteApplicationRecorder):
    """The library's application recorder, with our own tables and one commit for all of them."""

    def __init__(self, path: Path) -> None:
        super().__init__(FullSyncDatastore(path), events_table_name=NOTIFICATIONS)
        self._numbers: dict[str, int] = {}  # of streams whose first event is committed
        self._fresh: dict[str, int] = {}  # given or looked up in the commit under way
        try:
            with store_errors():
                self.create_table()
        except BaseException:
            self.close()
            raise

    def construct_create_table_statements(self) -> list[str]:
        """Return the statements of an empty store."""
        return list(TABLES)

    def create_table(self) -> None:
        """Make the tables of an empty store; write nothing to one that has them.

        Raises HistoryUnreadable for a store of another version, before anything is touched.
        """
        if self._has_schema():
            return
        with self.datastore.transaction(commit=True) as c:
            self._create_table(c)
            c.execute("INSERT INTO head VALUES (1, 0, ?)", (EMPTY_FRONTIER,))
            c.execute("INSERT INTO schema_version VALUES (1, ?)", (SCHEMA_VERSION,))

    def commit(self, batch: Batch) -> None:
        """Commit a group, or nothing of it.

        Raises HeadMoved, Taken (a version or request id exists), StoreFull or StoreUnavailable. After
        StoreUnavailable the outcome can be either: compare the head before going on.
        """
        self._fresh = {}
        with store_errors():
            self.insert_events(batch.events, batch=batch)
        if len(self._numbers) > NUMBERS_KEPT_MAX:
            self._numbers.clear()
        self._numbers.update(self._fresh)

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Batch
    ) -> Sequence[int] | None:
        batch = kwargs["batch"]
        head = batch.head
        c.execute(
            "UPDATE head SET position = ?, frontier = ? WHERE one = 1 AND position = ?",
            (head, batch.frontier, batch.base),
        )
        if c.sqlite_cursor.rowcount != 1:
            raise HeadMoved("another writer moved the head", expected=str(batch.base))
        first = batch.base + 1
        insert_rows(
            c,
            _EVENTS,
            [
                (
                    position,
                    self._number_of(c, str(event.originator_id)),
                    event.originator_version,
                    event.topic,
                    event.state,
                )
                for position, event in enumerate(stored_events, first)
            ],
        )
        insert_rows(c, _LEAVES, list(enumerate(batch.leaves, batch.base)))
        # Numbered rows, found by a short name: random ids then touch the pages of a small index only.
        insert_rows(c, _REQUESTS, [(one.name, one.content, one.answer) for one in batch.requests])
        insert_rows(c, _LINKS, batch.links)
        return range(first, head + 1)

    def _number_of(self, c: SQLiteCursor, stream: str) -> int:
        """Return the number of a stream; one not kept yet is looked up, or given to its first event."""
        number = self._numbers.get(stream) or self._fresh.get(stream)
        if number is None:
            c.execute("SELECT number FROM streams WHERE name = ?", (stream,))
            found = c.fetchone()
            if found is None:
                c.execute("INSERT INTO streams (name) VALUES (?) RETURNING number", (stream,))
                found = c.fetchone()
            number = self._fresh[stream] = found[0]
        return number

    def _has_schema(self) -> bool:
        with self.datastore.transaction(commit=False) as c:
            c.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'")
            if c.fetchone() is None:
                return False
            c.execute("SELECT version FROM schema_version")
            found = c.fetchone()[0]
        if found != SCHEMA_VERSION:
            age = "a newer version" if found > SCHEMA_VERSION else "a version before the first release"
            raise HistoryUnreadable(
                f"the store was written by {age}", found=str(found), known=str(SCHEMA_VERSION)
            )
        return True

    def close(self) -> None:
        """Close every connection."""
        self.datastore.close()


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the library's and SQLite's errors into the exchange's."""
    try:
        yield
    except (IntegrityError, sqlite3.IntegrityError) as error:
        raise Taken("a version or a request id is taken") from error
    except (ConnectionPoolClosedError, PersistenceError, sqlite3.Error) as error:
        if any(mark in str(error) for mark in FULL_MARKS):
            raise StoreFull("the disk of the event store is full or failing") from error
        raise StoreUnavailable("the event store did not answer") from error
