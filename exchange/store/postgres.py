"""PostgreSQL recorder: one statement for a group's head check, events, leaves, request ids and links.

Promises: a statement is a transaction, so a group stands whole or not at all, in one journey to the server;
it is refused whole when the head moved, a version or a request id is taken, by whichever node that was; a
server that acknowledges before it has flushed is refused when the store is opened; a commit whose wait for
a standby was cut short is not believed.
Source: postgresql.org/docs/current/queries-with.html (data-modifying statements see one snapshot),
transaction-iso.html (READ COMMITTED looks at a row again after waiting for it), runtime-config-wal.html;
`eventsourcing` 9.5 recorders; exchange/decisions/0082-postgres-one-statement.md.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from eventsourcing.persistence import IntegrityError, PersistenceError
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg_pool import PoolClosed, PoolTimeout

from exchange.databases.postgres import (
    CONNECT_TIMEOUT_S,
    FLUSHED,
    is_weak,
    refuse_encoding,
    refuse_read_only,
)
from exchange.errors import SettingsInvalid, StoreFull, StoreUnavailable
from exchange.store.errors import HeadMoved, Taken
from exchange.store.postgres_pool import pool_of
from exchange.store.version import outdated, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.rows import DictRow

    from exchange.store.batch import Batch

SCHEMA_VERSION: Final = 5
EMPTY_FRONTIER: Final = (0).to_bytes(8, "big")
EVENTS: Final = "stored_events"
# One writes, one is asked while that one is busy.
CONNECTIONS_MAX: Final = 2
# Of this product and no other: whoever makes the tables waits for whoever is making them.
MAKING: Final = 0x65786368616E6765

# Which node writes the shard now: one row, which is no part of what is recorded.
LEASE: Final[tuple[LiteralString, ...]] = (
    """CREATE TABLE lease (
        one integer PRIMARY KEY CHECK (one = 1), term bigint NOT NULL,
        holder text NOT NULL, avoid text NOT NULL, until timestamptz NOT NULL
    )""",
    "INSERT INTO lease VALUES (1, 0, '', '', '-infinity')",
)
# Sealed words do not get smaller: to try, for each row of over 2 KB, took as long as all else of writing it.
AS_IT_IS: Final[tuple[LiteralString, ...]] = (
    "ALTER TABLE stored_events ALTER COLUMN state SET STORAGE EXTERNAL",
    "ALTER TABLE leaves ALTER COLUMN entry SET STORAGE EXTERNAL",
)
# The library's own names for an event's columns: what it reads, it reads here. The position is ours and has
# no gaps, so no sequence gives it: one skips what a refused group had drawn.
TABLES: Final[tuple[LiteralString, ...]] = (
    """CREATE TABLE stored_events (
        notification_id bigint PRIMARY KEY, originator_id text COLLATE "C" NOT NULL,
        originator_version bigint NOT NULL, topic text NOT NULL, state bytea NOT NULL,
        UNIQUE (originator_id, originator_version)
    )""",
    "CREATE TABLE leaves (leaf_index bigint PRIMARY KEY, entry bytea NOT NULL)",
    "CREATE TABLE requests (name bytea PRIMARY KEY, content bytea NOT NULL, answer bytea NOT NULL)",
    'CREATE TABLE links (resident text, stream text COLLATE "C", PRIMARY KEY (resident, stream))',
    """CREATE TABLE head (
        one integer PRIMARY KEY CHECK (one = 1), position bigint NOT NULL, frontier bytea NOT NULL
    ) WITH (fillfactor = 10)""",
    """CREATE TABLE logs (
        first bigint PRIMARY KEY CHECK (first > 0), origin text NOT NULL UNIQUE, former bytea NOT NULL
    )""",
    *LEASE,
    *AS_IT_IS,
    "CREATE TABLE schema_version (one integer PRIMARY KEY CHECK (one = 1), version integer NOT NULL)",
)
# What takes a store of an older version to the next; the first one that there was is 3.
STEPS: Final[dict[int, tuple[LiteralString, ...]]] = {3: LEASE, 4: AS_IT_IS}
# Those that nodes of the version before go on beside: they add, or change what no node looks at. Whoever
# writes a step says so, or they have to stop.
ONLY_ADD: Final = {3, 4}
# A step takes a table for itself, and whoever asks for it meanwhile stands behind it, a commit too. So long
# that may last where somebody else has the table: a session that was left open, a copy that is being made.
STEP_WAITS: Final = "SET LOCAL lock_timeout = '2s'"
# Every part sees the store as it was before the statement; the inserts go by what moving the head returns.
COMMIT: Final = b"""
WITH moved AS (
    UPDATE head SET position = %b, frontier = %b WHERE one = 1 AND position = %b RETURNING 1
), events AS (
    INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)
    SELECT * FROM unnest(%b::bigint[], %b::text[], %b::bigint[], %b::text[], %b::bytea[])
    WHERE EXISTS (SELECT FROM moved)
), leafs AS (
    INSERT INTO leaves (leaf_index, entry) SELECT * FROM unnest(%b::bigint[], %b::bytea[])
    WHERE EXISTS (SELECT FROM moved)
), answers AS (
    INSERT INTO requests (name, content, answer) SELECT * FROM unnest(%b::bytea[], %b::bytea[], %b::bytea[])
    WHERE EXISTS (SELECT FROM moved)
), linked AS (
    INSERT INTO links (resident, stream)
    SELECT DISTINCT * FROM unnest(%b::text[], %b::text[]) AS l (resident, stream)
    WHERE EXISTS (SELECT FROM moved) ON CONFLICT DO NOTHING
), opened AS (
    INSERT INTO logs (first, origin, former) SELECT * FROM unnest(%b::bigint[], %b::text[], %b::bytea[])
    WHERE EXISTS (SELECT FROM moved)
)
SELECT count(*) FROM moved"""
# In the statement itself: told when it is committed, and not at all where it is not.
RINGING: Final = COMMIT.removesuffix(b" FROM moved") + b", count(pg_notify(%b::text, %b::text)) FROM moved"
CHANNEL: Final = "exchange_bell"
# Waits for whoever is moving the head, and its commit for all that was logged before: see ADR 120.
TOUCH: Final = b"UPDATE head SET position = position WHERE one = 1 RETURNING position"


class Datastore(PostgresDatastore):
    """The library's datastore over connections that a libpq string names, with text stream ids."""

    def __init__(self, dsn: str) -> None:
        """Open it. Raises SettingsInvalid for a database not in UTF-8, or that takes no writes."""
        super().__init__("", "", "", "", "", originator_id_type="text")
        self.pool.close()
        self.pool = pool_of(dsn, CONNECTIONS_MAX)  # type: ignore[assignment] # the library's has more
        # The library names tables with their schema; which it is, the string may say.
        with self.get_connection() as connection:
            refuse_encoding(connection)
            refuse_read_only(connection)
            self.schema = _one(connection.execute(b"SELECT current_schema() AS name").fetchone())["name"]


