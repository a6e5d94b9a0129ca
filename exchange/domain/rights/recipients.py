"""What recipients are told after a rectification, and what they say they did: on the request's own stream.

Promises: each recipient is told once for each correction, of which plan and which fields, never what they
say: that he reads on a claim of his own, judged then. The first answer counts, to all he was told by then; a
second changes nothing, until he is told of something more.
Source: GDPR 16, 19.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent
from exchange.domain.shape import FINE, member_fault, refuse_faults, tokens_fault
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.rights.request import RightsRequestState

PATHS_MAX: Final = 100
# Without undue delay (GDPR 19): a month, as for an answer to the resident.
CONFIRM_WITHIN: Final = timedelta(days=30)
# Which fields were wrong tells of the resident what they hold.
_SEALED_PATHS: Final[Mapping[str, str]] = MappingProxyType({"paths": "LOG"})


class RectificationOutcome(StrEnum):
    """What a recipient says of what it got."""

    RECTIFIED = "rectified"
    NOTHING_KEPT = "nothing_kept"
    NOT_RECTIFIED = "not_rectified"


@dataclass(frozen=True, slots=True)
class ToTell:
    """One recipient, which of the fields it got, and of which plans: it learns of no field it never got."""

    organisation: str
    task: str
    plan_ids: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToldRecipient:
    """A recipient that was told, and what it answered; empty while it did not."""

    organisation: str
    task: str
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmRectification(AuthoredCommand):
    """A recipient says what it did; the author's organisation and task are the recipient."""

    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsRecipientTold(ResidentEvent):
    """A recipient is told that fields it got were rectified."""

    TOPIC: ClassVar[str] = "rights_request.recipient_told.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_PATHS
    rights_request_id: str
    organisation: str
    task: str
    plan_ids: tuple[str, ...]
    paths: tuple[str, ...]
    due_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RectificationConfirmed(ResidentEvent):
    """The recipient says what it did."""

    TOPIC: ClassVar[str] = "rights_request.rectification_confirmed.v1"
    rights_request_id: str
    organisation: str
    task: str
    professional: str
    outcome: str
    at: datetime


def paths_fault(paths: tuple[str, ...], *, rectifies: bool, corrected: bool) -> str:
    """Check what was rectified: a field at least, said here or corrected before; none for anything else."""
    if not rectifies:
        return "is for a rectification" if paths else FINE
    return FINE if corrected and not paths else tokens_fault(paths, PATHS_MAX)


def told_of(
    resident: str, rights_request_id: str, recipients: tuple[ToTell, ...], now: datetime
) -> tuple[RightsRecipientTold, ...]:
    """Return what each recipient is told."""
    return tuple(
        RightsRecipientTold(
            resident=resident,
            rights_request_id=rights_request_id,
            organisation=one.organisation,
            task=one.task,
            plan_ids=one.plan_ids,
            paths=one.paths,
            due_at=now + CONFIRM_WITHIN,
            at=now,
        )
        for one in recipients
    )


def confirm(command: ConfirmRectification, state: "RightsRequestState | None") -> Events:
    """Decide `ConfirmRectification`."""
    refuse_faults({"outcome": member_fault(RectificationOutcome, command.outcome)})
    author = command.author
    told = () if state is None else state.told
    found = next((one for one in told if (one.organisation, one.task) == (author.oin, author.task)), None)
    if state is None or found is None:
        raise RuleBroken("this recipient was not told of such a rectification", rule="NO_SUCH_RECTIFICATION")
    if found.outcome:
        return ()
    confirmed = RectificationConfirmed(
        resident=state.resident,
        rights_request_id=state.rights_request_id,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        outcome=command.outcome,
        at=command.now,
    )
    return (confirmed,)


def recipient_told(state: "RightsRequestState", event: RightsRecipientTold) -> "RightsRequestState":
    """Fold `RightsRecipientTold`: who is told of something more has not answered to that yet."""
    told = ToldRecipient(event.organisation, event.task)
    others = (one for one in state.told if (one.organisation, one.task) != (told.organisation, told.task))
    return replace(state, told=(*others, told))


def confirmed(state: "RightsRequestState", event: RectificationConfirmed) -> "RightsRequestState":
    """Fold `RectificationConfirmed`."""
    who = (event.organisation, event.task)
    told = tuple(
        replace(one, outcome=event.outcome) if (one.organisation, one.task) == who else one
        for one in state.told
    )
    return replace(state, told=told)
