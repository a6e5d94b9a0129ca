"""What happened to representation and capacity; all of it on the resident's own stream.

Promises: who represents, what was judged and why is stored sealed with the resident's key; topics are
permanent.
Source: Jeugdwet 7.3.15; BW 7:465; BRP Personen (gezag).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import ResidentEvent

_SEALED_PERSON: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(
        (
            "person_oin",
            "person",
            "person_resident",
            "relation",
            "gezag",
            "evidence_source",
            "source_reference",
            "source_date",
            "start_date",
            "end_date",
        ),
        "CONTACT",
    )
)
_SEALED_JUDGEMENT: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("matter", "capable", "reason"), "CONTACT")
)
_SEALED_DISPUTE: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("purpose", "yes_by", "no_by"), "CONTACT")
)
_SEALED_DECISION: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("arbiter", "reference", "outcome", "reason"), "CONTACT")
)
_SEALED_REASON: Final[Mapping[str, str]] = MappingProxyType({"reason": "CONTACT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RepresentativeRecorded(ResidentEvent):
    """Somebody represents the resident, by this source."""

    TOPIC: ClassVar[str] = "resident.representative_recorded.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_PERSON
    representative_id: str
    organisation: str
    task: str
    professional: str
    person_oin: str
    person: str
    person_resident: str
    relation: str
    gezag: str
    evidence_source: str
    source_reference: str
    source_date: date
    start_date: date
    end_date: date | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RepresentativeEnded(ResidentEvent):
    """That somebody represents the resident no more."""

    TOPIC: ClassVar[str] = "resident.representative_ended.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    representative_id: str
    organisation: str
    task: str
    professional: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityJudged(ResidentEvent):
    """A named professional found the resident able, or not able, in one matter."""

    TOPIC: ClassVar[str] = "resident.capacity_judged.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_JUDGEMENT
    matter: str
    capable: bool
    organisation: str
    task: str
    professional: str
    until: date
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityDisputed(ResidentEvent):
    """Two holders contradict each other; their words count for nothing until this is decided."""

    TOPIC: ClassVar[str] = "resident.authority_disputed.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_DISPUTE
    dispute_id: str
    consent_id: str
    purpose: str
    yes_by: str
    no_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContradicted(ResidentEvent):
    """A holder whose word was put aside said no once more; the decision stands until it is made anew."""

    TOPIC: ClassVar[str] = "resident.decision_contradicted.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_DISPUTE
    dispute_id: str
    consent_id: str
    purpose: str
    yes_by: str
    no_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeDecided(ResidentEvent):
    """Somebody decided between them."""

    TOPIC: ClassVar[str] = "resident.dispute_decided.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_DECISION
    dispute_id: str
    arbiter: str
    reference: str
    outcome: str
    organisation: str
    task: str
    professional: str
    reason: str
    at: datetime
