"""What the disk takes without any of us: rows of the same size, a hundred in a transaction.

Promises: one table, one blob for each row, as long as an event with its leaf; WAL and synchronous=FULL, as
the store has it. Nothing is judged, sealed or proven.
Source: the design of performance, section 1.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.wiring.core import Core

ROWS_PER_TRANSACTION: Final = 100
ROWS: Final = 3_200


def row_bytes(core: Core) -> int:
    """Return how many bytes the last event and its leaf take."""
    position = core.reader.head()[0]
    (row,) = core.reader.page(position - 1, 1)
    (entry,) = core.reader.leaf_entries(position - 1, position)
    return len(row.state) + len(entry)


class RawRows:
    """A database of its own."""

    def __init__(self, path: Path, size: int) -> None:
        self._connection: Final = sqlite3.connect(path, isolation_level=None)
        self._size: Final = size
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE rows (position INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
        ):
            self._connection.execute(statement)

    def rows_per_s(self) -> float:
        """Insert `ROWS` rows; return how many a second."""
        count, took, _ = self.insert()
        return count / took

    def insert(self) -> tuple[int, float, float]:
        """Insert `ROWS` rows; return how many, and the seconds they took by the clock and of a processor."""
        bodies = [(os.urandom(self._size),) for _ in range(ROWS)]
        started, busy = time.perf_counter(), time.process_time()
        for start in range(0, ROWS, ROWS_PER_TRANSACTION):
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "INSERT INTO rows (body) VALUES (?)", bodies[start : start + ROWS_PER_TRANSACTION]
            )
            self._connection.execute("COMMIT")
        return ROWS, time.perf_counter() - started, time.process_time() - busy

    def one(self) -> float:
        """Commit one row; return the seconds it took."""
        body = os.urandom(self._size)
        started = time.perf_counter()
        self._connection.execute("INSERT INTO rows (body) VALUES (?)", (body,))
        return time.perf_counter() - started

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
