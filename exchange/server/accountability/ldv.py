"""Logboek Dataverwerkingen: a line for each processing and resident, without anybody of the staff.

Promises: a line says what its caller was told and no more, so that a seal shows in none; the log of one
organisation names a resident where that organisation was answered about him, and tells of no change that its
stream was not sent; a resident has another pseudonym in each organisation's log. Nothing is opened.
Source: Logius Logboek Dataverwerkingen, core and the extension for reading; W3C Trace Context.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.obligations import COMMAND, EVALUATE
from exchange.server.contract.decisions import SUBSCRIBE

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.server.accountability.processings import Processing

OK: Final = "Ok"
# Refused in good order: neither done nor failed.
UNSET: Final = "Unset"
SUBJECT: Final = "dpl.core.data_subject_id"
PSEUDONYM: Final = "pseudoniem"
# Where a claim names no entry of the register there is no activity either; it was refused.
NO_ACTIVITY: Final = "urn:exchange:verwerking-zonder-grondslag"
SERVICE: Final = "exchange"
POSITION: Final = "exchange.position"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DOING: Final = {
    "READ": "inzien",
    "SEARCH": "opzoeken",
    "EXPORT": "meegeven",
    "DISCLOSE": "verstrekken",
    SUBSCRIBE: "volgen",
    COMMAND: "vastleggen",
    EVALUATE: "vragen of iets mag",
}

Line = dict[str, Any]


def ldv_line(one: Processing, log_pseudonym: Callable[[str], str], organisation: str = "") -> Line | None:
    """Return the line: of the whole log, or of one organisation's, where it may not stand in that."""
    own = bool(organisation)
    if own and not _told_to(one, organisation):
        return None
    attributes: Line = {
        "dpl.core.processing_activity_id": NO_ACTIVITY
        if one.basis is None
        else one.basis.processing_activity_uri
    }
    # Who is refused does not learn from the own log whether there was anybody.
    if one.resident and (one.answered or not own):
        attributes[SUBJECT] = subject_id(one, log_pseudonym)
        attributes[f"{SUBJECT}_type"] = PSEUDONYM
    attributes["dpl.core.foreign_operation.processor"] = f"urn:oin:{one.organisation}"
    attributes[POSITION] = one.position
    moment = milliseconds(one.at)
    parent = {"parent_span_id": one.trace.parent_span_id} if one.trace.parent_span_id else {}
    return {
        "trace_id": one.trace.trace_id,
        "span_id": one.trace.span_id,
        **parent,
        "status": OK if one.answered or one.action == EVALUATE else UNSET,
        "name": name_of(one),
        # The moment of the decision: that, and not how long it took, is what is on record.
        "start_time": moment,
        "end_time": moment,
        "resource": {"attributes": {"service.name": SERVICE}},
        "attributes": attributes,
    }


def name_of(one: Processing) -> str:
    """Return what was done, in words that say no more than who did it knows."""
    doing = _DOING.get(one.action, one.action.lower())
    return f"{doing} voor {one.purpose}" if one.purpose else doing


def subject_id(one: Processing, log_pseudonym: Callable[[str], str]) -> str:
    """Return the resident's pseudonym in the log of the organisation that asked."""
    return log_pseudonym(f"{one.organisation}\n{one.resident}")


def milliseconds(moment: datetime) -> int:
    """Return milliseconds since 1970 UTC."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _told_to(one: Processing, organisation: str) -> bool:
    # A stream is not told of a change it is not sent: by the line alone it would know of it.
    return one.organisation == organisation and (one.answered or one.action != SUBSCRIBE)
