"""A correction of a plan, as the request of the resident knows it: and what its recipients are told.

Promises: what was corrected under a request was granted; every correction that somebody got the old value of
is known here, also one that nobody asked for, so that its recipients are told and answer alike.
Source: GDPR 5(1)(d), 16, 19.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent
from exchange.domain.rights.recipients import ToTell, told_of
from exchange.domain.rights.words import RequestStatus, Right
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.rights.request import RightsRequestState

_SEALED_PATHS: Final[Mapping[str, str]] = MappingProxyType({"paths": "LOG"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRectified(AuthoredCommand):
    """Note what was corrected, and tell who got it. `asked` tells whether it names a resident's request."""

    rights_request_id: str
    resident: str
    case_id: str
    plan_id: str
    paths: tuple[str, ...]
    recipients: tuple[ToTell, ...]
    asked: bool


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
    return (rectified, *told_of(command.resident, command.rights_request_id, command.recipients, command.now))


def noted_as(
    kind: type["RightsRequestState"],
) -> Callable[["RightsRequestState | None", RightsRectified], "RightsRequestState"]:
    """Return how `RightsRectified` is folded into a state of this kind."""

    def noted(state: "RightsRequestState | None", event: RightsRectified) -> "RightsRequestState":
        if state is not None:
            return replace(state, corrected=tuple(dict.fromkeys((*state.corrected, *event.paths))))
        # Nobody asked for it: it was done as it was noted, and only its recipients still answer.
        return kind(
            resident=event.resident,
            case_id=event.case_id,
            rights_request_id=event.rights_request_id,
            right=Right.RECTIFICATION,
            statement="",
            received_date=event.at.date(),
            due_time=event.at,
            receive_time=event.at,
            asked_in=event.task,
            status=RequestStatus.EXECUTED,
            unasked=True,
            corrected=event.paths,
        )

    return noted
