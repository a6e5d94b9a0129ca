"""What an officer takes along, of AuditService: a log in the form of a standard, and the audit pack of a log.

Promises: one recorded decision for the whole of it, taken before its first byte; a part at a time, so that
memory is bounded whatever was asked; a stream that ends with OK was whole. It ends where the organisation
leaves, or has its certificate or the task no more.
Source: GDPR 5(2), 30, 39(1)(b); the design of the ledger, section 4; protos/exchange/v1/audit_service.proto.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal

from exchange.domain import stream_of
from exchange.errors import Draining, QuotaExceeded, RequestInvalid, RuleBroken
from exchange.pipeline.callers import refuse_ended
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, of_origin
from exchange.server.accountability.telling import OF_THE_OPERATOR, LogForm, Teller, Told
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import enum_names, moment
from exchange.server.contract.officers import asked_by
from exchange.server.interceptor import Streaming
from exchange.server.walks import given_paths, read
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime
    from typing import BinaryIO

    from exchange.pipeline.walk import ReadOutcome
    from exchange.server.house import Call

CHUNK_BYTES: Final = 256 * 1024
# So often somebody who waits for a pack hears that it is still being made.
BEAT_S: Final = 2.0
RETRY_MS: Final = 5_000
PACK: Final = "pack"
_LOG: Final = labels_of(pb.StreamLogResponse.DESCRIPTOR)
_PACK: Final = labels_of(pb.StreamPackResponse.DESCRIPTOR)
_ALONE: Final = "this is told to the operator's officer alone"


async def stream_log(call: Call, request: pb.StreamLogRequest) -> AsyncGenerator[pb.StreamLogResponse, None]:
    """Stream the lines."""
    parts, start, end = call.house.parts, _moment(request, "from_time"), _moment(request, "before_time")
    if start is not None and end is not None and end <= start:
        raise RequestInvalid("this time ends before it begins", {"before_time": "must be after from_time"})
    form = LogForm(enum_names(pb.LogForm.DESCRIPTOR).stored(request.form))
    with call.house.streams.one(call.caller.organisation):
        outcome = await _let(call, request, _LOG)
        if outcome.captured and form in OF_THE_OPERATOR:
            raise RuleBroken(_ALONE, rule="OTHER_ORGANISATION")
        # The operator's own officer: then the operator is who asks.
        told = Told(form, start, end, outcome.position, outcome.captured, call.caller.organisation)
        teller = Teller(parts.reader, parts.codec, parts.register, parts.log_pseudonym)
        found = teller.parts(told)
        yield pb.StreamLogResponse(decision_id=outcome.decision_id)
        loop, given = asyncio.get_running_loop(), bool(given_paths(outcome))
        while given:
            await _refuse_to_go_on(call)
            async with call.house.hub.turns:
                lines = await loop.run_in_executor(call.house.pool, next, found, None)
            if lines is None:
                return
            yield pb.StreamLogResponse(lines=lines)


async def stream_pack(
    call: Call, request: pb.StreamPackRequest
) -> AsyncGenerator[pb.StreamPackResponse, None]:
    """Stream the file."""
    house, packs, loop = call.house, call.house.parts.packs, asyncio.get_running_loop()
    if house.streams.has(PACK):
        raise QuotaExceeded("a pack is being made or taken already", retry_after_ms=RETRY_MS, limit="packs")
    with house.streams.one(call.caller.organisation, PACK):
        outcome = await _let(call, request, _PACK)
        if outcome.captured:
            raise RuleBroken(_ALONE, rule="OTHER_ORGANISATION")
        yield pb.StreamPackResponse(decision_id=outcome.decision_id)
        if not given_paths(outcome):
            return
        making = loop.run_in_executor(house.pool, packs.made, request.origin, request.since_size)
        try:
            while not (await asyncio.wait({making}, timeout=BEAT_S))[0]:
                await _refuse_to_go_on(call)
                yield pb.StreamPackResponse()
            file = await making
            while chunk := await loop.run_in_executor(house.pool, file.read, CHUNK_BYTES):
                await _refuse_to_go_on(call)
                yield pb.StreamPackResponse(content=chunk)
        finally:
            # Also where nobody waits for it any more: the file has no name, and is gone when it is closed.
            making.add_done_callback(_close)


async def _let(
    call: Call, request: pb.StreamLogRequest | pb.StreamPackRequest, labels: Mapping[str, Any]
) -> ReadOutcome:
    """Let an officer in; what is captured is the organisation whose log alone is told, empty for all."""
    return await read(
        call,
        request,
        anchor="",
        labels=labels,
        groups=of_origin(labels, KEEPER_OF_THE_LOG),
        capture=asked_by(call.caller),
    )


async def _refuse_to_go_on(call: Call) -> None:
    if call.house.bells.closing:
        raise Draining("the service is stopping; ask the whole again")
    refuse_ended(call.caller, await call.house.state(stream_of("organisation", call.caller.organisation)))


def _close(made: asyncio.Future[BinaryIO]) -> None:
    if not made.cancelled() and made.exception() is None:
        made.result().close()


def _moment(request: pb.StreamLogRequest, name: Literal["from_time", "before_time"]) -> datetime | None:
    return moment(getattr(request, name)) if request.HasField(name) else None


RPCS: Final[Mapping[str, Streaming]] = {
    "StreamLog": Streaming(pb.StreamLogRequest, stream_log),
    "StreamPack": Streaming(pb.StreamPackRequest, stream_pack),
}
