"""What came in, what goes out, and what was answered: the memory that makes every effect happen once.

Promises: a message that comes again gets the answer it got; the same identification with other content is
told apart (9056). A request id is the same after a crash, and nobody without this file can guess it. The
answer and its place in the outbox are one transaction. What cannot be delivered within a day is parked and
stays visible, never dropped. Everything survives kill -9 (SQLite, WAL, synchronous FULL).
Source: TR056; OP090 (a retour within three working days).
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from adapters.kit.journal import PARK_AFTER_MS, is_due, wait_before_retry_ms
from adapters.kit.steps import fold_log, step
from adapters.provider.deadlines import retour_due
from adapters.provider.errors import JournalConflict
from adapters.provider.order import BEHIND, OLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

# So long is the chance that stands in the place of a digest once who the message is about was forgotten: of a
# message of which all but the BSN is known, its SHA-256 tells which of the BSNs it was.
FORGOTTEN_BYTES: Final = 16
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS inbox (
  sender TEXT NOT NULL, kind TEXT NOT NULL, identification TEXT NOT NULL, digest BLOB NOT NULL,
  clash INTEGER NOT NULL, received_ms INTEGER NOT NULL, retour_due TEXT NOT NULL,
  outbox_name TEXT, pseudonym TEXT, archived TEXT,
  PRIMARY KEY (sender, kind, identification, digest)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS inbox_first ON inbox (sender, kind, identification) WHERE clash = 0;
CREATE TABLE IF NOT EXISTS outbox (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, identification TEXT NOT NULL,
  content BLOB, pseudonym TEXT, state TEXT NOT NULL, attempts INTEGER NOT NULL, created_ms INTEGER NOT NULL,
  next_attempt_ms INTEGER NOT NULL, retour_due TEXT, codes TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (state, next_attempt_ms);
CREATE INDEX IF NOT EXISTS outbox_person ON outbox (pseudonym, number) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS in_the_way (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS residents (
  pseudonym TEXT PRIMARY KEY, bsn TEXT NOT NULL UNIQUE, birth_date TEXT NOT NULL, birth_date_use TEXT,
  gender TEXT NOT NULL, name TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS assignments (
  law TEXT NOT NULL, municipality TEXT NOT NULL, number INTEGER NOT NULL, pseudonym TEXT NOT NULL,
  decided TEXT NOT NULL, starts_on TEXT NOT NULL, ends_on TEXT, category TEXT, code TEXT,
  plan_id TEXT, support_id TEXT,
  PRIMARY KEY (law, municipality, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS assignments_support ON assignments (support_id);
CREATE TABLE IF NOT EXISTS positions (
  name TEXT PRIMARY KEY, position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request_namespace (
  one INTEGER PRIMARY KEY CHECK (one = 1), random BLOB NOT NULL CHECK (length(random) = 16)
) STRICT;
"""


class Arrival(Enum):
    """What a message is to this adapter."""

    NEW = "new"
    UNFINISHED = "unfinished"
    ANSWERED = "answered"
    CLASH = "clash"


@dataclass(frozen=True, slots=True)
class MessageKey:
    """Who sent it, which kind (`WMO301`), its identification, and the SHA-256 of its bytes."""

    sender: str
    kind: str
    identification: str
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the outbox. `retour_due` is set for one that wants an answer."""

    name: str
    kind: str
    identification: str
    content: bytes = field(repr=False)
    retour_due: date | None = None
    pseudonym: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message of the outbox that is to be delivered, or was parked."""

    name: str
    kind: str
    attempts: int
    created_ms: int
    content: bytes = field(repr=False)


