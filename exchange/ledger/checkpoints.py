"""The last signed checkpoint, kept apart from the event database; and what else has to outlive it.

Promises: one row for each size, never another, whichever node claims it; a size is claimed before it is
signed, so a restored event database meets what was signed before and cannot make a fork; no row is ever
deleted, and no size or root changes. The note of an old one may go, where a later one of the same hour stays:
it is empty then and never filled again; the database refuses anything else, whoever asks.
Source: design of the ledger, section 3; c2sp.org/tlog-checkpoint (a log never signs two histories).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.databases.place import InPostgres, Tables
from exchange.errors import ForkRefused, VersionConflict
from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.database import Database

if TYPE_CHECKING:
    from exchange.databases.place import Connection, Place

HOUR_CHARS: Final = len("2026-11-26T14")
# A note comes once, and goes once: where the next one that is there was claimed in the same hour.
_CHANGED: Final = f"""OLD.origin <> NEW.origin OR OLD.size <> NEW.size OR OLD.root <> NEW.root
    OR OLD.claimed_at <> NEW.claimed_at OR (OLD.note IS NULL AND length(NEW.note) = 0)
    OR (OLD.note IS NOT NULL AND (NEW.note IS NULL OR length(NEW.note) > 0 OR length(OLD.note) = 0
        OR substr(OLD.claimed_at, 1, {HOUR_CHARS}) <> coalesce((
            SELECT substr(later.claimed_at, 1, {HOUR_CHARS}) FROM signed AS later
            WHERE later.origin = OLD.origin AND later.size > OLD.size AND length(later.note) > 0
            ORDER BY later.size LIMIT 1), '')))"""  # noqa: S608 -- a fixed text
# From one note that is there to the next, past all that went.
_NOTED: Final = "CREATE INDEX {unless}signed_noted ON signed (origin, size) WHERE length(note) > 0"
_IN_POSTGRES: Final = (
    (
        f"CREATE FUNCTION note_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {_CHANGED} THEN"
        " RAISE integrity_constraint_violation USING MESSAGE = 'a signed checkpoint never changes'; END IF;"
        " RETURN NEW; END $$"
    ),
    "CREATE TRIGGER signed_is_fixed BEFORE UPDATE ON signed FOR EACH ROW EXECUTE FUNCTION note_stays()",
)
CHECKPOINT_TABLES: Final = Tables(
    name="checkpoint_store",
    version=2,
    made=(
        """CREATE TABLE IF NOT EXISTS signed (
            origin {text} NOT NULL, size {number} NOT NULL CHECK (size > 0),
            root {bytes} NOT NULL CHECK (length(root) = 32), note {bytes}, claimed_at {text} NOT NULL,
            PRIMARY KEY (origin, size)
        ){keyed}""",
        """CREATE TABLE IF NOT EXISTS kept_line (
            list {text} NOT NULL, number {number} NOT NULL CHECK (number > 0), content {bytes} NOT NULL,
            PRIMARY KEY (list, number)
        ){keyed}""",
    ),
    only_sqlite=(
        (
            "CREATE TRIGGER IF NOT EXISTS signed_is_kept BEFORE DELETE ON signed"
            " BEGIN SELECT RAISE(ABORT, 'a signed checkpoint is never deleted'); END"
        ),
        _NOTED.format(unless="IF NOT EXISTS "),
        # That of version 1, under which no note went.
        "DROP TRIGGER IF EXISTS signed_is_fixed",
        (
            f"CREATE TRIGGER IF NOT EXISTS note_stays BEFORE UPDATE ON signed WHEN {_CHANGED}"
            " BEGIN SELECT RAISE(ABORT, 'a signed checkpoint never changes'); END"
        ),
        (
            "CREATE TRIGGER IF NOT EXISTS line_is_kept BEFORE DELETE ON kept_line"
            " BEGIN SELECT RAISE(ABORT, 'a kept line is never deleted'); END"
        ),
        (
            "CREATE TRIGGER IF NOT EXISTS line_is_fixed BEFORE UPDATE ON kept_line"
            " BEGIN SELECT RAISE(ABORT, 'a kept line never changes'); END"
        ),
    ),
    only_postgres=(
        (
            "CREATE FUNCTION is_kept() RETURNS trigger LANGUAGE plpgsql AS $$"
            " BEGIN RAISE integrity_constraint_violation USING MESSAGE = 'this is kept for ever'; END $$"
        ),
        "CREATE TRIGGER signed_is_kept BEFORE DELETE OR TRUNCATE ON signed EXECUTE FUNCTION is_kept()",
        _NOTED.format(unless=""),
        *_IN_POSTGRES,
        (
            "CREATE TRIGGER line_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON kept_line"
            " EXECUTE FUNCTION is_kept()"
        ),
    ),
    steps={1: (_NOTED.format(unless=""), "DROP TRIGGER signed_is_fixed ON signed", *_IN_POSTGRES)},
)


# From one name to the next by the key: there are few names, and a row for each quarter of a second.
ORIGINS: Final = """
WITH RECURSIVE name (origin) AS (
    SELECT min(origin) FROM signed
    UNION ALL
    SELECT (SELECT min(signed.origin) FROM signed WHERE signed.origin > name.origin) FROM name
    WHERE name.origin IS NOT NULL
)
SELECT origin FROM name WHERE origin IS NOT NULL"""


class PastCheckpoint(NamedTuple):
    """One that was signed: its size, when it was claimed, and its note as the log signed it."""

    size: int
    claimed_at: datetime
    note: bytes


class Thinned(NamedTuple):
    """One part of a pass: how many notes went, and the size behind which the next part begins; None: done."""

    gone: int
    behind: int | None


class CheckpointStore:
    """One database that flushes. Safe from any thread and from several nodes; calls follow one another."""

    def __init__(self, place: Place) -> None:
        self._database = Database(place, CHECKPOINT_TABLES, "checkpoint store")
        # SQLite takes the key otherwise, and reads whatever went on its way.
        self._noted = "signed" if isinstance(place, InPostgres) else "signed INDEXED BY signed_noted"

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def last(self, origin: str) -> tuple[Checkpoint, bytes] | None:
        """Return the largest claimed checkpoint and its note; the note is empty if it was not yet signed."""
        with self._database.reading() as connection:
            return _last(connection, origin)

    def history(self, origin: str) -> list[tuple[Checkpoint, bytes]]:
        """Return every claimed checkpoint, smallest first; an empty note where none is there."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT size, root, note FROM signed WHERE origin = ? ORDER BY size", (origin,)
            ).fetchall()
        return [(Checkpoint(origin, size, root), note or b"") for size, root, note in rows]

    def signed_below(self, origin: str, size: int, limit: int) -> list[PastCheckpoint]:
        """Return at most `limit` checkpoints of fewer leaves whose notes are there, the largest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT size, claimed_at, note FROM {self._noted} WHERE origin = ? AND size < ?"  # noqa: S608 -- fixed texts
                " AND length(note) > 0 ORDER BY size DESC LIMIT ?",
                (origin, size, limit),
            ).fetchall()
        return [PastCheckpoint(size, datetime.fromisoformat(at), bytes(note)) for size, at, note in rows]

    def origins(self) -> frozenset[str]:
        """Return the names of the logs of which anything was claimed."""
        with self._database.reading() as connection:
            return frozenset(row[0] for row in connection.execute(ORIGINS))

    def signed(self, origin: str) -> tuple[Checkpoint, bytes] | None:
        """Return the largest checkpoint that was signed, with its note; not one that was only claimed."""
        with self._database.reading() as connection:
            return _last(connection, origin, "AND length(note) > 0")

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

    def keep_note(self, checkpoint: Checkpoint, note: bytes) -> bytes:
        """Keep the signed note of a claimed checkpoint and return the one that is kept: the first stays."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE signed SET note = ? WHERE origin = ? AND size = ? AND root = ? AND note IS NULL",
                (note, checkpoint.origin, checkpoint.size, checkpoint.root),
            )
            row = connection.execute(
                "SELECT note FROM signed WHERE origin = ? AND size = ? AND root = ?",
                (checkpoint.origin, checkpoint.size, checkpoint.root),
            ).fetchone()
        # Whoever signed it so late that it went meanwhile has it still.
        return note if row is None else row[0] or note

    def thin(self, origin: str, behind: int, before: datetime, limit: int) -> Thinned:
        """Let notes claimed before a moment (UTC) go, but for the last of each hour; look at `limit` of them.

        What goes is followed by a note of the same hour that stays or goes by the same rule: several may do
        this at once, each may end anywhere, and done again it changes nothing. Raises StoreUnavailable.
        """
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT size, claimed_at FROM {self._noted} WHERE origin = ? AND size > ?"  # noqa: S608 -- fixed texts
                " AND length(note) > 0 ORDER BY size LIMIT ?",
                (origin, behind, limit + 1),
            ).fetchall()
        old = [datetime.fromisoformat(at) < before for _, at in rows]
        going = [
            size
            for (size, at), (_, later), is_old in zip(rows, rows[1:], old, strict=False)
            if is_old and at[:HOUR_CHARS] == later[:HOUR_CHARS]
        ]
        gone = self._emptied(origin, going) if going else 0
        # One hour of a clock that ran ahead does not hide what is behind it; a whole part of the new ends it.
        return Thinned(gone, rows[limit - 1][0] if len(rows) > limit and any(old) else None)

    def _emptied(self, origin: str, going: list[int]) -> int:
        # A key that is set, to itself, has SQLite delete the row and insert it: only then do pages that hold
        # little join. Without it a row without its note takes 820 bytes, with it 136.
        sizes = ", ".join("?" * len(going))
        statement = (
            "UPDATE signed SET note = ?, size = size"  # noqa: S608 -- question marks
            f" WHERE origin = ? AND size IN ({sizes}) AND length(note) > 0"
        )
        with self._database.writing() as connection:
            return connection.execute(statement, (b"", origin, *going)).rowcount

    def lines(self, name: str, after: int = 0) -> list[bytes]:
        """Return the lines of a list, oldest first, behind a number; they are counted from 1."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT content FROM kept_line WHERE list = ? AND number > ? ORDER BY number", (name, after)
            ).fetchall()
        return [row[0] for row in rows]

    def lists(self, beginning: str) -> list[str]:
        """Return the names of the lists that begin so, in order; `beginning` ends where a word does."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT list FROM kept_line WHERE list >= ? AND list < ? ORDER BY list",
                (beginning, beginning + "~"),
            ).fetchall()
        return [row[0] for row in rows]

    def add_line(self, name: str, number: int, line: bytes) -> None:
        """Append a line as this number, durably. Raises VersionConflict where it is of another length."""
        with self._database.writing() as connection:
            (count,) = connection.execute("SELECT count(*) FROM kept_line WHERE list = ?", (name,)).fetchone()
            if count != number - 1:
                raise VersionConflict("another process appended a line first", expected=str(number - 1))
            connection.execute("INSERT INTO kept_line VALUES (?, ?, ?)", (name, number, line))


def _last(connection: Connection, origin: str, where: str = "") -> tuple[Checkpoint, bytes] | None:
    query = f"SELECT size, root, note FROM signed WHERE origin = ? {where} ORDER BY size DESC LIMIT 1"  # noqa: S608 -- fixed texts
    row = connection.execute(query, (origin,)).fetchone()
    return None if row is None else (Checkpoint(origin, row[0], row[1]), row[2] or b"")
