"""What happens to a case and to who works on it; conflicts and stand-ins are in `relations.py`.

Promises: topics are permanent; ids and words of the closed list of roles are in them, and nothing else of a
resident.
Source: protos/exchange/v1/case_service.proto.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from exchange.domain.kernel import ResidentEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpened(ResidentEvent):
    """A case is there, with the plan it is about."""

    TOPIC: ClassVar[str] = "case.opened.v1"
    case_id: str
    plan_id: str
    organisation: str
    task: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReporterRecorded(ResidentEvent):
    """Somebody reported on the case; gives no relation."""

    TOPIC: ClassVar[str] = "case.reporter_recorded.v1"
    case_id: str
    oin: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingOpened(ResidentEvent):
    """A report found the case open: stands in the log where opening it would have stood; changes nothing."""

    TOPIC: ClassVar[str] = "case.nothing_opened.v1"
    case_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfessionalJoined(ResidentEvent):
    """A professional works on the case; the same one again: in a new role."""

    TOPIC: ClassVar[str] = "case.professional_joined.v1"
    case_id: str
    oin: str
    task: str
    professional: str
    role: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfessionalLeft(ResidentEvent):
    """A professional works on the case no more."""

    TOPIC: ClassVar[str] = "case.professional_left.v1"
    case_id: str
    oin: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseClosed(ResidentEvent):
    """The case is closed; nobody has a relation with it any more."""

    TOPIC: ClassVar[str] = "case.closed.v1"
    case_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseHandedOver(ResidentEvent):
    """The plan went along to another municipality: nobody writes here but for the resident's rights."""

    TOPIC: ClassVar[str] = "case.handed_over.v1"
    case_id: str
    handover_id: str
    at: datetime
