"""Deliveries: a named subscription, how far its subscriber got, what he cannot go on with.

Promises: an acknowledged cursor never goes back, and never beyond what was told; what fails is tried a
bounded number of times and then parked; a dead letter holds the position and the id of an event, and nothing
of it: who fetches it is judged anew. A subscription is its subscriber's: what he is shown hangs on the cases
he works on, so nobody else goes on at his cursor.
Source: ARCHITECTURE (judged at the moment of reading); GDPR 5(1)(c) and (e), 7(3);
exchange/decisions/0090-deliveries-have-names.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, AuthoredCommand, Event, Events, aggregate, with_changes
from exchange.domain.shape import (
    FINE,
    member_fault,
    range_fault,
    refuse_faults,
    token_fault,
    tokens_fault,
)
from exchange.domain.values import Author, Purpose
from exchange.errors import RuleBroken

POSITION_MAX: Final = 9_000_000_000_000_000
PATHS_MAX: Final = 200
ATTEMPTS_MAX: Final = 5
FAILING_MAX: Final = 100
PARKED_MAX: Final = 200
# An acknowledgement is written when it is worth an event: so many positions on, or so long after the last.
WRITTEN_POSITIONS: Final = 256
WRITTEN_AFTER: Final = timedelta(seconds=10)


class FailureReason(StrEnum):
    """Why a subscriber cannot go on with an event. A closed list: words could be about somebody."""

    NOT_UNDERSTOOD = "not_understood"  # a kind or a value that his system does not know
    REFERS_TO_UNKNOWN = "refers_to_unknown"  # to something his system does not have
    REFUSED = "refused"  # his system refuses it by a rule of its own
    AWAY = "away"  # his system, or one behind it, does not answer
    DEFECT = "defect"


# --- commands -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe(AuthoredCommand):
    """Name a subscription: on what ground, to which leaf paths, of whose household, after which position."""

    subscription_id: str
    purpose: str
    legal_basis: str
    paths: tuple[str, ...]
    household_plan_id: str
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(AuthoredCommand):
    """Everything up to a position was taken, and these parked events were. `told` is how far it was told."""

    position: int
    told: int
    settled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFailure(AuthoredCommand):
    """An event could not be taken. `park` puts it aside now, and not after some more attempts."""

    event_id: str
    position: int
    reason: str
    told: int
    park: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(AuthoredCommand):
    """End a subscription, and forget what is parked."""


# --- events -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySubscribed(Event):
    """A subscription has a name, and begins after a position."""

    TOPIC: ClassVar[str] = "delivery.subscribed.v1"
    subscription_id: str
    organisation: str
    task: str
    professional: str
    purpose: str
    legal_basis: str
    paths: tuple[str, ...]
    household_plan_id: str
    start: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAcknowledged(Event):
    """The subscriber has everything up to here, and these events that were parked."""

    TOPIC: ClassVar[str] = "delivery.acknowledged.v1"
    position: int
    settled: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailed(Event):
    """The subscriber could not take an event, and how often by now."""

    TOPIC: ClassVar[str] = "delivery.failed.v1"
    event_id: str
    position: int
    reason: str
    attempt: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryParked(Event):
    """An event waits aside until its subscriber fetches it; what it says is nowhere here."""

    TOPIC: ClassVar[str] = "delivery.parked.v1"
    event_id: str
    position: int
    reason: str
    attempts: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCancelled(Event):
    """The subscription has ended."""

    TOPIC: ClassVar[str] = "delivery.cancelled.v1"
    at: datetime


# --- state --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that failed: where it stands and why, after how many attempts. Parked, or tried again."""

    event_id: str
    position: int
    reason: str
    attempts: int
    at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """A subscription as it stands. `failing` and `parked` are in the order they came."""

    subscription_id: str
    organisation: str
    task: str
    professional: str
    purpose: str
    legal_basis: str
    paths: tuple[str, ...]
    household_plan_id: str
    start: int
    since: datetime
    position: int  # acknowledged
    written_at: datetime  # when that was last written down
    failing: tuple[DeadLetter, ...] = ()
    parked: tuple[DeadLetter, ...] = ()
    cancelled: bool = False

    def is_of(self, author: Author) -> bool:
        """Tell whether it stands, and is this subscriber's own."""
        named = (self.organisation, self.task, self.professional)
        return not self.cancelled and named == (author.oin, author.task, author.professional)

    def letter(self, event_id: str) -> DeadLetter | None:
        """Return what is parked under this id."""
        return next((one for one in self.parked if one.event_id == event_id), None)


