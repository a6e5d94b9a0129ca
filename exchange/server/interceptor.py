"""Around every call: identity, limits, shape, deadline, errors, one log line, one count.

Promises: no handler is reached by an unknown caller or with a misshapen request; every failure leaves as a
`google.rpc.Status`; the text of an unforeseen error never leaves and is never logged. The one place that
catches everything. An answer that was permitted counts as delivered once gRPC took it for the transport;
where the call ends before that, it is recorded as lost, and why.
Source: house style 21 to 25; API rules of the architecture.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter  # a stopwatch, not a clock: no moment is taken from it
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError, Message

from exchange.domain.disclosure import AbortReason
from exchange.errors import (
    AnswerTooLarge,
    CallerUnknown,
    DeadlineTooClose,
    Draining,
    ExchangeError,
    PersonTokenInvalid,
    RequestInvalid,
    RequestTooLarge,
)
from exchange.logs import name_of_request
from exchange.server.contract.commands import command_path
from exchange.server.contract.twice import refuse_twice
from exchange.server.contract.validation import Validator
from exchange.server.deadline import Deadline
from exchange.server.house import Call
from exchange.server.limits import StreamNotRead
from exchange.server.parts import ANSWER_BYTES_MAX, MESSAGE_BYTES_MAX
from exchange.server.status import DETAILS_KEY, code_of, status_of
from exchange.server.traces import trace_among

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from datetime import datetime

    from google.rpc.status_pb2 import Status

    from exchange.server.caller.identity import Headers, Identity
    from exchange.server.house import House
    from exchange.server.metrics import Metrics

    Context = grpc.aio.ServicerContext[bytes, bytes]

EVENT: Final = "call"


@dataclass(frozen=True, slots=True)
class Unary:
    """One question, one answer. Without `person` the certificate is enough; `once` takes no field twice."""

    request: type[Message]
    handle: Callable[[Call, Any], Awaitable[Message]]
    person: bool = True
    once: bool = False


@dataclass(frozen=True, slots=True)
class Streaming:
    """One question, many answers, until somebody ends it."""

    request: type[Message]
    handle: Callable[[Call, Any], AsyncGenerator[Message, None]]


class Guard:
    """Owned by the event loop."""

    def __init__(self, house: House, log: Any, metrics: Metrics) -> None:  # noqa: ANN401 -- structlog's logger has no public type
        self._house = house
        self._log = log
        self._metrics = metrics
        self._validator = Validator()

    def unary(self, rpc: str, kind: Unary) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """Return what gRPC calls for one rpc."""
        path = command_path(kind.request)

        async def serve(raw: bytes, context: Context) -> bytes:
            record = Record(rpc, perf_counter())
            deadline = Deadline(self._limit_s(context))
            try:
                call, request = await self._enter(
                    record, context, raw, kind.request, person=kind.person, signed=path
                )
                if kind.once:
                    refuse_twice(raw, request.DESCRIPTOR)  # type: ignore[arg-type] # the stub names two of one kind
                answer = await kind.handle(call, request)
                deadline.close()
                reply = serialised(answer)
                record.lost = ""
            except asyncio.CancelledError:
                deadline.close()
                if deadline.ended_it():
                    return await self._refuse(record, context, TimeoutError())
                self._note(record, grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001 -- the one place where everything is turned into a status
                deadline.close()
                return await self._refuse(record, context, error)
            self._note_after(record)
            return reply

        return serve

    def streaming(self, rpc: str, kind: Streaming) -> Callable[[bytes, Context], Awaitable[None]]:
        """Return what gRPC calls for one streaming rpc."""

        async def serve(raw: bytes, context: Context) -> None:
            record = Record(rpc, perf_counter())
            try:
                call, request = await self._enter(record, context, raw, kind.request, person=True)
                # By itself: with a first message that nobody takes, no end could be told any more.
                await context.send_initial_metadata(())
                async with aclosing(kind.handle(call, request)) as answers:
                    async for answer in answers:
                        await self._hand_over(call, context, serialised(answer))
            except asyncio.CancelledError:
                self._note(record, grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001 -- as above, for streams
                await self._refuse(record, context, error)
            self._note(record, grpc.StatusCode.OK)

        return serve

    # --- in ---------------------------------------------------------------------------------------------

    async def _enter(
        self,
        record: Record,
        context: Context,
        raw: bytes,
        kind: type[Message],
        *,
        person: bool,
        signed: str = "",
    ) -> tuple[Call, Message]:
        """Let a call in; `signed` is the path of an rpc whose request has to be signed."""
        house = self._house
        headers = tuple(context.invocation_metadata() or ())
        record.trace = trace_among(headers)
        if house.bells.closing:
            raise Draining("the service is stopping")
        now = house.parts.now()
        identity = await self._identify(record, context, headers, now, person=person)
        # What nobody signed is not worth reading.
        under = await house.identities.signed(identity, signed, raw, headers) if signed else None
        request = parsed(kind, raw)
        self._validator.check(request)
        # Only now: until its shape was checked it could be anything.
        if request_id := getattr(request, "request_id", ""):
            record.request_id = request_id
        call = Call(record.rpc, identity, now, house, record.trace, signed=under)

        def left(_ended: object) -> None:
            # An answer that was made has left where its status was sent: then nobody hung up before it.
            _finish(call, record.lost or ("" if context.done() else AbortReason.CALLER_GONE))

        # With the task that gRPC has for a call, not its context: what that is given it holds in a circle,
        # and the call with it, until the collector stops everybody to look.
        task = asyncio.current_task()
        assert task is not None, "gRPC serves each call in a task of its own"
        task.add_done_callback(left)
        return call, request

    async def _identify(
        self, record: Record, context: Context, headers: Headers, now: datetime, *, person: bool
    ) -> Identity:
        identities, counted = self._house.identities, self._house.calls.take
        certificate = identities.certificate(context, now)
        record.caller = certificate.oin
        among, pipeline = self._house.parts.among, self._house.parts.pipeline
        if not person:
            if among:
                # No walk will compare the head for these.
                await pipeline.look(now)
            identity = await identities.organisation(certificate)
            counted(certificate.oin)
            return identity
        try:
            identity = await identities.person(certificate, headers, now, counted)
        except (CallerUnknown, PersonTokenInvalid):
            if not among:
                raise
            # Another node may have let him join, or renewed his key.
            await pipeline.look(now)
            identity = await identities.person(certificate, headers, now, counted)
        record.task = identity.caller.task
        return identity

    def _limit_s(self, context: Context) -> float:
        config = self._house.config
        left = context.time_remaining()
        # A call without a deadline gets the usual one; no caller waits for ever.
        if left is None or not math.isfinite(left):
            return config.deadline_default_s
        return min(left, config.deadline_max_s)

    # --- out --------------------------------------------------------------------------------------------

    async def _hand_over(self, call: Call, context: Context, reply: bytes) -> None:
        """Hand one message of a stream to the transport. Raises StreamNotRead where nobody takes it."""
        writing = asyncio.ensure_future(context.write(reply))
        # Where nobody asks for its end any more, an error of it would be told as a defect.
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        done, _ = await asyncio.wait({writing}, timeout=self._house.config.stream_wait_s)
        if not done:
            # The message lies with gRPC until the call is gone: so long it keeps its place among the streams.
            leave = self._house.streams.linger(call.caller.organisation)
            context.add_done_callback(lambda _ended: leave())  # type: ignore[arg-type] # the stub names a class; any callable does
            # It may still be taken from there, so it counts as given; what waited behind it was not.
            _finish(call)
            _finish(call, AbortReason.CALLER_GONE)
            raise StreamNotRead("this stream was not read", cursor=call.resume_at)
        writing.result()
        # gRPC takes the next one only when this one is on its way.
        _finish(call)

    async def _refuse(self, record: Record, context: Context, raised: Exception) -> bytes:
        """Log, count and abort; never returns."""
        code, status = self._refused(record, raised)
        await context.abort(code, status.message, ((DETAILS_KEY, status.SerializeToString()),))

    def _refused(self, record: Record, raised: Exception) -> tuple[grpc.StatusCode, Status]:
        """Log and count; return what is answered."""
        incident = ""
        record.lost = AbortReason.ANSWER_REFUSED
        if isinstance(raised, TimeoutError):
            error: ExchangeError = DeadlineTooClose("the deadline passed before the walk ended")
        elif isinstance(raised, ExchangeError):
            error = raised
        else:
            incident = self._house.parts.fresh_uuid()
            self._log.error(
                "defect",
                rpc=record.rpc,
                error=type(raised).__name__,
                place=place_of(raised),
                incident=incident,
            )
            error = ExchangeError("an unforeseen error; report it with its incident number")
        status = status_of(error, incident)
        code = code_of(error)
        self._note(record, code, error.code)
        return code, status

    def _note_after(self, record: Record) -> None:
        """Note an answer once it was handed to gRPC: nobody waits for a count and a line."""
        took = perf_counter() - record.started
        asyncio.get_running_loop().call_soon(self._note, record, grpc.StatusCode.OK, "", took)

    def _note(
        self, record: Record, code: grpc.StatusCode, reason: str = "", took: float | None = None
    ) -> None:
        if took is None:
            took = perf_counter() - record.started
        self._metrics.count(record.rpc, code.name, took, reason, record.trace)
        line: dict[str, Any] = {"rpc": record.rpc, "code": code.name}
        if reason:
            line["reason"] = reason
        if record.caller:
            line["caller"] = record.caller
            if record.task:
                line["task"] = record.task
            if record.request_id:
                line["request"] = name_of_request(record.caller, record.request_id)
        self._log.info(EVENT, took_ms=round(took * 1_000, 2), **line)


@dataclass(slots=True)
class Record:
    """What the log line of one call says."""

    rpc: str
    started: float
    caller: str = ""
    task: str = ""
    request_id: str = ""  # the line has its name, never the id
    trace: str = ""
    # Why what was given does not arrive, should the call end now; empty once its answer is made.
    lost: str = AbortReason.CALLER_GONE


def parsed(kind: type[Message], raw: bytes) -> Message:
    """Return the message of these bytes. Raises RequestTooLarge, RequestInvalid."""
    if len(raw) > MESSAGE_BYTES_MAX:
        raise RequestTooLarge(
            "this request is over its limit", {"request": f"must be at most {MESSAGE_BYTES_MAX} bytes"}
        )
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise RequestInvalid(
            "the bytes are no message of this rpc", {"request": "must be this rpc's request"}
        ) from None


def serialised(answer: Message) -> bytes:
    """Return the bytes of an answer. Raises AnswerTooLarge."""
    reply = answer.SerializeToString()
    # gRPC would cut it off without details, after the log line said that all went well.
    if len(reply) > ANSWER_BYTES_MAX:
        raise AnswerTooLarge("the answer is over its limit", bytes=str(len(reply)))
    return reply


def _finish(call: Call, lost: str = "") -> None:
    """Tell that the answers of this call have left, or why they were lost."""
    while call.at_end:
        call.at_end.pop()(lost)
    # What waited behind it was never handed over, so it ends with the call and not with a message.
    while lost and call.held:
        call.held.pop()(lost)


def place_of(raised: Exception) -> str:
    """Return file and line where it was raised: says where to look, and nothing of what was in memory."""
    trace = raised.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
