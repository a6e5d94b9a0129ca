"""How events become accesses, ties and acts in the read model of lookups.

Promises: reads what is not sealed, and no more; the first word about a day, a part or a month stays.
Source: exchange/decisions/0133-what-explains-a-lookup.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.case_events import CaseClosed, CaseHandedOver, ProfessionalJoined, ProfessionalLeft
from exchange.domain.disclosure import DisclosureDecided, ObligationExecuted
from exchange.domain.identities import IdentitySent
from exchange.domain.obligations import Duty
from exchange.domain.registry import TOPICS
from exchange.domain.relations import StandInAppointed
from exchange.domain.rights.recipients import RightsRecipientTold
from exchange.domain.rights.request import RightsRequestReceived
from exchange.domain.rights.restricting import RestrictionRecipientTold
from exchange.domain.rights.words import RightsOutcome
from exchange.domain.values import TASKS_OF_RESIDENTS_SIDE, DisclosureOutcome
from exchange.projections.lookups.accesses import DAY, NO_EMERGENCY, UNREVIEWED
from exchange.projections.lookups.months import month_of
from exchange.projections.lookups.rules import CASE, REFERRAL, RIGHTS, STAND_IN
from exchange.projections.obligations import OF_REQUESTS, RIGHT_EXECUTED, microseconds
from exchange.store.upcasts import UPCASTS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from exchange.store.batch import Row
    from exchange.store.codec import Meta

    Fold = Callable[[sqlite3.Connection, Row, Mapping[str, Any], Meta], None]

# By which somebody sees something of one resident. What is streamed goes to a system that works on the case.
LOOKS: Final = frozenset({"READ", "SEARCH", "DISCLOSE", "EXPORT"})
REFUSED: Final = DisclosureOutcome.DENY
_EMERGENCIES: Final = frozenset({DisclosureOutcome.PERMIT_BREAK_GLASS, DisclosureOutcome.PARTIAL_BREAK_GLASS})
# The officer looks at the log of everybody; that is on record too, and reviewed by nobody here.
_NO_PROFESSIONALS: Final = TASKS_OF_RESIDENTS_SIDE | {"fg"}
_WORK: Final = ("plan.", "consent.", "handover.", "membership.")
# A report and the plan it opens are how somebody lets himself in: no work on the file yet.
_ONLY_IN: Final = ("plan.opened.", "plan.report_received.")
WORK_TOPICS: Final = tuple(
    sorted(one for one in {*TOPICS, *UPCASTS} if one.startswith(_WORK) and not one.startswith(_ONLY_IN))
)
_INSERT_ACCESS: Final = "INSERT INTO accesses VALUES (?,?,?,?,?,?,?,?)"
_REVIEWED: Final = "UPDATE accesses SET emergency = ? WHERE decision_id = ? AND emergency <> ''"
_DECIDED: Final = "INSERT INTO decided VALUES (?, ?) ON CONFLICT DO NOTHING"
_INSERT_ACT: Final = "INSERT INTO acts VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING"
_INSERT_TIE: Final = "INSERT INTO ties VALUES (?,?,?,?,?,?,?,?,?,?,?)"
_JOINED: Final = """
SELECT 1 FROM ties WHERE name = ? AND kind = ? AND organisation = ? AND task = ? AND professional = ?
    AND end_at IS NULL AND own <= ?"""
_LEFT: Final = """
UPDATE ties SET end_at = ?1 WHERE name = ?2 AND kind IN (?3, ?4) AND organisation = ?5 AND task = ?6
    AND professional = ?7 AND (end_at IS NULL OR end_at > ?1)"""
_CLOSED: Final = """
UPDATE ties SET end_at = ?1 WHERE name = ?2 AND kind IN (?3, ?4) AND (end_at IS NULL OR end_at > ?1)"""
_HANDLES: Final = """
SELECT min(start_at), sum(organisation = ? AND task = ? AND professional = ?) FROM ties
WHERE name = ? AND kind = ?"""


def _stored(told: Any) -> int:  # noqa: ANN401 -- a time of JSON
    return microseconds(datetime.fromisoformat(told))


def _decided(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], _meta: Meta) -> None:
    at, outcome = _stored(clear["at"]), clear["outcome"]
    c.execute(_DECIDED, (month_of(at).text, row.position))
    if outcome == REFUSED or clear["action"] not in LOOKS or not clear.get("resident"):
        return
    if clear["task"] in _NO_PROFESSIONALS:
        return
    who = (clear["organisation"], clear["task"], clear["professional"], clear["resident"])
    emergency = UNREVIEWED if outcome in _EMERGENCIES else NO_EMERGENCY
    c.execute(_INSERT_ACCESS, (row.position, clear["decision_id"], at, *who, emergency))


def _reviewed(c: sqlite3.Connection, _row: Row, clear: Mapping[str, Any], _meta: Meta) -> None:
    if clear["obligation"] == Duty.REVIEW_1_WORKDAY:
        c.execute(_REVIEWED, (clear["outcome"], clear["decision_id"]))


def _joined(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], meta: Meta) -> None:
    who = (clear["oin"], clear["task"], clear["professional"])
    own = who == (meta.organisation, meta.task, meta.professional)
    # Another role in the case is no other part in it; that a colleague let him in after all is.
    if c.execute(_JOINED, (clear["case_id"], CASE, *who, own)).fetchone() is None:
        at = _stored(clear["at"])
        tie = (CASE, clear["resident"], *who, at, None, own, "", clear["case_id"])
        c.execute(_INSERT_TIE, (row.position, *tie))


def _left(c: sqlite3.Connection, _row: Row, clear: Mapping[str, Any], _meta: Meta) -> None:
    who = (clear["oin"], clear["task"], clear["professional"])
    c.execute(_LEFT, (_stored(clear["at"]), clear["case_id"], CASE, STAND_IN, *who))


def _closed(c: sqlite3.Connection, _row: Row, clear: Mapping[str, Any], _meta: Meta) -> None:
    c.execute(_CLOSED, (_stored(clear["at"]), clear["case_id"], CASE, STAND_IN))


def _appointed(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], meta: Meta) -> None:
    who = (clear["oin"], clear["task"], clear["professional"])
    own = (clear["oin"], clear["professional"]) == (meta.organisation, meta.professional)
    times = (_stored(clear["start_time"]), _stored(clear["end_time"]))
    tie = (STAND_IN, clear["resident"], *who, *times, own, clear["stand_in_for"], clear["case_id"])
    c.execute(_INSERT_TIE, (row.position, *tie))


def _sent(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], _meta: Meta) -> None:
    _refer(c, row, clear, (clear["recipient_oin"], clear["recipient_task"]))


def _told(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], _meta: Meta) -> None:
    _refer(c, row, clear, (clear["organisation"], clear["task"]))


def _refer(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], to: tuple[str, str]) -> None:
    at = _stored(clear["at"])
    c.execute(_INSERT_TIE, (row.position, REFERRAL, clear["resident"], *to, "", at, at, False, "", ""))


def _requested(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], meta: Meta) -> None:
    name, at = clear["rights_request_id"], _stored(clear["at"])
    who = (meta.organisation, meta.task, meta.professional)
    if meta.task not in TASKS_OF_RESIDENTS_SIDE:
        start, handles = c.execute(_HANDLES, (*who, name, RIGHTS)).fetchone()
        if not handles:
            begun = at if start is None else start
            tie = (RIGHTS, clear["resident"], *who, begun, None, False, "", name)
            c.execute(_INSERT_TIE, (row.position, *tie))
    ended = row.topic != RightsRequestReceived.TOPIC and "due_at" not in clear
    # What was granted is still to be done; a refusal is an answer, and ends it.
    if ended and clear.get("outcome", RIGHT_EXECUTED) in {RightsOutcome.REFUSED, RIGHT_EXECUTED}:
        c.execute(_CLOSED, (at, name, RIGHTS, RIGHTS))


def _worked(c: sqlite3.Connection, _row: Row, clear: Mapping[str, Any], meta: Meta) -> None:
    resident = clear.get("resident", "")
    if resident and meta.task not in TASKS_OF_RESIDENTS_SIDE:
        at = microseconds(meta.at)
        who = (meta.organisation, meta.task, meta.professional)
        c.execute(_INSERT_ACT, (resident, *who, at // DAY, at))


_FOLDS: Final[Mapping[str, Fold]] = {
    **dict.fromkeys(WORK_TOPICS, _worked),
    **dict.fromkeys(OF_REQUESTS, _requested),
    DisclosureDecided.TOPIC: _decided,
    ObligationExecuted.TOPIC: _reviewed,
    ProfessionalJoined.TOPIC: _joined,
    ProfessionalLeft.TOPIC: _left,
    CaseClosed.TOPIC: _closed,
    CaseHandedOver.TOPIC: _closed,
    StandInAppointed.TOPIC: _appointed,
    IdentitySent.TOPIC: _sent,
    RightsRecipientTold.TOPIC: _told,
    RestrictionRecipientTold.TOPIC: _told,
}
TOPICS_FOLLOWED: Final = tuple(_FOLDS)


def fold(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any], meta: Meta) -> None:
    """Fold one event."""
    _FOLDS[row.topic](c, row, clear, meta)
