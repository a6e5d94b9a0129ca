"""Around every HTTP call: identity, limits, body, deadline, errors, one log line and one count.

Promises: no endpoint is reached by an unknown caller; every failure leaves as JSON with code and remedy; the
text of an unforeseen error never leaves and is never logged; a request's own X-Request-ID comes back with it.
Source: AuthZEN Authorization API 1.0, sections 9 (metadata) and 10 (transport); house style 21 to 25.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from time import perf_counter  # a stopwatch, not a clock: no moment is taken from it
from typing import TYPE_CHECKING, Any, Final

import grpc
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exchange.errors import (
    AccessDenied,
    DeadlineTooClose,
    Draining,
    ExchangeError,
    PersonTokenInvalid,
    RequestInvalid,
    RequestTooLarge,
)
from exchange.server.authzen.endpoints import ENDPOINTS, SHOWN_CERTIFICATE, Endpoint
from exchange.server.house import Call
from exchange.server.interceptor import place_of
from exchange.server.parts import MESSAGE_BYTES_MAX
from exchange.server.status import code_of
from exchange.server.traces import TRACEPARENT, read_trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from exchange.server.authzen.desk import Desk
    from exchange.server.caller.identity import Identity
    from exchange.server.house import House
    from exchange.server.metrics import Metrics

EVENT: Final = "call"
REQUEST_ID: Final = "X-Request-ID"
API_VERSION: Final = "API-Version"
JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
KEPT_HEADERS: Final = ("WWW-Authenticate", "Retry-After")
BEARER: Final = "Bearer "
AT_END: Final = "exchange.at_end"
MS_PER_S: Final = 1_000
_C: Final = grpc.StatusCode
# How a code is answered over HTTP; what is not here is a fault of the service.
HTTP_STATUS: Final = {
    _C.OK: 200,
    _C.INVALID_ARGUMENT: 400,
    _C.UNAUTHENTICATED: 401,
    _C.PERMISSION_DENIED: 403,
    _C.ALREADY_EXISTS: 409,
    _C.ABORTED: 409,
    _C.FAILED_PRECONDITION: 409,
    _C.RESOURCE_EXHAUSTED: 429,
    _C.UNAVAILABLE: 503,
    _C.DEADLINE_EXCEEDED: 504,
}
_TOO_LARGE: Final = 413
_NOT_FOUND: Final = 404
_WRONG_METHOD: Final = 405
_FAULT: Final = 500


class AuthzenApp:
    """An ASGI application. Owned by the event loop."""

    def __init__(self, house: House, desk: Desk, log: Any, metrics: Metrics) -> None:  # noqa: ANN401 -- structlog's logger has no public type
        self._house = house
        self._desk = desk
        self._log = log
        self._metrics = metrics
        routes = [Route(one.path, self._serve(one), methods=[one.method]) for one in ENDPOINTS]
        every = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        self._app = Starlette(routes=[*routes, Route("/{rest:path}", self._lost, methods=every)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what waits for its answer to leave is told when it has, or when it cannot."""
        at_end: list[Callable[[], None]] = []
        try:
            await self._app({**scope, AT_END: at_end}, receive, send)
        finally:
            while at_end:
                at_end.pop()()

    def _serve(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            record = _Record(endpoint.name, perf_counter())
            try:
                async with asyncio.timeout(self._house.config.deadline_default_s):
                    call = await self._enter(record, request, person=endpoint.person)
                    body = await _body(request) if endpoint.method == "POST" else b""
                    told = await endpoint.handle(call, self._desk, request, body)
                response: Response = JSONResponse(told)
            except asyncio.CancelledError:
                self._note(record, _C.CANCELLED)
                raise
            except ClientDisconnect:
                self._note(record, _C.CANCELLED)
                return Response(status_code=_FAULT)
            except Exception as error:  # noqa: BLE001 -- the one place where everything is turned into an answer
                response = _as_problem(self._refuse(record, error), endpoint)
            else:
                self._note(record, _C.OK)
            if endpoint.version:
                response.headers[API_VERSION] = endpoint.version
            return _echo(request, response)

        return serve

    async def _lost(self, request: Request) -> Response:
        """Answer what no endpoint serves."""
        allowed = [one.method for one in ENDPOINTS if one.path == request.url.path]
        headers = {"Allow": ", ".join(allowed)} if allowed else {}
        told = {"error": "NOT_FOUND", "remedy": "Ask what /.well-known/authzen-configuration names."}
        status = _WRONG_METHOD if allowed else _NOT_FOUND
        return _echo(request, JSONResponse(told, status, headers))

    # --- in ---------------------------------------------------------------------------------------------

    async def _enter(self, record: _Record, request: Request, *, person: bool) -> Call:
        house = self._house
        if house.bells.closing:
            raise Draining("the service is stopping")
        traces = request.headers.getlist(TRACEPARENT)
        record.trace = read_trace(traces[0]) if len(traces) == 1 else ""
        now = house.parts.now()
        identity = await self._identify(record, request, person=person)
        return Call(record.rpc, identity, now, house, record.trace, request.scope[AT_END])

    async def _identify(self, record: _Record, request: Request, *, person: bool) -> Identity:
        identities, now = self._house.identities, self._house.parts.now()
        counted = self._house.calls.take
        if self._house.parts.among:
            # This door stands at every node: what others recorded is known here before anybody is let in.
            await self._house.parts.pipeline.look(now)
        certificate = identities.shown(request.scope.get(SHOWN_CERTIFICATE, b""), now)
        record.caller = certificate.oin
        if not person:
            identity = await identities.organisation(certificate)
            counted(certificate.oin)
            return identity
        identity = await identities.bearer(certificate, lambda: _token_of(request), now, counted)
        record.task = identity.caller.task
        return identity

    # --- out --------------------------------------------------------------------------------------------

    def _refuse(self, record: _Record, raised: Exception) -> JSONResponse:
        incident = ""
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
        code = code_of(error)
        self._note(record, code, error.code)
        status = _TOO_LARGE if isinstance(error, RequestTooLarge) else HTTP_STATUS.get(code, _FAULT)
        return JSONResponse(_told(error, incident), status, _headers(error, code))

    def _note(self, record: _Record, code: grpc.StatusCode, reason: str = "") -> None:
        took = perf_counter() - record.started
        self._metrics.count(record.rpc, code.name, took, reason, record.trace)
        line = {
            "rpc": record.rpc,
            "code": code.name,
            "reason": reason,
            "caller": record.caller,
            "task": record.task,
        }
        self._log.info(
            EVENT, took_ms=round(took * MS_PER_S, 2), **{name: value for name, value in line.items() if value}
        )


@dataclass(slots=True)
class _Record:
    """What the log line of one call says."""

    rpc: str
    started: float
    caller: str = ""
    task: str = ""
    trace: str = ""


async def _body(request: Request) -> bytes:
    """Read the body, as much as is allowed. Raises RequestInvalid, RequestTooLarge."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise RequestInvalid("the body is of another type", {"Content-Type": f"must be {JSON}"})
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > MESSAGE_BYTES_MAX:
            raise RequestTooLarge(
                "the body is too large", {"body": f"must be at most {MESSAGE_BYTES_MAX} bytes"}
            )
    return bytes(read)


def _token_of(request: Request) -> str:
    found = request.headers.getlist("authorization")
    if len(found) != 1 or not found[0].startswith(BEARER):
        raise PersonTokenInvalid("one person token is asked in the header Authorization: Bearer")
    return found[0].removeprefix(BEARER).strip()


def _as_problem(refused: JSONResponse, endpoint: Endpoint) -> Response:
    """Return a refusal in the form the endpoint's own standard asks, with all it said before."""
    if not endpoint.version:
        return refused
    told = json.loads(bytes(refused.body))
    problem = {
        "type": f"urn:exchange:error:{told['error']}",
        "title": told["message"],
        "status": refused.status_code,
        "detail": told["remedy"],
    }
    headers = {name: refused.headers[name] for name in KEPT_HEADERS if name in refused.headers}
    return JSONResponse(problem | told, refused.status_code, headers, media_type=PROBLEM)


def _told(error: ExchangeError, incident: str) -> dict[str, Any]:
    told: dict[str, Any] = {"error": error.code, "message": error.message, "remedy": error.remedy}
    if isinstance(error, RequestInvalid) and error.fields:
        told["fields"] = error.fields
    if isinstance(error, AccessDenied):
        told |= {
            "decision_id": error.decision_id,
            "rules": list(error.rules),
            "explanation": error.explanation,
            "remedies": list(error.remedies),
        }
    return told | ({"incident": incident} if incident else {})


def _headers(error: ExchangeError, code: grpc.StatusCode) -> dict[str, str]:
    headers = {}
    if code is _C.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = BEARER.strip()
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // MS_PER_S))
    return headers


def _echo(request: Request, response: Response) -> Response:
    told = request.headers.get(REQUEST_ID)
    if told is not None:
        response.headers[REQUEST_ID] = told
    # An answer about a right holds for the moment it was given.
    response.headers["Cache-Control"] = "no-store"
    return response
