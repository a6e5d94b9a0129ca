"""A small database whose every answer is on disk: what was signed, what was cosigned, what was taken.

Promises: a file with synchronous=FULL or a server that flushes, one statement or transaction at a time; a
failure of the library comes out as StoreUnavailable; a transaction is whole or not at all, also when its body
raises.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from exchange.databases.place import InPostgres, Refusal, in_postgres, refuse_newer
from exchange.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.databases.place import Connection, Place, Tables

_BUSY_WAIT_S: Final = 5.0


class Database:
    """One file, or one schema of a server. Safe from any thread, and beside other processes.

    `name` is told in errors. Raises HistoryUnreadable for one that is newer than this code.
    """

    def __init__(self, place: Place, tables: Tables, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        with self._reported():
            self._connection: Connection = (
                in_postgres(place, tables) if isinstance(place, InPostgres) else _open_file(place, tables)
            )

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Hold the connection for one question."""
        with self._lock, self._reported():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Hold the connection and the right to write, from before the first look to the commit."""
        with self._lock, self._reported():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error, Refusal):
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except Refusal as error:
            if error.full:
                raise StoreFull(f"the disk of the {self._name} is full") from None
            raise StoreUnavailable(f"the {self._name} did not answer", kind=error.name) from None
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the {self._name} did not answer", kind=type(error).__name__) from error


def _open_file(path: Path, tables: Tables) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        refuse_newer(tables, found)
        for statement in tables.in_sqlite():
            connection.execute(statement)
        if found != tables.version:
            connection.execute(f"PRAGMA user_version = {tables.version}")
    except BaseException:
        # It may hold a lock that would keep out whoever tries again.
        connection.close()
        raise
    return connection
