"""What a named professional weighed and found, and the gate cannot weigh: recorded with scope and reason.

Promises: the newest finding of one kind and scope counts; a finding can be taken back by finding otherwise.
Source: Participatiewet 67(3) (disproportionate harm); GDPR 15(4), UAVG 41, Wmo 2015 5.3.2(3)-(4) (the child's
or another's interest); CJEU C-579/21 (the name of a staff member).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent, with_changes
from exchange.domain.limits.scope import in_scope, purpose_fault, recipient_fault, refuse_but_college
from exchange.domain.shape import member_fault, refuse_faults, text_fault
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.resident import ResidentState

DETERMINATIONS_MAX: Final = 200
_SEALED: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("kind", "purpose", "recipient", "reason"), "LOG")
)


class DeterminationKind(StrEnum):
    """What is weighed; the words are those of the gate's facts."""

    DISPROPORTIONATE = "disproportionate"
    CONTRARY_TO_CHILD_INTEREST = "contrary_to_child_interest"
    STAFF_IDENTITY_NEEDED = "staff_identity_needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDetermination(AuthoredCommand):
    """Record that something is, or is not, so within a scope."""

    kind: str
    holds: bool
    purpose: str = ""
    recipient: str = ""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeterminationRecorded(ResidentEvent):
    """Somebody weighed it."""

    TOPIC: ClassVar[str] = "resident.determination_recorded.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED
    kind: str
    holds: bool
    purpose: str
    recipient: str
    reason: str


@dataclass(frozen=True, slots=True)
class Determination:
    """One that holds: what was found not to be so is not kept."""

    kind: str
    purpose: str
    recipient: str

    def reaches(self, purpose: str, recipient_id: str) -> bool:
        """Tell whether it is about this request."""
        return in_scope(self.purpose, self.recipient, purpose, recipient_id)


def record_determination(command: RecordDetermination, state: "ResidentState") -> Events:
    """Record it, unless it is what is known."""
    refuse_but_college(command.author)
    refuse_faults(
        {
            "kind": member_fault(DeterminationKind, command.kind),
            "determined_purpose": purpose_fault(command.purpose),
            "recipient": recipient_fault(command.recipient),
            "reason": text_fault(command.reason),
        }
    )
    asked = Determination(command.kind, command.purpose, command.recipient)
    if command.holds == (asked in state.determinations):
        return ()
    if command.holds and len(state.determinations) >= DETERMINATIONS_MAX:
        raise RuleBroken("there are the most determinations there can be", rule="DETERMINATIONS_FULL")
    recorded_now = DeterminationRecorded(
        resident=state.resident,
        kind=command.kind,
        holds=command.holds,
        purpose=command.purpose,
        recipient=command.recipient,
        reason=command.reason,
    )
    return (recorded_now,)


def recorded(state: "ResidentState", event: DeterminationRecorded) -> "ResidentState":
    """Let the newest finding count."""
    found = Determination(event.kind, event.purpose, event.recipient)
    others = tuple(one for one in state.determinations if one != found)
    return with_changes(state, determinations=(*others, found) if event.holds else others)
