"""Read model of duties that decisions and requests brought: which are open, until when, and how they ended.

Beside them, which answers did not arrive: a notice that stood in one was not told.

Promises: a fold of the events and nothing else, so that rebuilt equals followed; what the clock executes is
compared with the clock when it is read, never written; holds no words of anybody, only ids and times. Opens
nothing that is sealed: what is erased may not change what is rebuilt. A version of an entry never changes
once it was recorded: looked up whenever, it says the same.
Source: GDPR 5(2), 14(3), 14(5)(a), 24, 39; the gate's design section 5.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.days import day_of
from exchange.domain.disclosure import DeliveryAborted, DisclosureDecided, ObligationExecuted
from exchange.domain.erasure.decision import KeysDestroyed
from exchange.domain.obligations import (
    FETCHED,
    Asked,
    Duty,
    DutyOutcome,
    EntryDuty,
    RightsDuty,
    dues_of,
    duties_of,
    informs,
    is_deferred,
)
from exchange.domain.rights.recipients import RectificationConfirmed, RightsRecipientTold
from exchange.domain.rights.request import (
    RightsRequestDecided,
    RightsRequestExecuted,
    RightsRequestExtended,
    RightsRequestReceived,
)
from exchange.domain.rights.restricting import RestrictionConfirmed, RestrictionRecipientTold
from exchange.domain.rights.terms import last_day
from exchange.domain.rights.words import RightsOutcome
from exchange.domain.values import Purpose
from exchange.projections.database import Database
from exchange.projections.workdays import end_of_day, end_of_next_workday, is_workday

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from exchange.domain.obligations import Entries
    from exchange.store.batch import Row
    from exchange.store.codec import Codec, Meta

FILE: Final = "obligations.db"
SHAPE: Final = 9
RIGHT_EXECUTED: Final = "executed"
# As it was written before a copy could be taken along: it ends the same duty.
EXECUTED_BEFORE: Final = "rights_request.executed.v1"
OF_REQUESTS: Final = (
    RightsRequestReceived.TOPIC,
    RightsRequestExtended.TOPIC,
    RightsRequestDecided.TOPIC,
    RightsRequestExecuted.TOPIC,
    EXECUTED_BEFORE,
)
OF_RECIPIENTS: Final = (RightsRecipientTold.TOPIC, RectificationConfirmed.TOPIC)
OF_RESTRICTION: Final = (RestrictionRecipientTold.TOPIC, RestrictionConfirmed.TOPIC)
TOPICS: Final = (
    DisclosureDecided.TOPIC,
    ObligationExecuted.TOPIC,
    DeliveryAborted.TOPIC,
    *OF_REQUESTS,
    *OF_RECIPIENTS,
    *OF_RESTRICTION,
    KeysDestroyed.TOPIC,
)
BY_SYSTEM: Final = "system"
ERASED: Final = "erased"
MONTHS_TO_INFORM: Final = 1
TABLES: Final = (
    """CREATE TABLE obligations (
        position INTEGER NOT NULL, duty TEXT NOT NULL, decision_id TEXT NOT NULL, stream TEXT NOT NULL,
        organisation TEXT NOT NULL, task TEXT NOT NULL, professional TEXT NOT NULL, purpose TEXT NOT NULL,
        decided_at INTEGER NOT NULL, due_at INTEGER NOT NULL, executes_at INTEGER,
        executed_at INTEGER, outcome TEXT NOT NULL DEFAULT '', how TEXT NOT NULL DEFAULT '',
        executed_by TEXT NOT NULL DEFAULT '', legal_basis TEXT NOT NULL DEFAULT '',
        told_in TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (position, duty)
    ) STRICT, WITHOUT ROWID""",
    "CREATE UNIQUE INDEX obligations_decision ON obligations (decision_id, duty)",
    "CREATE INDEX obligations_stream ON obligations (stream, duty, position)",
    "CREATE INDEX obligations_open ON obligations (position, duty) WHERE executed_at IS NULL",
    # What arose in a month is counted without those of all other months.
    "CREATE INDEX obligations_arisen ON obligations (decided_at)",
    "CREATE INDEX obligations_told ON obligations (told_in) WHERE told_in <> ''",
    """CREATE TABLE aborted (
        decision_id TEXT PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
)
_COLUMNS: Final = (
    "position, duty, decision_id, stream, organisation, task, professional, purpose, decided_at, due_at, "
    "executes_at, executed_at, outcome, how, executed_by"
)
# A row put into the store by hand may carry the id of another: the first stands, and the list goes on.
_INSERT: Final = """
INSERT INTO obligations (position, duty, decision_id, stream, organisation, task, professional, purpose,
    decided_at, due_at, executes_at) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"""
