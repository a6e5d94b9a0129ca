"""What this adapter is given of a plan, and the one command it gives: records, and how they are read.

Promises: pure; a state or a part that is not known here, or was withheld, is absent and never guessed.
Source: protos/exchange/v1/plan.proto, subscription_service.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Final

from adapters.provider.records import Product
from exchange.v1 import plan_pb2 as pb

if TYPE_CHECKING:
    from exchange.v1.history_service_pb2 import TimelineEntry
    from exchange.v1.subscription_service_pb2 import PublishedEvent


class Stage(Enum):
    """Where a support stands; in the order in which a support goes through them, or refused before care."""

    REQUESTED = pb.SUPPORT_STATE_REQUESTED
    ASSIGNED = pb.SUPPORT_STATE_ASSIGNED
    STARTED = pb.SUPPORT_STATE_STARTED
    STOPPED = pb.SUPPORT_STATE_STOPPED
    REFUSED = pb.SUPPORT_STATE_REFUSED


_KNOWN_STATES: Final = frozenset(stage.value for stage in Stage)


@dataclass(frozen=True, slots=True)
class Support:
    """A support of a plan, as far as this adapter was given it. Both days of care are inclusive."""

    support_id: str
    stage: Stage
    custom: bool
    provider_oin: str
    product: Product | None
    starts_on: date | None
    ends_on: date | None = None
    volume: int | None = None
    unit: str | None = None
    frequency: str | None = None
    assignment_number: int | None = None
    care_starts_on: date | None = None
    care_ends_on: date | None = None
    stop_reason: int = 0  # of exchange.v1.StopReason

    @property
    def paused(self) -> bool:
        """Tell whether care stopped for a while: the assignment goes on."""
        return self.stage is Stage.STOPPED and self.stop_reason == pb.STOP_REASON_TEMPORARY


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the resident last said: yes or no, to the plan as it was at a version."""

    agreed: bool
    plan_version: int


@dataclass(frozen=True, slots=True)
class CaseFound:
    """A resident's case and plan."""

    case_id: str
    plan_id: str


@dataclass(frozen=True, slots=True)
class PlanSeen:
    """A plan as it is now; version 0 where the version was withheld."""

    version: int
    supports: tuple[Support, ...] = ()
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened on a plan; `support` is as it is now, its days of care as they were then."""

    position: int
    kind: str
    plan_id: str
    case_id: str
    plan_version: int
    support: Support | None = None
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened on a plan, in order: which support it was about, or that the resident spoke."""

    kind: str
    support_id: str = ""
    said: bool = False


@dataclass(frozen=True, slots=True)
class AssignOrder:
    """The one command this adapter gives. The same id with the same content has the same answer."""

    request_id: str
    plan_id: str
    expected_version: int
    support_id: str
    assignment_number: int
    assigned_on: date


def read_support(told: pb.Support) -> Support | None:
    """Return a support of the contract as a record; None for a state that is withheld or not known here."""
    if told.state not in _KNOWN_STATES:
        return None
    return Support(
        support_id=told.support_id,
        stage=Stage(told.state),
        custom=told.kind == pb.SUPPORT_KIND_CUSTOM,
        provider_oin=told.provider_oin,
        product=Product(told.product_category, told.product_code or None) if told.product_category else None,
        starts_on=_day(told.start_date),
        ends_on=_day(told.end_date),
        volume=told.volume or None,
        unit=told.unit or None,
        frequency=told.frequency or None,
        assignment_number=int(told.assignment_number) if told.assignment_number else None,
        care_starts_on=_day(told.care_start_date),
        care_ends_on=_day(told.care_end_date),
        stop_reason=told.stop_reason,
    )


def read_event(event: PublishedEvent) -> Happening:
    """Return a published event as a record; a part that was withheld is absent."""
    supports = event.change.supports
    return Happening(
        position=event.position,
        kind=event.kind,
        plan_id=event.plan_id,
        case_id=event.case_id,
        plan_version=event.plan_version,
        support=read_support(supports[0]) if supports else None,
        agreement=newest(event.change),
    )


def read_entry(entry: TimelineEntry) -> Entry:
    """Return an entry of a plan's past as a record."""
    supports = entry.change.supports
    support_id = supports[0].support_id if supports else ""
    return Entry(entry.kind, support_id, said=bool(entry.change.agreements))


def newest(plan: pb.Plan) -> Agreement | None:
    """Return what the resident last said, or None."""
    if not plan.agreements:
        return None
    last = plan.agreements[-1]
    return Agreement(last.outcome == pb.AGREEMENT_OUTCOME_AGREED and not last.waits, last.plan_version)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
