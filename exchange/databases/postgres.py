"""One connection to small tables in PostgreSQL, with the face of a SQLite connection.

Promises: what `COMMIT` returned from is flushed; of the transactions that write one schema's tables one runs
at a time, on whatever machine it began; a line that broke is replaced at the next question or transaction,
never in the midst of one; no word of the server, which holds values, leaves this room.
Source: postgresql.org/docs/current: explicit-locking.html (advisory locks end with their transaction, or with
the session), sql-vacuum.html (FULL writes a table anew), runtime-config-wal.html.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import scalar_row

from exchange.databases.place import InPostgres, Refusal, Tables
from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
CONNECT_TIMEOUT_S: Final = 5
LOCK_TIMEOUT_MS: Final = 5_000
STATEMENT_TIMEOUT_MS: Final = 30_000
LOOKED_AT_MAX_S: Final = 5.0
LOOK_AGAIN_S: Final = 0.05
# What must hold of a session, or what was acknowledged may be lost: name, and the values that are right.
FLUSHED: Final = (("fsync", ("on",)), ("synchronous_commit", ("on", "remote_apply")))
ENCODING: Final = "UTF8"
_is_name: Final = re.compile(r"[a-z_]+").fullmatch
_first_number: Final = re.compile(r"\A\D*?(\d+)").findall
# A number for each schema: advisory locks are a database's.
_LOCK: Final = (
    "SELECT pg_advisory_xact_lock(hashtextextended('exchange small tables ' || current_schema(), 0))"
)
_BEGIN: Final = f"BEGIN; {_LOCK}"
_OTHERS: Final = (
    "SELECT count(*) FROM pg_class"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
)


@lru_cache(maxsize=512)
def _words(statement: str) -> bytes:
    """Return a statement as psycopg takes it: our own words, in which `?` is a value and nothing else."""
    return statement.replace("%", "%%").replace("?", "%s").encode()


class PostgresConnection:
    """Owned by the holder of its owner's lock; psycopg's own lock keeps it whole between threads besides."""

    def __init__(self, place: InPostgres, tables: Tables) -> None:
        assert all(map(_is_name, (tables.name, *tables.scrubbed))), "tables are named in small letters"
        self._place: Final = place
        self._tables: Final = tables
        self._closed = False
        with refused():
            self._line = _connected(place)
        try:
            with refused():
                refuse_read_only(self._line)
                self._make()
        except BaseException:
            self._line.close()
            raise

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and did not end."""
        return self._line.info.transaction_status not in {TransactionStatus.IDLE, TransactionStatus.UNKNOWN}

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> psycopg.Cursor[Any]:
        """Run one statement. Raises Refusal."""
        if statement == "BEGIN IMMEDIATE":
            return self._again(_begun)
        if statement == "COMMIT":
            return self._commit()
        run: Callable[[psycopg.Connection[Any]], psycopg.Cursor[Any]]
        run = lambda line: line.execute(_words(statement), tuple(values) or None)  # noqa: E731 -- typed above
        # A question may be asked twice; of what changes nobody knows whether it was done.
        if statement.startswith("SELECT") and not self.in_transaction:
            return self._again(run)
        with refused():
            return run(self._line)

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]], /) -> psycopg.Cursor[Any]:
        """Run one statement for each row, in one journey. Raises Refusal."""
        with refused():
            cursor = self._line.cursor()
            cursor.executemany(_words(statement), [tuple(row) for row in rows])
            return cursor

    def scrub(self) -> bool:
        """Write the tables anew whose deleted rows must be gone; False where one could not be, for now.

        What the write-ahead log, standbys and backups hold of them ends by the server's own terms.
        """
        if not self._tables.scrubbed:
            return True
        before = self._files()
        with refused():
            self._line.execute(b"SET statement_timeout = 0")
            try:
                if not all(map(self._written_anew, self._tables.scrubbed)):
                    return False
            except psycopg.errors.LockNotAvailable:
                return False
            finally:
                with suppress(psycopg.Error):
                    self._line.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}".encode())
        # Who is not the owner is warned, and nothing is done.
        return not set(before) & set(self._files())

    def _written_anew(self, name: str) -> bool:
        """Write a table anew; False where deleted rows stay, for somebody looks at a moment that had them.

        That is any transaction of the database, whatever it looks at: it is waited for a while.
        """
        told: list[str] = []

        def hear(said: psycopg.errors.Diagnostic) -> None:
            told.append(said.message_detail or "")

        until = monotonic() + LOOKED_AT_MAX_S
        self._line.add_notice_handler(hear)
        try:
            while True:
                told.clear()
                self._line.execute(f"VACUUM (FULL, VERBOSE) {name}".encode())
                # "N dead row versions cannot be removed yet", in the language of the server.
                if not any(int(number) for detail in told for number in _first_number(detail)):
                    return True
                if monotonic() >= until:
                    return False
                sleep(LOOK_AGAIN_S)
        finally:
            self._line.remove_notice_handler(hear)

    def close(self) -> None:
        """End the connection."""
        self._closed = True
        self._line.close()

    def _files(self) -> list[int]:
        names = ", ".join(f"pg_relation_filenode('{name}')" for name in self._tables.scrubbed)
        return [*(self.execute(f"SELECT {names}").fetchone() or ())]

    def _commit(self) -> psycopg.Cursor[Any]:
        with refused():
            done = self._line.execute(b"COMMIT")
        if done.statusmessage != "COMMIT":
            # So PostgreSQL answers where a statement before it failed.
            raise Refusal("NotCommitted")
        return done

    def _again(self, run: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Run on a line that is whole: a broken one is replaced, once."""
        try:
            with refused():
                return run(self._line)
        except Refusal:
            if self._closed or not self._line.broken:
                raise
        with refused():
            self._line = _connected(self._place)
            return run(self._line)

    def _make(self) -> None:
        """Make the tables of an empty schema, take older ones forward where that was asked, else refuse."""
        name = self._tables.name
        with self._line.transaction():
            self._line.execute(_LOCK.encode())
            found = _version(self._line, name)
            if found is None:
                row = self._line.execute(_OTHERS.encode()).fetchone()
                if row is None or row[0]:
                    raise SettingsInvalid("other tables lie where these should be made", store=name)
                statements = [
                    *self._tables.in_postgres(),
                    f"CREATE TABLE {name} (one int PRIMARY KEY CHECK (one = 1), version int NOT NULL)",
                    f"INSERT INTO {name} VALUES (1, {self._tables.version})",  # noqa: S608 -- a name and a number
                ]
            else:
                statements = self._tables.steps_from(found, forward=self._place.forward)
                if statements:
                    statements.append(f"UPDATE {name} SET version = {self._tables.version}")  # noqa: S608 -- as above
            for statement in statements:
                self._line.execute(statement.encode())


def _begun(line: psycopg.Connection[Any]) -> psycopg.Cursor[Any]:
    try:
        return line.execute(_BEGIN)
    except psycopg.Error:
        # It began, and did not get its turn to write.
        with suppress(psycopg.Error):
            line.execute(b"ROLLBACK")
        raise


def _connected(place: InPostgres) -> psycopg.Connection[Any]:
    line = psycopg.connect(place.dsn, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True)
    try:
        if place.sure_of_server:
            refuse_weak_line(line)
        refuse_encoding(line)
        refuse_unflushed(line)
        line.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}".encode())
        line.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}".encode())
    except BaseException:
        line.close()
        raise
    return line


def refuse_encoding(line: psycopg.Connection[Any]) -> None:
    """Raise SettingsInvalid for a database that keeps text in another encoding than UTF-8.

    `initdb --locale=C` makes such a one: SQL_ASCII, whose text comes back as bytes.
    """
    found = line.info.parameter_status("server_encoding")
    if found != ENCODING:
        raise SettingsInvalid(
            "the database has to be in UTF-8: make it with ENCODING 'UTF8' TEMPLATE template0",
            encoding=str(found),
        )


def refuse_read_only(line: psycopg.Connection[Any]) -> None:
    """Raise SettingsInvalid where a session may not write: a standby answered, or somebody closed it."""
    found = line.cursor(row_factory=scalar_row).execute(b"SELECT current_setting('transaction_read_only')")
    if found.fetchone() != "off":
        raise SettingsInvalid(
            "the database that answered takes no writes: name all members, target_session_attrs=read-write"
        )


def refuse_unflushed(line: psycopg.Connection[Any]) -> None:
    """Raise SettingsInvalid where a session acknowledges what is not flushed."""
    for name, right in FLUSHED:
        row = line.execute(b"SELECT current_setting(%s)", (name,)).fetchone()
        if row is None or row[0] not in right:
            raise SettingsInvalid("the database acknowledges what it has not flushed", setting=name)


def refuse_weak_line(line: psycopg.Connection[Any]) -> None:
    """Raise SettingsInvalid where another than the server that was named may be at the end, or read along."""
    # As string, environment and service file together made it: libpq else takes whoever answers.
    said = line.info.get_parameters().get("sslmode", "prefer")
    if is_weak(line.info.host, said):
        raise SettingsInvalid(
            "production asks the database who it is: say sslmode=verify-full, or use a socket", sslmode=said
        )


def certificate_of(dsn: str) -> Path | None:
    """Return the client's certificate that a libpq string or the environment names, None where neither does.

    What a service file names is not looked at.
    """
    named = conninfo_to_dict(dsn).get("sslcert") or os.environ.get("PGSSLCERT")
    return Path(str(named)) if named else None


def is_weak(host: str, sslmode: str) -> bool:
    """Tell whether another than the server that was named may be at the end of a line, or read along."""
    return not host.startswith("/") and sslmode != "verify-full"


@contextmanager
def holding(place: InPostgres, *, alone: bool) -> Iterator[bool]:
    """Hold a schema's tables against who wants them alone, or alone; yield whether that could be.

    The hold is the server's: it ends with the line, however that ends.
    """
    with _looking(place) as line:
        lock = "pg_try_advisory_lock" if alone else "pg_try_advisory_lock_shared"
        row = line.execute(
            f"SELECT {lock}(hashtextextended('exchange in use ' || current_schema(), 0))".encode()
        ).fetchone()
        yield row is not None and bool(row[0])


def found_version(place: InPostgres, tables: Tables) -> int | None:
    """Return the version of the tables in a schema, None where there are none. Raises Refusal."""
    with _looking(place) as line:
        return _version(line, tables.name)


def asked(place: InPostgres, question: str) -> tuple[Any, ...] | None:
    """Return the first row of an answer, None without one or without tables. Raises Refusal."""
    with _looking(place) as line:
        try:
            return line.execute(_words(question)).fetchone()
        except psycopg.errors.UndefinedTable:
            return None


def server_of(place: InPostgres) -> tuple[str, str]:
    """Return (server, database): a standby is one server with its primary, and a backup holds all of one."""
    with _looking(place) as line:
        row = line.execute(
            b"SELECT (SELECT system_identifier::text FROM pg_control_system()), current_database()"
        ).fetchone()
    assert row is not None, "the statement returns a row"
    return str(row[0]), str(row[1])


@contextmanager
def _looking(place: InPostgres) -> Iterator[psycopg.Connection[Any]]:
    with refused():
        line = psycopg.connect(place.dsn, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True)
    try:
        with refused():
            yield line
    finally:
        line.close()


def _version(line: psycopg.Connection[Any], name: str) -> int | None:
    there = line.execute(
        b"SELECT to_regclass(quote_ident(current_schema()) || '.' || %s) IS NOT NULL", (name,)
    ).fetchone()
    if there is None or not there[0]:
        return None
    row = line.execute(f"SELECT version FROM {name}".encode()).fetchone()  # noqa: S608 -- a name in small letters
    return None if row is None else int(row[0])


@contextmanager
def refused() -> Iterator[None]:
    """Turn psycopg's errors into one without PostgreSQL's words: those hold values."""
    try:
        yield
    except psycopg.Error as error:
        full = isinstance(error, psycopg.errors.DiskFull)
        raise Refusal(type(error).__name__, full=full) from None
