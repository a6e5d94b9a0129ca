"""The memory of an adapter that brings two systems to the same state: what is still to be done, and what was.

Promises: what is asked stands on disk before anybody is told that it was heard; an errand that is asked again
while it is done is done again; what cannot be done within a day is parked and stays visible, never dropped. A
request id is the same after a crash, and nobody without this file can guess it. Everything survives kill -9
(SQLite, WAL, synchronous FULL).
Source: GDPR 17 (what is purged is overwritten).
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from adapters.kit.steps import fold_log, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

RETRY_FIRST_MS: Final = 1_000
RETRY_LONGEST_MS: Final = 3_600_000
PARK_AFTER_MS: Final = 24 * 3_600_000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS errands (
  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, plan_id TEXT NOT NULL,
  state TEXT NOT NULL, asked INTEGER NOT NULL, attempts INTEGER NOT NULL, since_ms INTEGER NOT NULL,
  next_ms INTEGER NOT NULL, reason TEXT NOT NULL, UNIQUE (kind, subject)
) STRICT;
CREATE INDEX IF NOT EXISTS errands_due ON errands (state, next_ms);
CREATE TABLE IF NOT EXISTS positions (
  name TEXT PRIMARY KEY, position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request_namespace (
  one INTEGER PRIMARY KEY CHECK (one = 1), random BLOB NOT NULL CHECK (length(random) = 16)
) STRICT;
"""
_COLUMNS: Final = "number, kind, subject, plan_id, asked, attempts, since_ms, reason"


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to be done: a kind, and what it is about. `asked` counts how often it was asked."""

    number: int
    kind: str
    subject: str
    plan_id: str
    asked: int
    attempts: int
    since_ms: int
    reason: str


def wait_before_retry_ms(attempt: int, jitter: float) -> int:
    """Return how long to wait after failed attempt `attempt`, from 1: doubling, at most an hour.

    `jitter` lies in [0, 1) and takes away up to half, so that adapters do not all come back at once.
    """
    if attempt < 1 or not 0 <= jitter < 1:
        raise ValueError("attempt counts from 1 and jitter lies in [0, 1)")
    longest: int = min(RETRY_FIRST_MS << min(attempt - 1, 30), RETRY_LONGEST_MS)
    return longest - int(longest * jitter / 2)


def is_due(column: str) -> str:
    """Return the condition under which what waits until a moment is due; its two values are the moment now.

    What lies farther ahead than any wait may last was noted by a clock that was set back since.
    """
    return f"({column} <= ? OR {column} > ? + {RETRY_LONGEST_MS})"


class Journal:
    """One SQLite file of one organisation. Owned by the thread that opened it; another opens its own."""

    def __init__(self, path: Path, schema: str = "") -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        self.connection: Final = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("PRAGMA secure_delete = ON")
        self.connection.executescript(_SCHEMA + schema)
        self._requests: Final = self._request_namespace()

    def request_id(self, asked: str) -> str:
        """Return the request id of what is asked: the same over restarts, chance to others.

        A hash of the command lies in the exchange's ledger for ever, and its id is all that salts it. From
        what is asked alone an id could be made again, and the command tried; so 16 random bytes go first.
        """
        return str(uuid5(self._requests, asked))

    def _request_namespace(self) -> UUID:
        # The first one to write wins, and everybody reads what is written.
        self.connection.execute(
            "INSERT OR IGNORE INTO request_namespace VALUES (1, ?)", (secrets.token_bytes(16),)
        )
        (random,) = self.connection.execute("SELECT random FROM request_namespace").fetchone()
        return UUID(bytes=random)

    def close(self) -> None:
        """Close the file; a journal that is not closed loses nothing."""
        self.connection.close()

    def fold_log(self) -> None:
        """Fold SQLite's log into the file: it still holds what was deleted. Raises NotFolded (OSError)."""
        fold_log(self.connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what happens inside one step: all of it, or after an error or a crash nothing of it.

        Steps nest: the outermost one is written, and one that fails within it leaves nothing behind.
        """
        with step(self.connection):
            yield

    # --- errands ------------------------------------------------------------------------------------------

    def ask(self, kind: str, subject: str, now_ms: int, plan_id: str = "") -> None:
        """Write down that something is to be done, now. What waits or was parked is done at once."""
        self.connection.execute(
            "INSERT INTO errands (kind, subject, plan_id, state, asked, attempts, since_ms, next_ms, reason) "
            "VALUES (?, ?, ?, 'due', 1, 0, ?, ?, '') ON CONFLICT (kind, subject) DO UPDATE SET "
            "state = 'due', asked = asked + 1, attempts = 0, since_ms = excluded.since_ms, "
            "next_ms = excluded.next_ms, reason = '', "
            "plan_id = CASE excluded.plan_id WHEN '' THEN plan_id ELSE excluded.plan_id END",
            (kind, subject, plan_id, now_ms, now_ms),
        )

    def ask_unless_known(self, kind: str, subject: str, now_ms: int, plan_id: str = "") -> None:
        """Write down that something is to be done; what waits or is parked stays as it is."""
        self.connection.execute(
            "INSERT OR IGNORE INTO errands "
            "(kind, subject, plan_id, state, asked, attempts, since_ms, next_ms, reason) "
            "VALUES (?, ?, ?, 'due', 1, 0, ?, ?, '')",
            (kind, subject, plan_id, now_ms, now_ms),
        )

    def park_unless_known(self, kind: str, subject: str, reason: str, now_ms: int) -> bool:
        """Set something apart for a person; tell whether it was not known yet, and somebody must be told."""
        made = self.connection.execute(
            "INSERT OR IGNORE INTO errands "
            "(kind, subject, plan_id, state, asked, attempts, since_ms, next_ms, reason) "
            "VALUES (?, ?, '', 'parked', 1, 0, ?, ?, ?)",
            (kind, subject, now_ms, now_ms, reason),
        )
        return made.rowcount > 0

    def forget_others(self, kind: str, subjects: Iterable[str]) -> None:
        """Forget the errands of a kind about anything but these."""
        self.connection.execute(
            "DELETE FROM errands WHERE kind = ? AND subject NOT IN (SELECT value FROM json_each(?))",
            (kind, json.dumps([*subjects])),
        )

    def due(self, now_ms: int, limit: int = 100) -> tuple[Errand, ...]:
        """Return what is to be done now, in the order it was first asked."""
        return self._errands(
            f"state = 'due' AND {is_due('next_ms')} ORDER BY number LIMIT ?", (now_ms, now_ms, limit)
        )

    def waiting(self) -> tuple[Errand, ...]:
        """Return all that is to be done, now or later."""
        return self._errands("state = 'due' ORDER BY number", ())

    def parked(self) -> tuple[Errand, ...]:
        """Return what waits for a person."""
        return self._errands("state = 'parked' ORDER BY number", ())

    def _errands(self, condition: str, values: tuple[int, ...]) -> tuple[Errand, ...]:
        # The condition is one of the texts above, never of a caller.
        query = f"SELECT {_COLUMNS} FROM errands WHERE {condition}"  # noqa: S608 -- texts of this room
        return tuple(Errand(*row) for row in self.connection.execute(query, values))

    def done(self, errand: Errand) -> None:
        """Note that it was done; it stays due where it was asked again meanwhile."""
        self.connection.execute(
            "DELETE FROM errands WHERE number = ? AND asked = ?", (errand.number, errand.asked)
        )

    def later(self, errand: Errand, reason: str, now_ms: int, wait_ms: int) -> bool:
        """Note that it could not be done yet; return whether it is now parked and somebody must be told."""
        parked = now_ms - errand.since_ms >= PARK_AFTER_MS
        noted = self.connection.execute(
            # What was asked by a clock that ran ahead has its day from now.
            "UPDATE errands SET state = ?, attempts = attempts + 1, next_ms = ?, reason = ?, "
            "since_ms = min(since_ms, ?) WHERE number = ? AND asked = ?",
            ("parked" if parked else "due", now_ms + wait_ms, reason, now_ms, errand.number, errand.asked),
        )
        # What was asked again meanwhile is due, and nobody is told.
        return parked and noted.rowcount > 0

    def park(self, errand: Errand, reason: str) -> bool:
        """Set it apart for a person; tell whether it is: asked again meanwhile, it stays due."""
        noted = self.connection.execute(
            "UPDATE errands SET state = 'parked', reason = ? WHERE number = ? AND asked = ?",
            (reason, errand.number, errand.asked),
        )
        return noted.rowcount > 0

    def park_plan(self, plan_id: str, reason: str) -> int:
        """Set apart all that waits of a plan; return how much."""
        return self.connection.execute(
            "UPDATE errands SET state = 'parked', reason = ? WHERE plan_id = ? AND state = 'due'",
            (reason, plan_id),
        ).rowcount

    def revive_plan(self, plan_id: str, reason: str, now_ms: int) -> None:
        """Let what was parked of a plan for this reason be done again."""
        self.connection.execute(
            "UPDATE errands SET state = 'due', attempts = 0, since_ms = ?, next_ms = ?, reason = '' "
            "WHERE plan_id = ? AND state = 'parked' AND reason = ?",
            (now_ms, now_ms, plan_id, reason),
        )

    def forget_plan(self, plan_id: str) -> None:
        """Forget all that was to be done of a plan."""
        self.connection.execute("DELETE FROM errands WHERE plan_id = ?", (plan_id,))

    # --- where we are in what we follow --------------------------------------------------------------------

    def position(self, name: str) -> int:
        """Return how far something was followed; 0 for what was never followed."""
        row = self.connection.execute("SELECT position FROM positions WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def advance(self, name: str, position: int) -> None:
        """Remember how far something was followed; it never goes back."""
        self.connection.execute(
            "INSERT INTO positions VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET position = max(position, excluded.position)",
            (name, position),
        )
