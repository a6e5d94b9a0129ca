"""The callers' door of one of many nodes: serves a call where this node holds the shard, else sends it on.

Promises: of a call nothing is kept but one message of a stream that is being taken; bytes, headers, deadline
and cancellation go along; what the holder answers is answered. A call whose line broke, or whose holder fell
silent and lost the shard, is asked again with the same bytes: a command is done once, by its request id.
Where it is sure that nothing was recorded that is said, and else that it may have been (`again.py`); a holder
of a version before, which does not know a call, is said to be one.
Source: ARCHITECTURE 1 (stateless front nodes); exchange/decisions/0096-forwarding-as-bytes.md.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc

from exchange.errors import ExchangeError
from exchange.server.caller.certificates import PEM_KEY
from exchange.server.limits import StreamNotRead
from exchange.server.nodes.again import answered, info_of, sent_before, unknown
from exchange.server.nodes.errors import HolderAway, HolderOlder
from exchange.server.nodes.holding import while_held
from exchange.server.nodes.relayed import headers_of, refuse_node_headers
from exchange.server.status import DETAILS_KEY, code_of, status_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exchange.server.limits import Streams
    from exchange.server.nodes.holding import Holding
    from exchange.server.nodes.line import Lines
    from exchange.server.nodes.relayed import Header

    Context = grpc.aio.ServicerContext[bytes, bytes]
    ServeUnary = Callable[[bytes, Context], Awaitable[bytes]]
    # Writes each message to the context itself.
    ServeStream = Callable[[bytes, Context], Awaitable[None]]

HOLDER_WAIT_S: Final = 3.0  # so long a call waits for a node that can be asked, or asked again
AGAIN_S: Final = 0.05
GRACE_S: Final = 0.5  # so long a node that lost the shard is given to answer what it was asked
# Reasons of a node that did nothing with what it was sent.
_UNTOUCHED: Final = frozenset({HolderAway.code, "DRAINING"})
# Without a reason of the exchange's own, what gRPC itself says of a line that broke.
_CUT: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


class Front:
    """Owned by the event loop."""

    def of(self, path: str) -> OnePath:
        """Return what calls of one rpc pass through."""
        return OnePath(self, path)

    def __init__(
        self,
        holding: Holding,
        lines: Lines,
        log: Any,  # noqa: ANN401 -- structlog's logger has no public type
        *,
        limit_default_s: float,
        limit_max_s: float,
        streams: Streams,
        stream_wait_s: float,
    ) -> None:
        """`streams` bounds those of one certificate; one that does not read ends after `stream_wait_s`."""
        self._holding = holding
        self._lines = lines
        self._log = log
        self._default_s = limit_default_s
        self._max_s = limit_max_s
        self._streams = streams
        self._under_way: set[Any] = set()  # gRPC's calls: streams that come from the holder now
        self._ending = False
        self._stream_wait_s = stream_wait_s
        self.counts: Counter[str] = Counter()

    def end_streams(self) -> None:
        """End the streams that were sent on, for this node stops; calls of one answer are given time."""
        self._ending = True
        for call in tuple(self._under_way):
            call.cancel()

    def unary(self, path: str, serve: ServeUnary) -> ServeUnary:
        """Return what gRPC calls for one rpc; `serve` is what serves it here."""

        async def asked(raw: bytes, context: Context) -> bytes:
            try:
                refuse_node_headers(context)
                if self._holding.here:
                    return await serve(raw, context)
                return await self._sent_on(path, raw, context, serve)
            except ExchangeError as error:
                return await self._refuse(path, context, error)

        return asked

    def streaming(self, path: str, serve: ServeStream) -> ServeStream:
        """Return what gRPC calls for one streaming rpc."""

        async def asked(raw: bytes, context: Context) -> None:
            try:
                refuse_node_headers(context)
                await self._streamed(path, raw, context, serve)
            except ExchangeError as error:
                await self._refuse(path, context, error)

        return asked

    async def _sent_on(self, path: str, raw: bytes, context: Context, serve: ServeUnary) -> bytes:
        clock = asyncio.get_running_loop().time
        asked_at, until, sent = clock(), clock() + self._limit_s(context), False
        headers = headers_of(context)
        while True:
            change, holder = self._holding.next_change, self._holding.holder
            if self._holding.here:
                return answered(path, context, await serve(raw, context))
            line: Any = await self._lines.to(holder, until - clock()) if holder else None
            if line is not None and (left := until - clock()) > 0:
                call = line.unary_unary(path)(raw, timeout=left, metadata=headers)
                try:
                    answer: bytes = await self._answered(holder, call)
                except _Again as again:
                    if not again.untouched:
                        context, sent, asked_at = sent_before(path, context), True, clock()
                    self.counts["again"] += 1
                except grpc.aio.AioRpcError as error:
                    if _is_of_no_call_known(error):
                        # Known where it was sent before, so there it may be recorded.
                        raise (_gone(sent=True) if sent else _older()) from error
                    self.counts["answered"] += 1
                    return await _relay(context, error)
                else:
                    self.counts["answered"] += 1
                    return answered(path, context, answer)
            self._holding.look_again()
            if clock() + AGAIN_S >= min(until, asked_at + HOLDER_WAIT_S):
                raise _gone(sent=sent)
            await _wait(change, AGAIN_S)

    async def _answered(self, holder: str, call: Any) -> bytes:  # noqa: ANN401 -- gRPC's call
        """Return the answer of a holder. Raises AioRpcError for what it refused, _Again where it is away."""
        asking = asyncio.ensure_future(_result(call))
        try:
            while not asking.done():
                change = self._holding.next_change
                if self._holding.here or self._holding.holder not in {holder, ""}:
                    await asyncio.wait((asking,), timeout=GRACE_S)
                    if not asking.done():
                        raise _Again(untouched=False)
                    break
                await _wait_for(asking, change)
            return asking.result()
        except grpc.aio.AioRpcError as error:
            reason = reason_of(error)
            if reason in _UNTOUCHED:
                raise _Again(untouched=True) from error
            if not reason and error.code() in _CUT:
                raise _Again(untouched=False) from error
            raise
        finally:
            if not asking.done():
                call.cancel()
                await asyncio.gather(asking, return_exceptions=True)

    async def _streamed(self, path: str, raw: bytes, context: Context, serve: ServeStream) -> None:
        clock = asyncio.get_running_loop().time
        until, line = clock() + HOLDER_WAIT_S, None
        while line is None:
            change, holder = self._holding.next_change, self._holding.holder
            if self._holding.here:
                await while_held(self._holding, serve(raw, context))
                return
            line = await self._lines.to(holder, until - clock()) if holder else None
            if line is None:
                self._holding.look_again()
                if clock() >= until:
                    raise _gone(sent=False)
                await _wait(change, AGAIN_S)
        who = sha256(next(iter(context.auth_context().get(PEM_KEY, ())), b"")).hexdigest()
        with self._streams.one(who):
            await self._told_on(path, raw, context, line, who)

    async def _told_on(self, path: str, raw: bytes, context: Context, line: Any, who: str) -> None:  # noqa: ANN401 -- gRPC's channel
        left = context.time_remaining()
        timeout = left if left is not None and math.isfinite(left) else None
        call: Any = line.unary_stream(path)(raw, timeout=timeout, metadata=headers_of(context))
        self.counts["streams"] += 1
        self._under_way.add(call)
        try:
            # By itself: with a first message that nobody takes, no end could be told any more.
            await context.send_initial_metadata(())
            async for answer in call:
                await self._hand_over(context, answer, who)
        except grpc.aio.AioRpcError as error:
            if not reason_of(error) and error.code() in _CUT:
                raise HolderAway("the line to the shard broke; resume at the last cursor") from error
            if _is_of_no_call_known(error):
                raise _older() from error
            await _relay(context, error)
        except asyncio.CancelledError:
            if not self._ending:
                raise
            raise HolderAway("this node stops; resume at the last cursor") from None
        finally:
            self._under_way.discard(call)
            call.cancel()

    async def _hand_over(self, context: Context, answer: bytes, who: str) -> None:
        """Hand one message to the transport. Raises StreamNotRead where nobody takes it.

        The holder would end such a stream as well, but who waits here never hears that.
        """
        writing = asyncio.ensure_future(context.write(answer))
        # Where nobody asks for its end any more, an error of it would be told as a defect.
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        done, _ = await asyncio.wait({writing}, timeout=self._stream_wait_s)
        if not done:
            # The message lies with gRPC until the call is gone: so long it keeps its place.
            leave = self._streams.linger(who)
            context.add_done_callback(lambda _ended: leave())  # type: ignore[arg-type] # the stub names a class; any callable does
            raise StreamNotRead("this stream was not read; resume at the last cursor")
        writing.result()

    def _limit_s(self, context: Context) -> float:
        left = context.time_remaining()
        return self._default_s if left is None or not math.isfinite(left) else min(left, self._max_s)

    async def _refuse(self, path: str, context: Context, error: ExchangeError) -> bytes:
        self.counts["refused"] += 1
        self._log.warning("not_sent_on", rpc=path.rpartition("/")[2], reason=error.code)
        status = status_of(error)
        await context.abort(code_of(error), status.message, ((DETAILS_KEY, status.SerializeToString()),))


class OnePath(NamedTuple):
    """The front for one rpc."""

    front: Front
    path: str

    def unary(self, serve: ServeUnary) -> ServeUnary:
        """Return what gRPC calls."""
        return self.front.unary(self.path, serve)

    def streaming(self, serve: ServeStream) -> ServeStream:
        """Return what gRPC calls."""
        return self.front.streaming(self.path, serve)


class _Again(Exception):
    """The holder is away; `untouched` where it did nothing with what it was sent."""

    def __init__(self, *, untouched: bool) -> None:
        super().__init__()
        self.untouched = untouched


async def _result(call: Any) -> bytes:  # noqa: ANN401 -- gRPC's call
    answer: bytes = await call
    return answer


async def _wait(change: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await change.wait()
    except TimeoutError:
        return


async def _wait_for(asking: asyncio.Future[bytes], change: asyncio.Event) -> None:
    changed = asyncio.ensure_future(change.wait())
    try:
        await asyncio.wait((asking, changed), return_when=asyncio.FIRST_COMPLETED)
    finally:
        changed.cancel()


def _gone(*, sent: bool) -> ExchangeError:
    if sent:
        return unknown()
    return HolderAway("no node holds the shard now; nothing was recorded")


def _older() -> ExchangeError:
    return HolderOlder("the node that holds the shard is of a version that does not know this call")


def _is_of_no_call_known(error: grpc.aio.AioRpcError) -> bool:
    """Tell whether gRPC refused at the other node, before anything of the exchange saw the call."""
    return error.code() is grpc.StatusCode.UNIMPLEMENTED and not reason_of(error)


def _details_of(error: grpc.aio.AioRpcError | grpc.Call) -> tuple[Header, ...]:
    return tuple((name, value) for name, value in error.trailing_metadata() or () if name == DETAILS_KEY)


def reason_of(error: grpc.aio.AioRpcError | grpc.Call) -> str:
    """Return the exchange's own reason of a refusal, empty where gRPC itself refused."""
    for _, value in _details_of(error):
        if info := info_of(value if isinstance(value, bytes) else value.encode()).reason:
            return str(info)
    return ""


async def _relay(context: Context, error: grpc.aio.AioRpcError) -> bytes:
    """Refuse as the holder did; never returns."""
    await context.abort(error.code(), error.details() or "", _details_of(error))
