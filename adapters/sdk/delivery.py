"""Follows by the name of a subscription: the exchange keeps how far everything was taken.

Promises: an event is acknowledged after it was taken and never before; one that cannot be taken holds back
what comes after it, until it is parked; it is read again for each attempt, and when it is fetched, so that
nothing is kept of what may be told no more. What was taken and not yet written down is told again after a
break: take by event id.
Source: protos/exchange/v1/subscription_service.proto.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from adapters.sdk.calls import claim
from adapters.sdk.errors import Unavailable
from adapters.sdk.subscription import HEARTBEAT_S, PATIENCE, Position, Subscription
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from adapters.sdk.client import ExchangeClient
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
ACKNOWLEDGE_EVERY_S: Final = 1.0


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


class NamedPosition(Position):
    """Where a named subscription is; told to the exchange now and then."""

    def __init__(
        self,
        client: ExchangeClient,
        named: Named,
        *,
        heartbeat_s: int = HEARTBEAT_S,
        patience: Patience = PATIENCE,
        acknowledge_every_s: float = ACKNOWLEDGE_EVERY_S,
    ) -> None:
        super().__init__(
            named.claim,
            named.fields,
            0,
            lambda _cursor: None,
            heartbeat_s=heartbeat_s,
            patience=patience,
        )
        self._client: Final = client
        self._named: Final = named
        self._every_s: Final = acknowledge_every_s
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

    def advance(self, cursor: int) -> None:
        """Go on behind a whole batch, or say at a beat what was not written down before."""
        self._cursor = max(self._cursor, cursor)
        if self._cursor > self._written and time.monotonic() >= self._next_at:
            self.acknowledge()

    def acknowledge(self) -> None:
        """Say how far everything was taken; what cannot be said now is said later, or told again."""
        self._next_at = time.monotonic() + self._every_s
        try:
            answer = self._client.subscription.acknowledge_events(
                claim=KEEPING,
                subscription_id=self._named.subscription_id,
                cursor=self._cursor,
                told_token=self.told_token,
            )
        except Unavailable:
            return
        self._written = answer.cursor


class NamedFollower:
    """Follows one subscription and hands each event to `take`, which raises CannotTakeError or takes it.

    `run` follows until `close`. Owned by the thread that runs it; `close` may come from any.
    """

    def __init__(
        self,
        client: ExchangeClient,
        named: Named,
        take: Callable[[PublishedEvent], None],
        *,
        heartbeat_s: int = HEARTBEAT_S,
        patience: Patience = PATIENCE,
        acknowledge_every_s: float = ACKNOWLEDGE_EVERY_S,
    ) -> None:
        self._client: Final = client
        self._named: Final = named
        self._take: Final = take
        self._patience: Final = patience
        self._position: Final = NamedPosition(
            client,
            named,
            heartbeat_s=heartbeat_s,
            patience=patience,
            acknowledge_every_s=acknowledge_every_s,
        )
        self._closed: Final = threading.Event()
        self._following: Subscription | None = None  # replaced by the running thread, closed by any

    def create(self, *, begin_cursor: int = 0, begins_now: bool = False) -> None:
        """Name it, where that is not done. Raises RuleBroken where the name is of another question."""
        self._client.subscription.create_subscription(
            claim=KEEPING,
            subscription_id=self._named.subscription_id,
            subscribed_purpose=self._named.claim.purpose,
            subscribed_legal_basis=self._named.claim.legal_basis,
            paths=list(self._named.fields),
            household_plan_id=self._named.household_plan_id,
            begin_cursor=begin_cursor,
            begins_now=begins_now,
        )

    def close(self) -> None:
        """End, from any thread."""
        self._closed.set()
        following = self._following
        if following is not None:
            following.close()

    def run(self) -> None:
        """Follow until closed. Raises ExchangeRefused where no waiting helps."""
        while not self._closed.is_set():
            self._following = Subscription(self._client, self._position)
            if self._closed.is_set():
                break
            failures = self._follow(self._following)
            if failures:
                self._closed.wait(self._patience.wait_s(failures))

    def _follow(self, following: Subscription) -> int:
        """Follow until closed, or until an event has to be read again; return how often that one failed."""
        with closing(cast("Any", iter(following))) as events:
            for event in events:
                failures = self._attempt(event)
                if failures:
                    return failures
                self._position.taken(event)
        return 0

    def _attempt(self, event: PublishedEvent) -> int:
        """Return 0 where an event was taken or parked, else how often it failed."""
        try:
            self._take(event)
        except CannotTakeError as failed:
            answer = self._report(event, failed)
            return 0 if answer.parked else answer.attempts
        return 0

    def _report(self, event: PublishedEvent, failed: CannotTakeError) -> Any:  # noqa: ANN401 -- ReportFailedEventResponse
        return self._client.subscription.report_failed_event(
            claim=KEEPING,
            subscription_id=self._named.subscription_id,
            event_id=event.event_id,
            position=event.position,
            told_token=self._position.told_token,
            reason=failed.reason,
            park=failed.park,
        )

    # --- what is parked -------------------------------------------------------------------------------

    def parked(self) -> Iterator[ParkedEvent]:
        """Give what is parked, in the order it was. Raises ExchangeRefused."""
        token = ""
        while True:
            answer = self._client.subscription.list_subscriptions(claim=KEEPING, page_token=token)
            for one in answer.subscriptions:
                if one.subscription_id == self._named.subscription_id:
                    yield from one.parked
            token = answer.next_page_token
            if not token:
                return

    def take_parked(self) -> int:
        """Fetch what is parked and take it; return how many are settled.

        Settled is also what nothing may be told of any more: there is nothing to take.
        """
        settled = [letter.event_id for letter in self.parked() if self._settles(letter)]
        if settled:
            self._client.subscription.acknowledge_events(
                claim=KEEPING,
                subscription_id=self._named.subscription_id,
                settled_event_ids=settled,
            )
        return len(settled)

    def _settles(self, letter: ParkedEvent) -> bool:
        answer = self._client.subscription.get_parked_event(
            claim=self._named.claim,
            fields=list(self._named.fields),
            subscription_id=self._named.subscription_id,
            event_id=letter.event_id,
        )
        if not answer.HasField("event"):
            return True
        try:
            self._take(answer.event)
        except CannotTakeError as failed:
            self._report(answer.event, failed)
            return False
        return True
