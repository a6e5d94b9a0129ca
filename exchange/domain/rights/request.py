"""One request of a resident, from receipt to what was done: the aggregate `rights_request`.

Promises: the term runs from the day of receipt, also where it was recorded later; it is extended once, with
reasons, before it is over, and never where the law gives no extension; who is not granted what he asked is
told why, on which article, and where to complain; nothing is executed that was not granted, nor twice.
Source: GDPR 12(3)-(5), 15-18, 20, 21; UAVG 34-35 and 41; Wmo 2015 5.3.5; Jeugdwet 7.3.9.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, AuthoredCommand, Events, ResidentEvent, aggregate
from exchange.domain.limits.restrictions import Told
from exchange.domain.limits.scope import refuse_but_sides
from exchange.domain.mandate import refuse_but_operators_college
from exchange.domain.rights.corrections import (
    NoteRectified,
    note_rectified,
    unasked_as,
)
from exchange.domain.rights.portability import copy_fault
from exchange.domain.rights.recipients import (
    ConfirmRectification,
    RectificationConfirmed,
    ToldRecipient,
    ToTell,
    confirm,
    confirmed,
    paths_fault,
    told_of,
)
from exchange.domain.rights.terms import TERMS
from exchange.domain.rights.words import ARTICLES_OF, RefusalArticle, RequestStatus, Right, RightsOutcome
from exchange.domain.shape import FINE, member_fault, refuse_faults, text_fault, token_fault
from exchange.errors import RuleBroken

OPEN_REQUESTS_MAX: Final = 50
# A letter that lay longer than this is no letter any more: somebody looks at it before it is recorded.
RECEIVED_BEFORE_DAYS_MAX: Final = 366
# Which right somebody uses, and why, tells of the resident what the words would.
_SEALED_WORDS: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys(("right", "statement"), "LOG"))
_SEALED_REASON: Final[Mapping[str, str]] = MappingProxyType({"reason": "LOG"})
_SEALED_DECISION: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("reason", "refusal_article", "complain_at"), "LOG")
)


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveRightsRequest(AuthoredCommand):
    """Record that a request came in. `today` is the day in the Netherlands; `due_at` the end of the term.

    `open_requests` is how many of this resident wait.
    """

    rights_request_id: str
    resident: str
    case_id: str
    right: str
    statement: str
    received_date: date
    today: date
    due_at: datetime
    open_requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendRightsRequest(AuthoredCommand):
    """Take the months that may be added; `how` is how the resident was told, with the reason."""

    reason: str
    how: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideRightsRequest(AuthoredCommand):
    """Grant, wholly or partly, or refuse. `complain_at` tells where to complain, and which court there is."""

    outcome: str
    reason: str = ""
    refusal_article: str = ""
    complain_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteRightsRequest(AuthoredCommand):
    """Record what was done. `reference` is the id of what did it: a decision, restriction, erasure.

    `paths` are the fields that were rectified, and `recipients` those who got one of them; `sha256` is
    that of the copy a resident took along through the portal, in hexadecimal.
    """

    reference: str
    how: str
    sha256: str = ""
    paths: tuple[str, ...] = ()
    recipients: tuple[ToTell, ...] = ()


# --- events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsRequestReceived(ResidentEvent):
    """A request came in."""

    TOPIC: ClassVar[str] = "rights_request.received.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_WORDS
    rights_request_id: str
    case_id: str
    right: str
    statement: str
    received_date: date
    due_at: datetime
    organisation: str
    task: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsRequestExtended(ResidentEvent):
    """The answer comes later, and the resident was told why."""

    TOPIC: ClassVar[str] = "rights_request.extended.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    rights_request_id: str
    reason: str
    how: str
    due_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsRequestDecided(ResidentEvent):
    """It was decided. Whether anything is still to be done is not sealed: the outcome is that."""

    TOPIC: ClassVar[str] = "rights_request.decided.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_DECISION
    rights_request_id: str
    outcome: str
    reason: str
    refusal_article: str
    complain_at: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsRequestExecuted(ResidentEvent):
    """What was granted was done."""

    TOPIC: ClassVar[str] = "rights_request.executed.v2"
    rights_request_id: str
    reference: str
    how: str
    sha256: str
    at: datetime


# --- state ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RightsRequestState:
    """One request; attributes have the names of the contract's fields."""

    resident: str
    case_id: str
    rights_request_id: str
    right: str
    statement: str
    received_date: date
    due_time: datetime
    receive_time: datetime
    asked_in: str  # the task in which it was recorded: the resident's own, or that of who heard it
    status: str = RequestStatus.RECEIVED
    extension_reason: str = ""
    outcome: str = ""
    reason: str = ""
    refusal_article: str = ""
    complain_at: str = ""
    decide_time: datetime | None = None
    reference: str = ""
    execute_time: datetime | None = None
    sha256: str = ""
    told: tuple[ToldRecipient, ...] = ()
    corrected: tuple[str, ...] = ()
    unasked: bool = False  # of no request: only what recipients of a correction are told stands here

    @property
    def waits(self) -> bool:
        """Tell whether somebody still has to do something."""
        return self.status not in {RequestStatus.REFUSED, RequestStatus.EXECUTED}