_EXECUTE: Final = """
UPDATE obligations SET executed_at = ?, outcome = ?, how = ?, executed_by = ?, told_in = ?
WHERE decision_id = ? AND duty = ? AND executed_at IS NULL"""
# The page it stood on did not arrive: nobody was told. The second half says what the index is told by.
_NOT_TOLD: Final = """
UPDATE obligations SET executed_at = NULL, outcome = '', how = '', executed_by = '', told_in = ''
WHERE told_in = ? AND told_in <> ''"""
_ABORTED: Final = "INSERT INTO aborted VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
# Who was told of several corrections under one request answers to all of them at once.
_CONFIRM: Final = """
UPDATE obligations SET executed_at = ?, outcome = ?, how = ?, executed_by = ?
WHERE stream = ? AND duty = ? AND organisation = ? AND task = ? AND decision_id LIKE ? || '/%'
    AND executed_at IS NULL"""
# Nobody is left to be told, and nothing to be decided: who looked was judged before the erasure.
_NOBODY_LEFT: Final = """
UPDATE obligations SET executed_at = ?, outcome = 'not_needed', how = ?, executed_by = ?
WHERE stream = ? AND executed_at IS NULL"""
_EXTEND: Final = """
UPDATE obligations SET due_at = ? WHERE decision_id = ? AND duty = ? AND executed_at IS NULL"""
# One open task is enough: every reading while it waits would open the same one again.
_WAITS: Final = """
SELECT 1 FROM obligations WHERE stream = ? AND duty = ? AND organisation = ? AND task = ? AND purpose = ?
    AND executed_at IS NULL LIMIT 1"""
# Who was told of this recipient on this ground, or is about to be, has the information (GDPR 14(5)(a)).
_INFORMED: Final = """
SELECT 1 FROM obligations WHERE stream = ? AND duty = ? AND organisation = ? AND task = ? AND legal_basis = ?
    AND (executed_at IS NULL OR outcome = 'executed') LIMIT 1"""
_INFORM: Final = """
INSERT INTO obligations (position, duty, decision_id, stream, organisation, task, professional, purpose,
    decided_at, due_at, legal_basis) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"""
_OPEN: Final = "executed_at IS NULL AND (executes_at IS NULL OR executes_at > :now)"


class Obligation(NamedTuple):
    """One duty of one decision; times in microseconds since 1970 UTC, None where there is none."""

    position: int
    duty: str
    decision_id: str
    stream: str
    organisation: str
    task: str
    professional: str
    purpose: str
    decided_at: int
    due_at: int
    executes_at: int | None
    executed_at: int | None
    outcome: str
    how: str
    executed_by: str

    def executed_by_now(self, now: datetime) -> datetime | None:
        """Return when it was executed: by an event, or by the clock."""
        at = self.executed_at
        if at is None and self.executes_at is not None and self.executes_at <= microseconds(now):
            at = self.executes_at
        return None if at is None else moment(at)


class Aborted(NamedTuple):
    """That an answer did not arrive: when that was recorded, and why."""

    at: datetime
    reason: str


class Wanted(NamedTuple):
    """Which duties are asked; empty words and tuples are all."""

    organisation: str = ""  # those its own questions brought, or that it was told
    task: str = ""
    duties: tuple[str, ...] = ()
    only_open: bool = False
    only_overdue: bool = False


def microseconds(at: datetime) -> int:
    """Return a moment as it is stored."""
    whole = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds


