"""What happens to an organisation.

Promises: topics are permanent; nothing of a resident is in them; what earlier versions did not say reads as
not said.
Source: protos/exchange/v1/organisation_service.proto; Awb 10:1-10:5 (mandate).
"""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from exchange.domain.kernel import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationJoined(Event):
    """An organisation takes part. No day of a mandate is no mandate."""

    TOPIC: ClassVar[str] = "organisation.joined.v2"
    oin: str
    name: str
    tasks: tuple[str, ...]
    certificate_thumbprint: str
    signing_key: str
    operator: bool
    mandate_reference: str
    mandate_day: date | None
    mandate_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAdded(Event):
    """One more certificate works."""

    TOPIC: ClassVar[str] = "organisation.certificate_added.v1"
    oin: str
    certificate_thumbprint: str
    signing_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRevoked(Event):
    """A certificate works no more."""

    TOPIC: ClassVar[str] = "organisation.certificate_revoked.v1"
    oin: str
    certificate_thumbprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGranted(Event):
    """The organisation is a recipient in one more task. No day of a mandate is no mandate."""

    TOPIC: ClassVar[str] = "organisation.task_granted.v2"
    oin: str
    task: str
    mandate_reference: str
    mandate_day: date | None
    mandate_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnded(Event):
    """The organisation is no recipient in this task any more."""

    TOPIC: ClassVar[str] = "organisation.task_ended.v1"
    oin: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeKeySet(Event):
    """Identity envelopes for the organisation are sealed to this key from now on."""

    TOPIC: ClassVar[str] = "organisation.envelope_key_set.v1"
    oin: str
    envelope_key: str
    key_signature: str
    signing_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationLeft(Event):
    """The organisation takes part no more."""

    TOPIC: ClassVar[str] = "organisation.left.v1"
    oin: str
