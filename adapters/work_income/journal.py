"""What is asked, what was told and what still waits: the memory that makes every effect happen once.

Promises: an order is one row for a resident and a purpose, however often it comes; what was told and what has
to be written because of it are one transaction; what cannot go on within a day is parked and stays visible,
never dropped. A request id is the same after a crash, and nobody without this file can guess it. What is
personal is sealed. What is restricted stays, and nothing is done with it. Everything survives kill -9
(SQLite, WAL, synchronous FULL).
Source: GDPR 4(3), 18.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from adapters.kit.erasures import Erasures
from adapters.kit.journal import PARK_AFTER_MS, is_due, wait_before_retry_ms
from adapters.kit.refusals import TOO_LONG, Refusals
from adapters.kit.steps import fold_log, step
from adapters.work_income.errors import PlanErased
from adapters.work_income.orders import Order, read_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from adapters.work_income.sealing import Seal

# The longest that anything waits: for the day it is asked anew.
REFRESH_LONGEST_MS: Final = 365 * 24 * 3_600_000
DUE: Final = "due"
TOLD: Final = "told"
DONE: Final = "done"
PARKED: Final = "parked"
RESTRICTED: Final = "restricted"
# Why something is restricted: the exchange told so, or a question was refused within a restriction.
TOLD_SO: Final = "restricted"
DENIED: Final = "denied R24"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS pulls (
  number INTEGER PRIMARY KEY AUTOINCREMENT, who BLOB NOT NULL, purpose TEXT NOT NULL, sealed BLOB NOT NULL,
  state TEXT NOT NULL, plan_id TEXT, decision_id TEXT, told BLOB, digest BLOB,
  attempts INTEGER NOT NULL, since_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL, reason TEXT NOT NULL,
  UNIQUE (who, purpose)
) STRICT;
CREATE INDEX IF NOT EXISTS pulls_due ON pulls (state, next_ms);
CREATE INDEX IF NOT EXISTS pulls_plan ON pulls (plan_id);
CREATE TABLE IF NOT EXISTS entries (
  pull INTEGER NOT NULL REFERENCES pulls (number) ON DELETE CASCADE,
  domain TEXT NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (pull, domain)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS written (
  plan_id TEXT NOT NULL, domain TEXT NOT NULL, name BLOB NOT NULL,
  PRIMARY KEY (plan_id, domain)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS whose (
  plan_id TEXT NOT NULL, who BLOB NOT NULL, PRIMARY KEY (plan_id, who)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO whose SELECT plan_id, who FROM pulls WHERE plan_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS restrictions (
  plan_id TEXT NOT NULL, purpose TEXT NOT NULL, restriction_id TEXT NOT NULL,
  PRIMARY KEY (plan_id, purpose, restriction_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request_namespace (
  one INTEGER PRIMARY KEY CHECK (one = 1), random BLOB NOT NULL CHECK (length(random) = 16)
) STRICT;
"""
_COLUMNS: Final = "number, sealed, state, plan_id, decision_id, told, digest, attempts, since_ms, reason"


@dataclass(frozen=True, slots=True)
class Pull:
    """One order and how far it is. `told` is what Suwinet told, in bytes, once it did."""

    number: int
    order: Order
    state: str
    plan_id: str
    decision_id: str
    told: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    attempts: int
    since_ms: int
    reason: str


