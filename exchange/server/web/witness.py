"""The witness protocol over HTTP: add-checkpoint for logs, the latest checkpoint for monitors.

Promises: a body is read up to its bound and no further; a store that fails is told as 503 and nothing was
cosigned; one log line for each request, without anything a request says.
Source: c2sp.org/tlog-witness.
"""

from __future__ import annotations

import asyncio
import re
from time import perf_counter  # a stopwatch, not a clock: no moment is taken from it
from typing import TYPE_CHECKING, Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from exchange.errors import RequestTooLarge, Unavailable
from exchange.ledger.cosigning import ADD_CHECKPOINT, REQUEST_BYTES_MAX
from exchange.ledger.witness import TEXT, Outcome
from exchange.logs import VALUE_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from exchange.ledger.witness import Answer

EVENT: Final = "witness"
BODY_WAIT_S_MAX: Final = 10.0
TOO_LARGE, TOO_SLOW = "TOO_LARGE", "TOO_SLOW"
CONFLICT, AWAY = "CONFLICT", Unavailable.code
# How a request to cosign may end, for who counts them.
OUTCOMES: Final = (*Outcome.__members__, CONFLICT, TOO_LARGE, TOO_SLOW, AWAY)
MS_PER_S: Final = 1_000
_NOT_FOUND: Final = 404
_TOO_SLOW: Final = 408
_TOO_LARGE: Final = 413
_UNAVAILABLE: Final = 503
_is_hash = re.compile(r"[0-9a-f]{64}").fullmatch


class Takes(Protocol):
    """A witness, or a directory: whatever takes checkpoints by the words of this protocol."""

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request. Raises Unavailable."""
        ...

    def checkpoint(self, origin_hash: str) -> bytes | None:
        """Return the latest checkpoint that is held of a log, by the SHA-256 of its name."""
        ...


def witness_app(
    witness: Takes,
    log: Any,  # noqa: ANN401 -- structlog's logger has no public type
    count: Callable[[str], None] = lambda _: None,
) -> Starlette:
    """Return the ASGI application of one witness or directory.

    `count` gets one of OUTCOMES for each request to cosign.
    """

    async def add_checkpoint(request: Request) -> Response:
        started = perf_counter()
        try:
            async with asyncio.timeout(BODY_WAIT_S_MAX):
                body = await read_body(request)
        except RequestTooLarge:
            count(TOO_LARGE)
            return _told(TOO_LARGE, _TOO_LARGE, started)
        except (TimeoutError, ClientDisconnect):
            count(TOO_SLOW)
            return _told(TOO_SLOW, _TOO_SLOW, started)
        try:
            answer = await asyncio.to_thread(witness.add_checkpoint, body)
        except Unavailable as error:
            count(AWAY)
            return _told(error.code, _UNAVAILABLE, started)
        _note(answer, started)
        # Named as a header: as a media type it would get a charset that the protocol does not have.
        headers = {"Content-Type": answer.media_type, "Cache-Control": "no-store"}
        return Response(answer.body, answer.outcome.value, headers)

    def _told(reason: str, status: int, started: float) -> Response:
        log.warning(EVENT, reason=reason, took_ms=_ms(started))
        return Response(f"{reason}\n", status, media_type="text/plain")

    def _note(answer: Answer, started: float) -> None:
        count(CONFLICT if answer.conflict else answer.outcome.name)
        # Whoever must look at something sees it at the level of a warning.
        tell: Callable[..., None] = log.warning if answer.conflict else log.info
        reason = f"{answer.outcome.name} {answer.conflict}".strip()
        tell(EVENT, reason=reason, origin=answer.origin[:VALUE_CHARS_MAX] or "-", took_ms=_ms(started))

    return Starlette(
        routes=[
            Route(f"/{ADD_CHECKPOINT}", add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", _latest_of(witness), methods=["GET"]),
        ]
    )


def _latest_of(witness: Takes) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers with the latest checkpoint that is held of a log."""

    async def checkpoint(request: Request) -> Response:
        name = request.path_params["origin_hash"]
        try:
            found = await asyncio.to_thread(witness.checkpoint, name) if _is_hash(name) else None
        except Unavailable as error:
            return Response(error.code + "\n", _UNAVAILABLE, media_type="text/plain")
        if found is None:
            return Response("nothing was cosigned\n", _NOT_FOUND, media_type="text/plain")
        return Response(found, headers={"Content-Type": TEXT, "Cache-Control": "no-cache"})

    return checkpoint


async def read_body(request: Request) -> bytes:
    """Read a body, as much as is allowed. Raises RequestTooLarge."""
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > REQUEST_BYTES_MAX:
            raise RequestTooLarge("the body is too large")
    return bytes(read)


def _ms(started: float) -> float:
    return round((perf_counter() - started) * MS_PER_S, 2)
