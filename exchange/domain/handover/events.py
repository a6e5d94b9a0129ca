"""What happens to a handover of a plan, on the giving and on the receiving side; topics are permanent.

Promises: ids, hashes and words of closed lists stand in the clear; the envelope with the BSN and what a part
holds are sealed under the resident's keys, and die with them.
Source: protos/exchange/v1/handover_service.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from exchange.domain.kernel import ResidentEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverEvent(ResidentEvent):
    """Something that happened to a handover."""

    handover_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverOffered(HandoverEvent):
    """Giving side: a college offered a plan to another municipality's, on a consent of the resident."""

    TOPIC: ClassVar[str] = "handover.offered.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"envelope": "BSN"})
    case_id: str
    plan_id: str
    organisation: str
    task: str
    recipient_oin: str
    recipient_task: str
    consent_id: str
    purpose: str
    envelope: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverAccepted(HandoverEvent):
    """Giving side: the recipient accepted the plan as it stood at a version, in these parts."""

    TOPIC: ClassVar[str] = "handover.accepted.v1"
    plan_version: int
    collections: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverTakenUp(HandoverEvent):
    """Receiving side: a college takes up what another municipality's offered; again: at another version."""

    TOPIC: ClassVar[str] = "handover.taken_up.v1"
    case_id: str
    plan_id: str
    organisation: str
    task: str
    giver_oin: str
    plan_version: int
    collections: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReceived(HandoverEvent):
    """A part is recorded on the receiving side: said there, and confirmed on the giving side."""

    TOPIC: ClassVar[str] = "handover.part_received.v1"
    plan_version: int
    number: int
    total: int
    sha256: str
    withheld: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PartKept(HandoverEvent):
    """Receiving side: the elements of one category in a part; not in the plan before the handover is done."""

    TOPIC: ClassVar[str] = "handover.part_kept.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"content": "@category"})
    number: int
    category: str
    content: str

    def sealed_fields(self) -> Mapping[str, str]:
        """Return the field to seal, under the category of these elements."""
        return {"content": self.category}


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverCompleted(HandoverEvent):
    """Every part went over; on the receiving side with the receipt of the giver's completion.

    `digest` is the SHA-256 over the hashes of all parts in order, and equal on both sides.
    """

    TOPIC: ClassVar[str] = "handover.completed.v1"
    digest: str
    other_entry: str
    other_proof: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptKept(HandoverEvent):
    """Giving side: the receipt of the receiver's completion."""

    TOPIC: ClassVar[str] = "handover.receipt_kept.v1"
    other_entry: str
    other_proof: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverCancelled(HandoverEvent):
    """It ended without the plan going over; parts that had gone are named by the events before."""

    TOPIC: ClassVar[str] = "handover.cancelled.v1"
    organisation: str
    task: str
    reason: str
    at: datetime