class Journal:
    """One SQLite file of one organisation. Owned by the thread that opened it."""

    def __init__(self, path: Path, seal: Seal) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        self.sealing: Final = seal
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("PRAGMA foreign_keys = ON")
        # What is purged is overwritten, not only unlinked (GDPR 17).
        self.connection.execute("PRAGMA secure_delete = ON")
        self.connection.executescript(_SCHEMA)
        self._requests: Final = self._request_namespace()
        self.refusals: Final = Refusals(self.connection)
        self.erasures: Final = Erasures(self.connection, seal.name)

    def _request_namespace(self) -> UUID:
        # The first one to write wins, and everybody reads what is written.
        self.connection.execute(
            "INSERT OR IGNORE INTO request_namespace VALUES (1, ?)", (secrets.token_bytes(16),)
        )
        (random,) = self.connection.execute("SELECT random FROM request_namespace").fetchone()
        return UUID(bytes=random)

    def request_id(self, asked: str) -> str:
        """Return the request id of what is asked: the same over restarts, chance to others."""
        return str(uuid5(self._requests, asked))

    def close(self) -> None:
        """Close the file; a journal that is not closed loses nothing."""
        self.connection.close()

    def fold_log(self) -> None:
        """Fold SQLite's log into the file: it still holds what was deleted. Raises NotFolded (OSError)."""
        fold_log(self.connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what happens inside one step: all of it, or after an error or a crash nothing of it."""
        with step(self.connection):
            yield

    # --- orders -------------------------------------------------------------------------------------------

    def take(self, order: Order, now_ms: int) -> None:
        """Write an order down: due now, also where the same was done or parked before."""
        who = self.sealing.name(order.bsn.reveal().encode())
        sealed = self.sealing.seal(order.packed(), "order")
        self.connection.execute(
            "INSERT INTO pulls (who, purpose, sealed, state, attempts, since_ms, next_ms, reason) "
            "VALUES (?, ?, ?, 'due', 0, ?, ?, '') ON CONFLICT (who, purpose) DO UPDATE SET "
            "sealed = excluded.sealed, state = 'due', attempts = 0, since_ms = excluded.since_ms, "
            "next_ms = excluded.next_ms, reason = ''",
            (who, order.purpose, sealed, now_ms, now_ms),
        )

    def due(self, now_ms: int, limit: int = 100) -> tuple[Pull, ...]:
        """Return what can go on now, oldest first: what is to be asked, and what is to be written.

        Within a restriction that only a refusal told of it is asked again; nobody tells that it was lifted.
        """
        rows = self.connection.execute(
            f"SELECT {_COLUMNS} FROM pulls WHERE (state IN ('due', 'told') AND {is_due('next_ms')}) "  # noqa: S608 -- our own words
            "OR ((state = 'done' OR (state = 'restricted' AND reason = ?)) "
            "AND (next_ms <= ? OR next_ms > ? + ?)) ORDER BY number LIMIT ?",
            (now_ms, now_ms, DENIED, now_ms, now_ms, REFRESH_LONGEST_MS, limit),
        )
        return tuple(self._pull(row) for row in rows.fetchall())

    def find(self, number: int) -> Pull | None:
        """Return a pull as it is now; None where it is gone."""
        row = self.connection.execute(
            f"SELECT {_COLUMNS} FROM pulls WHERE number = ?",  # noqa: S608 -- our own words
            (number,),
        ).fetchone()
        return None if row is None else self._pull(row)

    def _pull(self, row: tuple[int, bytes, str, str, str, bytes, bytes, int, int, str]) -> Pull:
        number, sealed, state, plan_id, decision_id, told, digest, attempts, since_ms, reason = row
        return Pull(
            number=number,
            order=read_order(self.sealing.open(sealed, "order")),
            state=state,
            plan_id=plan_id or "",
            decision_id=decision_id or "",
            told=self.sealing.open(told, f"told {number}") if told else b"",
            digest=digest or b"",
            attempts=attempts,
            since_ms=since_ms,
            reason=reason,
        )

    def again(self, number: int, now_ms: int) -> None:
        """Begin a new round of a pull that was done or restricted."""
        self.connection.execute(
            "UPDATE pulls SET state = 'due', attempts = 0, since_ms = ?, reason = '' "
            "WHERE number = ? AND state IN ('done', 'restricted')",
            (now_ms, number),
        )

    def refuse_erased(self, plan_id: str) -> None:
        """Raise PlanErased of a plan whose erasure was followed: nothing is asked about who is gone."""
        if self.erasures.erased(plan_id):
            raise PlanErased("this plan was erased here, and nothing was asked or written")

    def told(self, pull: Pull, plan_id: str, decision_id: str, told: bytes, domains: Iterable[str]) -> bool:
        """Keep what Suwinet told and what is to be written because of it; tell whether it is news.

        In one step. What is the same as the last time that was written is not written again. Of a plan whose
        erasure was followed nothing is kept, and the order is forgotten.
        """
        digest = self.sealing.name(told + plan_id.encode())
        with self.transaction():
            if self.erasures.erased(plan_id):
                self.forget(pull.number)
                return False
            news = digest != pull.digest
            self.connection.execute(
                "UPDATE pulls SET state = 'told', plan_id = ?, decision_id = ?, told = ?, attempts = 0, "
                "reason = '' WHERE number = ?",
                (plan_id, decision_id, self.sealing.seal(told, f"told {pull.number}"), pull.number),
            )
            self.connection.execute(
                "INSERT OR IGNORE INTO whose SELECT plan_id, who FROM pulls WHERE number = ?", (pull.number,)
            )
            self.connection.execute("DELETE FROM entries WHERE pull = ?", (pull.number,))
            if news:
                self.connection.executemany(
                    "INSERT INTO entries VALUES (?, ?, 'waiting')", [(pull.number, one) for one in domains]
                )
        return news

    def entries(self, number: int) -> dict[str, str]:
        """Return the state of each life domain of a round: `waiting`, `written`, or `left` to a person."""
        rows = self.connection.execute("SELECT domain, state FROM entries WHERE pull = ?", (number,))
        return {str(domain): str(state) for domain, state in rows}

    def entered(self, number: int, domain: str, state: str) -> None:
        """Note what became of a life domain."""
        self.connection.execute(
            "UPDATE entries SET state = ? WHERE pull = ? AND domain = ?", (state, number, domain)
        )

    def done(self, pull: Pull, refresh_ms: int | None) -> None:
        """End a round; without a moment to refresh, forget the order and with it the number."""
        if refresh_ms is None:
            self.forget(pull.number)
            return
        self.connection.execute(
            "UPDATE pulls SET state = 'done', digest = ?, told = NULL, attempts = 0, next_ms = ?, "
            "reason = '' WHERE number = ?",
            (self.sealing.name(pull.told + pull.plan_id.encode()), refresh_ms, pull.number),
        )

    def later(self, pull: Pull, reason: str, now_ms: int, jitter: float) -> bool:
        """Let a pull wait; return whether it is parked now, and somebody must be told."""
        attempts = pull.attempts + 1
        parked = now_ms - pull.since_ms >= PARK_AFTER_MS
        self.connection.execute(
            # What was asked by a clock that ran ahead has its day from now.
            "UPDATE pulls SET state = CASE WHEN ? THEN 'parked' ELSE state END, attempts = ?, next_ms = ?, "
            "since_ms = min(since_ms, ?), reason = ? WHERE number = ?",
            (
                parked,
                attempts,
                now_ms + wait_before_retry_ms(attempts, jitter),
                now_ms,
                reason,
                pull.number,
            ),
        )
        return parked

    def park(self, pull: Pull, reason: str) -> None:
        """Stop a pull; the same order again makes it go on."""
        self.connection.execute(
            "UPDATE pulls SET state = 'parked', reason = ? WHERE number = ?", (reason, pull.number)
        )

    # --- what was written, and what is restricted ---------------------------------------------------------

    def wrote(self, plan_id: str, domain: str, description: str) -> None:
        """Note what was last written in a life domain of a plan: by a name that says nothing of it."""
        self.connection.execute(
            "INSERT OR REPLACE INTO written VALUES (?, ?, ?)",
            (plan_id, domain, self.sealing.name(description.encode())),
        )

    def is_ours(self, plan_id: str, domain: str, description: str) -> bool:
        """Tell whether a description is the very one that was last written there: no person changed it."""
        row = self.connection.execute(
            "SELECT name FROM written WHERE plan_id = ? AND domain = ?", (plan_id, domain)
        ).fetchone()
        return row is not None and bytes(row[0]) == self.sealing.name(description.encode())

    def stands(self, restriction_id: str, plan_id: str, purpose: str) -> None:
        """Note that a restriction was told of something that is held."""
        self.connection.execute(
            "INSERT OR IGNORE INTO restrictions VALUES (?, ?, ?)", (plan_id, purpose, restriction_id)
        )

    def stands_no_more(self, restriction_id: str, plan_id: str, purpose: str) -> bool:
        """Note that it was lifted; tell whether no other one stands."""
        self.connection.execute(
            "DELETE FROM restrictions WHERE plan_id = ? AND purpose = ? AND restriction_id = ?",
            (plan_id, purpose, restriction_id),
        )
        (left,) = self.connection.execute(
            "SELECT count(*) FROM restrictions WHERE plan_id = ? AND purpose = ?", (plan_id, purpose)
        ).fetchone()
        return bool(left == 0)

    def restrict(self, plan_id: str, purpose: str, why: str, next_ms: int) -> bool:
        """Stop what is under way or to be asked anew for a purpose; tell whether there is anything.

        What Suwinet told and what is still to be written stays, sealed as it was.
        """
        found = self.connection.execute(
            "UPDATE pulls SET state = 'restricted', reason = ?, next_ms = max(next_ms, ?) "
            "WHERE plan_id = ? AND purpose = ?",
            (why, next_ms, plan_id, purpose),
        )
        return found.rowcount > 0

    def lift(self, plan_id: str, purpose: str, now_ms: int) -> None:
        """Let what was restricted go on, asked anew.

        What was done waits for its refresh as before. What was told and never written may be old by now.
        """
        self.connection.execute(
            "UPDATE pulls SET "
            "state = CASE WHEN digest IS NOT NULL AND told IS NULL THEN 'done' ELSE 'due' END, "
            "next_ms = CASE reason WHEN ? THEN ? ELSE next_ms END, "
            "told = NULL, attempts = 0, since_ms = ?, reason = '' "
            "WHERE plan_id = ? AND purpose = ? AND (state = 'restricted' OR reason = ?)",
            (DENIED, now_ms, now_ms, plan_id, purpose, TOO_LONG),
        )
        self.refusals.lifted(plan_id)

    def ask_anew(self, plan_ids: Iterable[str]) -> None:
        """Let what Suwinet told of these plans and was never written be asked anew."""
        self.connection.execute(
            "UPDATE pulls SET state = 'due', told = NULL, reason = '' WHERE state = 'told' "
            "AND plan_id IN (SELECT value FROM json_each(?))",
            (json.dumps([*plan_ids]),),
        )

    def holds(self, plan_ids: Iterable[str], purpose: str = "") -> bool:
        """Tell whether anything about these plans is held, for one purpose or for any."""
        row = self.connection.execute(
            "SELECT 1 FROM pulls WHERE plan_id IN (SELECT value FROM json_each(?)) AND ? IN ('', purpose)",
            (json.dumps([*plan_ids]), purpose),
        ).fetchone()
        return row is not None

    def wrote_to(self, plan_ids: Iterable[str]) -> bool:
        """Tell whether anything is noted of these plans: what was written there, and whose they are."""
        row = self.connection.execute(
            "SELECT 1 FROM (SELECT plan_id FROM written UNION ALL SELECT plan_id FROM whose) "
            "WHERE plan_id IN (SELECT value FROM json_each(?))",
            (json.dumps([*plan_ids]),),
        ).fetchone()
        return row is not None

    def whose(self, plan_ids: Iterable[str]) -> Callable[[str], bool]:
        """Return what tells of a number whether one of these plans is theirs; no number is kept for it."""
        rows = self.connection.execute(
            "SELECT who FROM whose WHERE plan_id IN (SELECT value FROM json_each(?))",
            (json.dumps([*plan_ids]),),
        )
        found = {bytes(row[0]) for row in rows}
        return lambda number: self.sealing.name(number.encode()) in found

    # --- forgetting and looking ---------------------------------------------------------------------------

    def forget(self, number: int) -> None:
        """Forget an order whole."""
        self.connection.execute("DELETE FROM pulls WHERE number = ?", (number,))

    def forget_plans(self, plan_ids: Iterable[str]) -> None:
        """Forget every order about these plans, of whatever purpose, and what was noted of them."""
        named = (json.dumps([*plan_ids]),)
        of_plans = "SELECT who FROM pulls WHERE plan_id IN (SELECT value FROM json_each(?))"
        with self.transaction():
            self.connection.execute(f"DELETE FROM pulls WHERE who IN ({of_plans})", named)  # noqa: S608 -- our own words
            for table in ("written", "restrictions", "whose", "refusals"):
                left = f"DELETE FROM {table} WHERE plan_id IN (SELECT value FROM json_each(?))"  # noqa: S608 -- our own words
                self.connection.execute(left, named)

    def counts(self) -> dict[str, int]:
        """Return how many pulls stand in each state."""
        rows = self.connection.execute("SELECT state, count(*) FROM pulls GROUP BY state")
        none = dict.fromkeys((DUE, TOLD, DONE, PARKED, RESTRICTED), 0)
        return none | {str(state): int(n) for state, n in rows}

    def parked(self) -> tuple[str, ...]:
        """Return `NUMBER PURPOSE REASON` of what waits for a person."""
        rows = self.connection.execute(
            "SELECT number, purpose, reason FROM pulls WHERE state = 'parked' ORDER BY number"
        )
        return tuple(f"{number} {purpose} {reason}" for number, purpose, reason in rows)
