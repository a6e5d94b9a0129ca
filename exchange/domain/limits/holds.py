"""Legal hold: while one stands nothing of a resident is erased, whoever wants it, unless a court orders that.

Promises: a hold names what it is for and where that is written; it stands until somebody else than who placed
it lifts it with a reason, and nothing ends it by itself: a day to look again at is told, and ends nothing.
Source: GDPR 17(3)(e), 18(1)(c); 5(2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent, with_changes
from exchange.domain.limits.scope import review_fault
from exchange.domain.limits.seals import person_of
from exchange.domain.shape import member_fault, refuse_faults, text_fault, token_fault
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.resident import ResidentState
    from exchange.domain.values import Author

HOLDS_MAX: Final = 50
PRIVACY_OFFICER: Final = "fg"
_SEALED: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys(("kind", "reference", "reason"), "LOG"))
_SEALED_REASON: Final[Mapping[str, str]] = MappingProxyType({"reason": "LOG"})


class HoldKind(StrEnum):
    """What has to come to its end first."""

    COURT_CASE = "court_case"
    ADMINISTRATIVE_OBJECTION = "administrative_objection"
    KLACHT = "klacht"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHold(AuthoredCommand):
    """Let nothing be erased. `reference` is where it is known, such as the number of a case at court."""

    hold_id: str
    kind: str
    reference: str
    reason: str
    review_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftHold(AuthoredCommand):
    """Let a hold stand no more."""

    hold_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced(ResidentEvent):
    """Nothing of the resident is erased from here on."""

    TOPIC: ClassVar[str] = "resident.hold_placed.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED
    hold_id: str
    kind: str
    reference: str
    reason: str
    review_date: date
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLifted(ResidentEvent):
    """This hold stands no more."""

    TOPIC: ClassVar[str] = "resident.hold_lifted.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    hold_id: str
    reason: str
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """One that stands; `placed_by` is the person."""

    hold_id: str
    kind: str
    placed_by: str
    review_date: date


def place_hold(command: PlaceHold, state: "ResidentState") -> Events:
    """Decide `PlaceHold`."""
    _refuse_others(command.author)
    refuse_faults(
        {
            "hold_id": token_fault(command.hold_id),
            "kind": member_fault(HoldKind, command.kind),
            "reference": token_fault(command.reference),
            "reason": text_fault(command.reason),
            "review_date": review_fault(command.review_date, command.now.date()),
        }
    )
    if len(state.holds) >= HOLDS_MAX:
        raise RuleBroken("there are the most holds there can be", rule="HOLDS_FULL")
    author = command.author
    placed = HoldPlaced(
        resident=state.resident,
        hold_id=command.hold_id,
        kind=command.kind,
        reference=command.reference,
        reason=command.reason,
        review_date=command.review_date,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        at=command.now,
    )
    return (placed,)


def lift_hold(command: LiftHold, state: "ResidentState") -> Events:
    """Decide `LiftHold`: somebody else than who placed it."""
    _refuse_others(command.author)
    refuse_faults({"reason": text_fault(command.reason)})
    found = next((one for one in state.holds if one.hold_id == command.hold_id), None)
    if found is None:
        raise RuleBroken("no hold of this name stands", rule="NO_SUCH_HOLD")
    if person_of(command.author) == found.placed_by:
        raise RuleBroken("who placed it does not lift it: somebody else does", rule="SAME_PERSON")
    author = command.author
    lifted = HoldLifted(
        resident=state.resident,
        hold_id=found.hold_id,
        reason=command.reason,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        at=command.now,
    )
    return (lifted,)


def _refuse_others(author: "Author") -> None:
    if not (author.is_operators_college or author.task == PRIVACY_OFFICER):
        raise RuleBroken("this task places and lifts no hold", rule="NOT_TO_DECIDE")


def placed(state: "ResidentState", event: HoldPlaced) -> "ResidentState":
    """Let it stand."""
    person = f"{event.organisation}/{event.professional}"
    return with_changes(
        state, holds=(*state.holds, Hold(event.hold_id, event.kind, person, event.review_date))
    )


def lifted(state: "ResidentState", event: HoldLifted) -> "ResidentState":
    """Let it stand no more."""
    return with_changes(state, holds=tuple(one for one in state.holds if one.hold_id != event.hold_id))
