"""The endpoints: metadata, evaluation, evaluations, three searches, and two logs for the officer.

Promises: what an endpoint answers holds no more than who asks may know; reading a log is itself a recorded
decision, and not in the answer it gives.
Source: AuthZEN Authorization API 1.0, sections 6 to 9; VNG Authorization Decision Log; Logius Logboek
Dataverwerkingen, extension for reading; GDPR 39(1)(b).
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import RequestInvalid
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, of_origin
from exchange.pipeline.walk import Claim, ReadWalk
from exchange.server.accountability.processings import Trail
from exchange.server.accountability.reading import find_lines, read_query
from exchange.server.authzen.messages import (
    PAGE_RESULTS_DEFAULT,
    PAGE_RESULTS_MAX,
    Semantic,
    read_body,
    read_evaluation,
    read_evaluations,
    read_search,
)
from exchange.server.authzen.records import DecisionLog
from exchange.server.authzen.search import find
from exchange.server.contract.labels import labels_of
from exchange.server.contract.officers import asked_by
from exchange.server.walks import ask
from exchange.v1.audit_service_pb2 import ListDecisionsResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from exchange.pipeline.walk import ReadOutcome
    from exchange.server.authzen.desk import Answer, Desk
    from exchange.server.authzen.messages import Evaluation, Evaluations
    from exchange.server.house import Call

    Handler = Callable[[Call, Desk, Request, bytes], Awaitable[dict[str, Any]]]

# Where the door leaves the certificate that TLS took, in PEM.
SHOWN_CERTIFICATE: Final = "exchange.certificate"
# The endpoint is the claim: an officer reads a log under nothing else.
AUDIT: Final = Claim("audit", "FG-AUDIT-39")
# Where AuthZEN's own endpoints are; its metadata name no others.
ACCESS: Final = "/access/"
LDV: Final = "/logboek-dataverwerkingen/v1/"
_LOG_LABELS: Final = labels_of(ListDecisionsResponse.DESCRIPTOR)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9a-f:]{2,39}\](:[0-9]{1,5})?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path. Without `person` the certificate is enough; `name` is that of logs and metrics.

    With a `version`, of the document it is described in, an answer names it, and a refusal is a problem of
    RFC 9457 as well: so the Dutch rules for APIs ask it.
    """

    name: str
    method: str
    path: str
    handle: Handler
    person: bool = True
    version: str = ""


