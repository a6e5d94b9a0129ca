"""What this adapter has to do and has done: one errand for each support, kind and care or change it is of.

Promises: of each care under a support each kind is told once, whatever comes twice, on the days it had then;
what must not go on is parked with its reason and stays visible; nothing is dropped. All in the journal's
file, in the caller's transaction.
Source: the adapters' design, section 2 (exactly-once effect; parked, never dropped).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from adapters.kit.erasures import Erasures
from adapters.kit.journal import is_due, wait_before_retry_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.provider.journal import Journal

# One statement at a time: executescript would end a transaction that is under way.
_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS plans (
  plan_id TEXT PRIMARY KEY, agreed_version INTEGER NOT NULL, pseudonym TEXT
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS wanted (
  support_id TEXT PRIMARY KEY, plan_id TEXT NOT NULL, version INTEGER NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS changes (
  support_id TEXT PRIMARY KEY, plan_id TEXT NOT NULL, version INTEGER NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS errands (
  number INTEGER PRIMARY KEY, support_id TEXT NOT NULL, kind TEXT NOT NULL, plan_id TEXT NOT NULL,
  state TEXT NOT NULL, reason TEXT NOT NULL, outbox_name TEXT, attempts INTEGER NOT NULL,
  next_attempt_ms INTEGER NOT NULL, starts_on TEXT NOT NULL, ends_on TEXT NOT NULL,
  stop_reason INTEGER NOT NULL, occasion INTEGER NOT NULL,
  UNIQUE (support_id, kind, starts_on, occasion)
) STRICT""",
)

_SELECT: Final = (
    "SELECT support_id, kind, plan_id, attempts, state, reason, starts_on, ends_on, stop_reason, occasion, "
    "next_attempt_ms FROM errands"
)
_BEFORE: Final = "errands_before"
_NAMED: Final = "support_id = ? AND kind = ? AND starts_on = ? AND occasion = ?"


