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
from adapters.sdk.errors import (
    CertificateExpired,
    ExchangeRefused,
    PersonMissing,
    Refusal,
    ServerFault,
    refused_from,
)
from adapters.sdk.line import Line
from adapters.sdk.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from google.protobuf.message import Message

    from adapters.sdk.batches import Batch, Part
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.errors import FailedCall
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

        `timeout_s` bounds each message with its retries. What a node of a version before does not know as a
        batch goes by calls of their own, each with the same end. Raises CertificateExpired, PersonMissing,
        and what the book of receipts raises: what has no end then, or was not kept, goes when sent again.
        """
        for part in self._parts(batch):
            if not (self._connection.taking.worth_asking() and await self._together(part)):
                await self._one_by_one(part)

    async def _together(self, part: Part) -> bool:
        """Send a message; tell whether it is known there."""
        attempts, trace, taking = self._attempts(), self._trace(), self._connection.taking
        again: float | None = 0.0
        while again is not None:
            await asyncio.sleep(again)
            line, channel = self._connection.current
            try:
                metadata = (*line.metadata(SEND_COMMANDS, self._person), trace)
            except CertificateExpired:
                if part.ended_before():
                    break
                raise
            call: Any = channel.unary_unary(SEND_COMMANDS.path, **calling(SEND_COMMANDS))
            try:
                answer = await call(part.message(line), timeout=attempts.left_s(), metadata=metadata)
            except grpc.aio.AioRpcError as error:
                refused = refused_by_async(error)
                if self._goes_alone(refused, part):
                    return False
                again = part.failed(refused, attempts)
            else:
                taking.taken()
                if answer is None:
                    again = part.failed(_unreadable(), attempts)
                else:
                    again = part.answered(answer, attempts)
        return True

    async def _one_by_one(self, part: Part) -> None:
        """Send what is left of a message by calls of their own; `timeout_s` bounds each."""
        for one in part.one_by_one(self._person):
            try:
                raw = await self._asked(one.command.rpc, one.outgoing, None)
            except ExchangeRefused as refused:
                part.refused_alone(one, refused)
            except (CertificateExpired, PersonMissing):
                if part.stays(one):
                    break
                raise
            else:
                part.answered_alone(one, raw)

    async def _send(self, rpc: Rpc[Any, Any], request: Message) -> object:
        outgoing = Outgoing(rpc, request, self._person)
        answer = await self._asked(rpc, outgoing, rpc.answer.FromString)
        return self._kept(rpc, request, outgoing.accepted(answer))

    async def _asked(
        self, rpc: Rpc[Any, Any], outgoing: Outgoing, read: Callable[[bytes], Any] | None
    ) -> Any:  # noqa: ANN401 -- what `read` makes of it, or bytes
        """Return the answer of one call with its retries. Raises ExchangeRefused."""
        attempts, trace = self._attempts(), self._trace()
        while True:
            line, channel = self._connection.current
            metadata = (*outgoing.metadata(line, attempts.last), trace)
            call: Any = channel.unary_unary(rpc.path, response_deserializer=read)
            try:
                answer = await call(outgoing.raw, timeout=attempts.left_s(), metadata=metadata)
            except grpc.aio.AioRpcError as error:
                refused = refused_by_async(error, outgoing.request_id)
            else:
                if answer is not None:
                    return answer
                refused = _unreadable(outgoing.request_id)
            await asyncio.sleep(attempts.wait_before_next(refused))


def _open(line: Line) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(line.target, line.channel_credentials(), line.channel_options())


def _unreadable(request_id: str = "") -> ServerFault:
    """Return how a call ends whose answer is no message: gRPC gives nothing for it here, and no error."""
    return ServerFault(Refusal("", "the answer cannot be read", request_id=request_id, unanswered=True))


def refused_by_async(error: grpc.aio.AioRpcError, request_id: str = "") -> ExchangeRefused:
    """Return the exception for a failed call."""
    return refused_from(cast("FailedCall", error), request_id)
