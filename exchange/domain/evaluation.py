"""How many BSNs an organisation had evaluated on one day, for which case or why without one.

Promises: one stream for each organisation and UTC day, so that a share that was used up stays used up over a
restart; every call says its case or its reason; over the share of the day nothing is evaluated.
Source: RFC 9497 section 7.2.3 (a server limits evaluations); LEDGER design section 6; GDPR 5(1)(f), 32.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, AuthoredCommand, Event, Events, aggregate
from exchange.domain.shape import FINE, member_fault, range_fault, refuse_faults, token_fault
from exchange.errors import QuotaExceeded

ELEMENTS_PER_CALL_MAX: Final = 100


class NoCaseReason(StrEnum):
    """Why a BSN is blinded while there is no case to name."""

    NEW_REPORT = "new_report"
    FIND_CASE = "find_case"
    INCOMING_MESSAGE = "incoming_message"
    MIGRATION = "migration"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountEvaluation(AuthoredCommand):
    """Take blinded elements from the share of the day of `now`; a case or a reason, never both."""

    elements: int
    elements_per_day_max: int
    case_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationCounted(Event):
    """So many blinded elements were answered to an organisation."""

    TOPIC: ClassVar[str] = "evaluation.counted.v1"
    organisation: str
    task: str
    day: date
    elements: int
    case_id: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EvaluationDay:
    """What was used of one day's share."""

    elements: int
    calls: int


def day_key(organisation: str, now: datetime) -> str:
    """Return the key of an organisation's stream for the UTC day of a moment."""
    return f"{organisation}.{now.date().isoformat()}"


def _count(command: CountEvaluation, state: EvaluationDay | None) -> Events:
    one = bool(command.case_id) != bool(command.reason)
    refuse_faults(
        {
            "blinded_elements": range_fault(command.elements, 1, ELEMENTS_PER_CALL_MAX),
            "case_id": FINE if one else "must be given, or a reason why there is no case; not both",
            "no_case_reason": member_fault(NoCaseReason, command.reason) if command.reason else FINE,
        }
        | ({"case_id": token_fault(command.case_id)} if command.case_id and one else {})
    )
    used = 0 if state is None else state.elements
    if used + command.elements > command.elements_per_day_max:
        raise QuotaExceeded(
            "this organisation is over its share of the day",
            retry_after_ms=_ms_to_next_day(command.now),
            limit="evaluations_per_day",
            most=str(command.elements_per_day_max),
            used=str(used),
        )
    counted = EvaluationCounted(
        organisation=command.author.oin,
        task=command.author.task,
        day=command.now.date(),
        elements=command.elements,
        case_id=command.case_id,
        reason=command.reason,
        at=command.now,
    )
    return (counted,)


def _ms_to_next_day(now: datetime) -> int:
    next_day = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    return int((next_day - now).total_seconds() * 1_000) + 1


def _first(state: EvaluationDay | None, event: EvaluationCounted) -> EvaluationDay:
    if state is None:
        return EvaluationDay(event.elements, 1)
    return EvaluationDay(state.elements + event.elements, state.calls + 1)


EVALUATION: Final[Aggregate] = aggregate(
    "evaluation", deciders={CountEvaluation: _count}, founders={EvaluationCounted: _first}, evolvers={}
)
