"""What happens to a consent.

Promises: what is asked and who answered is stored sealed with the resident's key; topics are permanent, and
what earlier versions did not say reads as not said.
Source: GDPR 4(11), 7; protos/exchange/v1/consent_service.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import ResidentEvent

# For which purpose, to whom and what: that tells of the resident what the shared data would.
_SEALED_QUESTION: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("purpose", "recipients", "categories", "sources"), "WMO-PLAN")
)
_SEALED_GIVERS: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("given_by", "authority"), "CONTACT")
)
_SEALED_SPEAKER: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("said_by", "authority"), "CONTACT")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequested(ResidentEvent):
    """The question was put, with what the resident was told.

    `regime` is the law it was asked under, `sources` whose data it is about; empty: not said, and whoever's.
    """

    TOPIC: ClassVar[str] = "consent.requested.v3"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_QUESTION
    COMMITTED: ClassVar[tuple[str, ...]] = ("consent_id", "purpose", "recipients", "start_time", "end_time")
    consent_id: str
    case_id: str
    organisation: str
    task: str
    kind: str
    purpose: str
    recipients: tuple[str, ...]
    categories: tuple[str, ...]
    start_time: datetime
    end_time: datetime
    notice_id: str
    notice_version: int
    notice_sha256: str
    notice_language: str
    notice_level: str
    withdrawal_channels: tuple[str, ...]
    sources: tuple[str, ...]
    regime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGiven(ResidentEvent):
    """The answer is yes. That it was free says what somebody looked at: `assessed_by` is "<OIN>/<person>"."""

    TOPIC: ClassVar[str] = "consent.given.v3"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_GIVERS
    COMMITTED: ClassVar[tuple[str, ...]] = ("consent_id", "at")
    consent_id: str
    given_by: tuple[str, ...]
    authority: tuple[str, ...]
    explicit: bool
    free_assessed: bool
    alternatives: bool
    no_detriment: bool
    assessed_by: str
    method: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRefused(ResidentEvent):
    """The answer is no."""

    TOPIC: ClassVar[str] = "consent.refused.v2"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_SPEAKER
    consent_id: str
    said_by: str
    authority: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWithdrawn(ResidentEvent):
    """It is withdrawn; from here nothing leaves on its ground."""

    TOPIC: ClassVar[str] = "consent.withdrawn.v2"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_SPEAKER
    COMMITTED: ClassVar[tuple[str, ...]] = ("consent_id", "at")
    consent_id: str
    said_by: str
    authority: str
    at: datetime