async def configuration(_call: Call, _desk: Desk, request: Request, _body: bytes) -> dict[str, Any]:
    """Tell where everything is, under the very name the caller used."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise RequestInvalid("the host cannot be read", {"Host": "must be a name or address, and its port"})
    base = f"https://{host}"
    return {"policy_decision_point": base} | {
        f"{one.name}_endpoint": base + one.path for one in ENDPOINTS if one.path.startswith(ACCESS)
    }


async def evaluation(call: Call, desk: Desk, _request: Request, body: bytes) -> dict[str, Any]:
    """Answer one question."""
    return _as_json(await desk.evaluate(call, read_evaluation(read_body(body))))


async def evaluations(call: Call, desk: Desk, _request: Request, body: bytes) -> dict[str, Any]:
    """Answer several questions in their order, until the semantic asked for ends them."""
    asked = read_evaluations(read_body(body))
    if asked.single:
        (one,) = asked.asked
        return await _one(call, desk, one, whole=True)
    # Each evaluation is a walk: it counts like a call, and the first one was counted at the door.
    call.house.calls.take(call.caller.organisation, len(asked.asked) - 1)
    if asked.semantic is Semantic.ALL:
        return {"evaluations": await _all(call, desk, asked)}
    return {"evaluations": await _until_the_end(call, desk, asked)}


async def search(gap: str, call: Call, desk: Desk, _request: Request, body: bytes) -> dict[str, Any]:
    """Find what fills the gap of a question."""
    return await find(call, desk, read_search(read_body(body), gap), gap)


async def records(call: Call, _desk: Desk, request: Request, _body: bytes) -> dict[str, Any]:
    """Give a page of the decision log to a privacy officer; `next` is the position to go on after."""
    since = _number(request, "since", 0, 2**62)
    limit = min(_number(request, "limit", PAGE_RESULTS_DEFAULT, 2**62), PAGE_RESULTS_MAX)
    if not limit:
        raise RequestInvalid("the page cannot be read", {"limit": "must be a whole number from 1"})
    parts = call.house.parts
    outcome = await _ask_the_log(call)
    log = DecisionLog(parts.reader, parts.codec, parts.register, parts.log_pseudonym)
    read = partial(log.page, since, limit, until=outcome.position, organisation=outcome.captured)
    page = await asyncio.get_running_loop().run_in_executor(call.house.pool, read)
    return {"records": page.records, "next": page.last if page.more else None}


async def processing_activities(call: Call, _desk: Desk, _request: Request, body: bytes) -> dict[str, Any]:
    """Give the lines of the log of processing that a privacy officer asks by trace, activity or resident."""
    query, parts = read_query(read_body(body)), call.house.parts
    outcome = await _ask_the_log(call)
    trail = Trail(parts.reader, parts.codec, parts.register)
    look = partial(find_lines, trail, query, parts.log_pseudonym, outcome.position, outcome.captured)
    found = await asyncio.get_running_loop().run_in_executor(call.house.pool, look)
    return {"processingActivities": found}


async def ldv_openapi(_call: Call, _desk: Desk, _request: Request, _body: bytes) -> dict[str, Any]:
    """Tell how the log of processing is asked."""
    return ldv_document()


@cache
def ldv_document() -> dict[str, Any]:
    """Return the description that the log of processing is held to."""
    text = files("exchange.server.authzen").joinpath("ldv-openapi.json").read_text("utf-8")
    told: dict[str, Any] = json.loads(text)
    return told


async def _ask_the_log(call: Call) -> ReadOutcome:
    """Let an officer in; what is captured is the organisation whose lines alone are told, empty for all."""
    walk = ReadWalk(
        rpc=call.rpc,
        caller=call.caller,
        claim=AUDIT,
        now=call.now,
        anchor="",
        fields=tuple(_LOG_LABELS),
        groups=of_origin(_LOG_LABELS, KEEPER_OF_THE_LOG),
        capture=asked_by(call.caller),
        trace=call.trace,
    )
    return await ask(call, walk)


async def _all(call: Call, desk: Desk, asked: Evaluations) -> list[dict[str, Any]]:
    # All of them end before one failure is told: an answer on its way is marked until its call is done.
    told = await asyncio.gather(*(_one(call, desk, one) for one in asked.asked), return_exceptions=True)
    for one in told:
        if isinstance(one, BaseException):
            raise one
    return [one for one in told if not isinstance(one, BaseException)]


async def _until_the_end(call: Call, desk: Desk, asked: Evaluations) -> list[dict[str, Any]]:
    last = asked.semantic is Semantic.FIRST_PERMIT
    told = []
    for one in asked.asked:
        told.append(await _one(call, desk, one))
        if told[-1]["decision"] is last:
            break
    return told


async def _one(
    call: Call, desk: Desk, asked: Evaluation | RequestInvalid, *, whole: bool = False
) -> dict[str, Any]:
    """Answer one of several; one that is misshapen is a no that says why (section 7.2, execute_all)."""
    if not isinstance(asked, RequestInvalid):
        try:
            return _as_json(await desk.evaluate(call, asked))
        except RequestInvalid as error:
            if whole:
                raise
            asked = error
    told = {"status": 400, "error": asked.code, "message": asked.message, "fields": asked.fields}
    return {"decision": False, "context": {"error": told}}


def _as_json(answer: Answer) -> dict[str, Any]:
    return {"decision": answer.decision, "context": answer.context}


def _number(request: Request, name: str, default: int, most: int) -> int:
    value = request.query_params.get(name)
    if value is None:
        return default
    if not _NUMBER.fullmatch(value) or int(value) > most:
        raise RequestInvalid("the page cannot be read", {name: "must be a whole number"})
    return int(value)


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "authzen_configuration", "GET", "/.well-known/authzen-configuration", configuration, person=False
    ),
    Endpoint("access_evaluation", "POST", "/access/v1/evaluation", evaluation),
    Endpoint("access_evaluations", "POST", "/access/v1/evaluations", evaluations),
    Endpoint("search_subject", "POST", "/access/v1/search/subject", partial(search, "subject")),
    Endpoint("search_resource", "POST", "/access/v1/search/resource", partial(search, "resource")),
    Endpoint("search_action", "POST", "/access/v1/search/action", partial(search, "action")),
    Endpoint("decision_log", "GET", "/decision-log/v1/records", records),
    Endpoint(
        "processing_activities",
        "POST",
        f"{LDV}processing-activities",
        processing_activities,
        version=ldv_document()["info"]["version"],
    ),
    Endpoint("ldv_openapi", "GET", f"{LDV}openapi.json", ldv_openapi, person=False),
)
