"""What a named professional weighed and found, and the gate cannot weigh: recorded with scope and reason.

Promises: the newest finding of one kind and scope counts; a finding can be taken back by finding otherwise;
what is about one representative goes before what is about all. What clears a representative to be told of
an investigation of Veilig Thuis, or of an emergency, is as old as its last record: said anew, it is recorded
anew.
Source: Participatiewet 67(3) (disproportionate harm); GDPR 15(4), UAVG 41, Wmo 2015 5.3.2(3)-(4) (the child's
or another's interest); CJEU C-579/21 (the name of a staff member).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent, with_changes
from exchange.domain.limits.scope import in_scope, purpose_fault, recipient_fault, refuse_but_weighers
from exchange.domain.obligations import EMERGENCY_PURPOSE, NOT_CLEARED, SAFETY_PURPOSE, Cleared
from exchange.domain.shape import member_fault, refuse_faults, text_fault
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.resident import ResidentState

DETERMINATIONS_MAX: Final = 200
_CLEARING: Final = frozenset({SAFETY_PURPOSE, EMERGENCY_PURPOSE})
_SEALED: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("kind", "holds", "purpose", "recipient", "representative_id", "reason"), "LOG")
)


class DeterminationKind(StrEnum):
    """What is weighed; the words are those of the gate's facts."""

    DISPROPORTIONATE = "disproportionate"
    CONTRARY_TO_CHILD_INTEREST = "contrary_to_child_interest"
    STAFF_IDENTITY_NEEDED = "staff_identity_needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDetermination(AuthoredCommand):
    """Record that something is, or is not, so within a scope; no representative named is: whoever asks."""

    kind: str
    holds: bool
    purpose: str = ""
    recipient: str = ""
    representative_id: str = ""
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
    representative_id: str
    organisation: str
    task: str
    professional: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Determination:
    """The newest of its kind and scope. What does not hold is kept where it goes before what is about all."""

    kind: str
    holds: bool
    purpose: str
    recipient: str
    representative_id: str
    at: datetime | None = field(default=None, compare=False)  # when that was found last

    @property
    def clears(self) -> bool:
        """Tell whether it says that this one representative may be told of investigations, or emergencies.

        Nobody finds that by the way: it names him, and that purpose and no other (Wmo 2015 5.2.6).
        """
        return (
            self.kind == DeterminationKind.CONTRARY_TO_CHILD_INTEREST
            and not self.holds
            and bool(self.representative_id)
            and self.purpose in _CLEARING
        )

    def reaches(self, purpose: str, recipient_id: str) -> bool:
        """Tell whether it is about this request."""
        return in_scope(self.purpose, self.recipient, purpose, recipient_id)

    def is_beside(self, other: "Determination") -> bool:
        """Tell whether two are not of one kind and scope."""
        mine = (self.kind, self.purpose, self.recipient, self.representative_id)
        return mine != (other.kind, other.purpose, other.recipient, other.representative_id)


def determined(
    known: Iterable[Determination], purpose: str, recipient_id: str, records: Collection[str]
) -> frozenset[str]:
    """Return the kinds that hold for this request of whoever is bound to these records of representatives."""
    found = [one for one in known if one.reaches(purpose, recipient_id)]
    own = [one for one in found if one.representative_id in records]
    settled = {one.kind for one in own}
    of_all = [one for one in found if not one.representative_id and one.kind not in settled]
    return frozenset(one.kind for one in (*own, *of_all) if one.holds)


def cleared(known: Iterable[Determination], recipient_id: str, records: Collection[str]) -> Cleared:
    """Return when it was found that who is bound to these records may be told: of each by itself.

    None where nobody found that, or where the opposite was found of him in any scope that reaches him.
    """
    kind = DeterminationKind.CONTRARY_TO_CHILD_INTEREST
    own = [one for one in known if one.kind == kind and one.representative_id in records]
    if not own:
        return NOT_CLEARED
    return Cleared(
        investigation=_cleared_for(SAFETY_PURPOSE, own, recipient_id),
        emergency=_cleared_for(EMERGENCY_PURPOSE, own, recipient_id),
    )


def _cleared_for(purpose: str, own: Iterable[Determination], recipient_id: str) -> datetime | None:
    moments = []
    for one in own:
        if not one.reaches(purpose, recipient_id):
            continue
        if one.holds:
            return None
        if one.clears and one.at is not None:
            moments.append(one.at)
    return max(moments, default=None)


def record_determination(command: RecordDetermination, state: "ResidentState") -> Events:
    """Record it, unless it is what is known."""
    names_staff = command.kind == DeterminationKind.STAFF_IDENTITY_NEEDED
    refuse_faults(
        {
            "kind": member_fault(DeterminationKind, command.kind),
            "determined_purpose": purpose_fault(command.purpose),
            "recipient": recipient_fault(command.recipient),
            "reason": text_fault(command.reason),
        }
    )
    refuse_but_weighers(command.author, command.purpose, command.recipient, names_staff=names_staff)
    about = command.representative_id
    if about and state.representation.find(about) is None:
        raise RuleBroken("this representative is not recorded", rule="REPRESENTATIVE_UNKNOWN")
    asked = Determination(command.kind, command.holds, command.purpose, command.recipient, about)
    known = next((one for one in state.determinations if not one.is_beside(asked)), None)
    if (known == asked and not asked.clears) or (known is None and not asked.holds and not about):
        return ()
    if known is None and len(state.determinations) >= DETERMINATIONS_MAX:
        raise RuleBroken("there are the most determinations there can be", rule="DETERMINATIONS_FULL")
    recorded_now = DeterminationRecorded(
        resident=state.resident,
        kind=command.kind,
        holds=command.holds,
        purpose=command.purpose,
        recipient=command.recipient,
        representative_id=about,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        reason=command.reason,
        at=command.now,
    )
    return (recorded_now,)


def recorded(state: "ResidentState", event: DeterminationRecorded) -> "ResidentState":
    """Let the newest finding count."""
    scope = (event.purpose, event.recipient, event.representative_id)
    found = Determination(event.kind, event.holds, *scope, event.at)
    others = tuple(one for one in state.determinations if one.is_beside(found))
    kept = event.holds or bool(event.representative_id)
    return with_changes(state, determinations=(*others, found) if kept else others)
