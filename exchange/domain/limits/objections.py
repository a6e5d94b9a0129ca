"""Objections: the resident says no to a processing that needs no consent; until decided it stands.

Promises: objecting twice to the same changes nothing; a rejection says why; after one the resident may object
anew. Whose objection it is takes it back at any time, decided or not, and nobody else for him who can speak
for himself. How an objection stands to a consent is not said here but in the gate's `conflicts.py`.
Source: GDPR 21(1), 18(1)(d), 12(2), 12(4); Jeugdwet 7.3.15 (who cannot decide is represented).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Event, Events, ResidentEvent, with_changes
from exchange.domain.limits.scope import in_scope, purpose_fault, recipient_fault, refuse_but_sides
from exchange.domain.mandate import refuse_but_college, refuse_unless_about
from exchange.domain.shape import FINE, refuse_faults, text_fault, token_fault
from exchange.domain.values import RESIDENT_TASK, Objection
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.resident import ResidentState

OBJECTIONS_MAX: Final = 100
STANDING: Final = frozenset({Objection.PENDING, Objection.UPHELD})
_SEALED: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys(("purpose", "recipient", "reason"), "LOG"))
_SEALED_REASON: Final[Mapping[str, str]] = MappingProxyType({"reason": "LOG"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Object(AuthoredCommand):
    """Record an objection against everything, a purpose, a recipient, or a purpose of a recipient."""

    objection_id: str
    purpose: str = ""
    recipient: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideObjection(AuthoredCommand):
    """Decide a pending objection: UPHELD, or REJECTED with a reason."""

    objection_id: str
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawObjection(AuthoredCommand):
    """Take back an objection that stands."""

    objection_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentObjected(ResidentEvent):
    """The resident objects."""

    TOPIC: ClassVar[str] = "resident.objected.v2"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED
    objection_id: str
    purpose: str
    recipient: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionDecided(ResidentEvent):
    """The objection is upheld or rejected."""

    TOPIC: ClassVar[str] = "resident.objection_decided.v2"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    objection_id: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionWithdrawn(ResidentEvent):
    """The resident objects no more."""

    TOPIC: ClassVar[str] = "resident.objection_withdrawn.v1"
    objection_id: str


@dataclass(frozen=True, slots=True)
class ResidentsObjection:
    """One objection and where it stands."""

    objection_id: str
    purpose: str
    recipient: str
    status: str = Objection.PENDING
    decided_at: datetime | None = None  # when the decision was recorded

    @property
    def scope(self) -> tuple[str, str]:
        """What it is about: purpose and recipient, empty for every one."""
        return self.purpose, self.recipient

    def reaches(self, purpose: str, recipient_id: str) -> bool:
        """Tell whether it is about this request."""
        return in_scope(self.purpose, self.recipient, purpose, recipient_id)


def object_to(command: Object, state: "ResidentState") -> Events:
    """Record an objection, unless the same one stands."""
    refuse_but_sides(command.author)
    refuse_faults(
        {
            "objection_id": token_fault(command.objection_id),
            "objected_purpose": purpose_fault(command.purpose),
            "recipient": recipient_fault(command.recipient),
            # The resident need not say why in so many words (GDPR 21(1) asks the controller to show grounds).
            "reason": text_fault(command.reason, required=False),
        }
    )
    standing = [one for one in state.objections if one.status in STANDING]
    if any(one.scope == (command.purpose, command.recipient) for one in standing):
        return ()
    if len(standing) >= OBJECTIONS_MAX:
        raise RuleBroken("there are the most objections there can be", rule="OBJECTIONS_FULL")
    objected_now = ResidentObjected(
        resident=state.resident,
        objection_id=command.objection_id,
        purpose=command.purpose,
        recipient=command.recipient,
        reason=command.reason,
    )
    return (objected_now,)


def decide_objection(command: DecideObjection, state: "ResidentState") -> Events:
    """Decide one that waits."""
    refuse_but_college(command.author)
    rejected = command.outcome == Objection.REJECTED
    known = rejected or command.outcome == Objection.UPHELD
    refuse_faults(
        {
            "outcome": FINE if known else "must be UPHELD or REJECTED",
            "reason": text_fault(command.reason, required=rejected),
        }
    )
    found = next((one for one in state.objections if one.objection_id == command.objection_id), None)
    if found is not None:
        refuse_unless_about(command.author, *found.scope)
    if found is not None and found.status == command.outcome:
        return ()
    if found is None or found.status != Objection.PENDING:
        raise RuleBroken("no objection of this name waits for a decision", rule="NO_OBJECTION_PENDING")
    decided_now = ObjectionDecided(
        resident=state.resident,
        objection_id=found.objection_id,
        outcome=command.outcome,
        reason=command.reason,
    )
    return (decided_now,)


def withdraw_objection(command: WithdrawObjection, state: "ResidentState", *, by_himself: bool) -> Events:
    """Take one back; `by_himself` tells whether the resident speaks for himself in this."""
    if not command.author.is_residents_side:
        raise RuleBroken("only the resident's side takes an objection back", rule="NOT_TO_WITHDRAW")
    if by_himself and command.author.task != RESIDENT_TASK:
        raise RuleBroken("the resident takes it back himself", rule="NOT_TO_WITHDRAW")
    standing = (one for one in state.objections if one.status in STANDING)
    if all(one.objection_id != command.objection_id for one in standing):
        raise RuleBroken("no objection of this name stands", rule="NO_SUCH_OBJECTION")
    return (ObjectionWithdrawn(resident=state.resident, objection_id=command.objection_id),)


def objected(state: "ResidentState", event: ResidentObjected) -> "ResidentState":
    """Let it stand; a rejected one about the same is spoken anew."""
    new = ResidentsObjection(event.objection_id, event.purpose, event.recipient)
    others = tuple(one for one in state.objections if one.scope != new.scope)
    return with_changes(state, objections=(*others, new))


def decided(state: "ResidentState", event: ObjectionDecided) -> "ResidentState":
    """Note the decision."""
    noted = tuple(
        with_changes(one, status=event.outcome) if one.objection_id == event.objection_id else one
        for one in state.objections
    )
    return with_changes(state, objections=noted)


def withdrawn(state: "ResidentState", event: ObjectionWithdrawn) -> "ResidentState":
    """Let it stand no more."""
    left = tuple(one for one in state.objections if one.objection_id != event.objection_id)
    return with_changes(state, objections=left)


def stamped(
    before: "ResidentState | None", after: "ResidentState", _event: Event, at: datetime
) -> "ResidentState":
    """Note when a decision was recorded: what is said after it can differ from what was weighed in it."""
    if before is None or after.objections is before.objections:
        return after
    noted = tuple(
        with_changes(one, decided_at=at)
        if one.status != Objection.PENDING and one.decided_at is None
        else one
        for one in after.objections
    )
    return with_changes(after, objections=noted)
