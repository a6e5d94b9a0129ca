"""What happens to a legal basis in the register. Topics and shapes are permanent.

Source: GDPR 5(2), 24; the register of legal bases in the gate's design, section 7.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from exchange.domain.kernel import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasisProposed(Event):
    """Somebody wants this version; it opens nothing."""

    TOPIC: ClassVar[str] = "legal_basis.proposed.v1"
    basis_id: str
    version: int
    text: str
    sha256: str
    valid_from: date
    valid_to: date | None
    succeeds: int
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasisApproved(Event):
    """One person answers for it; `enables` tells whether it came into force by this."""

    TOPIC: ClassVar[str] = "legal_basis.approved.v1"
    basis_id: str
    version: int
    sha256: str
    organisation: str
    task: str
    professional: str
    enables: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasisDisabled(Event):
    """It opens nothing from here on."""

    TOPIC: ClassVar[str] = "legal_basis.disabled.v1"
    basis_id: str
    version: int
    reason: str
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasisAdopted(Event):
    """The operator's genesis took it over; the names are those its file gave, and nobody here heard them."""

    TOPIC: ClassVar[str] = "legal_basis.adopted.v1"
    basis_id: str
    version: int
    text: str
    sha256: str
    valid_from: date
    valid_to: date | None
    succeeds: int
    approved_by: tuple[str, ...]
    at: datetime