def moment(stored: int) -> datetime:
    """Return a stored moment."""
    return datetime.fromtimestamp(stored // 1_000_000, UTC).replace(microsecond=stored % 1_000_000)


class ObligationList:
    """The read model. `apply` is called by one follower; everything else by anybody."""

    name: Final[str] = "obligations"
    topics: Final[tuple[str, ...]] = TOPICS

    def __init__(self, folder: Path, entries: Entries) -> None:
        self._entries = entries
        self.database = Database(folder / FILE, TABLES, SHAPE)

    # --- following ----------------------------------------------------------------------------------

    def apply(self, rows: Sequence[Row], after: int, position: int, codec: Codec) -> None:
        """Fold events, and note up to where, in one transaction. Raises HeadMoved."""
        with self.database.following(after, position) as c:
            for row in rows:
                clear, meta, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
                if row.topic == DisclosureDecided.TOPIC:
                    _decided(c, row, clear)
                    self._informs(c, row, clear, meta)
                elif row.topic == KeysDestroyed.TOPIC:
                    _erased(c, clear)
                elif row.topic in OF_REQUESTS:
                    _requested(c, row, clear, meta)
                elif row.topic in OF_RECIPIENTS:
                    _told(c, row, clear, RightsDuty.CONFIRM_RECTIFICATION, clear["rights_request_id"])
                elif row.topic in OF_RESTRICTION:
                    name = f"{clear['restriction_id']}/{clear['change']}"
                    _told(c, row, clear, RightsDuty.CONFIRM_RESTRICTION, name)
                elif row.topic == DeliveryAborted.TOPIC:
                    _aborted(c, clear)
                else:
                    _executed(c, clear, meta)

    def _informs(self, c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], meta: Meta) -> None:
        """Open the duty to inform the resident of what was given, once for each recipient on each ground."""
        asked = Asked(clear["task"], clear["purpose"], clear["legal_basis"], clear["action"])
        recorded = (clear["basis_version"], clear["outcome"], clear["obligations"])
        if not informs(asked, *recorded, self._entries, answered=meta.answered):
            return
        duty = EntryDuty.INFORM_14
        recipient = (row.stream, duty, clear["organisation"], asked.task, asked.legal_basis)
        if c.execute(_INFORMED, recipient).fetchone() is not None:
            return
        at = datetime.fromisoformat(clear["at"])
        due = end_of_day(last_day(day_of(at), MONTHS_TO_INFORM, is_workday))
        who = (clear["organisation"], asked.task, clear["professional"], asked.purpose)
        times = (microseconds(at), microseconds(due))
        c.execute(
            _INFORM, (row.position, duty, clear["decision_id"], row.stream, *who, *times, asked.legal_basis)
        )

    # --- reading ------------------------------------------------------------------------------------

    def page(self, wanted: Wanted, after: tuple[int, str], limit: int, now: datetime) -> list[Obligation]:
        """Return at most `limit` duties behind a key (position, duty), in the order of the decisions."""
        conditions = ["(position, duty) > (:position, :duty)"]
        if wanted.organisation:
            conditions.append("organisation = :organisation")
        if wanted.task:
            conditions.append("task = :task")
        if wanted.duties:
            names = [f":duty{number}" for number in range(len(wanted.duties))]
            conditions.append(f"duty IN ({', '.join(names)})")
        if wanted.only_open or wanted.only_overdue:
            conditions.append(_OPEN)
        if wanted.only_overdue:
            conditions.append("due_at <= :now")
        values: dict[str, Any] = {
            "position": after[0],
            "duty": after[1],
            "organisation": wanted.organisation,
            "task": wanted.task,
            "now": microseconds(now),
            "limit": limit,
        } | {f"duty{number}": name for number, name in enumerate(wanted.duties)}
        where = " AND ".join(conditions)
        query = f"SELECT {_COLUMNS} FROM obligations WHERE {where} ORDER BY position, duty LIMIT :limit"  # noqa: S608 -- our own words, values are bound
        return self._rows(query, values)

    def of_decision(self, decision_id: str) -> list[Obligation]:
        """Return the duties of one decision."""
        query = f"SELECT {_COLUMNS} FROM obligations WHERE decision_id = :id ORDER BY duty"  # noqa: S608 -- our own words
        return self._rows(query, {"id": decision_id})

    def of_stream(self, stream: str, before: int, limit: int, duties: Sequence[str]) -> list[Obligation]:
        """Return duties of these kinds on one resident's stream below a position, newest first."""
        names = [f":duty{number}" for number in range(len(duties))]
        query = (
            f"SELECT {_COLUMNS} FROM obligations WHERE stream = :stream AND position < :before "  # noqa: S608 -- our own words, values are bound
            f"AND duty IN ({', '.join(names)}) ORDER BY position DESC, duty LIMIT :limit"
        )
        values: dict[str, Any] = {"stream": stream, "before": before, "limit": limit}
        return self._rows(query, values | {f"duty{number}": name for number, name in enumerate(duties)})

    def aborted(self, decision_ids: Sequence[str]) -> dict[str, Aborted]:
        """Return which answers of these decisions did not arrive, as far as is known."""
        marks = ", ".join("?" * len(decision_ids))
        query = f"SELECT decision_id, at, reason FROM aborted WHERE decision_id IN ({marks})"  # noqa: S608 -- marks only
        with self.database.reading() as c:
            found = c.execute(query, tuple(decision_ids)).fetchall()
        return {name: Aborted(moment(at), reason) for name, at, reason in found}

    def _rows(self, query: str, values: Mapping[str, Any]) -> list[Obligation]:
        with self.database.reading() as c:
            return [Obligation(*row) for row in c.execute(query, values)]


