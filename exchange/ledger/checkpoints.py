"""The last signed checkpoint, kept apart from the event database.

Promises: one row for each size, never another; a size is claimed before it is signed, so a restored event
database meets what was signed before and cannot make a fork; nothing is ever deleted.
Source: design of the ledger, section 3; c2sp.org/tlog-checkpoint (a log never signs two histories).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.errors import ForkRefused, VersionConflict
from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.database import Database

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime
    from pathlib import Path

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS signed (
    origin TEXT NOT NULL, size INTEGER NOT NULL CHECK (size > 0),
    root BLOB NOT NULL CHECK (length(root) = 32), note BLOB, claimed_at TEXT NOT NULL,
    PRIMARY KEY (origin, size)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS signed_is_kept BEFORE DELETE ON signed
BEGIN SELECT RAISE(ABORT, 'a signed checkpoint is never deleted'); END;
CREATE TRIGGER IF NOT EXISTS signed_is_fixed BEFORE UPDATE ON signed
WHEN OLD.note IS NOT NULL OR OLD.size <> NEW.size OR OLD.root <> NEW.root OR OLD.origin <> NEW.origin
BEGIN SELECT RAISE(ABORT, 'a signed checkpoint never changes'); END;
"""


class CheckpointStore:
    """One SQLite file with synchronous=FULL. Safe to call from any thread; calls follow one another."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA, "checkpoint store")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def last(self, origin: str) -> tuple[Checkpoint, bytes] | None:
        """Return the largest claimed checkpoint and its note; the note is empty if it was not yet signed."""
        with self._database.reading() as connection:
            return _last(connection, origin)

    def history(self, origin: str) -> list[tuple[Checkpoint, bytes]]:
        """Return every claimed checkpoint with its note, smallest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT size, root, note FROM signed WHERE origin = ? ORDER BY size", (origin,)
            ).fetchall()
        return [(Checkpoint(origin, size, root), note or b"") for size, root, note in rows]

    def origins(self) -> frozenset[str]:
        """Return the names of the logs of which anything was claimed."""
        with self._database.reading() as connection:
            return frozenset(row[0] for row in connection.execute("SELECT DISTINCT origin FROM signed"))

    def signed(self, origin: str) -> tuple[Checkpoint, bytes] | None:
        """Return the largest checkpoint that was signed, with its note; not one that was only claimed."""
        with self._database.reading() as connection:
            return _last(connection, origin, "AND note IS NOT NULL")

    def claimed(self, head: Checkpoint) -> bool:
        """Tell whether this very checkpoint was claimed."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT root FROM signed WHERE origin = ? AND size = ?", (head.origin, head.size)
            ).fetchone()
        return row is not None and row[0] == head.root

    def claim(self, expected: Checkpoint | None, new: Checkpoint, now: datetime) -> None:
        """Compare and swap: claim `new` as the next checkpoint to be signed.

        Raises ForkRefused when `new` is not larger than what was claimed, VersionConflict when somebody else
        claimed in between.
        """
        with self._database.writing() as connection:
            row = _last(connection, new.origin)
            found = None if row is None else row[0]
            # First: what another node claimed meanwhile may be larger, and is no fork.
            if found != expected:
                raise VersionConflict(
                    "another integrator claimed a checkpoint first",
                    expected=str(expected.size if expected else 0),
                    found=str(found.size if found else 0),
                )
            if found is not None and new.size <= found.size:
                raise ForkRefused(
                    "a checkpoint of this size or a larger one was signed before",
                    signed=str(found.size),
                    asked=str(new.size),
                )
            connection.execute(
                "INSERT INTO signed (origin, size, root, claimed_at) VALUES (?, ?, ?, ?)",
                (new.origin, new.size, new.root, now.isoformat()),
            )

    def keep_note(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Keep the signed note of a claimed checkpoint; the first one kept stays."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE signed SET note = ? WHERE origin = ? AND size = ? AND root = ? AND note IS NULL",
                (note, checkpoint.origin, checkpoint.size, checkpoint.root),
            )


def _last(connection: sqlite3.Connection, origin: str, where: str = "") -> tuple[Checkpoint, bytes] | None:
    query = f"SELECT size, root, note FROM signed WHERE origin = ? {where} ORDER BY size DESC LIMIT 1"  # noqa: S608 -- fixed texts
    row = connection.execute(query, (origin,)).fetchone()
    return None if row is None else (Checkpoint(origin, row[0], row[1]), row[2] or b"")
