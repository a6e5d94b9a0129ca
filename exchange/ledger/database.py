"""A small database whose every answer is on disk: what was signed, what was cosigned, what was taken.

Promises: synchronous=FULL, one statement or transaction at a time; a failure of the library comes out as
StoreUnavailable; a transaction is whole or not at all, also when its body raises.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from exchange.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_WAIT_S: Final = 5.0


class Database:
    """One SQLite file. Safe from any thread, and beside other processes; `name` is told in errors."""

    def __init__(self, path: Path, schema: str, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        with self._reported():
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_WAIT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.executescript(schema)
            except BaseException:
                # It may hold a lock that would keep out whoever tries again.
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for one question."""
        with self._lock, self._reported():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection and the right to write, from before the first look to the commit."""
        with self._lock, self._reported():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the {self._name} did not answer", kind=type(error).__name__) from error