def _decided(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any]) -> None:
    at = datetime.fromisoformat(clear["at"])
    who = (clear["organisation"], clear["task"], clear["professional"])
    stored = microseconds(at)
    duties = duties_of(clear["action"], clear["obligations"])
    asked = Asked(who[1], clear["purpose"], clear["legal_basis"], clear["action"])
    deferred = is_deferred(asked, duties)
    for due in dues_of(duties, at, end_of_next_workday, deferred=deferred):
        task = (row.stream, due.duty, who[0], who[1], clear["purpose"])
        if due.duty == Duty.TREAT_AS_OBJECTION and c.execute(_WAITS, task).fetchone() is not None:
            continue
        executes = None if due.executes_at is None else microseconds(due.executes_at)
        place = (row.position, due.duty, clear["decision_id"], row.stream)
        c.execute(_INSERT, (*place, *who, clear["purpose"], stored, microseconds(due.due_at), executes))


def _erased(c: sqlite3.Connection, clear: Mapping[str, Any]) -> None:
    if not clear["categories"]:
        at = microseconds(datetime.fromisoformat(clear["at"]))
        stream = stream_of("disclosure", clear["resident"])
        c.execute(_NOBODY_LEFT, (at, ERASED, BY_SYSTEM, stream))


def _executed(c: sqlite3.Connection, clear: Mapping[str, Any], meta: Meta) -> None:
    at, how = microseconds(datetime.fromisoformat(clear["at"])), clear["how"]
    told_in = meta.decision_id if how == FETCHED else ""
    said = (at, clear["outcome"], how, clear["by"], told_in)
    c.execute(_EXECUTE, (*said, clear["decision_id"], clear["obligation"]))


def _aborted(c: sqlite3.Connection, clear: Mapping[str, Any]) -> None:
    at = microseconds(datetime.fromisoformat(clear["at"]))
    c.execute(_ABORTED, (clear["decision_id"], at, clear["reason"]))
    c.execute(_NOT_TOLD, (clear["decision_id"],))


def _requested(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], meta: Meta) -> None:
    """Fold what happened to a resident's request: it is known by its own id, beside decisions."""
    name, at = clear["rights_request_id"], microseconds(datetime.fromisoformat(clear["at"]))
    duty = RightsDuty.ANSWER_RIGHTS_REQUEST
    if row.topic == RightsRequestReceived.TOPIC:
        due = microseconds(datetime.fromisoformat(clear["due_at"]))
        # On the resident's stream of decisions, so that all that is to be done for one stands together.
        place = (row.position, duty, name, stream_of("disclosure", clear["resident"]))
        who = (meta.organisation, meta.task, meta.professional)
        c.execute(_INSERT, (*place, *who, meta.purpose, at, due, None))
    elif row.topic == RightsRequestExtended.TOPIC:
        c.execute(_EXTEND, (microseconds(datetime.fromisoformat(clear["due_at"])), name, duty))
    else:
        how = clear.get("outcome", RIGHT_EXECUTED)
        # What was granted is still to be done; a refusal is an answer, and ends it.
        if how in {RightsOutcome.REFUSED, RIGHT_EXECUTED}:
            by = f"{meta.organisation}/{meta.professional}"
            c.execute(_EXECUTE, (at, DutyOutcome.EXECUTED, how, by, "", name, duty))


def _told(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], duty: RightsDuty, told: str) -> None:
    """Fold what a recipient was told by right, and answered: the duty is the recipient's own.

    `told` names what he answers to: the request, or the restriction and whether it stands or was lifted.
    """
    who, at = (clear["organisation"], clear["task"]), microseconds(datetime.fromisoformat(clear["at"]))
    stream = stream_of("disclosure", clear["resident"])
    if "due_at" in clear:
        due = microseconds(datetime.fromisoformat(clear["due_at"]))
        name = "/".join((told, *who, str(row.position)))
        c.execute(_INSERT, (row.position, duty, name, stream, *who, "", Purpose.CORRECTIE, at, due, None))
    else:
        by = f"{clear['organisation']}/{clear['professional']}"
        done = (at, DutyOutcome.EXECUTED, clear["outcome"], by)
        c.execute(_CONFIRM, (*done, stream, duty, *who, told))
