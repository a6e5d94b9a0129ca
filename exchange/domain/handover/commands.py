"""Orders on a handover, named as the calls of the contract.

Promises: hashes and envelopes are lower-case hexadecimal; entries of a ledger are their own ASCII text.
Source: protos/exchange/v1/handover_service.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from exchange.domain.kernel import AuthoredCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferHandover(AuthoredCommand):
    """Offer a plan to another municipality's college."""

    handover_id: str
    recipient_oin: str
    recipient_task: str
    purpose: str
    envelope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptHandover(AuthoredCommand):
    """Accept the plan as it stands; `collections` is that of each part."""

    plan_id: str
    plan_version: int
    collections: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPart(AuthoredCommand):
    """Confirm that a part was recorded."""

    number: int
    sha256: str
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteHandover(AuthoredCommand):
    """Complete the giving side."""

    plan_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeUpHandover(AuthoredCommand):
    """Take up a handover for a plan of one's own."""

    handover_id: str
    resident: str
    case_id: str
    plan_id: str
    giver_oin: str
    plan_version: int
    collections: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivePart(AuthoredCommand):
    """Record a part: what it says it is, and its elements as texts by category."""

    number: int
    handover_id: str
    plan_version: int
    collection: str
    total: int
    sha256: str
    contents: Mapping[str, str]
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishHandover(AuthoredCommand):
    """Complete the receiving side, beside the giver's receipt."""

    other_entry: str
    other_proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepReceipt(AuthoredCommand):
    """Keep the receiver's receipt."""

    other_entry: str
    other_proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelHandover(AuthoredCommand):
    """End it; `reason` is one of CancelReason."""

    reason: str
