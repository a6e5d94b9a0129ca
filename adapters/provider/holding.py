"""Messages that may not be acted on yet: a restriction lies on what they are about.

Promises: one lies here sealed, under a key beside the journal, and nowhere in the clear; it lies in the
journal's file, so that a kill loses none and doubles none. Of one person they wait in their order. It is
asked about again every few hours, at once when a lifting is told, and on the last day of the term for its
answer, which it then gets. An erasure takes it away. What is not sealed of it names a pseudonym at most.
Source: GDPR 17, 18(2) (storing is allowed), 32; iWmo and iJw 3.2: OP090 (three working days).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from adapters.kit.put_aside import CannotOpen
from adapters.kit.sealing import KeyUnusable, Seal, key_at
from adapters.provider.errors import ConfigInvalid
from adapters.provider.journal import MessageKey

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.provider.journal import Journal

# Each question that is refused is written down at the exchange, and shown to the resident: not every minute.
AGAIN_MS: Final = 4 * 3_600_000
_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS held (
  number INTEGER PRIMARY KEY, sender TEXT NOT NULL, kind TEXT NOT NULL, identification TEXT NOT NULL,
  digest BLOB NOT NULL, file TEXT NOT NULL, content BLOB NOT NULL, pseudonym TEXT NOT NULL,
  plan_id TEXT NOT NULL, next_attempt_ms INTEGER NOT NULL, answered INTEGER NOT NULL,
  refused INTEGER NOT NULL DEFAULT 1,
  UNIQUE (sender, kind, identification, digest)
) STRICT""",
    "CREATE INDEX IF NOT EXISTS held_person ON held (pseudonym, number)",
)
_COLUMNS: Final = (
    "number, sender, kind, identification, digest, file, pseudonym, "
    "(SELECT retour_due FROM inbox AS i WHERE (i.sender, i.kind, i.identification, i.digest) "
    "= (held.sender, held.kind, held.identification, held.digest))"
)
_KEY: Final = "sender = ? AND kind = ? AND identification = ? AND digest = ?"


@dataclass(frozen=True, slots=True)
class Waits:
    """Whom a message that may not be acted on yet is about; no plan where the exchange tells of none."""

    pseudonym: str
    plan_id: str = ""


@dataclass(frozen=True, slots=True)
class Parked:
    """One that waits: `file` is its name when it came, `answer_by` the last day for its answer."""

    number: int
    key: MessageKey
    file: str
    pseudonym: str = field(repr=False)
    answer_by: date

    def line(self) -> str:
        """Return what `status` says of it."""
        return f"{self.key.kind} {self.key.identification} until {self.answer_by.isoformat()}"


