"""Restriction of processing: while it stands the data are kept and not used, within its scope.

Promises: asking twice for the same scope changes nothing; no restriction is lifted before the resident was
told that it will be, and how.
Source: GDPR 18(1), 18(2) and 18(3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent, with_changes
from exchange.domain.limits.scope import (
    in_scope,
    purpose_fault,
    recipient_fault,
    refuse_but_sides,
    review_fault,
)
from exchange.domain.mandate import refuse_but_college, refuse_unless_about
from exchange.domain.shape import member_fault, refuse_faults, text_fault, token_fault
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.resident import ResidentState

RESTRICTIONS_MAX: Final = 100
# Who a resident wants to keep away tells of the resident what the reason would.
_SEALED: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys(("purpose", "recipient", "reason"), "LOG"))
_SEALED_REASON: Final[Mapping[str, str]] = MappingProxyType({"reason": "LOG"})


class Told(StrEnum):
    """How the resident was told something."""

    PORTAL = "portal"
    LETTER = "letter"
    IN_PERSON = "in_person"
    PHONE = "phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrict(AuthoredCommand):
    """Restrict processing; an empty purpose or recipient is every one."""

    restriction_id: str
    purpose: str = ""
    recipient: str = ""
    reason: str
    review_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceLifting(AuthoredCommand):
    """Record that the resident was told that the restriction will be lifted."""

    restriction_id: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftRestriction(AuthoredCommand):
    """Lift the restriction."""

    restriction_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentRestricted(ResidentEvent):
    """Processing is restricted."""

    TOPIC: ClassVar[str] = "resident.restricted.v2"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED
    restriction_id: str
    purpose: str
    recipient: str
    reason: str
    review_date: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftingAnnounced(ResidentEvent):
    """The resident knows that the restriction will be lifted."""

    TOPIC: ClassVar[str] = "resident.lifting_announced.v1"
    restriction_id: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionLifted(ResidentEvent):
    """Processing is restricted no more."""

    TOPIC: ClassVar[str] = "resident.restriction_lifted.v2"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    restriction_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Restriction:
    """One that stands; `announced` once the resident was told that it will be lifted."""

    restriction_id: str
    purpose: str
    recipient: str
    announced: bool = False

    def reaches(self, purpose: str, recipient_id: str) -> bool:
        """Tell whether it stands in the way of this request."""
        return in_scope(self.purpose, self.recipient, purpose, recipient_id)


def restrict(command: Restrict, state: "ResidentState") -> Events:
    """Restrict, unless the same is restricted already."""
    refuse_but_sides(command.author)
    refuse_faults(
        {
            "restriction_id": token_fault(command.restriction_id),
            "restricted_purpose": purpose_fault(command.purpose),
            "recipient": recipient_fault(command.recipient),
            "reason": text_fault(command.reason),
            "review_date": review_fault(command.review_date, command.now.date()),
        }
    )
    if not command.author.is_residents_side:
        refuse_unless_about(command.author, command.purpose, command.recipient)
    scope = (command.purpose, command.recipient)
    if any((one.purpose, one.recipient) == scope for one in state.restrictions):
        return ()
    if len(state.restrictions) >= RESTRICTIONS_MAX:
        raise RuleBroken("there are the most restrictions there can be", rule="RESTRICTIONS_FULL")
    restricted_now = ResidentRestricted(
        resident=state.resident,
        restriction_id=command.restriction_id,
        purpose=command.purpose,
        recipient=command.recipient,
        reason=command.reason,
        review_date=command.review_date,
    )
    return (restricted_now,)


def announce_lifting(command: AnnounceLifting, state: "ResidentState") -> Events:
    """Record that the resident was told."""
    refuse_but_college(command.author)
    refuse_faults({"how": member_fault(Told, command.how)})
    found = _standing(command.restriction_id, state)
    refuse_unless_about(command.author, found.purpose, found.recipient)
    if found.announced:
        return ()
    told = LiftingAnnounced(resident=state.resident, restriction_id=found.restriction_id, how=command.how)
    return (told,)


def lift_restriction(command: LiftRestriction, state: "ResidentState") -> Events:
    """Lift, once the resident knows."""
    refuse_but_college(command.author)
    refuse_faults({"reason": text_fault(command.reason)})
    found = _standing(command.restriction_id, state)
    refuse_unless_about(command.author, found.purpose, found.recipient)
    if not found.announced:
        raise RuleBroken("the resident is told before a restriction is lifted", rule="RESIDENT_NOT_TOLD")
    lifted_now = RestrictionLifted(
        resident=state.resident, restriction_id=found.restriction_id, reason=command.reason
    )
    return (lifted_now,)


def _standing(restriction_id: str, state: "ResidentState") -> Restriction:
    for one in state.restrictions:
        if one.restriction_id == restriction_id:
            return one
    raise RuleBroken("no restriction of this name stands", rule="NO_SUCH_RESTRICTION")


def restricted(state: "ResidentState", event: ResidentRestricted) -> "ResidentState":
    """Let it stand."""
    new = Restriction(event.restriction_id, event.purpose, event.recipient)
    return with_changes(state, restrictions=(*state.restrictions, new))


def announced(state: "ResidentState", event: LiftingAnnounced) -> "ResidentState":
    """Note that the resident knows."""
    noted = tuple(
        with_changes(one, announced=True) if one.restriction_id == event.restriction_id else one
        for one in state.restrictions
    )
    return with_changes(state, restrictions=noted)


def lifted(state: "ResidentState", event: RestrictionLifted) -> "ResidentState":
    """Let it stand no more."""
    left = tuple(one for one in state.restrictions if one.restriction_id != event.restriction_id)
    return with_changes(state, restrictions=left)
