"""Many commands in one message: one certificate, one token and one line for all, and all else for each.

Promises: a command of a batch is signed, looked at, judged, recorded, counted, logged and answered as if it
had come alone when its turn comes, and is done once by its request id, in whatever batch it comes again;
those on one plan or one case are done in their order. A batch that its caller may not send is refused whole,
before any of it is done. No answer in it tells of a resident what a withdrawal would have to wait for.
Source: protos/exchange/v1/batch_service.proto; exchange/decisions/0203-many-commands-in-one-message.md, 0204.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import dataclass
from time import perf_counter  # a stopwatch, not a clock: no moment is taken from it
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc

from exchange.errors import Draining, ExchangeError, RequestInvalid
from exchange.server.caller.identity import refuse_over
from exchange.server.caller.signatures import METADATA_KEY as SIGNATURE_KEY
from exchange.server.caller.tokens import RESIDENT_TASKS
from exchange.server.contract.twice import refuse_twice
from exchange.server.deadline import Deadline
from exchange.server.house import Call
from exchange.server.interceptor import Guard, Record, Unary, parsed, serialised
from exchange.server.status import code_of
from exchange.v1 import batch_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from google.protobuf.message import Message

    from exchange.server.interceptor import Context

# What commands on one thing are kept in order by.
ORDERED_BY: Final = ("plan_id", "case_id")


class Taken(NamedTuple):
    """An rpc that a batch may name."""

    name: str
    kind: Unary


@dataclass(frozen=True, slots=True)
class Batched:
    """An rpc that brings commands of others. `taken` are those, by path."""

    request: type[Message]
    taken: Mapping[str, Taken]


@dataclass(slots=True)
class _One:
    """A command of a batch on its way."""

    sent: pb.BatchedCommand
    record: Record
    outcome: pb.BatchedOutcome
    taken: Taken | None = None
    request: Any = None
    order: str = ""  # of those with the same one, each waits for the one before; empty for none


class BatchGuard(Guard):
    """A guard that takes batches too. Owned by the event loop."""

    def batched(self, rpc: str, kind: Batched) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """Return what gRPC calls for an rpc that brings commands."""

        async def serve(raw: bytes, context: Context) -> bytes:
            record = Record(rpc, perf_counter())
            deadline = Deadline(self._limit_s(context))
            try:
                call, request = await self._enter(record, context, raw, kind.request, person=True)
                answer = await self._done(record, call, kind, request.commands)  # type: ignore[attr-defined] # the batch's own message
                deadline.close()
                reply = serialised(answer)
                record.lost = ""
            except asyncio.CancelledError:
                deadline.close()
                if deadline.ended_it():
                    return await self._refuse(record, context, TimeoutError())
                self._note(record, grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001 -- as for a call that comes alone
                deadline.close()
                return await self._refuse(record, context, error)
            self._note(record, grpc.StatusCode.OK)
            return reply

        return serve

    async def _done(
        self, record: Record, call: Call, kind: Batched, sent: Sequence[pb.BatchedCommand]
    ) -> pb.SendCommandsResponse:
        _refuse_residents(call)
        self._count(call, len(sent))
        ones = [
            _One(
                one,
                Record(record.rpc, record.started, record.caller, record.task, trace=record.trace),
                outcome,
            )
            for one, outcome in ((one, pb.BatchedOutcome()) for one in sent)
        ]
        for one in ones:
            self._look(one, kind)
        await asyncio.gather(*(self._walked(call, chain) for chain in _chains(ones)))
        return pb.SendCommandsResponse(outcomes=[one.outcome for one in ones])

    def _count(self, call: Call, commands: int) -> None:
        """Take a share for each; the batch itself took one. Raises QuotaExceeded, RequestInvalid."""
        if commands > self._house.config.calls_burst:
            # Waiting would never help.
            raise RequestInvalid(
                "this batch is larger than the share of one organisation",
                {"commands": f"must be at most {self._house.config.calls_burst} items"},
            )
        self._house.calls.take(call.caller.organisation, commands - 1)

    def _look(self, one: _One, kind: Batched) -> None:
        """Read a command's bytes, without believing them: only who signed them is let further."""
        try:
            one.taken = kind.taken.get(one.sent.rpc)
            if one.taken is None:
                raise RequestInvalid(
                    "this rpc is not done in a batch", {"rpc": "must be the path of a command a batch takes"}
                )
            one.record.rpc = one.taken.name
            one.request = parsed(one.taken.kind.request, one.sent.request)
            one.order = next(filter(None, (getattr(one.request, name, "") for name in ORDERED_BY)), "")
        except ExchangeError as error:
            one.taken = None
            self._answer_refusal(one, error)

    async def _walked(self, call: Call, chain: Iterable[_One]) -> None:
        first: Exception | None = None
        for one in chain:
            if first is None:
                first = await self._one(call, one)
            else:
                # It would be done before the one it came behind.
                self._answer_refusal(one, first)

    async def _one(self, call: Call, one: _One) -> Exception | None:
        """Do a command; return what refused it for now, where it may be done later. None for all else."""
        assert one.taken is not None
        kind, house = one.taken.kind, self._house
        try:
            now = self._turn(call)
            header = ((SIGNATURE_KEY, b64encode(one.sent.signature).decode("ascii")),)
            under = await house.identities.signed(call.identity, one.sent.rpc, one.sent.request, header)
            self._validator.check(one.request)
            if kind.once:
                refuse_twice(one.sent.request, one.request.DESCRIPTOR)
            one.record.request_id = one.request.request_id
            _refuse_apart(one.request)
            # At the end of the batch it is said of all it gave whether that left.
            mine = Call(
                one.taken.name, call.identity, now, house, call.trace, call.at_end, call.held, signed=under
            )
            one.outcome.response = serialised(await kind.handle(mine, one.request))
        except asyncio.CancelledError:
            self._note(one.record, grpc.StatusCode.CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 -- as for a call that comes alone
            self._answer_refusal(one, error)
            return error if _may_be_done_later(error) else None
        self._note(one.record, grpc.StatusCode.OK)
        return None

    def _turn(self, call: Call) -> datetime:
        """Return when a command begins. Raises what whoever came alone now would be refused with at the door.

        It may have waited for those before it.
        """
        if self._house.bells.closing:
            raise Draining("the service is stopping")
        now = self._house.parts.now()
        refuse_over(call.identity, now)
        return now

    def _answer_refusal(self, one: _One, raised: Exception) -> None:
        _, status = self._refused(one.record, raised)
        one.outcome.status = status.SerializeToString()


def _chains(ones: Sequence[_One]) -> list[list[_One]]:
    """Return what is done beside each other: lists of what is done one after another."""
    ordered: dict[str, list[_One]] = {}
    chains: list[list[_One]] = []
    for one in ones:
        if one.taken is None:
            continue
        known = ordered.get(one.order) if one.order else None
        if known is not None:
            known.append(one)
            continue
        chains.append([one])
        if one.order:
            ordered[one.order] = chains[-1]
    return chains


def _refuse_residents(call: Call) -> None:
    """Raise RequestInvalid: what is said for a resident is said once for each thing he is asked."""
    if call.caller.task in RESIDENT_TASKS:
        raise RequestInvalid(
            "what a resident says is taken one at a time",
            {"commands": "must be sent by calls of their own in this task"},
        )


def _may_be_done_later(error: Exception) -> bool:
    """Tell whether a command that was refused so may be done when it comes again, or was done perhaps."""
    if not isinstance(error, ExchangeError):
        return isinstance(error, TimeoutError)
    return error.retry_after_ms is not None or code_of(error) is grpc.StatusCode.UNAVAILABLE


def _refuse_apart(request: Any) -> None:  # noqa: ANN401 -- any command's message
    """Raise RequestInvalid: an emergency is one deed about one resident.

    What was seen asks what changed since, and the answer would wait here for others, and a withdrawal for it.
    """
    if request.claim.HasField("break_glass"):
        raise RequestInvalid(
            "an emergency is claimed by a call of its own",
            {"claim.break_glass": "must be left out of a batch"},
        )
    if "seen" in request.DESCRIPTOR.fields_by_name and request.HasField("seen"):
        raise RequestInvalid(
            "what rests on what was seen is a call of its own",
            {"seen": "must be left out of a batch; give `expected_version`"},
        )
