"""Notices: what a resident is told when a consent is asked, by version and SHA-256 of its text.

Promises: a version is registered once and never changed; a consent is asked only on a version that is
registered, word for word, and valid then; a text for residents is at most at level B1.
Source: GDPR 7(1)-(2), 12(1), 13; ISO/IEC TS 27560 (notice in a consent record); CEFR (levels).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, AuthoredCommand, Event, Events, aggregate
from exchange.domain.shape import FINE, hash_fault, range_fault, refuse_faults, token_fault, tokens_fault
from exchange.errors import RuleBroken

VERSIONS_MAX: Final = 200
VERSION_MAX: Final = 1_000_000
CHANNELS_MAX: Final = 5
# What somebody of B1 can read: consent asks that the question is understood (GDPR 4(11), 7(2)).
LEVELS: Final = frozenset({"A1", "A2", "B1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterNotice(AuthoredCommand):
    """Register one version. `valid_to` is excluded; channels say where a consent is withdrawn."""

    notice_id: str
    version: int
    sha256: str
    language: str
    level: str
    withdrawal_channels: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRegistered(Event):
    """This text may be put before residents in this period."""

    TOPIC: ClassVar[str] = "notice.registered.v1"
    notice_id: str
    version: int
    sha256: str
    language: str
    level: str
    withdrawal_channels: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime
    organisation: str
    task: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NoticeVersion:
    """One version."""

    version: int
    sha256: str
    language: str
    level: str
    withdrawal_channels: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime


@dataclass(frozen=True, slots=True)
class NoticeState:
    """A notice of one organisation: its versions in order of registration."""

    notice_id: str
    versions: tuple[NoticeVersion, ...] = ()


def key_of(oin: str, notice_id: str) -> str:
    """Return the key of a notice's stream: each organisation names its own."""
    return f"{oin}/{notice_id}"


def notice_in_force(state: NoticeState | None, sha256: str, now: datetime) -> NoticeVersion:
    """Return the version with this text. Raises RuleBroken unless it is registered and valid now."""
    versions = () if state is None else state.versions
    found = next((one for one in versions if one.sha256 == sha256), None)
    if found is None:
        raise RuleBroken(
            "no notice with this text is registered: register its version first", rule="NOTICE_UNKNOWN"
        )
    if now < found.valid_from:
        raise RuleBroken("this notice is not valid yet", rule="NOTICE_NOT_YET")
    if now >= found.valid_to:
        raise RuleBroken("this notice has expired: put the version that is valid now", rule="NOTICE_EXPIRED")
    return found


def _period_fault(command: RegisterNotice) -> str:
    if command.valid_to <= command.valid_from:
        return "must lie after the start"
    return FINE if command.valid_to > command.now else "must lie in the future"


def _register(command: RegisterNotice, state: NoticeState | None) -> Events:
    if not command.author.is_college:
        raise RuleBroken("a college registers what residents are told", rule="NOT_TO_REGISTER")
    refuse_faults(
        {
            "notice_id": token_fault(command.notice_id),
            "version": range_fault(command.version, 1, VERSION_MAX),
            "sha256": hash_fault(command.sha256),
            "language": token_fault(command.language),
            "level": FINE if command.level in LEVELS else "must be A1, A2 or B1: the resident reads it",
            "withdrawal_channels": tokens_fault(command.withdrawal_channels, CHANNELS_MAX),
            "end_time": _period_fault(command),
        }
    )
    version = NoticeVersion(
        version=command.version,
        sha256=command.sha256,
        language=command.language,
        level=command.level,
        withdrawal_channels=command.withdrawal_channels,
        valid_from=command.valid_from,
        valid_to=command.valid_to,
    )
    known = () if state is None else state.versions
    if version in known:
        return ()
    if any(one.version == version.version or one.sha256 == version.sha256 for one in known):
        raise RuleBroken("this version or text is registered already", rule="NOTICE_KNOWN")
    if len(known) >= VERSIONS_MAX:
        raise RuleBroken("this notice has the most versions there can be", rule="NOTICE_FULL")
    registered = NoticeRegistered(
        notice_id=command.notice_id,
        version=command.version,
        sha256=command.sha256,
        language=command.language,
        level=command.level,
        withdrawal_channels=command.withdrawal_channels,
        valid_from=command.valid_from,
        valid_to=command.valid_to,
        organisation=command.author.oin,
        task=command.author.task,
        at=command.now,
    )
    return (registered,)


def _registered(state: NoticeState | None, event: NoticeRegistered) -> NoticeState:
    before = NoticeState(event.notice_id) if state is None else state
    version = NoticeVersion(
        version=event.version,
        sha256=event.sha256,
        language=event.language,
        level=event.level,
        withdrawal_channels=event.withdrawal_channels,
        valid_from=event.valid_from,
        valid_to=event.valid_to,
    )
    return replace(before, versions=(*before.versions, version))


NOTICE: Final[Aggregate] = aggregate(
    "notice",
    deciders={RegisterNotice: _register},
    founders={NoticeRegistered: _registered},
    evolvers={},
)
