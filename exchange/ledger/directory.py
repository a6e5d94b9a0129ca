"""The directory: one log over the checkpoints of many, so that whoever watches one log watches them all.

Promises: an entry is a checkpoint that a known log signed, and its policy's quorum cosigned, with the lines
of known keys on Ed25519; of one log never a smaller size and never another root of a size; entry and frontier
change in one durable transaction. What a log hands over itself is taken with the proof that it only adds; of
what comes in files its witnesses say that.
Source: design of the ledger, section 3; c2sp.org/tlog-checkpoint, c2sp.org/tlog-witness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.databases.place import Tables
from exchange.errors import ForkRefused, ProofInvalid, VersionConflict
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.database import Database
from exchange.ledger.evidence import Conflict
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.ledger.note import is_long, parse_note
from exchange.ledger.witness import require_extension

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from exchange.databases.place import Connection
    from exchange.ledger.checkpoint import Checkpoint, Policy
    from exchange.ledger.cosigning import Asked
    from exchange.ledger.evidence import EvidenceFolder

PROOF: Final = "consistency proof"
_TABLES: Final = Tables(
    name="directory_store",
    version=1,
    made=(
        """CREATE TABLE IF NOT EXISTS entries (
            leaf_index {number} PRIMARY KEY, origin {text} NOT NULL, size {number} NOT NULL,
            entry {bytes} NOT NULL, UNIQUE (origin, size)
        ){plain}""",
        """CREATE TABLE IF NOT EXISTS head (
            only {number} PRIMARY KEY CHECK (only = 1), size {number} NOT NULL, frontier {bytes} NOT NULL
        ){plain}""",
    ),
    # A directory is one process with a file of its own.
    only_sqlite=(
        (
            "CREATE TRIGGER IF NOT EXISTS entries_are_kept BEFORE DELETE ON entries"
            " BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END"
        ),
        (
            "CREATE TRIGGER IF NOT EXISTS entries_are_fixed BEFORE UPDATE ON entries"
            " BEGIN SELECT RAISE(ABORT, 'an entry never changes'); END"
        ),
    ),
)


class Directory:
    """What was taken, in a database of its own: the source of the directory's own log."""

    def __init__(self, path: Path, evidence: EvidenceFolder) -> None:
        self._evidence = evidence
        self._database = Database(path, _TABLES, "directory's store")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def record(self, note: bytes, policy: Policy, now: datetime) -> int:
        """Take a checkpoint; return its index, also where it was taken before.

        Raises ProofInvalid for what the policy does not trust, ForkRefused for what cannot follow what was
        taken of that log: then both notes are kept.
        """
        head, entry = _accepted(note, policy)
        with self._database.writing() as connection:
            index = self._index_of(connection, head, note, now)
            return _append(connection, head, entry) if index is None else index

    def extend(self, asked: Asked, policy: Policy, now: datetime) -> int:
        """Take a checkpoint that its log hands over with a proof; return its index, also where it was taken.

        Raises as `record`; VersionConflict, with the size that is held, where the proof begins at another;
        ProofInvalid, place `consistency proof`, where it does not hold: then both notes are kept.
        """
        head, entry = _accepted(asked.note, policy)
        with self._database.writing() as connection:
            index = self._index_of(connection, head, asked.note, now)
            if index is not None:
                return index
            held = _latest(connection, head.origin)
            size = 0 if held is None else held[0].size
            if asked.old != size:
                raise VersionConflict("the proof begins at another size than is held", held=str(size))
            try:
                require_extension(asked, head, None if held is None else held[0])
            except ProofInvalid as error:
                if held is not None:
                    what = "a checkpoint without a proof that it adds to the one that was taken before"
                    self._evidence.keep(Conflict("unproven", what, head.origin, held[1], asked.note), now)
                raise ProofInvalid(error.message, place=PROOF) from None
            return _append(connection, head, entry)

    def latest(self, origin: str) -> bytes | None:
        """Return the newest checkpoint that was taken of a log."""
        with self._database.reading() as connection:
            held = _latest(connection, origin)
        return None if held is None else held[1]

    def ledger_head(self) -> tuple[int, bytes]:
        """Return the number of entries and the frontier, from one commit."""
        with self._database.reading() as connection:
            return _head(connection)

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        """Return entries [start, stop), in order."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT entry FROM entries WHERE leaf_index >= ? AND leaf_index < ? ORDER BY leaf_index",
                (start, stop),
            ).fetchall()
        return [row[0] for row in rows]

    def _index_of(self, connection: Connection, head: Checkpoint, note: bytes, now: datetime) -> int | None:
        """Return where this was taken before, None where it may follow. Raises ForkRefused."""
        taken = _taken(connection, head)
        if taken is None:
            return None
        index, held, of_it = taken
        if held != head:
            raise self._conflict(held, of_it, head, note, now)
        return index

    def _conflict(
        self, held: Checkpoint, of_it: bytes, head: Checkpoint, note: bytes, now: datetime
    ) -> ForkRefused:
        kind = "fork" if head.size == held.size else "rollback"
        what = "a checkpoint that cannot follow the one that was taken before"
        self._evidence.keep(Conflict(kind, what, head.origin, of_it, note), now)
        return ForkRefused(
            "this log's checkpoint cannot follow the one that was taken before; both are kept",
            origin=head.origin,
            taken=str(held.size),
            shown=str(head.size),
        )


def _accepted(note: bytes, policy: Policy) -> tuple[Checkpoint, bytes]:
    """Return a checkpoint the policy trusts, and its entry. Raises ProofInvalid."""
    head = policy.accept(note)
    parsed = parse_note(note)
    known = parsed.lines_of((*policy.logs, *policy.witnesses.values()))
    return head, parsed.with_lines([line for line in known if not is_long(line)])


def _head(connection: Connection) -> tuple[int, bytes]:
    row = connection.execute("SELECT size, frontier FROM head").fetchone()
    return (0, Frontier().to_bytes()) if row is None else (row[0], row[1])


def _taken(connection: Connection, head: Checkpoint) -> tuple[int, Checkpoint, bytes] | None:
    """Return the entry that `head` must equal or cannot follow: of its size, else the largest above."""
    row = connection.execute(
        "SELECT leaf_index, entry FROM entries WHERE origin = ? AND size >= ? "
        "ORDER BY size = ? DESC, size DESC LIMIT 1",
        (head.origin, head.size, head.size),
    ).fetchone()
    return None if row is None else (row[0], parse_body(parse_note(row[1]).text), row[1])


def _latest(connection: Connection, origin: str) -> tuple[Checkpoint, bytes] | None:
    row = connection.execute(
        "SELECT entry FROM entries WHERE origin = ? ORDER BY size DESC LIMIT 1", (origin,)
    ).fetchone()
    return None if row is None else (parse_body(parse_note(row[0]).text), row[0])


def _append(connection: Connection, head: Checkpoint, entry: bytes) -> int:
    index, stored = _head(connection)
    frontier = Frontier.from_bytes(stored)
    frontier.append(hash_leaf(entry))
    connection.execute(
        "INSERT INTO entries (leaf_index, origin, size, entry) VALUES (?, ?, ?, ?)",
        (index, head.origin, head.size, entry),
    )
    connection.execute(
        "INSERT INTO head (only, size, frontier) VALUES (1, ?, ?) "
        "ON CONFLICT (only) DO UPDATE SET size = excluded.size, frontier = excluded.frontier",
        (index + 1, frontier.to_bytes()),
    )
    return index
