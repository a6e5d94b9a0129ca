"""What a witness cosigned last, one row for each log.

Promises: a row changes only from what the caller saw, in one durable transaction; it never goes to a smaller
size, nor to another root of the same size, whoever writes.
Source: c2sp.org/tlog-witness (persist before responding; check and update atomically).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.databases.place import Tables
from exchange.errors import VersionConflict
from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.database import Database

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from exchange.databases.place import Connection

_TABLES: Final = Tables(
    name="witness_store",
    version=1,
    made=(
        """CREATE TABLE IF NOT EXISTS cosigned (
            origin {text} PRIMARY KEY, size {number} NOT NULL CHECK (size >= 0),
            root {bytes} NOT NULL CHECK (length(root) = 32), note {bytes} NOT NULL,
            cosigned_at {text} NOT NULL
        ){keyed}""",
    ),
    # A witness is one process with a file of its own.
    only_sqlite=(
        (
            "CREATE TRIGGER IF NOT EXISTS cosigned_is_kept BEFORE DELETE ON cosigned"
            " BEGIN SELECT RAISE(ABORT, 'what was cosigned is never forgotten'); END"
        ),
        (
            "CREATE TRIGGER IF NOT EXISTS cosigned_only_grows BEFORE UPDATE ON cosigned WHEN"
            " NEW.origin <> OLD.origin"
            " OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root)"
            " BEGIN SELECT RAISE(ABORT, 'what was cosigned never shrinks and never changes'); END"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The latest checkpoint of a log, with the note that carries the log's lines and ours."""

    checkpoint: Checkpoint
    note: bytes


class WitnessStore:
    """One row for each log, in a database of its own."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _TABLES, "witness's store")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def latest(self, origin: str) -> Cosigned | None:
        """Return what was cosigned last of this log."""
        with self._database.reading() as connection:
            return _latest(connection, origin)

    def advance(self, expected: Checkpoint | None, new: Cosigned, now: datetime) -> None:
        """Compare and swap, durably. Raises VersionConflict when another request came first."""
        head = new.checkpoint
        with self._database.writing() as connection:
            found = _latest(connection, head.origin)
            if (None if found is None else found.checkpoint) != expected:
                raise VersionConflict("another checkpoint of this log was cosigned first", origin=head.origin)
            connection.execute(
                "INSERT INTO cosigned (origin, size, root, note, cosigned_at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, "
                "note = excluded.note, cosigned_at = excluded.cosigned_at",
                (head.origin, head.size, head.root, new.note, now.isoformat()),
            )


def _latest(connection: Connection, origin: str) -> Cosigned | None:
    row = connection.execute("SELECT size, root, note FROM cosigned WHERE origin = ?", (origin,)).fetchone()
    return None if row is None else Cosigned(Checkpoint(origin, row[0], row[1]), row[2])
