"""A named subscription, without a line: what is asked of the exchange, in which order, what an answer means.

Promises: an event is acknowledged after it was taken and never before; one that cannot be taken holds back
what comes after it, until it is parked. Who follows does the steps one by one, blocking or awaiting each, and
sends back what came of them: `delivery.py`.
Source: protos/exchange/v1/subscription_service.proto.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from adapters.sdk.calls import claim
from adapters.sdk.errors import Unavailable
from adapters.sdk.subscription import Position
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from adapters.sdk.patience import Patience
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.subscription_service_pb2 import (
        FailureReason,
        ParkedEvent,
        PublishedEvent,
        SubscribeRequest,
        SubscribeResponse,
    )


KEEPING: Final = claim(Purpose.PURPOSE_BEHEER, "DELIVERY-24")


class CannotTakeError(Exception):
    """Raised by who takes an event: why it cannot be taken now. `park` where no further attempt will help."""

    def __init__(self, reason: FailureReason.ValueType, *, park: bool = False) -> None:
        super().__init__(reason)
        self.reason: Final = reason
        self.park: Final = park


@dataclass(frozen=True, slots=True)
class Named:
    """A subscription: its name, and the one question it is for."""

    subscription_id: str
    claim: Claim
    fields: Sequence[str]
    household_plan_id: str = ""


class Ask(NamedTuple):
    """Something to ask of the subscription service: the name of an rpc, and what is said."""

    rpc: str
    said: dict[str, Any]


class Take(NamedTuple):
    """An event to be taken; whether it was is heard by going on, or by CannotTakeError."""

    event: PublishedEvent


_Given = TypeVar("_Given")
if TYPE_CHECKING:
    # What is to be done one after the other: each is sent back the answer to it, or thrown why there is none.
    Steps = Generator[Ask | Take, Any, _Given]


class Turn(Generic[_Given]):
    """Steps that are under way: the one to be done now, None once all were; and what they gave then."""

    def __init__(self, steps: Steps[_Given]) -> None:
        self._steps: Final = steps
        self.step: Ask | Take | None = None
        self.given: Any = None
        self._go(lambda: next(steps))

    def done(self, answer: object) -> None:
        """Go on with what came of a step."""
        self._go(lambda: self._steps.send(answer))

    def failed(self, error: Exception) -> None:
        """Go on with why a step was not done; raises it where that ends them all."""
        self._go(lambda: self._steps.throw(error))

    def _go(self, resume: Callable[[], Ask | Take]) -> None:
        try:
            self.step = resume()
        except StopIteration as end:
            self.step, self.given = None, end.value


class NamedPosition(Position):
    """Where a named subscription is; told to the exchange now and then, by who follows."""

    def __init__(self, named: Named, heartbeat_s: int, patience: Patience, every_s: float) -> None:
        super().__init__(
            named.claim,
            named.fields,
            0,
            lambda _cursor: None,
            heartbeat_s=heartbeat_s,
            patience=patience,
        )
        self._named: Final = named
        self._every_s: Final = every_s
        self._written = 0
        self._next_at = 0.0  # on the monotonic clock
        self.told_token = ""

    def request(self) -> SubscribeRequest:
        """Return the request that opens the stream: at what is written down, or further on."""
        request = super().request()
        request.subscription_id = self._named.subscription_id
        request.household_plan_id = self._named.household_plan_id
        return request

    def new_events(self, response: SubscribeResponse) -> list[PublishedEvent]:
        """Return the events not yet taken."""
        self.told_token = response.told_token
        return super().new_events(response)

    def taken(self, event: PublishedEvent) -> None:
        """Go on behind an event that was taken or parked."""
        self._cursor = event.position

    def gone_on(self, cursor: int) -> Steps[None]:
        """Go on behind a whole batch, or say at a beat what was not written down before.

        What cannot be said now is said later, or told again.
        """
        self._cursor = max(self._cursor, cursor)
        if self._cursor <= self._written or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + self._every_s
        said = {"cursor": self._cursor, "told_token": self.told_token}
        try:
            answer = yield _about(self._named, "acknowledge_events", **said)
        except Unavailable:
            return
        self._written = answer.cursor


class Delivery:
    """What is asked of the exchange about one subscription, and what follows from its answers."""

    def __init__(self, named: Named, position: NamedPosition) -> None:
        self._named: Final = named
        self._position: Final = position

    def create(self, begin_cursor: int, *, begins_now: bool) -> Steps[None]:
        """Name it."""
        yield _about(
            self._named,
            "create_subscription",
            subscribed_purpose=self._named.claim.purpose,
            subscribed_legal_basis=self._named.claim.legal_basis,
            paths=list(self._named.fields),
            household_plan_id=self._named.household_plan_id,
            begin_cursor=begin_cursor,
            begins_now=begins_now,
        )

    def attempt(self, event: PublishedEvent) -> Steps[int]:
        """Take an event; give 0 where it was taken or parked, and is behind us, else how often it failed."""
        try:
            yield Take(event)
        except CannotTakeError as failed:
            try:
                answer = yield self._failed(event, failed)
            except Unavailable:
                # Who follows has still to follow when it is back: read anew, and told if it fails again.
                return 1
            if not answer.parked:
                return int(answer.attempts)
        self._position.taken(event)
        return 0

    def parked(self) -> Steps[tuple[ParkedEvent, ...]]:
        """Give what is parked, in the order it was."""
        found: list[ParkedEvent] = []
        token = ""
        while True:
            answer = yield Ask("list_subscriptions", {"claim": KEEPING, "page_token": token})
            for one in answer.subscriptions:
                if one.subscription_id == self._named.subscription_id:
                    found += one.parked
            token = answer.next_page_token
            if not token:
                return tuple(found)

    def take_parked(self) -> Steps[int]:
        """Fetch what is parked and take it; give how many are settled."""
        settled: list[str] = []
        for letter in (yield from self.parked()):
            settled += [letter.event_id] if (yield from self._settles(letter)) else []
        if settled:
            yield _about(self._named, "acknowledge_events", settled_event_ids=settled)
        return len(settled)

    def _settles(self, letter: ParkedEvent) -> Steps[bool]:
        # Judged anew, on the claim of who reads.
        reading = {"claim": self._named.claim, "fields": list(self._named.fields)}
        answer = yield _about(self._named, "get_parked_event", event_id=letter.event_id, **reading)
        if not answer.HasField("event"):
            return True
        try:
            yield Take(answer.event)
        except CannotTakeError as failed:
            yield self._failed(answer.event, failed)
            return False
        return True

    def _failed(self, event: PublishedEvent, failed: CannotTakeError) -> Ask:
        return _about(
            self._named,
            "report_failed_event",
            event_id=event.event_id,
            position=event.position,
            told_token=self._position.told_token,
            reason=failed.reason,
            park=failed.park,
        )


def _about(named: Named, rpc: str, **said: Any) -> Ask:  # noqa: ANN401 -- the fields of any request
    return Ask(rpc, {"claim": KEEPING, "subscription_id": named.subscription_id} | said)
