"""One read model's file: SQLite, with the position it has followed up to beside its rows.

Promises: rows and position are written in one transaction; a file of another shape, or that cannot be read,
is made anew from position 0, for the events hold everything; readers never wait for the follower.
Source: sqlite.org/wal.html.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from exchange.errors import StoreUnavailable
from exchange.store.errors import HeadMoved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LOCK_TIMEOUT_S: Final = 5
_PLACE: Final = (
    "CREATE TABLE place (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL) STRICT"
)


class Database:
    """Written by one thread; read by any, on a connection of its own."""

    def __init__(self, path: Path, tables: Sequence[str], shape: int) -> None:
        self._path = path
        self._tables = tables
        self._shape = shape
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: list[sqlite3.Connection] = []  # owned by the holder of _lock
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not self._fits():
                self.forget()
        except BaseException:
            # One that stays open keeps the fault of its shared memory for whoever opens the file next.
            self.close()
            raise

    def forget(self) -> None:
        """Throw the rows away: the next following starts at position 0.

        In place and in one transaction, so that a service that follows meanwhile goes on from there.
        """
        try:
            self._make_anew()
        except StoreUnavailable as error:
            if isinstance(error.__cause__, sqlite3.OperationalError):
                raise
            # What is no database is no read model: nobody follows into it.
            self.close()
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._make_anew()

    def _make_anew(self) -> None:
        with self.writing() as c:
            made = c.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            for (name,) in made:
                c.execute(f'DROP TABLE "{name}"')
            for statement in (_PLACE, *self._tables):
                c.execute(statement)
            c.execute("INSERT INTO place VALUES (1, 0)")
            c.execute(f"PRAGMA user_version = {self._shape}")

    def position(self) -> int:
        """Return up to where the rows are those of the events."""
        with self.reading() as c:
            place: int = c.execute("SELECT position FROM place").fetchone()[0]
            return place

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the read model. Raises StoreUnavailable."""
        with self._errors():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def following(self, after: int, position: int) -> Iterator[sqlite3.Connection]:
        """One transaction that takes the read model from one position to another.

        Raises HeadMoved where it stands elsewhere: it was rebuilt, or somebody else follows too.
        """
        with self.writing() as c:
            moved = c.execute("UPDATE place SET position = ? WHERE position = ?", (position, after))
            if moved.rowcount != 1:
                raise HeadMoved("the read model stands elsewhere", expected=str(after))
            yield c

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing. Raises StoreUnavailable."""
        with self._errors():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def dump(self) -> str:
        """Return shape and rows as SQL text: two read models of the same events have the same."""
        with self.reading() as c:
            return "\n".join(c.iterdump())

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
            self._local = threading.local()

    def _fits(self) -> bool:
        if not self._path.exists():
            return False
        try:
            with self.reading() as c:
                found: int = c.execute("PRAGMA user_version").fetchone()[0]
                return found == self._shape and c.execute("SELECT position FROM place").fetchone() is not None
        except StoreUnavailable:
            return False

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, check_same_thread=False, isolation_level=None, timeout=LOCK_TIMEOUT_S
            )
            connection.execute("PRAGMA journal_mode=WAL")
            # A read model that lost its last moment to a power cut follows it again.
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
            with self._lock:
                self._all.append(connection)
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreUnavailable("the read model did not answer", file=self._path.name) from error
