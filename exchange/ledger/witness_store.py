"""What a witness cosigned last, one row for each log.

Promises: a row changes only from what the caller saw, in one durable transaction; it never goes to a smaller
size, nor to another root of the same size, whoever writes.
Source: c2sp.org/tlog-witness (persist before responding; check and update atomically).
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.errors import StoreUnavailable, VersionConflict
from exchange.ledger.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_BUSY_WAIT_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32), note BLOB NOT NULL, cosigned_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS cosigned_is_kept BEFORE DELETE ON cosigned
BEGIN SELECT RAISE(ABORT, 'what was cosigned is never forgotten'); END;
CREATE TRIGGER IF NOT EXISTS cosigned_only_grows BEFORE UPDATE ON cosigned
WHEN NEW.origin <> OLD.origin OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
BEGIN SELECT RAISE(ABORT, 'what was cosigned never shrinks and never changes'); END;
"""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The latest checkpoint of a log, with the note that carries the log's lines and ours."""

    checkpoint: Checkpoint
    note: bytes


class WitnessStore:
    """One SQLite file with synchronous=FULL. Safe from any thread and beside other processes."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        with _reported():
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_WAIT_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def latest(self, origin: str) -> Cosigned | None:
        """Return what was cosigned last of this log."""
        with self._lock, _reported():
            return self._latest(origin)

    def _latest(self, origin: str) -> Cosigned | None:
        row = self._connection.execute(
            "SELECT size, root, note FROM cosigned WHERE origin = ?", (origin,)
        ).fetchone()
        return None if row is None else Cosigned(Checkpoint(origin, row[0], row[1]), row[2])

    def advance(self, expected: Checkpoint | None, new: Cosigned, now: datetime) -> None:
        """Compare and swap, durably. Raises VersionConflict when another request came first."""
        head = new.checkpoint
        with self._lock, _reported(), self._transaction():
            found = self._latest(head.origin)
            if (None if found is None else found.checkpoint) != expected:
                raise VersionConflict("another checkpoint of this log was cosigned first", origin=head.origin)
            self._connection.execute(
                "INSERT INTO cosigned (origin, size, root, note, cosigned_at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, "
                "note = excluded.note, cosigned_at = excluded.cosigned_at",
                (head.origin, head.size, head.root, new.note, now.isoformat()),
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable("the witness's store did not answer", kind=type(error).__name__) from error
