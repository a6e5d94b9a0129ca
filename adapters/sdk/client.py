"""The blocking client of the exchange.

`with ExchangeClient(target, Credentials.load(folder), person) as client: client.plan.get_plan(…)`.
Promises: every call has a deadline that holds for all its attempts together; a refusal is one of the classes
of `errors.py`; a client and its siblings may be used by many threads at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

import grpc

from adapters.sdk.base import TIMEOUT_S, Client, Connection, Outgoing, calling
from adapters.sdk.batches import SEND_COMMANDS
from adapters.sdk.calls import SUBSCRIBE, Blocking, Rpc
from adapters.sdk.errors import CertificateExpired, ExchangeRefused, PersonMissing, refused_from
from adapters.sdk.line import Line
from adapters.sdk.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from google.protobuf.message import Message

    from adapters.sdk.batches import Batch, Part
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.errors import FailedCall
    from adapters.sdk.tokens import Person
    from exchange.v1.subscription_service_pb2 import SubscribeRequest, SubscribeResponse


_Answer = TypeVar("_Answer", bound="Message")


class Stream(Protocol):
    """A stream of answers that another thread may cancel."""

    def __iter__(self) -> Iterator[SubscribeResponse]:
        """Return itself."""

    def __next__(self) -> SubscribeResponse:
        """Wait for the next answer. Raises `grpc.RpcError` when the stream ends."""

    def cancel(self) -> bool:
        """End the stream."""


class ExchangeClient(Client[Blocking, grpc.Channel]):
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

    def close(self) -> None:
        """Close the connection, of siblings too, and the book of receipts of this one."""
        for channel in self._connection.channels():
            channel.close()
        if self.receipts is not None:
            self.receipts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open_stream(self, request: SubscribeRequest) -> Stream:
        """Open one stream, without resuming; `subscription.py` resumes. Reading may raise `grpc.RpcError`."""
        line, channel = self._connection.current
        call = channel.unary_stream(SUBSCRIBE.path, **calling(SUBSCRIBE))
        return cast(
            "Stream", call(request, metadata=(*line.metadata(SUBSCRIBE, self._person), self._trace()))
        )

    def open_export(self, rpc: Rpc[Any, _Answer], request: Message) -> Iterator[_Answer]:
        """Open a stream that ends by itself, whole; it is not resumed. Reading raises ExchangeRefused."""
        line, channel = self._connection.current
        call: Any = channel.unary_stream(rpc.path, **calling(rpc))
        try:
            yield from call(request, metadata=(*line.metadata(rpc, self._person), self._trace()))
        except grpc.RpcError as error:
            raise refused_by(error) from None

    def send_batch(self, batch: Batch) -> None:
        """Send what was collected, in as few messages as it takes; each command tells its own end.

        `timeout_s` bounds each message with its retries. What a node of a version before does not know as a
        batch goes by calls of their own, each with the same end. Raises CertificateExpired, PersonMissing,
        and what the book of receipts raises: what has no end then, or was not kept, goes when sent again.
        """
        for part in self._parts(batch):
            if not (self._connection.taking.worth_asking() and self._together(part)):
                self._one_by_one(part)

    def _together(self, part: Part) -> bool:
        """Send a message; tell whether it is known there."""
        attempts, trace, taking = self._attempts(), self._trace(), self._connection.taking
        again: float | None = 0.0
        while again is not None:
            time.sleep(again)
            line, channel = self._connection.current
            try:
                metadata = (*line.metadata(SEND_COMMANDS, self._person), trace)
            except CertificateExpired:
                if part.ended_before():
                    break
                raise
            call: Any = channel.unary_unary(SEND_COMMANDS.path, **calling(SEND_COMMANDS))
            try:
                answer = call(part.message(line), timeout=attempts.left_s(), metadata=metadata)
            except grpc.RpcError as error:
                refused = refused_by(error)
                if self._goes_alone(refused, part):
                    return False
                again = part.failed(refused, attempts)
            else:
                taking.taken()
                again = part.answered(answer, attempts)
        return True

    def _one_by_one(self, part: Part) -> None:
        """Send what is left of a message by calls of their own; `timeout_s` bounds each."""
        for one in part.one_by_one(self._person):
            try:
                raw = self._asked(one.command.rpc, one.outgoing, None)
            except ExchangeRefused as refused:
                part.refused_alone(one, refused)
            except (CertificateExpired, PersonMissing):
                if part.stays(one):
                    break
                raise
            else:
                part.answered_alone(one, raw)

    def _send(self, rpc: Rpc[Any, Any], request: Message) -> object:
        outgoing = Outgoing(rpc, request, self._person)
        answer = self._asked(rpc, outgoing, rpc.answer.FromString)
        return self._kept(rpc, request, outgoing.accepted(answer))

    def _asked(self, rpc: Rpc[Any, Any], outgoing: Outgoing, read: Callable[[bytes], Any] | None) -> Any:  # noqa: ANN401 -- what `read` makes of it, or bytes
        """Return the answer of one call with its retries. Raises ExchangeRefused."""
        attempts, trace = self._attempts(), self._trace()
        while True:
            line, channel = self._connection.current
            metadata = (*outgoing.metadata(line, attempts.last), trace)
            call: Any = channel.unary_unary(rpc.path, response_deserializer=read)
            try:
                return call(outgoing.raw, timeout=attempts.left_s(), metadata=metadata)
            except grpc.RpcError as error:
                refused = refused_by(error, outgoing.request_id)
            time.sleep(attempts.wait_before_next(refused))


def _open(line: Line) -> grpc.Channel:
    return grpc.secure_channel(line.target, line.channel_credentials(), line.channel_options())


def refused_by(error: grpc.RpcError, request_id: str = "") -> ExchangeRefused:
    """Return the exception for a failed call: every `RpcError` that gRPC raises is also a `grpc.Call`."""
    return refused_from(cast("FailedCall", error), request_id)