# --- decide -----------------------------------------------------------------------------------------


def _receive(command: ReceiveRightsRequest, _state: RightsRequestState | None) -> Events:
    author = command.author
    refuse_but_sides(author)
    refuse_faults(
        {
            "rights_request_id": token_fault(command.rights_request_id),
            "right": member_fault(Right, command.right),
            # Nobody has to say why he wants to see what is recorded of him (C-307/22).
            "statement": text_fault(command.statement, required=command.right == Right.RECTIFICATION),
            "received_date": _received_fault(command),
        }
    )
    if command.open_requests >= OPEN_REQUESTS_MAX:
        raise RuleBroken("the most requests wait already: answer those first", rule="REQUESTS_FULL")
    received = RightsRequestReceived(
        resident=command.resident,
        rights_request_id=command.rights_request_id,
        case_id=command.case_id,
        right=command.right,
        statement=command.statement,
        received_date=command.received_date,
        due_at=command.due_at,
        organisation=author.oin,
        task=author.task,
        at=command.now,
    )
    return (received,)


def _received_fault(command: ReceiveRightsRequest) -> str:
    if command.received_date > command.today:
        return "must not lie in the future"
    if command.author.is_residents_side and command.received_date != command.today:
        # What the resident says through the portal is received as he says it.
        return "is today for who asks for himself"
    longest = timedelta(days=RECEIVED_BEFORE_DAYS_MAX)
    if command.today - command.received_date > longest:
        return f"must be at most {RECEIVED_BEFORE_DAYS_MAX} days ago"
    return FINE


def _extend(command: ExtendRightsRequest, state: RightsRequestState | None) -> Events:
    refuse_but_operators_college(command.author)
    found = _known(state)
    refuse_faults({"reason": text_fault(command.reason), "how": member_fault(Told, command.how)})
    if found.status == RequestStatus.EXTENDED:
        raise RuleBroken("the term was extended before: there is no second time", rule="EXTENDED_ALREADY")
    _refuse_decided(found)
    if not TERMS[found.right].extension_months:
        raise RuleBroken("the law gives three months at once, and no more", rule="NO_EXTENSION")
    if command.now >= found.due_time:
        raise RuleBroken("who extends tells so within the first month: it is over", rule="TERM_OVER")
    extended = RightsRequestExtended(
        resident=found.resident,
        rights_request_id=found.rights_request_id,
        reason=command.reason,
        how=command.how,
        due_at=command.due_at,
        at=command.now,
    )
    return (extended,)


def _decide(command: DecideRightsRequest, state: RightsRequestState | None) -> Events:
    refuse_but_operators_college(command.author)
    found = _known(state)
    granted = command.outcome == RightsOutcome.GRANTED
    refuse_faults(
        {
            "outcome": member_fault(RightsOutcome, command.outcome),
            "reason": text_fault(command.reason, required=not granted),
            "refusal_article": _article_fault(command, found.right, granted=granted),
            "complain_at": text_fault(command.complain_at, required=not granted),
        }
    )
    _refuse_decided(found)
    decided = RightsRequestDecided(
        resident=found.resident,
        rights_request_id=found.rights_request_id,
        outcome=command.outcome,
        reason=command.reason,
        refusal_article=command.refusal_article,
        complain_at=command.complain_at,
        at=command.now,
    )
    return (decided,)