def key_of(oin: str, subscription_id: str) -> str:
    """Return the key of a subscription's stream: each organisation names its own."""
    return f"{oin}/{subscription_id}"


def is_due(state: DeliveryState, position: int, now: datetime) -> bool:
    """Tell whether an acknowledgement is worth an event: one is written now and then, and stands for all."""
    on = position - state.position
    return on >= WRITTEN_POSITIONS or (on > 0 and now - state.written_at >= WRITTEN_AFTER)


# --- decide -------------------------------------------------------------------------------------------


def _subscribe(command: Subscribe, state: DeliveryState | None) -> Events:
    author = command.author
    refuse_faults(
        {
            "subscription_id": token_fault(command.subscription_id),
            "subscribed_purpose": member_fault(Purpose, command.purpose),
            "subscribed_legal_basis": token_fault(command.legal_basis),
            "paths": tokens_fault(command.paths, PATHS_MAX),
            "household_plan_id": token_fault(command.household_plan_id)
            if command.household_plan_id
            else FINE,
            "begin_cursor": range_fault(command.start, 0, POSITION_MAX),
        }
    )
    subscribed = DeliverySubscribed(
        subscription_id=command.subscription_id,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        purpose=command.purpose,
        legal_basis=command.legal_basis,
        paths=command.paths,
        household_plan_id=command.household_plan_id,
        start=command.start,
        at=command.now,
    )
    if state is None or state.cancelled:
        return (subscribed,)
    # Named again as it is: nothing changes, and it goes on where it was.
    if state.is_of(author) and _said(state) == _said(_subscribed(None, subscribed)):
        return ()
    raise RuleBroken("this name is in use for another subscription", rule="SUBSCRIPTION_KNOWN")


def _said(state: DeliveryState) -> tuple[object, ...]:
    return state.purpose, state.legal_basis, state.paths, state.household_plan_id


def own(state: DeliveryState | None, author: Author) -> DeliveryState:
    """Return the subscription. Raises RuleBroken, alike where there is none and where it is another's."""
    if state is None or not state.is_of(author):
        raise no_such()
    return state


def no_such() -> RuleBroken:
    """Return the one refusal of a subscription that is not there, is another's, or has ended."""
    return RuleBroken("you have no subscription of this name", rule="NO_SUCH_SUBSCRIPTION")


def _refuse_untold(position: int, told: int) -> None:
    if position > told:
        raise RuleBroken("this subscription was not told of so far", rule="NOT_TOLD")


def _acknowledge(command: Acknowledge, state: DeliveryState | None) -> Events:
    mine = own(state, command.author)
    refuse_faults({"cursor": range_fault(command.position, 0, POSITION_MAX)})
    _refuse_untold(command.position, command.told)
    settled = tuple(one.event_id for one in mine.parked if one.event_id in command.settled)
    # Two who acknowledge at once may come in out of turn: the one who got less far changes nothing.
    position = max(command.position, mine.position)
    if not settled and not is_due(mine, position, command.now):
        return ()
    return (DeliveryAcknowledged(position=position, settled=settled, at=command.now),)


