"""The asyncio client of the exchange: the same calls as `client.py`, each a coroutine.

Promises: those of the blocking client; made and used within one event loop; cancelling a call cancels it at
the exchange too, with an outcome that only the same request id can tell.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self, cast

import grpc

from adapters.sdk.base import TIMEOUT_S, Client, Connection, Outgoing, calling
from adapters.sdk.batches import SEND_COMMANDS
from adapters.sdk.calls import SUBSCRIBE, Awaiting, Rpc
from adapters.sdk.errors import refused_from
from adapters.sdk.line import Line
from adapters.sdk.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from google.protobuf.message import Message

    from adapters.sdk.batches import Batch
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.errors import ExchangeRefused, FailedCall
    from adapters.sdk.tokens import Person
    from exchange.v1.subscription_service_pb2 import SubscribeRequest, SubscribeResponse

    AsyncStream = grpc.aio.UnaryStreamCall[SubscribeRequest, SubscribeResponse]


class AsyncExchangeClient(Client[Awaiting, grpc.aio.Channel]):
    """Calls one exchange for one organisation, as one person. `timeout_s` bounds a call with its retries."""

    def __init__(
        self,
        target: str,
        credentials: Credentials,
        person: Person | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        server_name: str | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        connection = Connection(Line(target, credentials, server_name, clock), _open)
        super().__init__(connection, person, timeout_s, patience or Patience())

    async def close(self) -> None:
        """Close the connection, of siblings too, and the book of receipts of this one."""
        for channel in self._connection.channels():
            await channel.close()
        if self.receipts is not None:
            self.receipts.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def open_stream(self, request: SubscribeRequest) -> AsyncStream:
        """Open one stream, without resuming; `subscription.py` resumes. Reading may raise `AioRpcError`."""
        line, channel = self._connection.current
        call = channel.unary_stream(SUBSCRIBE.path, **calling(SUBSCRIBE))
        return cast(
            "AsyncStream", call(request, metadata=(*line.metadata(SUBSCRIBE, self._person), self._trace()))
        )

    async def send_batch(self, batch: Batch) -> None:
        """Send what was collected, in as few messages as it takes; each command tells its own end.

        `timeout_s` bounds each message with its retries. Raises CertificateExpired, PersonMissing, and what
        the book of receipts raises: what has no end then, or was not kept, goes when the batch is sent again.
        """
        for part in self._parts(batch):
            attempts, trace = self._attempts(), self._trace()
            while True:
                line, channel = self._connection.current
                metadata = (*line.metadata(SEND_COMMANDS, self._person), trace)
                call: Any = channel.unary_unary(SEND_COMMANDS.path, **calling(SEND_COMMANDS))
                try:
                    answer = await call(part.message(line), timeout=attempts.left_s(), metadata=metadata)
                except grpc.aio.AioRpcError as error:
                    again = part.failed(refused_by_async(error), attempts)
                else:
                    again = part.answered(answer, attempts)
                if again is None:
                    break
                await asyncio.sleep(again)

    async def _send(self, rpc: Rpc[Any, Any], request: Message) -> object:
        outgoing = Outgoing(rpc, request, self._person)
        attempts, trace = self._attempts(), self._trace()
        while True:
            line, channel = self._connection.current
            metadata = (*outgoing.metadata(line), trace)
            call: Any = channel.unary_unary(rpc.path, response_deserializer=rpc.answer.FromString)
            try:
                answer = await call(outgoing.raw, timeout=attempts.left_s(), metadata=metadata)
            except grpc.aio.AioRpcError as error:
                refused = refused_by_async(error, outgoing.request_id)
            else:
                return self._kept(rpc, request, outgoing.accepted(answer))
            await asyncio.sleep(attempts.wait_before_next(refused))


def _open(line: Line) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(line.target, line.channel_credentials(), line.channel_options())


def refused_by_async(error: grpc.aio.AioRpcError, request_id: str = "") -> ExchangeRefused:
    """Return the exception for a failed call."""
    return refused_from(cast("FailedCall", error), request_id)
