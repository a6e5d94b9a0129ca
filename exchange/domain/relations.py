"""Who is bound to a case and how: working on it, standing in for a colleague, a conflict of interest.

Promises: a conflict is of the person, in whichever task he asks; who is bound by one never ends it; a
stand-in works in the place of somebody who works on the case, within a mandate and a period, and no longer
than he does.
Source: GDPR 5(1)(f); Awb 2:4 (no personal interest), 10:1-10:3 (mandate); the gate's design sections 2 and 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent, with_changes
from exchange.domain.shape import FINE, member_fault, oin_fault, refuse_faults, text_fault, token_fault
from exchange.domain.values import Author, CaseRole, Purpose
from exchange.errors import RuleBroken

# What a plan that was handed over is still kept for: whoever asks by right, or complains, is answered.
KEPT_FOR: Final = frozenset({Purpose.INZAGE, Purpose.CORRECTIE, Purpose.KLACHT_BEZWAAR})
CONFLICTS_MAX: Final = 200
STAND_IN_DAYS_MAX: Final = 92
# Who is a resident's relative tells of the resident.
_SEALED_REASON: Final[Mapping[str, str]] = MappingProxyType({"reason": "LOG"})


class ConflictKind(StrEnum):
    """Why somebody keeps away from a file."""

    OWN_FILE = "own_file"
    RELATIVE = "relative"
    OTHER = "other"


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordConflict(AuthoredCommand):
    """Record that a person is the resident himself, a relative, or too near in another way."""

    oin: str
    professional: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndConflict(AuthoredCommand):
    """Record that there is no conflict any more, or never was."""

    oin: str
    professional: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointStandIn(AuthoredCommand):
    """Let somebody work in the place of a professional of the same organisation and task, for a time."""

    oin: str
    task: str
    professional: str
    stand_in_for: str
    mandate: str
    start_time: datetime
    end_time: datetime


# --- events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictRecorded(ResidentEvent):
    """A person keeps away from this case."""

    TOPIC: ClassVar[str] = "case.conflict_recorded.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"reason": "LOG", "kind": "LOG"})
    case_id: str
    oin: str
    professional: str
    kind: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictEnded(ResidentEvent):
    """A person need not keep away any more."""

    TOPIC: ClassVar[str] = "case.conflict_ended.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    case_id: str
    oin: str
    professional: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInAppointed(ResidentEvent):
    """Somebody works in the place of another: start included, end excluded."""

    TOPIC: ClassVar[str] = "case.stand_in_appointed.v1"
    case_id: str
    oin: str
    task: str
    professional: str
    stand_in_for: str
    mandate: str
    start_time: datetime
    end_time: datetime
    at: datetime


# --- state ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Professional:
    """A relation with the case: start included, end excluded; no end while it lasts.

    A stand-in's is for the person named, under a mandate, and ends with that person's own.
    """

    oin: str
    task: str
    professional: str
    role: str
    start: datetime
    end: datetime | None = None
    stand_in_for: str = ""
    mandate: str = ""

    @property
    def is_college(self) -> bool:
        """Tell whether this is a professional of a college."""
        return Author(self.oin, self.task, self.professional).is_college

    def is_author(self, author: Author) -> bool:
        """Tell whether this is the same person in the same task of the same organisation."""
        return self.is_person(author.oin, author.task, author.professional)

    def is_person(self, oin: str, task: str, professional: str) -> bool:
        """Tell the same of an author told in parts: asked on every walk."""
        return self.professional == professional and self.task == task and self.oin == oin

    def works_at(self, now: datetime) -> bool:
        """Tell whether the relation stands at this moment."""
        return self.start <= now and self.lasts(now)

    def lasts(self, now: datetime) -> bool:
        """Tell whether the relation goes on after this moment, or begins after it."""
        return self.end is None or now < self.end


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent a recipient to know the resident by. The repr hides the envelope."""

    sender_oin: str
    sender_task: str
    recipient_oin: str
    recipient_task: str
    purpose: str
    envelope: str = field(repr=False)
    at: datetime

    @property
    def parties(self) -> tuple[str, str, str, str]:
        """Between whom."""
        return (self.sender_oin, self.sender_task, self.recipient_oin, self.recipient_task)

    def is_for(self, oin: str, task: str) -> bool:
        """Tell whether this organisation and task is the recipient."""
        return self.recipient_oin == oin and self.recipient_task == task


@dataclass(frozen=True, slots=True)
class CaseState:
    """A case as it stands. Ended relations stay listed, oldest first; `origin` is the task that opened it."""

    case_id: str
    resident: str
    plan_id: str
    origin: str
    professionals: tuple[Professional, ...] = ()
    reporters: tuple[Author, ...] = ()
    closed: bool = False
    handed_over: bool = False  # to another municipality: closed, but for what the law keeps it for
    conflicts: frozenset[tuple[str, str]] = frozenset()  # (OIN, professional): a person, in any task
    identities: tuple[Sent, ...] = ()  # newest last


def relation_of(
    state: CaseState | None, oin: str, task: str, professional: str, now: datetime
) -> Professional | None:
    """Return the relation this professional has with the case now, in this task; a stand-in's comes last."""
    if state is None or state.closed:
        return None
    standing_in = None
    for each in state.professionals:
        if each.is_person(oin, task, professional) and each.works_at(now):
            if not each.stand_in_for:
                return each
            if standing_in is None and works_there(state, oin, task, each.stand_in_for, now):
                standing_in = each
    return standing_in


