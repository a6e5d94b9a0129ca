"""A small database as its test sees it: what lies on the disk, and what is done to it past our code."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from exchange.databases.place import InPostgres

if TYPE_CHECKING:
    from exchange.databases.place import Connection, Cursor, Place


def word_of(place: Place) -> str:
    """Return a place as one word for another process."""
    return place.dsn if isinstance(place, InPostgres) else str(place)


def place_named(word: str) -> Place:
    """Return the place that such a word names."""
    return InPostgres(word) if "dbname=" in word else Path(word)


def line_to(place: Place) -> Any:  # noqa: ANN401 -- a connection of either library
    """Return a connection past all of our own code; each statement commits by itself."""
    if isinstance(place, InPostgres):
        return psycopg.connect(place.dsn, autocommit=True)
    return sqlite3.connect(place, isolation_level=None)


def stored(place: Place) -> bytes:
    """Return every byte of the tables and of a file's log; of a server's own log nothing."""
    if not isinstance(place, InPostgres):
        return b"".join(file.read_bytes() for file in place.parent.glob(f"{place.name}*"))
    with psycopg.connect(place.dsn, autocommit=True) as line:
        line.execute("CHECKPOINT")
        rows = line.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath(oid), 0, 1 << 24, true) FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i')"
        ).fetchall()
    return b"".join(row[0] or b"" for row in rows)


def let_it_read_only(connection: Connection, place: Place) -> None:
    """Have the database refuse every write of a connection."""
    only = "SET default_transaction_read_only = on"
    connection.execute(only if isinstance(place, InPostgres) else "PRAGMA query_only = ON")


def let_it_not_wait(connection: Connection, place: Place) -> None:
    """Have a connection give up at once where another one holds what it needs."""
    no_wait = "SET lock_timeout = 20"
    connection.execute(no_wait if isinstance(place, InPostgres) else "PRAGMA busy_timeout = 1")


class Faulty:
    """A connection whose next COMMIT is reported lost; with `persisted`, it happened all the same."""

    def __init__(self, connection: Connection, *, persisted: bool) -> None:
        self._connection = connection
        self._persisted = persisted
        self.armed = True

    def execute(self, statement: str, parameters: tuple[str, ...] = ()) -> Cursor:
        if statement == "COMMIT" and self.armed:
            self.armed = False
            if self._persisted:
                self._connection.execute("COMMIT")
            raise sqlite3.OperationalError("the answer was lost")
        return self._connection.execute(statement, parameters)

    def __getattr__(self, name: str) -> object:
        attribute: object = getattr(self._connection, name)
        return attribute
