"""A handover as it stands on one side, and how each event changes it.

Promises: `evolve` refuses nothing; parts of an earlier version of the plan count no more once another was
accepted; what parts hold is forgotten here once it is in the plan, or will never be.
Source: protos/exchange/v1/handover_service.proto.
"""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from exchange.domain.handover.events import (
    HandoverAccepted,
    HandoverCancelled,
    HandoverCompleted,
    HandoverOffered,
    HandoverTakenUp,
    PartKept,
    PartReceived,
    ReceiptKept,
)
from exchange.domain.kernel import with_changes


class Side(StrEnum):
    """On which side of a handover this exchange is."""

    GIVING = "giving"
    RECEIVING = "receiving"


class HandoverStatus(StrEnum):
    """How far a handover is."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class CancelReason(StrEnum):
    """Why a handover ended without the plan going over."""

    WITHDRAWN = "withdrawn"  # the resident took the consent back
    STAYS = "stays"  # the resident does not move after all
    MISTAKE = "mistake"
    GIVER = "giver"  # the other side ended it


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the receiving side has."""

    number: int
    sha256: str
    total: int
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverState:
    """A handover. `other_oin` is the other municipality; `contents` are (number, category, text)."""

    handover_id: str
    case_id: str
    plan_id: str
    resident: str
    side: str
    organisation: str
    other_oin: str
    recipient: str = ""  # OIN and task of who takes over, on the giving side
    consent_id: str = ""
    purpose: str = ""
    envelope: str = ""
    status: str
    plan_version: int = 0
    collections: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    contents: tuple[tuple[int, str, str], ...] = ()
    digest: str = ""
    other_entry: str = ""
    other_proof: str = ""
    cancel_reason: str = ""

    def part(self, number: int) -> Part | None:
        """Return the part that was received under this number."""
        return next((one for one in self.parts if one.number == number), None)

    @property
    def is_whole(self) -> bool:
        """Tell whether every part was received."""
        return {one.number for one in self.parts} == set(range(1, len(self.collections) + 1))

    @property
    def is_open(self) -> bool:
        """Tell whether it is neither completed nor cancelled."""
        return self.status in {HandoverStatus.OFFERED, HandoverStatus.ACCEPTED}

    def digest_of_parts(self) -> str:
        """Return the SHA-256 over the hashes of the parts, in order."""
        hashes = (bytes.fromhex(one.sha256) for one in sorted(self.parts, key=lambda one: one.number))
        return sha256(b"".join(hashes)).hexdigest()


def offered(_state: HandoverState | None, event: HandoverOffered) -> HandoverState:
    """Begin on the giving side."""
    return HandoverState(
        handover_id=event.handover_id,
        case_id=event.case_id,
        plan_id=event.plan_id,
        resident=event.resident,
        side=Side.GIVING,
        organisation=event.organisation,
        other_oin=event.recipient_oin,
        recipient=f"{event.recipient_oin}/{event.recipient_task}",
        consent_id=event.consent_id,
        purpose=event.purpose,
        envelope=event.envelope,
        status=HandoverStatus.OFFERED,
    )


def accepted(state: HandoverState, event: HandoverAccepted) -> HandoverState:
    """Begin with the parts of this version."""
    return with_changes(
        state,
        status=HandoverStatus.ACCEPTED,
        plan_version=event.plan_version,
        collections=event.collections,
        parts=(),
    )


def taken_up(_state: HandoverState | None, event: HandoverTakenUp) -> HandoverState:
    """Begin on the receiving side, or begin again with another version."""
    return HandoverState(
        handover_id=event.handover_id,
        case_id=event.case_id,
        plan_id=event.plan_id,
        resident=event.resident,
        side=Side.RECEIVING,
        organisation=event.organisation,
        other_oin=event.giver_oin,
        status=HandoverStatus.ACCEPTED,
        plan_version=event.plan_version,
        collections=event.collections,
    )


def part_received(state: HandoverState, event: PartReceived) -> HandoverState:
    """Note that it is there."""
    part = Part(event.number, event.sha256, event.total, event.withheld)
    return with_changes(state, parts=(*state.parts, part))


def part_kept(state: HandoverState, event: PartKept) -> HandoverState:
    """Keep what it holds of one category."""
    return with_changes(state, contents=(*state.contents, (event.number, event.category, event.content)))


def completed(state: HandoverState, event: HandoverCompleted) -> HandoverState:
    """End it: what the parts hold is in the plan."""
    return with_changes(
        state,
        status=HandoverStatus.COMPLETED,
        digest=event.digest,
        other_entry=event.other_entry,
        other_proof=event.other_proof,
        contents=(),
    )


def receipt_kept(state: HandoverState, event: ReceiptKept) -> HandoverState:
    """Put the other side's receipt beside it."""
    return with_changes(state, other_entry=event.other_entry, other_proof=event.other_proof)


def cancelled(state: HandoverState, event: HandoverCancelled) -> HandoverState:
    """End it without the plan."""
    return with_changes(
        state, status=HandoverStatus.CANCELLED, cancel_reason=event.reason, contents=(), envelope=""
    )