def relation_for(state: CaseState | None, who: Author, now: datetime, purpose: str) -> Professional | None:
    """Return the relation for one purpose: of a case that was handed over, the resident's rights only."""
    if state is not None and state.handed_over and purpose in KEPT_FOR:
        state = with_changes(state, closed=False)
    return relation_of(state, who.oin, who.task, who.professional, now)


def colleges_on(state: CaseState) -> frozenset[tuple[str, str]]:
    """Return the colleges, OIN and task, whose people work on the case without an end."""
    return frozenset(
        (each.oin, each.task) for each in state.professionals if each.is_college and each.end is None
    )


def works_there(state: CaseState, oin: str, task: str, professional: str, now: datetime) -> bool:
    """Tell whether this professional works on the case himself: nobody stands in for a stand-in."""
    return any(
        each.is_person(oin, task, professional) and each.works_at(now) and not each.stand_in_for
        for each in state.professionals
    )


def has_relation(state: CaseState | None, oin: str, task: str, professional: str, now: datetime) -> bool:
    """Tell whether this professional works on the case now, in this task."""
    return relation_of(state, oin, task, professional, now) is not None


def has_conflict(state: CaseState | None, oin: str, professional: str) -> bool:
    """Tell whether this person keeps away from the case, in whichever task."""
    return state is not None and (oin, professional) in state.conflicts


# --- decide -----------------------------------------------------------------------------------------


def record_conflict(command: RecordConflict, case: CaseState) -> Events:
    """Record it, unless it is known: the person himself, a colleague, or the operator's college."""
    _refuse_others(command)
    refuse_faults(
        {
            "oin": oin_fault(command.oin),
            "professional": token_fault(command.professional),
            "kind": member_fault(ConflictKind, command.kind),
            "reason": text_fault(command.reason),
        }
    )
    if (command.oin, command.professional) in case.conflicts:
        return ()
    if len(case.conflicts) >= CONFLICTS_MAX:
        raise RuleBroken("this case has the most conflicts it can have", rule="CONFLICTS_FULL")
    recorded = ConflictRecorded(
        resident=case.resident,
        case_id=case.case_id,
        oin=command.oin,
        professional=command.professional,
        kind=command.kind,
        reason=command.reason,
        at=command.now,
    )
    return (recorded,)


def _refuse_others(command: RecordConflict | EndConflict) -> None:
    # No provider keeps another's people away or lets one of the municipality come back, nor does a body that
    # acts for the college under a mandate: the municipality itself answers for all of them.
    if not command.author.is_operators_college and command.author.oin != command.oin:
        raise RuleBroken("an organisation says this of its own people", rule="NOT_OWN_PEOPLE")


def end_conflict(command: EndConflict, case: CaseState) -> Events:
    """End it, by somebody else than the person it binds."""
    refuse_faults({"reason": text_fault(command.reason)})
    _refuse_others(command)
    person = (command.oin, command.professional)
    if (command.author.oin, command.author.professional) == person:
        raise RuleBroken("a conflict is ended by somebody else than the person it binds", rule="SAME_PERSON")
    if person not in case.conflicts:
        return ()
    ended = ConflictEnded(
        resident=case.resident,
        case_id=case.case_id,
        oin=command.oin,
        professional=command.professional,
        reason=command.reason,
        at=command.now,
    )
    return (ended,)


def appoint_stand_in(command: AppointStandIn, case: CaseState) -> Events:
    """Appoint one: by the person himself, or by a colleague in that task who works on the case."""
    longest = command.start_time + timedelta(days=STAND_IN_DAYS_MAX)
    in_order = command.start_time < command.end_time <= longest and command.now < command.end_time
    refuse_faults(
        {
            "oin": oin_fault(command.oin),
            "task": token_fault(command.task),
            "professional": token_fault(command.professional),
            "stand_in_for": token_fault(command.stand_in_for),
            "mandate": token_fault(command.mandate),
            "end_time": FINE
            if in_order
            else f"must lie ahead, at most {STAND_IN_DAYS_MAX} days after the start",
        }
    )
    if command.professional == command.stand_in_for:
        raise RuleBroken("nobody stands in for himself", rule="SAME_PERSON")
    # A mandate is given by the organisation that could do it itself (Awb 10:3): nobody lends another's place.
    if command.author.oin != command.oin:
        raise RuleBroken("an organisation appoints its own stand-ins", rule="NOT_ON_CASE")
    # To each law its own task: who works for one lets nobody in to what is held for another.
    if command.author.task != command.task:
        raise RuleBroken("a stand-in is appointed in the task of who appoints", rule="OTHER_TASK")
    appointed = StandInAppointed(
        resident=case.resident,
        case_id=case.case_id,
        oin=command.oin,
        task=command.task,
        professional=command.professional,
        stand_in_for=command.stand_in_for,
        mandate=command.mandate,
        start_time=command.start_time,
        end_time=command.end_time,
        at=command.now,
    )
    return (appointed,)


# --- evolve -----------------------------------------------------------------------------------------


def conflict_recorded(state: CaseState, event: ConflictRecorded) -> CaseState:
    """Let a person keep away."""
    return with_changes(state, conflicts=state.conflicts | {(event.oin, event.professional)})


def conflict_ended(state: CaseState, event: ConflictEnded) -> CaseState:
    """Let a person come back."""
    return with_changes(state, conflicts=state.conflicts - {(event.oin, event.professional)})


def stand_in_appointed(state: CaseState, event: StandInAppointed) -> CaseState:
    """Add a relation of its own."""
    stand_in = Professional(
        event.oin,
        event.task,
        event.professional,
        CaseRole.WAARNEMER,
        event.start_time,
        event.end_time,
        event.stand_in_for,
        event.mandate,
    )
    return with_changes(state, professionals=(*state.professionals, stand_in))