class Journal:
    """One SQLite file of one organisation. Owned by the thread that opened it."""

    def __init__(self, path: Path, wait_s: float = 5.0) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=wait_s)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        # What is purged is overwritten, not only unlinked (GDPR 17).
        self.connection.execute("PRAGMA secure_delete = ON")
        self.connection.executescript(_SCHEMA)
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

    # --- in ---------------------------------------------------------------------------------------------

    def receive(self, key: MessageKey, now_ms: int, today: date) -> Arrival:
        """Write down that a message came, and tell what it is.

        UNFINISHED means that it came before and was not answered, after a crash for example: handle it again
        with the same request ids. CLASH means that its identification is taken by other content (9056). Of
        what was forgotten nobody knows the content: whatever comes under its identification was ANSWERED.
        """
        with self.transaction():
            found = self._row(key)
            if found is not None:
                if found[0] is not None:
                    return Arrival.ANSWERED
                return Arrival.CLASH if found[1] else Arrival.UNFINISHED
            clash = self.connection.execute(
                "SELECT 1 FROM inbox WHERE sender = ? AND kind = ? AND identification = ?",
                (key.sender, key.kind, key.identification),
            ).fetchone()
            self.connection.execute(
                "INSERT INTO inbox (sender, kind, identification, digest, clash, received_ms, retour_due) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*_key(key), int(clash is not None), now_ms, retour_due(key.kind, today).isoformat()),
            )
            return Arrival.NEW if clash is None else Arrival.CLASH

    def answer(self, key: MessageKey, retour: Outgoing, now_ms: int) -> None:
        """Put the answer to a message in the outbox and remember it with the message, in one step."""
        with self.transaction():
            row = self._row(key)
            if row is None:
                raise JournalConflict("a message is answered that never came in")
            if row[0] is not None and row[0] != retour.name:
                raise JournalConflict("a message gets one answer")
            self.send(retour, now_ms)
            self.connection.execute(
                "UPDATE inbox SET outbox_name = ?, pseudonym = ? "
                "WHERE sender = ? AND kind = ? AND identification = ? AND digest = ?",
                (retour.name, retour.pseudonym, *_key(key)),
            )

    def answer_again(self, key: MessageKey, now_ms: int) -> str:
        """Put the answer given before back in the outbox and return its name: the message came again."""
        with self.transaction():
            row = self._row(key)
            if row is None or row[0] is None:
                raise JournalConflict("this message was not answered yet")
            # Still waiting means that it goes out anyway; parked means that the sender is there again.
            self.connection.execute(
                "UPDATE outbox SET state = 'waiting', codes = NULL, attempts = 0, created_ms = ?, "
                "next_attempt_ms = ? WHERE name = ? AND content IS NOT NULL",
                (now_ms, now_ms, row[0]),
            )
            return str(row[0])

    def archived(self, key: MessageKey, name: str) -> None:
        """Remember under which name the file was kept, so that a purge finds it."""
        self.connection.execute(
            "UPDATE inbox SET archived = ? "
            "WHERE sender = ? AND kind = ? AND identification = ? AND digest = ?",
            (name, *_key(key)),
        )

    def answered_not_archived(self) -> dict[bytes, MessageKey]:
        """Return by digest the messages with an answer whose file was not noted: a kill came in between."""
        rows = self.connection.execute(
            "SELECT sender, kind, identification, digest FROM inbox "
            "WHERE outbox_name IS NOT NULL AND archived IS NULL AND pseudonym IS NOT NULL"
        )
        keys = (MessageKey(*row) for row in rows)
        return {key.digest: key for key in keys}

    def overdue(self, today: date) -> tuple[str, ...]:
        """Return `KIND SENDER IDENTIFICATION` of messages that should have had our answer by now."""
        rows = self.connection.execute(
            "SELECT kind, sender, identification FROM inbox WHERE outbox_name IS NULL AND retour_due < ? "
            "ORDER BY retour_due, identification",
            (today.isoformat(),),
        )
        return tuple(" ".join(row) for row in rows)

    def _row(self, key: MessageKey) -> tuple[str | None, int] | None:
        row: tuple[str | None, int] | None = self.connection.execute(
            "SELECT outbox_name, clash FROM inbox WHERE sender = ? AND kind = ? AND identification = ? "
            "AND (digest = ? OR length(digest) = ?) ORDER BY length(digest) DESC LIMIT 1",
            (*_key(key), FORGOTTEN_BYTES),
        ).fetchone()
        return row

    # --- out --------------------------------------------------------------------------------------------

    def send(self, outgoing: Outgoing, now_ms: int) -> None:
        """Put a message in the outbox. The same again changes nothing; other content is refused."""
        with self.transaction():
            row = self.connection.execute(
                "SELECT content FROM outbox WHERE name = ?", (outgoing.name,)
            ).fetchone()
            if row is not None:
                if row[0] is not None and row[0] != outgoing.content:
                    raise JournalConflict("the outbox holds another message under this name")
                return
            due = None if outgoing.retour_due is None else outgoing.retour_due.isoformat()
            self.connection.execute(
                "INSERT INTO outbox (name, kind, identification, content, pseudonym, state, attempts, "
                "created_ms, next_attempt_ms, retour_due) VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?, ?, ?)",
                (
                    outgoing.name,
                    outgoing.kind,
                    outgoing.identification,
                    outgoing.content,
                    outgoing.pseudonym,
                    now_ms,
                    now_ms,
                    due,
                ),
            )

    def knows(self, name: str) -> bool:
        """Tell whether a message of this name is in the outbox, or was."""
        found = self.connection.execute("SELECT 1 FROM outbox WHERE name = ?", (name,)).fetchone()
        return found is not None

    def holds(self, name: str, content: bytes) -> bool:
        """Tell whether this very message is in the outbox, or was."""
        row = self.connection.execute("SELECT content FROM outbox WHERE name = ?", (name,)).fetchone()
        return row is not None and row[0] == content

    def due(self, now_ms: int, limit: int = 100) -> tuple[Waiting, ...]:
        """Return what is to be delivered now, oldest first; of each person no more than the oldest.

        Behind one that could not be delivered wait all about the same person that want an answer.
        """
        return self._waiting(
            f"state = 'waiting' AND {is_due('next_attempt_ms')} AND NOT EXISTS ({OLDER}) "
            f"AND NOT ({BEHIND}) ORDER BY number LIMIT ?",
            (now_ms, now_ms, limit),
        )

    def parked(self) -> tuple[Waiting, ...]:
        """Return what could not be delivered within a day and waits for a person."""
        return self._waiting("state = 'parked' ORDER BY number", ())

    def _waiting(self, condition: str, values: tuple[int, ...]) -> tuple[Waiting, ...]:
        # The condition is one of the two texts above, never of a caller.
        query = "SELECT name, kind, attempts, created_ms, content FROM outbox WHERE content IS NOT NULL AND "
        return tuple(Waiting(*row) for row in self.connection.execute(query + condition, values))

    def delivered(self, name: str, created_ms: int | None = None) -> bool:
        """Note that one left the house; not one turned down meanwhile, or that is to go again since then."""
        condition = "name = ? AND state = 'waiting' AND created_ms = coalesce(?, created_ms)"
        query = f"UPDATE outbox SET state = 'sent' WHERE {condition}"  # noqa: S608 -- our own words
        return self.connection.execute(query, (name, created_ms)).rowcount > 0

    def refused(self, name: str, code: str) -> None:
        """Set a message apart that the other side will not take, with its code for that."""
        with self.transaction():
            self.connection.execute(
                # Not one that has its answer: a fault that comes late changes nothing of that.
                "UPDATE outbox SET state = 'parked', codes = ?1 WHERE name = ?2 "
                "AND (state <> 'sent' OR codes IS NULL)",
                (code, name),
            )
            self.connection.execute("INSERT OR IGNORE INTO in_the_way VALUES (?)", (name,))

    def failed(self, name: str, now_ms: int, jitter: float, wait_least_ms: int = 0) -> bool:
        """Note a failed delivery; return whether the message is now parked and somebody must be told.

        What the other side meanwhile turned down or answered did arrive: nothing is to be done any more.
        """
        with self.transaction():
            row = self.connection.execute(
                "SELECT attempts, created_ms, state FROM outbox WHERE name = ?", (name,)
            ).fetchone()
            if row is None:
                raise JournalConflict("there is no message of this name to deliver")
            if row[2] != "waiting":
                return False
            attempts = row[0] + 1
            # Its day begins with its first attempt, and not before now where a clock ran ahead.
            began_ms = min(row[1], now_ms) if row[0] else now_ms
            parked = now_ms - began_ms >= PARK_AFTER_MS
            self.connection.execute(
                "UPDATE outbox SET state = ?, attempts = ?, next_attempt_ms = ?, created_ms = ? "
                "WHERE name = ?",
                (
                    "parked" if parked else "waiting",
                    attempts,
                    now_ms + max(wait_least_ms, wait_before_retry_ms(attempts, jitter)),
                    began_ms,
                    name,
                ),
            )
            if parked:
                self.connection.execute("INSERT OR IGNORE INTO in_the_way VALUES (?)", (name,))
            return bool(parked)

    def revive(self, name: str, now_ms: int) -> None:
        """Let a parked message wait for delivery again, for another day."""
        self.connection.execute(
            "UPDATE outbox SET state = 'waiting', codes = NULL, attempts = 0, created_ms = ?, "
            "next_attempt_ms = ? WHERE name = ? AND state = 'parked'",
            (now_ms, now_ms, name),
        )

    def answered(self, kind: str, identification: str, codes: tuple[str, ...]) -> bool:
        """Note the retour to a message of ours; return whether there is such a message.

        Whatever was said when it was delivered, it arrived: it goes no more, and nothing waits for it.
        """
        changed = self.connection.execute(
            "UPDATE outbox SET codes = ?, state = 'sent' "
            "WHERE kind = ? AND identification = ? AND retour_due IS NOT NULL",
            (" ".join(codes), kind, identification),
        )
        return changed.rowcount > 0

    def unanswered(self, today: date) -> tuple[str, ...]:
        """Return the names of messages of ours whose retour should have been here by now."""
        rows = self.connection.execute(
            "SELECT name FROM outbox WHERE codes IS NULL AND retour_due < ? ORDER BY number",
            (today.isoformat(),),
        )
        return tuple(str(row[0]) for row in rows)

    # --- where we are in what we follow --------------------------------------------------------------------

    def position(self, name: str) -> int:
        """Return how far a subscription was followed; 0 for one never followed."""
        row = self.connection.execute("SELECT position FROM positions WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def advance(self, name: str, position: int) -> None:
        """Remember how far a subscription was followed; it never goes back."""
        self.connection.execute(
            "INSERT INTO positions VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET position = max(position, excluded.position)",
            (name, position),
        )


def _key(key: MessageKey) -> tuple[str, str, str, bytes]:
    return key.sender, key.kind, key.identification, key.digest
