"""Follows by the name of a subscription: the exchange keeps how far everything was taken.

Promises: an event is acknowledged after it was taken and never before; one that cannot be taken holds back
what comes after it, until it is parked; it is read again for each attempt, and when it is fetched, so that
nothing is kept of what may be told no more. What was taken and not yet written down is told again after a
break: take by event id. `NamedFollower` blocks, `AsyncNamedFollower` is awaited; what both do stands once, in
`named.py`.
Source: protos/exchange/v1/subscription_service.proto.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from adapters.sdk.errors import SdkError
from adapters.sdk.named import CannotTakeError, Delivery, NamedPosition, Take, Turn
from adapters.sdk.subscription import HEARTBEAT_S, PATIENCE, AsyncSubscription, Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from adapters.sdk.aio import AsyncExchangeClient
    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.named import Ask, Named, Steps
    from adapters.sdk.patience import Patience
    from exchange.v1.subscription_service_pb2 import ParkedEvent, PublishedEvent

ACKNOWLEDGE_EVERY_S: Final = 1.0
_Given = TypeVar("_Given")


# --- blocking -----------------------------------------------------------------------------------------------


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
        self._take: Final = take
        self._patience: Final = patience
        self._position: Final = _Blocking(named, heartbeat_s, patience, acknowledge_every_s)
        self._position.go = self._go
        self._delivery: Final = Delivery(named, self._position)
        self._closed: Final = threading.Event()
        self._following: Subscription | None = None  # replaced by the running thread, closed by any

    def create(self, *, begin_cursor: int = 0, begins_now: bool = False) -> None:
        """Name it, where that is not done. Raises RuleBroken where the name is of another question."""
        self._go(self._delivery.create(begin_cursor, begins_now=begins_now))

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
                failures = self._go(self._delivery.attempt(event))
                if failures:
                    return failures
        return 0

    def parked(self) -> Iterator[ParkedEvent]:
        """Give what is parked, in the order it was. Raises ExchangeRefused."""
        return iter(self._go(self._delivery.parked()))

    def take_parked(self) -> int:
        """Fetch what is parked and take it; return how many are settled.

        Settled is also what nothing may be told of any more: there is nothing to take.
        """
        return self._go(self._delivery.take_parked())

    def _go(self, steps: Steps[_Given]) -> _Given:
        turn = Turn(steps)
        while turn.step is not None:
            try:
                done = self._do(turn.step)
            except (CannotTakeError, SdkError) as error:
                turn.failed(error)
            else:
                turn.done(done)
        return cast("_Given", turn.given)

    def _do(self, step: Ask | Take) -> object:
        if isinstance(step, Take):
            self._take(step.event)
            return None
        return getattr(self._client.subscription, step.rpc)(**step.said)


class _Blocking(NamedPosition):
    """Says how far it is before the next answer is read."""

    go: Callable[[Steps[None]], None]

    def advance(self, cursor: int) -> None:
        self.go(self.gone_on(cursor))


# --- asyncio ------------------------------------------------------------------------------------------------


class AsyncNamedFollower:
    """Does what `NamedFollower` does, with the asyncio client; `take` is a coroutine. Cancel `run` to end it.

    What was taken and not yet acknowledged then is told again.
    """

    def __init__(
        self,
        client: AsyncExchangeClient,
        named: Named,
        take: Callable[[PublishedEvent], Awaitable[None]],
        *,
        heartbeat_s: int = HEARTBEAT_S,
        patience: Patience = PATIENCE,
        acknowledge_every_s: float = ACKNOWLEDGE_EVERY_S,
    ) -> None:
        self._client: Final = client
        self._take: Final = take
        self._patience: Final = patience
        self._position: Final = _Awaited(named, heartbeat_s, patience, acknowledge_every_s)
        self._position.go = self._go
        self._delivery: Final = Delivery(named, self._position)

    async def create(self, *, begin_cursor: int = 0, begins_now: bool = False) -> None:
        """Name it, where that is not done. Raises RuleBroken where the name is of another question."""
        await self._go(self._delivery.create(begin_cursor, begins_now=begins_now))

    async def run(self) -> None:
        """Follow until cancelled. Raises ExchangeRefused where no waiting helps."""
        while True:
            failures = await self._follow(AsyncSubscription(self._client, self._position))
            await asyncio.sleep(self._patience.wait_s(failures))

    async def _follow(self, following: AsyncSubscription) -> int:
        """Follow until an event has to be read again; return how often that one failed."""
        async with aclosing(aiter(following)) as events:
            async for event in events:
                failures = await self._go(self._delivery.attempt(event))
                if failures:
                    return failures
        raise AssertionError("a subscription is followed without end")

    async def parked(self) -> tuple[ParkedEvent, ...]:
        """Return what is parked, in the order it was. Raises ExchangeRefused."""
        return await self._go(self._delivery.parked())

    async def take_parked(self) -> int:
        """Fetch what is parked and take it; return how many are settled, as NamedFollower does."""
        return await self._go(self._delivery.take_parked())

    async def _go(self, steps: Steps[_Given]) -> _Given:
        turn = Turn(steps)
        while turn.step is not None:
            try:
                done = await self._do(turn.step)
            except (CannotTakeError, SdkError) as error:
                turn.failed(error)
            else:
                turn.done(done)
        return cast("_Given", turn.given)

    async def _do(self, step: Ask | Take) -> object:
        if isinstance(step, Take):
            await self._take(step.event)
            return None
        return await getattr(self._client.subscription, step.rpc)(**step.said)


class _Awaited(NamedPosition):
    """Says how far it is before the next answer is read."""

    go: Callable[[Steps[None]], Awaitable[None]]

    async def advance_async(self, cursor: int) -> None:
        await self.go(self.gone_on(cursor))
