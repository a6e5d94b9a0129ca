"""What can be ordered about representation and capacity.

Source: Jeugdwet 7.3.4, 7.3.15; BW 1:253a, 7:465; UAVG 5; Wmo 2015 5.3.2-5.3.3.
"""

from dataclasses import dataclass
from datetime import date

from exchange.domain.kernel import AuthoredCommand
from exchange.domain.representation.words import Gezag


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRepresentative(AuthoredCommand):
    """Record who represents, or renew the source of who does.

    `person` is opaque and of the organisation `person_oin`, never a BSN; `source_date` is the day on which
    the source said so; the record counts from `start_date` until `end_date`, which is excluded.
    """

    representative_id: str
    person_oin: str
    person: str
    person_resident: str = ""
    relation: str
    gezag: str = Gezag.NONE
    evidence_source: str
    source_reference: str
    source_date: date
    start_date: date
    end_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRepresentative(AuthoredCommand):
    """End a record at once."""

    representative_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCapacity(AuthoredCommand):
    """Judge whether the resident can weigh his interests in one matter: a purpose, or one of Matter."""

    matter: str
    capable: bool
    until: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeAuthority(AuthoredCommand):
    """Record that two holders of authority contradict each other about one purpose."""

    dispute_id: str
    consent_id: str
    purpose: str
    yes_by: str
    no_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContradictDecision(DisputeAuthority):
    """Record that a holder whose word was put aside takes back what the other gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideDispute(AuthoredCommand):
    """Decide it: who decided, where that is written, and whose word counts."""

    dispute_id: str
    arbiter: str
    reference: str
    outcome: str
    reason: str