def _article_fault(command: DecideRightsRequest, right: str, *, granted: bool) -> str:
    if granted:
        return "is for what is not granted" if command.refusal_article else FINE
    fault = member_fault(RefusalArticle, command.refusal_article)
    if fault:
        return fault
    return FINE if command.refusal_article in ARTICLES_OF[right] else "is no article to refuse this right on"


def _execute(command: ExecuteRightsRequest, state: RightsRequestState | None) -> Events:
    refuse_but_operators_college(command.author)
    found = _known(state)
    refuse_faults(
        {
            "reference": token_fault(command.reference),
            "how": member_fault(Told, command.how),
            "sha256": copy_fault(found.right, command.how, command.sha256),
            "paths": paths_fault(
                command.paths,
                rectifies=found.right == Right.RECTIFICATION,
                corrected=bool(found.corrected),
            ),
        }
    )
    if found.status == RequestStatus.EXECUTED:
        raise RuleBroken("it was executed before", rule="EXECUTED_ALREADY")
    if found.status != RequestStatus.GRANTED:
        raise RuleBroken("what was not granted is not executed: decide first", rule="NOT_GRANTED")
    executed = RightsRequestExecuted(
        resident=found.resident,
        rights_request_id=found.rights_request_id,
        reference=command.reference,
        how=command.how,
        sha256=command.sha256,
        at=command.now,
    )
    # Last what was done: the receipt is of that.
    told = told_of(found.resident, found.rights_request_id, command.recipients, command.now)
    return (*told, executed)


def _known(state: RightsRequestState | None) -> RightsRequestState:
    if state is None:
        raise RuleBroken("there is no such request", rule="NO_SUCH_REQUEST")
    return state


def _refuse_decided(state: RightsRequestState) -> None:
    if state.outcome:
        raise RuleBroken("it was decided before", rule="DECIDED_ALREADY")


# --- evolve -----------------------------------------------------------------------------------------


def _received(_state: RightsRequestState | None, event: RightsRequestReceived) -> RightsRequestState:
    return RightsRequestState(
        resident=event.resident,
        case_id=event.case_id,
        rights_request_id=event.rights_request_id,
        right=event.right,
        statement=event.statement,
        received_date=event.received_date,
        due_time=event.due_at,
        receive_time=event.at,
        asked_in=event.task,
    )


def _extended(state: RightsRequestState, event: RightsRequestExtended) -> RightsRequestState:
    return replace(state, status=RequestStatus.EXTENDED, extension_reason=event.reason, due_time=event.due_at)


def _decided(state: RightsRequestState, event: RightsRequestDecided) -> RightsRequestState:
    refused = event.outcome == RightsOutcome.REFUSED
    return replace(
        state,
        status=RequestStatus.REFUSED if refused else RequestStatus.GRANTED,
        outcome=event.outcome,
        reason=event.reason,
        refusal_article=event.refusal_article,
        complain_at=event.complain_at,
        decide_time=event.at,
    )


def _executed(state: RightsRequestState, event: RightsRequestExecuted) -> RightsRequestState:
    done = replace(state, status=RequestStatus.EXECUTED, reference=event.reference, execute_time=event.at)
    return replace(done, sha256=event.sha256)


RIGHTS_REQUEST: Final[Aggregate] = aggregate(
    "rights_request",
    deciders={
        ReceiveRightsRequest: _receive,
        ExtendRightsRequest: _extend,
        DecideRightsRequest: _decide,
        ExecuteRightsRequest: _execute,
        ConfirmRectification: confirm,
        NoteRectified: note_rectified,
    },
    founders={RightsRequestReceived: _received, **unasked_as(RightsRequestState)},
    evolvers={
        RightsRequestExtended: _extended,
        RightsRequestDecided: _decided,
        RightsRequestExecuted: _executed,
        RectificationConfirmed: confirmed,
    },
)