@dataclass(frozen=True, slots=True)
class Care:
    """Care that started, and stopped where `ends_on` is given: the last day, with a StopReason."""

    starts_on: date
    ends_on: date | None = None
    stop_reason: int = 0


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to do: `kind` is that of the message, such as WMO301; an assignment is of no care.

    `occasion` tells apart what may come again: the version of the plan at which a support was changed, or the
    position at which a case was joined. 0 is the first assignment, and care. `due_ms` tells whether it was
    hurried since it was read.
    """

    support_id: str
    kind: str
    plan_id: str
    attempts: int
    state: str = "due"
    reason: str = ""
    care: Care | None = None
    occasion: int = 0
    due_ms: int = field(default=0, compare=False)


class Errands:
    """Errands, and the plans they come from, in the file of the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal: Final = journal
        self._connection: Final = journal.connection
        with journal.transaction():
            self._erasures: Final = Erasures(journal.connection)
            before = self._put_aside()
            for statement in _SCHEMA:
                self._connection.execute(statement)
            if before:
                self._connection.execute(f"INSERT INTO errands SELECT *, 0 FROM {_BEFORE}")  # noqa: S608 -- our own words
                self._connection.execute(f"DROP TABLE {_BEFORE}")

    def _put_aside(self) -> bool:
        """Put errands aside that a journal holds from before there were occasions; tell whether it did."""
        columns = {row[1] for row in self._connection.execute("PRAGMA table_info(errands)")}
        if not columns or "occasion" in columns:
            return False
        self._connection.execute(f"ALTER TABLE errands RENAME TO {_BEFORE}")
        return True

    # --- errands ------------------------------------------------------------------------------------------

    def want(
        self, support_id: str, kind: str, plan_id: str, care: Care | None = None, occasion: int = 0
    ) -> None:
        """Make an errand, once: whoever was told of a support, or of care under it, is not told again."""
        ends_on = "" if care is None or care.ends_on is None else care.ends_on.isoformat()
        self._connection.execute(
            "INSERT OR IGNORE INTO errands "
            "(support_id, kind, plan_id, state, reason, attempts, next_attempt_ms, starts_on, ends_on, "
            "stop_reason, occasion) VALUES (?, ?, ?, 'due', '', 0, 0, ?, ?, ?, ?)",
            (
                support_id,
                kind,
                plan_id,
                _of(care),
                ends_on,
                0 if care is None else care.stop_reason,
                occasion,
            ),
        )

    def want_change(self, support_id: str, kind: str, plan_id: str, version: int) -> None:
        """Make the errand of a change of what was told; an earlier one that was not told gives way to it."""
        self._connection.execute(
            "DELETE FROM errands WHERE support_id = ? AND kind = ? AND occasion BETWEEN 1 AND ? "
            "AND state <> 'done'",
            (support_id, kind, version - 1),
        )
        self.want(support_id, kind, plan_id, occasion=version)

    def change_untold(self, support_id: str, kind: str) -> bool:
        """Tell whether a support was changed and that was not told yet."""
        version = self.changed_version(support_id)
        return version is not None and self.state(support_id, kind, occasion=version) != "done"

    def due(self, now_ms: int) -> tuple[Errand, ...]:
        """Return what is to be done now, oldest first."""
        rows = self._connection.execute(
            f"{_SELECT} WHERE state = 'due' AND {is_due('next_attempt_ms')} ORDER BY number",
            (now_ms, now_ms),
        )
        return tuple(map(_read, rows))

    def undone(self) -> tuple[Errand, ...]:
        """Return every errand that is not done, with what holds it up."""
        rows = self._connection.execute(f"{_SELECT} WHERE state <> 'done' ORDER BY number")
        return tuple(map(_read, rows))

    def state(self, support_id: str, kind: str, care: Care | None = None, occasion: int = 0) -> str:
        """Return due, done or parked; empty where there is no such errand."""
        row = self._connection.execute(
            f"SELECT state FROM errands WHERE {_NAMED}",  # noqa: S608 -- our own words
            (support_id, kind, _of(care), occasion),
        ).fetchone()
        return "" if row is None else str(row[0])

    def told_of_care(self, plan_id: str) -> bool:
        """Tell whether a message about care under a support of this plan was made."""
        row = self._connection.execute(
            "SELECT 1 FROM errands WHERE plan_id = ? AND state = 'done' AND starts_on <> ''", (plan_id,)
        ).fetchone()
        return row is not None

    def care_told(self, support_id: str) -> tuple[Care, ...]:
        """Return the care under a support that was told, each with the end that was told, if any."""
        rows = self._connection.execute(
            "SELECT starts_on, max(ends_on) FROM errands WHERE support_id = ? AND state = 'done' "
            "AND starts_on <> '' GROUP BY starts_on ORDER BY starts_on",
            (support_id,),
        )
        return tuple(
            Care(date.fromisoformat(first), date.fromisoformat(last) if last else None)
            for first, last in rows
        )

    def earlier_unanswered(self, support_id: str, care: Care) -> bool:
        """Tell whether something of earlier care under this support was not told yet, or not answered yet."""
        row = self._connection.execute(
            "SELECT 1 FROM errands AS e LEFT JOIN outbox AS o ON o.name = e.outbox_name "
            "WHERE e.support_id = ? AND e.starts_on <> '' AND e.starts_on < ? AND o.codes IS NULL",
            (support_id, _of(care)),
        ).fetchone()
        return row is not None

    def done(self, errand: Errand, outbox_name: str = "") -> None:
        """Note that the message stands in the outbox; no name where there was none to send."""
        self._connection.execute(
            f"UPDATE errands SET state = 'done', reason = '', outbox_name = ? WHERE {_NAMED}",  # noqa: S608 -- our own words
            (outbox_name or None, *_key(errand)),
        )

    def later(self, errand: Errand, reason: str, now_ms: int, jitter: float) -> None:
        """Let an errand wait for what it lacks; the wait doubles up to an hour. Not one hurried meanwhile."""
        attempts = errand.attempts + 1
        self._connection.execute(
            f"UPDATE errands SET attempts = ?, next_attempt_ms = ?, reason = ? WHERE {_NAMED} "  # noqa: S608 -- our own words
            "AND next_attempt_ms = ?",
            (
                attempts,
                now_ms + wait_before_retry_ms(attempts, jitter),
                reason,
                *_key(errand),
                errand.due_ms,
            ),
        )

    def hurry(self, plan_id: str) -> None:
        """Let the waiting errands of a plan be tried at once: what they lacked may have come.

        Each time it is another moment: who looked before it came does not let one wait because of that.
        """
        self._connection.execute(
            "UPDATE errands SET attempts = 0, next_attempt_ms = min(next_attempt_ms, 1) - 1 "
            "WHERE plan_id = ? AND state = 'due'",
            (plan_id,),
        )

    def park(self, errand: Errand, reason: str) -> None:
        """Stop an errand; only `revive` or a person makes it go on."""
        self._connection.execute(
            f"UPDATE errands SET state = 'parked', reason = ? WHERE {_NAMED}",  # noqa: S608 -- our own words
            (reason, *_key(errand)),
        )

    def park_plan(self, plan_id: str, reason: str) -> tuple[str, ...]:
        """Stop everything of a plan that has not left the house; return the kinds that were stopped.

        The relation ended, so what still waits in the outbox may not go out either.
        """
        with self._journal.transaction():
            waiting = self._connection.execute(
                "SELECT o.name, o.kind FROM outbox AS o JOIN errands AS e ON e.outbox_name = o.name "
                "WHERE e.plan_id = ? AND o.state = 'waiting'",
                (plan_id,),
            ).fetchall()
            due = self._connection.execute(
                "SELECT kind FROM errands WHERE plan_id = ? AND state = 'due' ORDER BY number", (plan_id,)
            ).fetchall()
            self._connection.executemany(
                "UPDATE outbox SET state = 'parked' WHERE name = ?", [(name,) for name, _ in waiting]
            )
            self._connection.execute(
                "UPDATE errands SET state = 'parked', reason = ? WHERE plan_id = ? AND (state = 'due' OR "
                "outbox_name IN (SELECT name FROM outbox WHERE state = 'parked'))",
                (reason, plan_id),
            )
        return (*(str(kind) for _, kind in waiting), *(str(row[0]) for row in due))

    def revive(self, plan_id: str, reason: str) -> None:
        """Let errands of a plan that were parked for this reason go on."""
        self._connection.execute(
            "UPDATE errands SET state = 'due', reason = '', attempts = 0, next_attempt_ms = 0 "
            "WHERE plan_id = ? AND state = 'parked' AND reason = ? AND outbox_name IS NULL",
            (plan_id, reason),
        )

    # --- plans and supports of the municipality -----------------------------------------------------------

    def agreed(self, plan_id: str, version: int) -> None:
        """Remember with which version of a plan the resident agreed; 0 for a no."""
        self._connection.execute(
            "INSERT INTO plans (plan_id, agreed_version) VALUES (?, ?) "
            "ON CONFLICT (plan_id) DO UPDATE SET agreed_version = excluded.agreed_version",
            (plan_id, version),
        )

    def requested(self, support_id: str, plan_id: str, version: int) -> None:
        """Remember that a support was requested at a version of its plan."""
        self._connection.execute(
            "INSERT OR IGNORE INTO wanted (support_id, plan_id, version) VALUES (?, ?, ?)",
            (support_id, plan_id, version),
        )

    def requested_version(self, support_id: str) -> int | None:
        """Return at which version a support was requested, or None for one never seen."""
        row = self._connection.execute(
            "SELECT version FROM wanted WHERE support_id = ?", (support_id,)
        ).fetchone()
        return None if row is None else int(row[0])

    def changed(self, support_id: str, plan_id: str, version: int) -> None:
        """Remember that a support that runs was changed at a version of its plan; the newest counts."""
        self._connection.execute(
            "INSERT INTO changes VALUES (?, ?, ?) ON CONFLICT (support_id) DO UPDATE SET "
            "version = excluded.version WHERE excluded.version > version",
            (support_id, plan_id, version),
        )

    def changed_version(self, support_id: str) -> int | None:
        """Return at which version a support was changed last, or None for one that never was."""
        row = self._connection.execute(
            "SELECT version FROM changes WHERE support_id = ?", (support_id,)
        ).fetchone()
        return None if row is None else int(row[0])

    def changes_covered(self, plan_id: str) -> tuple[tuple[str, int], ...]:
        """Return the changed supports of a plan that the resident's yes covers, each with the version."""
        rows = self._connection.execute(
            "SELECT c.support_id, c.version FROM changes AS c JOIN plans AS p ON p.plan_id = c.plan_id "
            "WHERE c.plan_id = ? AND p.agreed_version >= c.version ORDER BY c.version",
            (plan_id,),
        )
        return tuple((str(support_id), int(version)) for support_id, version in rows)

    def covered(self, plan_id: str) -> tuple[str, ...]:
        """Return the requested supports of a plan that the resident's yes covers."""
        rows = self._connection.execute(
            "SELECT w.support_id FROM wanted AS w JOIN plans AS p ON p.plan_id = w.plan_id "
            "WHERE w.plan_id = ? AND p.agreed_version >= w.version ORDER BY w.version",
            (plan_id,),
        )
        return tuple(str(row[0]) for row in rows)

    def whose_plan(self, plan_id: str) -> str | None:
        """Return the pseudonym of the resident of a plan, or None where it is not known yet."""
        row = self._connection.execute("SELECT pseudonym FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()
        return None if row is None else row[0]

    def plan_is_of(self, plan_id: str, pseudonym: str) -> None:
        """Remember whose plan it is; of one that was erased, nothing."""
        if self._erasures.erased(plan_id):
            return
        self._connection.execute(
            "INSERT INTO plans (plan_id, agreed_version, pseudonym) VALUES (?, 0, ?) "
            "ON CONFLICT (plan_id) DO UPDATE SET pseudonym = excluded.pseudonym",
            (plan_id, pseudonym),
        )

    def people_of(self, plan_ids: Iterable[str]) -> frozenset[str]:
        """Return the pseudonyms of whom these plans are, as far as it is known."""
        query = (
            "SELECT pseudonym FROM plans WHERE pseudonym IS NOT NULL "
            "AND plan_id IN (SELECT value FROM json_each(?))"
        )
        return frozenset(str(row[0]) for row in self._connection.execute(query, (json.dumps([*plan_ids]),)))

    def erased(self, plan_id: str) -> bool:
        """Tell whether a plan is gone with its resident: nothing more is done for it."""
        return self._erasures.erased(plan_id)

    def forget_plans(self, plan_ids: Iterable[str]) -> bool:
        """Forget plans and all that was to be done for them; tell whether there was any."""
        named = (json.dumps([*plan_ids]),)
        gone = 0
        with self._journal.transaction():
            for table in ("errands", "wanted", "changes", "plans"):
                statement = f"DELETE FROM {table} WHERE plan_id IN (SELECT value FROM json_each(?))"  # noqa: S608 -- our own words
                gone += self._connection.execute(statement, named).rowcount
        return gone > 0

    def without_plan(self, limit: int) -> tuple[str, ...]:
        """Return residents of the register whose plan is not known."""
        rows = self._connection.execute(
            "SELECT pseudonym FROM residents WHERE pseudonym NOT IN "
            "(SELECT pseudonym FROM plans WHERE pseudonym IS NOT NULL) LIMIT ?",
            (limit,),
        )
        return tuple(str(row[0]) for row in rows)


def _of(care: Care | None) -> str:
    return "" if care is None else care.starts_on.isoformat()


def _key(errand: Errand) -> tuple[str, str, str, int]:
    return errand.support_id, errand.kind, _of(errand.care), errand.occasion


def _read(row: tuple[str, str, str, int, str, str, str, str, int, int, int]) -> Errand:
    support_id, kind, plan_id, attempts, state, reason, starts_on, ends_on, stop_reason, occasion, due_ms = (
        row
    )
    care = None
    if starts_on:
        last_day = date.fromisoformat(ends_on) if ends_on else None
        care = Care(date.fromisoformat(starts_on), last_day, stop_reason)
    return Errand(support_id, kind, plan_id, attempts, state, reason, care, occasion, due_ms)