class PostgresRecorder(PostgresApplicationRecorder):
    """The library's application recorder, with our own tables and one commit for all of them."""

    def __init__(
        self, dsn: str, *, forward: bool = False, sure_of_server: bool = False, rings_as: str = ""
    ) -> None:
        """`rings_as` is the shard whose every commit is told to who listens; empty where none is."""
        self._rings_as = rings_as
        self._forward = forward
        self._sure_of_server = sure_of_server
        self._held: Connection[DictRow] | None = None  # while a turn is taken
        self._taker = 0  # the thread that took it, which alone writes in it
        self._lasting = 0  # so far it was acknowledged to this recorder, or stood before what was
        with store_errors():
            # Its constructor asks the database for a type that only its own way of inserting needs.
            super().__init__(Datastore(dsn), events_table_name=EVENTS)
        try:
            with store_errors():
                self._refuse_weak_line()
                self.create_table()
        except BaseException:
            self.close()
            raise

    def _refuse_weak_line(self) -> None:
        # As string, environment and service file together made it: libpq else takes whoever answers.
        if not self._sure_of_server:
            return
        with self.datastore.get_connection() as connection:
            said = connection.info.get_parameters().get("sslmode", "prefer")
            if is_weak(connection.info.host, said):
                raise SettingsInvalid(
                    "production asks the database who it is: say sslmode=verify-full, or use a socket",
                    sslmode=said,
                )

    def create_table(self) -> None:
        """Make the tables of an empty store; write nothing to one of today.

        One of before is taken `forward` where that was asked, else StoreOutdated. Raises HistoryUnreadable
        for a store of a version it cannot take forward, SettingsInvalid for a server that does not flush; all
        before anything is touched.
        """
        with self.datastore.transaction(commit=True) as c:
            for name, right in FLUSHED:
                c.execute(b"SELECT current_setting(%b) AS value", (name,))
                if _one(c.fetchone())["value"] not in right:
                    raise SettingsInvalid("the database acknowledges what it has not flushed", setting=name)
            c.execute(b"SELECT pg_advisory_xact_lock(%b::bigint)", (MAKING,))
            c.execute(b"SELECT to_regclass('schema_version') IS NOT NULL AS there")
            if _one(c.fetchone())["there"]:
                c.execute(b"SELECT version FROM schema_version")
                for statement in self._steps(_one(c.fetchone())["version"]):
                    c.execute(statement)
                return
            for statement in TABLES:
                c.execute(statement)
            c.execute(b"INSERT INTO head VALUES (1, 0, %b)", (EMPTY_FRONTIER,))
            c.execute(b"INSERT INTO schema_version VALUES (1, %b::integer)", (SCHEMA_VERSION,))

    def _steps(self, found: int) -> list[LiteralString]:
        """Return what takes a store of a version to today's, nothing for one of today."""
        if found == SCHEMA_VERSION:
            return []
        if found not in STEPS:
            raise unreadable(found, SCHEMA_VERSION)
        if not self._forward:
            raise outdated(found, SCHEMA_VERSION)
        steps = [statement for version in range(found, SCHEMA_VERSION) for statement in STEPS[version]]
        counted = ["UPDATE schema_version SET version = version + 1"] * (SCHEMA_VERSION - found)
        return [STEP_WAITS, *steps, *counted]

    def commit(self, batch: Batch) -> None:
        """Commit a group, or nothing of it.

        Raises HeadMoved, Taken (a version or request id exists), StoreFull or StoreUnavailable. After
        StoreUnavailable the outcome can be either: compare the head before going on.
        """
        with store_errors(), self._connection() as connection, believed(connection):
            # Not by the library's retry: after a lost answer it would meet our own group and call it taken.
            statement, values = COMMIT, values_of(batch)
            if self._rings_as:
                statement, values = RINGING, [*values, CHANNEL, f"{self._rings_as} {batch.head}"]
            found = connection.execute(statement, values, prepare=True).fetchone()
            if _one(found)["count"] != 1:
                raise HeadMoved("another writer moved the head", expected=str(batch.base))
            if connection is self._held and connection.info.transaction_status != TransactionStatus.IDLE:
                connection.execute(b"COMMIT")
        self._lasting = max(self._lasting, batch.head)

    def settle(self, position: int | None = None) -> None:
        """Return when what was read up to a position, or all there is, is as lasting as what is acknowledged.

        A group whose wait for a standby was cut short can be read, and a failover would lose it. This writes
        behind it, and waits. It ends a turn.
        """
        if position is not None and position <= self._lasting:
            return
        with store_errors(), self._connection() as connection, believed(connection):
            found = connection.execute(TOUCH, prepare=True).fetchone()
            if connection is self._held and connection.info.transaction_status != TransactionStatus.IDLE:
                connection.execute(b"COMMIT")
        self._lasting = max(self._lasting, _one(found)["position"])

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the head's row: whoever commits meanwhile waits, and finds the head moved.

        The server ends it where this process is held up, so that nobody waits for one that was stopped.
        """
        with store_errors(), self.datastore.get_connection() as connection:
            connection.execute(b"BEGIN")
            try:
                connection.execute(b"SET LOCAL idle_in_transaction_session_timeout = '5s'")
                connection.execute(b"SELECT FROM head FOR UPDATE")
                self._held, self._taker = connection, get_ident()
                yield
            finally:
                self._held = None
                if connection.info.transaction_status != TransactionStatus.IDLE and not connection.closed:
                    connection.execute(b"ROLLBACK")

    @contextmanager
    def _connection(self) -> Iterator[Connection[DictRow]]:
        held = self._held
        if held is not None and not held.closed and self._taker == get_ident():
            yield held
            return
        with self.datastore.get_connection() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.datastore.close()


def values_of(batch: Batch) -> list[object]:
    """Return the values of the statement: a move of the head, then columns."""
    events, leaves, answers = batch.events, batch.leaves, batch.requests
    return [
        *(batch.head, batch.frontier, batch.base),
        [*range(batch.base + 1, batch.head + 1)],
        [str(one.originator_id) for one in events],
        [one.originator_version for one in events],
        [one.topic for one in events],
        [one.state for one in events],
        *([*range(batch.base, batch.base + len(leaves))], leaves),
        [one.name for one in answers],
        [one.content for one in answers],
        [one.answer for one in answers],
        [resident for resident, _ in batch.links],
        [stream for _, stream in batch.links],
        *([] if batch.opens is None else [value] for value in (batch.opens or (None,) * 3)),
    ]


def _one(row: DictRow | None) -> DictRow:
    assert row is not None, "the statement returns a row"
    return row


def found_version(dsn: str) -> int | None:
    """Return the version of the store in a database, None where it has no tables. Raises StoreUnavailable."""
    return _asked(dsn, "SELECT version FROM schema_version")


def only_adds(dsn: str) -> bool:
    """Tell whether nodes that run go on beside what takes the store forward. Raises StoreUnavailable."""
    found = found_version(dsn)
    return found is None or ONLY_ADD.issuperset(range(found, SCHEMA_VERSION))


def head_position(dsn: str) -> int | None:
    """Return the last position, None where the database has no tables. Raises StoreUnavailable."""
    return _asked(dsn, "SELECT position FROM head")


def _asked(dsn: str, question: LiteralString) -> int | None:
    with (
        store_errors(),
        psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True) as connection,
    ):
        try:
            found = connection.execute(question).fetchone()
        except psycopg.errors.UndefinedTable:
            return None
        return None if found is None else int(found[0])


@contextmanager
def believed(connection: Connection[Any]) -> Iterator[None]:
    """Raise StoreUnavailable where the server warns: so it says that it committed and did not wait."""
    warned: list[bool] = []

    def hear(said: psycopg.errors.Diagnostic) -> None:
        warned.append(said.severity_nonlocalized == "WARNING")

    connection.add_notice_handler(hear)
    try:
        yield
    finally:
        connection.remove_notice_handler(hear)
    if any(warned):
        raise StoreUnavailable("the event store committed, and may not have told a standby")


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the library's and PostgreSQL's errors into ours, without their words: those hold values."""
    try:
        yield
    except (IntegrityError, psycopg.IntegrityError) as error:
        raise Taken("a version or a request id is taken") from error
    except (PersistenceError, psycopg.Error, PoolClosed, PoolTimeout) as error:
        cause = error.__cause__ if isinstance(error, PersistenceError) else error
        if isinstance(cause, psycopg.errors.DiskFull):
            raise StoreFull("the disk of the event store is full or failing") from error
        if isinstance(cause, psycopg.errors.LockNotAvailable):
            raise StoreUnavailable(
                "somebody uses the tables of the event store; nothing was changed"
            ) from error
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise StoreUnavailable("the event store refuses this account: it lacks a right") from error
        raise StoreUnavailable("the event store did not answer") from error