class Holding:
    """In the file of the journal; what it writes is part of the caller's step."""

    def __init__(self, journal: Journal, seal_key: Path) -> None:
        self._connection: Final = journal.connection
        self._seal_key: Final = seal_key
        for statement in _SCHEMA:
            self._connection.execute(statement)
        columns = {row[1] for row in self._connection.execute("PRAGMA table_info (held)")}
        if "refused" not in columns:
            # The first shape of this table lived for a day.
            self._connection.execute("ALTER TABLE held ADD COLUMN refused INTEGER NOT NULL DEFAULT 1")

    # --- in -----------------------------------------------------------------------------------------------

    def holds(self, key: MessageKey) -> bool:
        """Tell whether this message waits here."""
        query = f"SELECT 1 FROM held WHERE {_KEY}"  # noqa: S608 -- our own words
        return self._connection.execute(query, _of(key)).fetchone() is not None

    def answer_by(self, key: MessageKey) -> date:
        """Return the last day for the answer to a message that came in."""
        query = f"SELECT retour_due FROM inbox WHERE {_KEY}"  # noqa: S608 -- our own words
        (found,) = self._connection.execute(query, _of(key)).fetchone()
        return date.fromisoformat(found)

    def put(self, key: MessageKey, file: str, content: bytes, waits: Waits, now_ms: int) -> None:
        """Let a message wait. Raises ConfigInvalid where the key is not to be used."""
        seal = self._seal()
        self._require_same(seal)
        sealed = seal.seal(content, _place(key))
        self._connection.execute(
            "INSERT INTO held (sender, kind, identification, digest, file, content, pseudonym, plan_id, "
            "next_attempt_ms, answered) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (*_of(key), file, sealed, waits.pseudonym, waits.plan_id, now_ms + AGAIN_MS),
        )

    def people(self) -> frozenset[str]:
        """Return of whom messages wait."""
        return frozenset(row[0] for row in self._connection.execute("SELECT pseudonym FROM held"))

    def behind(self, pseudonym: str, identification: str) -> bool:
        """Tell whether a message of this person waits that came before the one with this identification."""
        row = self._connection.execute(
            "SELECT 1 FROM held WHERE pseudonym = ?1 AND answered = 0 AND number < coalesce("
            "(SELECT number FROM held WHERE pseudonym = ?1 AND identification = ?2 AND answered = 0), "
            "number + 1)",
            (pseudonym, identification),
        ).fetchone()
        return row is not None

    def refused(self, pseudonym: str, identification: str) -> int:
        """Return how often a message of this person was refused and waits since; 0 for one that does not."""
        row = self._connection.execute(
            "SELECT refused FROM held WHERE pseudonym = ? AND identification = ? AND answered = 0",
            (pseudonym, identification),
        ).fetchone()
        return 0 if row is None else int(row[0])

    # --- out ----------------------------------------------------------------------------------------------

    def due(self, now_ms: int, today: date) -> tuple[Parked, ...]:
        """Return what is to be asked about again, of each person the oldest only.

        What lies farther ahead than any wait was noted by a clock that was set back since.
        """
        found = self._select(
            "answered = 0 AND number IN (SELECT min(number) FROM held WHERE answered = 0 GROUP BY pseudonym) "
            "AND (next_attempt_ms <= ?1 OR next_attempt_ms > ?1 + ?2 OR EXISTS (SELECT 1 FROM inbox AS i "
            "WHERE (i.sender, i.kind, i.identification, i.digest) "
            "= (held.sender, held.kind, held.identification, held.digest) AND i.retour_due <= ?3))",
            (now_ms, AGAIN_MS, today.isoformat()),
        )
        return tuple(found)

    def waiting(self) -> tuple[Parked, ...]:
        """Return what waits, oldest first."""
        return tuple(self._select("answered = 0", ()))

    def to_put_away(self) -> tuple[Parked, ...]:
        """Return what was answered and is not put away yet."""
        return tuple(self._select("answered = 1", ()))

    def about(self, pseudonym: str) -> tuple[Parked, ...]:
        """Return what lies here about a person, answered or not."""
        return tuple(self._select("pseudonym = ?", (pseudonym,)))

    def content(self, held: Parked) -> bytes:
        """Return a message as it came. Raises ConfigInvalid for a key that is gone, CannotOpen."""
        query = "SELECT content FROM held WHERE number = ?"
        (sealed,) = self._connection.execute(query, (held.number,)).fetchone()
        return self._seal().open(sealed, _place(held.key))

    def later(self, held: Parked, waits: Waits, now_ms: int) -> None:
        """Ask about it again in some hours; of which plan it is may be known by now."""
        self._connection.execute(
            "UPDATE held SET refused = refused + 1, next_attempt_ms = ?, "
            "plan_id = CASE ? WHEN '' THEN plan_id ELSE ?2 END WHERE number = ?",
            (now_ms + AGAIN_MS, waits.plan_id, held.number),
        )

    def hurry(self, plan_id: str) -> None:
        """Ask at once: of this plan something was lifted. What is of no known plan may be of this one."""
        self._connection.execute("UPDATE held SET next_attempt_ms = 0 WHERE plan_id IN (?, '')", (plan_id,))

    def of_no_plan(self) -> tuple[str, ...]:
        """Return of whom messages wait while nothing tells of which plan they are."""
        rows = self._connection.execute(
            "SELECT pseudonym FROM held WHERE answered = 0 GROUP BY pseudonym HAVING max(plan_id) = ''"
        )
        return tuple(row[0] for row in rows)

    def answered(self, held: Parked) -> None:
        """Note that it has its answer; it is to be put away."""
        self._connection.execute("UPDATE held SET answered = 1 WHERE number = ?", (held.number,))

    def gone(self, held: Parked) -> None:
        """Forget one that was put away."""
        self._connection.execute("DELETE FROM held WHERE number = ?", (held.number,))

    def forget(self, pseudonym: str) -> None:
        """Forget the messages about a person, and that those came that have no answer: none is due."""
        self._connection.execute(
            "DELETE FROM inbox WHERE outbox_name IS NULL AND (sender, kind, identification, digest) IN "
            "(SELECT sender, kind, identification, digest FROM held WHERE pseudonym = ?)",
            (pseudonym,),
        )
        self._connection.execute("DELETE FROM held WHERE pseudonym = ?", (pseudonym,))

    def _select(self, condition: str, values: tuple[int | str, ...]) -> list[Parked]:
        query = f"SELECT {_COLUMNS} FROM held WHERE {condition} ORDER BY number"  # noqa: S608 -- our own words
        return [
            Parked(row[0], MessageKey(*row[1:5]), row[5], row[6], date.fromisoformat(row[7]))
            for row in self._connection.execute(query, values)
        ]

    def _seal(self) -> Seal:
        # A new key opens nothing of what is there.
        (some,) = self._connection.execute("SELECT count(*) FROM held").fetchone()
        try:
            return Seal(key_at(self._seal_key, make=not some))
        except KeyUnusable as unusable:
            raise ConfigInvalid(str(unusable)) from None

    def _require_same(self, seal: Seal) -> None:
        rows = self._connection.execute(
            "SELECT sender, kind, identification, digest, content FROM held"
        ).fetchall()
        for *place, content in rows:
            # One that opens is enough: another may be harmed.
            with suppress(CannotOpen):
                seal.open(content, _place(MessageKey(*place)))
                return
        if rows:
            raise ConfigInvalid(f"{self._seal_key.name} is another key than that of what waits: put it back")


def _of(key: MessageKey) -> tuple[str, str, str, bytes]:
    return key.sender, key.kind, key.identification, key.digest


def _place(key: MessageKey) -> str:
    return f"held {key.sender} {key.kind} {key.identification} {key.digest.hex()}"
