"""PostgreSQL for a bench: a schema that goes when the bench ends, rows as the database takes them without us.

Promises: what is made lies in a schema of a new name, and nothing else of the database is touched; rows are
committed one by one or copied by the hundred in PostgreSQL's binary form, and flushed as the store's are.
Source: postgresql.org/docs/current/sql-copy.html; the design of performance, section 1.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Composed, Identifier

from exchange.databases.postgres import CONNECT_TIMEOUT_S
from exchange.store.postgres import store_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS_PER_COPY: Final = 100
ROWS: Final = 3_200
PREFIX: Final = "exchange_bench_"
BODY: Final = ("bytea",)


@contextmanager
def schema(dsn: str, name: str) -> Iterator[str]:
    """Make a schema of this name; yield how it is reached; drop it. Raises StoreUnavailable."""
    made = Identifier(PREFIX + name)
    _execute(dsn, SQL("CREATE SCHEMA {}").format(made))
    try:
        yield make_conninfo(dsn, options=f"-c search_path={PREFIX}{name}")
    finally:
        _execute(dsn, SQL("DROP SCHEMA {} CASCADE").format(made))


def server_of(dsn: str) -> dict[str, str]:
    """Return which server it is, and whether it acknowledges what it has flushed only."""
    with store_errors(), psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        told = {}
        for name, setting in (("postgres", "server_version"), ("synchronous", "synchronous_commit")):
            found = connection.execute(b"SELECT current_setting(%b)", (setting,)).fetchone()
            told[name] = str(found[0]) if found else ""
    return told


def _execute(dsn: str, statement: Composed) -> None:
    with (
        store_errors(),
        psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection,
    ):
        connection.execute(statement)


def library_environment(dsn: str) -> dict[str, str]:
    """Return the library's own settings for a schema made here."""
    said = {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": said.get("dbname", "postgres"),
        "POSTGRES_HOST": said.get("host", ""),
        "POSTGRES_PORT": said.get("port", "5432"),
        "POSTGRES_USER": said.get("user", ""),
        "POSTGRES_PASSWORD": said.get("password", ""),
        "POSTGRES_SCHEMA": said["options"].rpartition("search_path=")[2],
    }


class PostgresRows:
    """A table of its own. `draw` gives so many random bytes: rows that nothing can make smaller."""

    def __init__(self, dsn: str, size: int, draw: Callable[[int], bytes]) -> None:
        self._size: Final = size
        self._draw: Final = draw
        self._connection: Final = psycopg.connect(dsn, autocommit=True)
        self._connection.execute(b"CREATE TABLE rows (position bigserial PRIMARY KEY, body bytea NOT NULL)")

    def rows_per_s(self) -> float:
        """Copy `ROWS` rows, a hundred in a transaction; return how many a second."""
        count, took, _ = self.insert()
        return count / took

    def insert(self) -> tuple[int, float, float]:
        """Copy them; return how many, and the seconds they took by the clock and of this process."""
        bodies = [self._draw(self._size) for _ in range(ROWS)]
        started, busy = time.perf_counter(), time.process_time()
        for first in range(0, ROWS, ROWS_PER_COPY):
            with (
                self._connection.cursor() as cursor,
                cursor.copy(b"COPY rows (body) FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.set_types(BODY)
                for body in bodies[first : first + ROWS_PER_COPY]:
                    copy.write_row((body,))
        return ROWS, time.perf_counter() - started, time.process_time() - busy

    def one(self) -> float:
        """Commit one row; return the seconds it took."""
        body = self._draw(self._size)
        started = time.perf_counter()
        self._connection.execute(b"INSERT INTO rows (body) VALUES (%b)", (body,), prepare=True)
        return time.perf_counter() - started

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
