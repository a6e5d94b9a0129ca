"""Follows the plans a professional works on: events in order, resumed where they stopped.

Promises: at least once and in order; the cursor is handed to the caller only after every event before it was
taken; a stream that falls silent is ended and opened again; an outage of any length is waited out, unless the
caller set a limit. Each event was judged by the exchange at the moment it was read.
Source: protos/exchange/v1/subscription_service.proto.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Final

import grpc

from adapters.sdk.aio import refused_by_async
from adapters.sdk.client import refused_by
from adapters.sdk.errors import ExchangeRefused, OutcomeUnknown, Refusal, Unreachable
from adapters.sdk.patience import Patience, can_be_retried
from exchange.v1.subscription_service_pb2 import SubscribeRequest, SubscribeResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence

    from adapters.sdk.aio import AsyncExchangeClient, AsyncStream
    from adapters.sdk.client import ExchangeClient, Stream
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.subscription_service_pb2 import PublishedEvent

HEARTBEAT_S: Final = 10
SILENT_HEARTBEATS_MAX: Final = 3
PATIENCE: Final = Patience(attempts_max=2**31, wait_first_s=0.2, wait_max_s=30.0)


class Position:
    """Where a subscription is, and how it goes on after an outage. Shared by both kinds."""

    def __init__(
        self,
        claim: Claim,
        fields: Sequence[str],
        cursor: int,
        keep_cursor: Callable[[int], None],
        *,
        heartbeat_s: int = HEARTBEAT_S,
        silence_max_s: float | None = None,
        give_up_after_s: float | None = None,
        patience: Patience = PATIENCE,
        with_joins: bool = False,
    ) -> None:
        self._with_joins: Final = with_joins
        self._claim: Final = claim
        self._fields: Final = tuple(fields)
        self._cursor = cursor
        self._keep_cursor: Final = keep_cursor
        self._heartbeat_s: Final = heartbeat_s
        self._give_up_after_s: Final = give_up_after_s
        self._patience: Final = patience
        self._failures = 0
        self._failing_since = 0.0
        self.silence_max_s: Final = silence_max_s or float(heartbeat_s * SILENT_HEARTBEATS_MAX)

    @property
    def cursor(self) -> int:
        """Position after which the next event comes."""
        return self._cursor

    def request(self) -> SubscribeRequest:
        """Return the request that opens the stream here."""
        return SubscribeRequest(
            claim=self._claim,
            fields=self._fields,
            cursor=self._cursor,
            heartbeat_seconds=self._heartbeat_s,
            with_joins=self._with_joins,
        )

    def new_events(self, response: SubscribeResponse) -> list[PublishedEvent]:
        """Return the events not yet taken: after a cut the exchange may send some again."""
        self._failures = 0
        return [event for event in response.events if event.position > self._cursor]

    def advance(self, cursor: int) -> None:
        """Take the cursor of a batch whose events were all taken."""
        if cursor > self._cursor:
            # First the caller, who may fail; then ours, so that such a batch comes again.
            self._keep_cursor(cursor)
            self._cursor = cursor

    async def advance_async(self, cursor: int) -> None:
        """Do what `advance` does, where whoever keeps the cursor is waited for."""
        self.advance(cursor)

    def wait_before_resuming(self, refused: ExchangeRefused) -> float:
        """Return the seconds to wait. Raises `refused` where no wait helps or the caller's limit is over."""
        now = time.monotonic()
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        # A silent stream is cancelled by ourselves, and that reads as an unknown outcome.
        if not can_be_retried(refused) and not isinstance(refused, OutcomeUnknown):
            raise refused
        if self._give_up_after_s is not None and now - self._failing_since >= self._give_up_after_s:
            raise refused
        return self._patience.wait_s(self._failures, refused)


class Subscription:
    """Events as a blocking iterator. `keep_cursor` stores the cursor before the next batch is asked for."""

    def __init__(self, client: ExchangeClient, position: Position) -> None:
        self._client: Final = client
        self._position: Final = position
        self._stream: Stream | None = None  # replaced by the iterating thread, cancelled by any
        self._closed: Final = threading.Event()

    def close(self) -> None:
        """End the iteration, from any thread."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            stream.cancel()

    def __iter__(self) -> Iterator[PublishedEvent]:
        while not self._closed.is_set():
            stream = self._client.open_stream(self._position.request())
            self._stream = stream
            watchdog = _Watchdog(stream, self._position.silence_max_s)
            try:
                refused = yield from self._follow(stream, watchdog)
            finally:
                watchdog.stop()
                stream.cancel()
            if not self._closed.is_set():
                self._closed.wait(self._position.wait_before_resuming(refused))

    def _follow(
        self, stream: Stream, watchdog: _Watchdog
    ) -> Generator[PublishedEvent, None, ExchangeRefused]:
        """Yield the events of one stream; return why it ended."""
        # Asked after the stream became known to close(): one of the two sees the other.
        while not self._closed.is_set():
            try:
                with watchdog:
                    response = next(stream)
            except StopIteration:
                return _ended("the exchange ended the stream")
            except grpc.RpcError as error:
                return refused_by(error)
            yield from self._position.new_events(response)
            self._position.advance(response.cursor)
        return _ended("the caller closed the subscription")


class _Watchdog:
    """Cancels a stream that says nothing for so long while somebody waits for it."""

    def __init__(self, stream: Stream, silence_max_s: float) -> None:
        self._stream: Final = stream
        self._silence_max_s: Final = silence_max_s
        self._changed: Final = threading.Condition()
        self._waiting_since: float | None = None  # owned by whoever holds the condition
        self._stopped = False
        threading.Thread(target=self._watch, name="subscription-watchdog", daemon=True).start()

    def __enter__(self) -> None:
        self._set(time.monotonic())

    def __exit__(self, *_error: object) -> None:
        self._set(None)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _set(self, waiting_since: float | None) -> None:
        with self._changed:
            self._waiting_since = waiting_since

    def _watch(self) -> None:
        with self._changed:
            while not self._stopped:
                since = self._waiting_since
                left_s = (
                    self._silence_max_s if since is None else since + self._silence_max_s - time.monotonic()
                )
                if left_s <= 0:
                    self._stream.cancel()
                    return
                self._changed.wait(left_s)


class AsyncSubscription:
    """Events as an asynchronous generator: close it (`contextlib.aclosing`) or cancel its task to end it."""

    def __init__(self, client: AsyncExchangeClient, position: Position) -> None:
        self._client: Final = client
        self._position: Final = position

    async def __aiter__(self) -> AsyncGenerator[PublishedEvent, None]:
        while True:
            stream = self._client.open_stream(self._position.request())
            try:
                while not isinstance(answer := await self._read(stream), ExchangeRefused):
                    for event in self._position.new_events(answer):
                        yield event
                    await self._position.advance_async(answer.cursor)
            finally:
                stream.cancel()
            await asyncio.sleep(self._position.wait_before_resuming(answer))

    async def _read(self, stream: AsyncStream) -> SubscribeResponse | ExchangeRefused:
        """Return the next answer, or why there is none."""
        try:
            async with asyncio.timeout(self._position.silence_max_s):
                answer = await stream.read()
        except TimeoutError:
            return _ended("the exchange fell silent")
        except grpc.aio.AioRpcError as error:
            return refused_by_async(error)
        return answer if isinstance(answer, SubscribeResponse) else _ended("the exchange ended the stream")


def _ended(what: str) -> Unreachable:
    return Unreachable(Refusal("", what))
