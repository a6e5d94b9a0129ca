"""A correction of a plan, as the request of the resident knows it: and what its recipients are told.

Promises: what was corrected under a request was granted; every correction that somebody got the old value of
is known here, also one that nobody asked for, so that its recipients are told and answer alike.
Source: GDPR 5(1)(d), 16, 19.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Event, Events, Evolver, ResidentEvent
from exchange.domain.rights.recipients import RightsRecipientTold, ToTell, recipient_told, told_of
from exchange.domain.rights.words import RequestStatus, Right
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.rights.request import RightsRequestState

_SEALED_PATHS: Final[Mapping[str, str]] = MappingProxyType({"paths": "LOG"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRectified(AuthoredCommand):
    """Note what was corrected, and tell who got it. `asked` tells whether it names a resident's request.

    `apart` is for who is behind a link that the author is not shown: they are told on a stream of their own,
    on which nothing else stands that a resident could count.
    """

    rights_request_id: str
    resident: str
    case_id: str
    plan_id: str
    paths: tuple[str, ...]
    recipients: tuple[ToTell, ...]
    asked: bool
    apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsRectified(ResidentEvent):
    """Fields of a plan were corrected, under a request or of the recorder's own accord."""

    TOPIC: ClassVar[str] = "rights_request.rectified.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_PATHS
    rights_request_id: str
    case_id: str
    plan_id: str
    paths: tuple[str, ...]
    organisation: str
    task: str
    at: datetime


def is_granted(state: "RightsRequestState | None", resident: str) -> bool:
    """Tell whether this is a request of this resident to rectify, granted and not ended yet."""
    return state is not None and (state.resident, state.right, state.status) == (
        resident,
        Right.RECTIFICATION,
        RequestStatus.GRANTED,
    )


def note_rectified(command: NoteRectified, state: "RightsRequestState | None") -> Events:
    """Decide `NoteRectified`; of what nobody asked and nobody got there is nothing to note."""
    if command.asked and not is_granted(state, command.resident):
        raise RuleBroken(
            "no request for rectification of this name was granted and waits to be done", rule="NOT_GRANTED"
        )
    if not command.asked and not command.recipients:
        return ()
    told = told_of(command.resident, command.rights_request_id, command.recipients, command.now)
    if command.apart:
        return told
    rectified = RightsRectified(
        resident=command.resident,
        rights_request_id=command.rights_request_id,
        case_id=command.case_id,
        plan_id=command.plan_id,
        paths=command.paths,
        organisation=command.author.oin,
        task=command.author.task,
        at=command.now,
    )
    return (rectified, *told)


def unasked_as(kind: type["RightsRequestState"]) -> Mapping[type[Event], Evolver]:
    """Return what founds a state of this kind without a request, by event."""

    def noted(state: "RightsRequestState | None", event: RightsRectified) -> "RightsRequestState":
        if state is not None:
            return replace(state, corrected=tuple(dict.fromkeys((*state.corrected, *event.paths))))
        return replace(_unasked(kind, event), case_id=event.case_id, corrected=event.paths)

    def told(state: "RightsRequestState | None", event: RightsRecipientTold) -> "RightsRequestState":
        return recipient_told(_unasked(kind, event) if state is None else state, event)

    return {RightsRectified: noted, RightsRecipientTold: told}


def _unasked(
    kind: type["RightsRequestState"], event: RightsRectified | RightsRecipientTold
) -> "RightsRequestState":
    """Return what nobody asked for: it was done as it was noted, and only its recipients still answer."""
    return kind(
        resident=event.resident,
        case_id="",
        rights_request_id=event.rights_request_id,
        right=Right.RECTIFICATION,
        statement="",
        received_date=event.at.date(),
        due_time=event.at,
        receive_time=event.at,
        asked_in=event.task,
        status=RequestStatus.EXECUTED,
        unasked=True,
    )