def _report(command: ReportFailure, state: DeliveryState | None) -> Events:
    mine = own(state, command.author)
    refuse_faults(
        {
            "event_id": token_fault(command.event_id),
            "position": range_fault(command.position, 1, POSITION_MAX),
            "reason": member_fault(FailureReason, command.reason),
        }
    )
    parked = mine.letter(command.event_id)
    if parked is not None:
        # Fetched and failed again: it stays where it is.
        return (_failed(command, parked.position, parked.attempts + 1),)
    _refuse_untold(command.position, command.told)
    before = next((one for one in mine.failing if one.event_id == command.event_id), None)
    if not (before or command.park) and len(mine.failing) >= FAILING_MAX:
        raise RuleBroken("so many events fail that none is added: park or take some", rule="FAILING_FULL")
    attempt = 1 if before is None else before.attempts + 1
    failed = _failed(command, command.position, attempt)
    if not command.park and attempt < ATTEMPTS_MAX:
        return (failed,)
    if len(mine.parked) >= PARKED_MAX:
        raise RuleBroken("so many events are parked that none is added: fetch some", rule="PARKED_FULL")
    aside = DeliveryParked(
        event_id=command.event_id,
        position=command.position,
        reason=command.reason,
        attempts=attempt,
        at=command.now,
    )
    return (failed, aside)


def _failed(command: ReportFailure, position: int, attempt: int) -> DeliveryFailed:
    return DeliveryFailed(
        event_id=command.event_id,
        position=position,
        reason=command.reason,
        attempt=attempt,
        at=command.now,
    )


def _cancel(command: Cancel, state: DeliveryState | None) -> Events:
    # Who left leaves it behind: whoever acts in its task may end it, which gives nobody anything.
    author = command.author
    if state is None or (state.organisation, state.task) != (author.oin, author.task):
        raise no_such()
    return () if state.cancelled else (DeliveryCancelled(at=command.now),)


# --- evolve -------------------------------------------------------------------------------------------


def _subscribed(_state: DeliveryState | None, event: DeliverySubscribed) -> DeliveryState:
    return DeliveryState(
        subscription_id=event.subscription_id,
        organisation=event.organisation,
        task=event.task,
        professional=event.professional,
        purpose=event.purpose,
        legal_basis=event.legal_basis,
        paths=event.paths,
        household_plan_id=event.household_plan_id,
        start=event.start,
        since=event.at,
        position=event.start,
        written_at=event.at,
    )


def _without(letters: tuple[DeadLetter, ...], gone: Callable[[DeadLetter], bool]) -> tuple[DeadLetter, ...]:
    return tuple(one for one in letters if not gone(one)) if letters else letters


def _acknowledged(state: DeliveryState, event: DeliveryAcknowledged) -> DeliveryState:
    return with_changes(
        state,
        position=event.position,
        written_at=event.at,
        # What failed and was passed all the same was taken after all.
        failing=_without(state.failing, lambda one: one.position <= event.position),
        parked=_without(state.parked, lambda one: one.event_id in event.settled),
    )


def _failed_again(state: DeliveryState, event: DeliveryFailed) -> DeliveryState:
    letter = DeadLetter(event.event_id, event.position, event.reason, event.attempt, event.at)
    parked = state.letter(event.event_id)
    if parked is not None:
        since = replace(letter, at=parked.at)
        return with_changes(state, parked=tuple(since if one is parked else one for one in state.parked))
    others = _without(state.failing, lambda one: one.event_id == event.event_id)
    return with_changes(state, failing=(*others, letter))


def _parked(state: DeliveryState, event: DeliveryParked) -> DeliveryState:
    letter = DeadLetter(event.event_id, event.position, event.reason, event.attempts, event.at)
    return with_changes(
        state,
        failing=_without(state.failing, lambda one: one.event_id == event.event_id),
        parked=(*_without(state.parked, lambda one: one.event_id == event.event_id), letter),
    )


def _cancelled(state: DeliveryState, _event: DeliveryCancelled) -> DeliveryState:
    return with_changes(state, cancelled=True, failing=(), parked=())


DELIVERY: Final[Aggregate] = aggregate(
    "delivery",
    deciders={
        Subscribe: _subscribe,
        Acknowledge: _acknowledge,
        ReportFailure: _report,
        Cancel: _cancel,
    },
    founders={DeliverySubscribed: _subscribed},
    evolvers={
        DeliveryAcknowledged: _acknowledged,
        DeliveryFailed: _failed_again,
        DeliveryParked: _parked,
        DeliveryCancelled: _cancelled,
    },
)
