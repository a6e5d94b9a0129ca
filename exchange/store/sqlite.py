"""SQLite recorder: one transaction for a group's head check, events, leaves, request ids and links.

Promises: WAL with synchronous=FULL, so an acknowledged group survives power loss; the group is refused whole
when the head moved, a version or a request id is taken. Source: sqlite.org/wal.html, pragma.html#synchronous;
`eventsourcing` 9.5 recorders (persistence hooks).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from eventsourcing.persistence import ConnectionPoolClosedError, IntegrityError, PersistenceError
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteDatastore,
)

from exchange.errors import StoreFull, StoreUnavailable
from exchange.store.backfill import Backfill
from exchange.store.errors import HeadMoved, Taken
from exchange.store.one_statement import INSERT, VIEW, fits, row_of, rows_of
from exchange.store.version import outdated, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteCursor

    from exchange.store.batch import Batch

SCHEMA_VERSION: Final = 3
CHECKPOINT_PAGES: Final = 10_000
LOCK_TIMEOUT_S: Final = 5
STATEMENTS_KEPT: Final = 128
FULL_MARKS: Final = ("disk is full", "disk I/O error")
EMPTY_FRONTIER: Final = (0).to_bytes(8, "big")
NOTIFICATIONS: Final = "notifications"
NUMBERS_KEPT_MAX: Final = 100_000
_LOGS: Final = """CREATE TABLE logs (
        first INTEGER PRIMARY KEY CHECK (first > 0), origin TEXT NOT NULL UNIQUE, former BLOB NOT NULL
    ) STRICT"""
# What takes a store of an older version to the next; before a log could follow another there was one.
STEPS: Final = {2: (_LOGS,)}
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
    _LOGS,
    "CREATE TABLE schema_version (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL) STRICT",
)
_LINK: Final = "INSERT OR IGNORE INTO links (resident, stream) VALUES (?, ?)"
_OPEN: Final = "INSERT INTO logs (first, origin, former) VALUES (?, ?, ?)"


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
                # 40 MB of log at the most, most of it copied back by then beside those who commit.
                for pragma in (
                    "journal_mode=WAL",
                    "synchronous=FULL",
                    f"wal_autocheckpoint={CHECKPOINT_PAGES}",
                ):
                    connection.execute(f"PRAGMA {pragma}")
                for statement in VIEW:
                    connection.execute(statement)
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

    def __init__(self, path: Path, *, forward: bool = False) -> None:
        super().__init__(FullSyncDatastore(path), events_table_name=NOTIFICATIONS)
        self._forward = forward
        self._backfill = Backfill(path)
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
        """Make the tables of an empty store; write nothing to one of today.

        One of before is taken `forward` where that was asked, else StoreOutdated. Raises HistoryUnreadable
        for a store of a version it cannot take forward; both before anything is touched.
        """
        found = self._schema()
        if found == SCHEMA_VERSION:
            return
        if found is not None:
            if not self._forward:
                raise outdated(found, SCHEMA_VERSION)
            self._take_forward(found)
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
        with store_errors():
            if not self._commit_at_once(batch):
                self._fresh = {}
                self.insert_events(batch.events, batch=batch)
                if len(self._numbers) > NUMBERS_KEPT_MAX:
                    self._numbers.clear()
                self._numbers.update(self._fresh)
        self._backfill.wake()

    def _commit_at_once(self, batch: Batch) -> bool:
        """Commit a group whose streams are all numbered in one statement, a transaction of its own."""
        if batch.links or batch.opens is not None or not fits(batch):
            return False
        try:
            row = row_of(batch, self._numbers.__getitem__)
        except KeyError:
            return False
        with self.datastore.get_connection(commit=True) as connection:
            try:
                connection.cursor().execute(INSERT, row)
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
                    raise _head_moved(batch) from error
                raise
        return True

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Batch
    ) -> Sequence[int] | None:
        batch = kwargs["batch"]
        # First: it takes the lock, so that what is looked up below stays so.
        c.execute(
            "UPDATE head SET position = ?, frontier = ? WHERE one = 1 AND position = ?",
            (batch.head, batch.frontier, batch.base),
        )
        if c.sqlite_cursor.rowcount != 1:
            raise _head_moved(batch)
        for row in rows_of(batch, lambda stream: self._number_of(c, stream)):
            c.execute(INSERT, row)
        for link in batch.links:
            c.execute(_LINK, link)
        if batch.opens is not None:
            c.execute(_OPEN, batch.opens)
        return range(batch.base + 1, batch.base + 1 + len(stored_events))

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

    def _take_forward(self, found: int) -> None:
        """Take a store to this version, whole or not at all. Raises Taken, StoreUnavailable."""
        with self.datastore.transaction(commit=True) as c:
            for version in range(found, SCHEMA_VERSION):
                for statement in STEPS[version]:
                    c.execute(statement)
            c.execute("UPDATE schema_version SET version = ?", (SCHEMA_VERSION,))

    def _schema(self) -> int | None:
        """Return the version of the store; None for one that is empty."""
        with self.datastore.transaction(commit=False) as c:
            c.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'")
            if c.fetchone() is None:
                return None
            c.execute("SELECT version FROM schema_version")
            found: int = c.fetchone()[0]
        if found != SCHEMA_VERSION and found not in STEPS:
            raise unreadable(found, SCHEMA_VERSION)
        return found

    def turn(self) -> AbstractContextManager[None]:
        """Hold nothing: who writes beside the service is a command of a person, and soon done."""
        return nullcontext()

    def settle(self, position: int | None = None) -> None:
        """Do nothing: what can be read was flushed before."""

    def close(self) -> None:
        """Close every connection."""
        self._backfill.close()
        self.datastore.close()


def found_version(path: Path) -> int | None:
    """Return the version of the store in a file, None for an empty one. Raises StoreUnavailable."""
    with (
        store_errors(),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'").fetchone():
            return None
        found: int = connection.execute("SELECT version FROM schema_version").fetchone()[0]
        return found


def _head_moved(batch: Batch) -> HeadMoved:
    return HeadMoved("another writer moved the head", expected=str(batch.base))


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
