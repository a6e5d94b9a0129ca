"""Whatever is asked of the doors that speak HTTP: an answer, and never a fault.

Each door is described here as an OpenAPI document, and schemathesis asks by it: what is as described, what is
not, and what only looks like it. What the doors promise besides stands in their own tests.
"""

from __future__ import annotations

import asyncio
import http.client
from io import StringIO
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from exchange.logs import open_log
from exchange.server.authzen.endpoints import ENDPOINTS
from exchange.server.web.tiles import OneLog, tiles_app
from exchange.server.web.witness import witness_app
from tests.ledger.builders import Log, grown
from tests.ledger.witnessing import Stand, note
from tests.server.town import CITY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.authzen.web import Web
    from tests.server.town import Town

    Open = Callable[..., Web]

pytestmark = pytest.mark.slow

TRIES = 150
# Where a door says "later", which is no fault.
LATER = 503
TEXT = {"type": "string"}
ENTITY = {
    "type": "object",
    "properties": {
        "type": {"enum": ["professional", "plan", "resident", "case"]},
        "id": {"anyOf": [{"enum": ["w-1", CITY, "5f3c9d1e-6a52-4c0e-9b1f-0d8a7e6c5b4a"]}, TEXT]},
        "properties": {"type": "object"},
    },
}
QUESTION = {
    "type": "object",
    "properties": {
        "subject": ENTITY,
        "action": {"type": "object", "properties": {"name": {"enum": ["READ", "COMMAND", "SEARCH"]}}},
        "resource": ENTITY,
        "context": {"type": "object"},
        "evaluations": {"type": "array", "items": {"type": "object"}, "maxItems": 3},
        "options": {"type": "object"},
        "page": {"type": "object"},
        "traceId": TEXT,
    },
}
PLACES = [
    *(
        "000",
        "x001/000",
        "000.p/7",
        "000.p/0",
        "000.p/999",
        "x999/x999/x999/x999/x999/999",
        "-1",
        "00٣",
        "a" * 9_000,
    ),
    *("..%2f..%2fcheckpoint", "%00", "entries/000", "0/000", "63/000", "64/000", "0/000.p/3", "'", "é"),
]


def described(*surface: tuple[str, str], body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe a door: each method and path, what stands in a place, and a body for a POST."""
    query = [{"name": name, "in": "query", "schema": TEXT} for name in ("since", "limit", "name[]")]
    paths: dict[str, Any] = {}
    for method, path in surface:
        places = [
            {"name": part[1:-1], "in": "path", "required": True, "schema": TEXT}
            for part in path.split("/")
            if part.startswith("{")
        ]
        told: dict[str, Any] = {"parameters": places + (query if method == "GET" else [])}
        told["responses"] = {"200": {"description": "an answer"}}
        if method == "POST" and body is not None:
            told["requestBody"] = {"required": True, "content": body}
        paths.setdefault(path, {})[method.lower()] = told
    return {"openapi": "3.0.3", "info": {"title": "door", "version": "1"}, "paths": paths}


def ask_all(
    document: dict[str, Any], ask: Callable[[str, str, bytes | None, dict[str, str]], int]
) -> set[int]:
    """Ask what schemathesis makes of a description; return what was answered. Fails where that is a fault."""
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    asked = st.sampled_from([(one, mode) for one in operations for mode in modes])
    seen: set[int] = set()

    @given(
        case=asked.flatmap(lambda one: one[0].as_strategy(generation_mode=one[1])),
        place=st.one_of(st.none(), st.sampled_from(PLACES)),
        raw=st.one_of(st.none(), st.none(), st.binary(max_size=200)),
    )
    @settings(
        max_examples=TRIES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def asks(case: Any, place: str | None, raw: bytes | None) -> None:  # noqa: ANN401 -- a schemathesis case
        if place is not None and case.path_parameters:
            case.path_parameters = dict.fromkeys(case.path_parameters, place)
        prepared = requests.Request(**case.as_transport_kwargs(base_url="https://localhost")).prepare()
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        assert body is None or isinstance(body, bytes)
        body = raw if raw is not None and case.method == "POST" else body
        headers = {name: str(value) for name, value in prepared.headers.items() if name == "Content-Type"}
        status = ask(str(prepared.method), prepared.path_url, body, headers)
        seen.add(status)
        assert status < 500 or status == LATER, (prepared.method, prepared.path_url, body)

    asks()
    return seen


def asgi(app: Any) -> Callable[[str, str, bytes | None, dict[str, str]], int]:  # noqa: ANN401 -- an application
    """Return a caller of an application."""

    def ask(method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int:
        async def asked() -> int:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="https://localhost") as client:
                answer = await client.request(method, path, content=body, headers=headers)
                return int(answer.status_code)

        return asyncio.run(asked())

    return ask


@pytest.mark.parametrize(("professional", "task"), [("w-1", "college:WMO"), ("fg-1", "fg"), ("", "")])
def test_the_administration_port(web: Open, professional: str, task: str) -> None:
    caller = web(professional, task) if professional else web()
    surface = [(one.method, one.path) for one in ENDPOINTS]
    document = described(*surface, body={"application/json": {"schema": QUESTION}})

    def ask(method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int:
        return caller.ask(method, path, body, headers).status

    assert {200, 401 if not professional else 400} <= ask_all(document, ask)


def test_the_tiles(tmp_path: Path) -> None:
    log = Log(tmp_path)
    grown(log, 300)
    app = tiles_app(OneLog(log.tiles), open_log(stream=StringIO()))
    paths = (
        "/checkpoint",
        "/tile/{level}/{index}",
        "/tile/{level}",
        "/{year}/checkpoint",
        "/{year}/tile/{level}/{index}",
    )
    assert {200, 404} <= ask_all(described(*(("GET", path) for path in paths)), asgi(app))


def test_the_witness(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    app = witness_app(stand.witness, open_log(stream=StringIO()))
    document = described(
        ("POST", "/add-checkpoint"),
        ("GET", "/{origin_hash}/checkpoint"),
        body={"text/plain": {"schema": TEXT}},
    )
    ask = asgi(app)
    assert {400, 404} <= ask_all(document, ask)
    # What is nearly right comes further than what chance makes.
    right = b"old 0\n\n" + note(3)
    assert ask("POST", "/add-checkpoint", right, {}) == 200
    for place in range(0, len(right), 3):
        broken = right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :]
        for body in (broken, right[:place], right + right[:place]):
            assert ask("POST", "/add-checkpoint", body, {}) < 500, body


def test_the_metrics(town: Town) -> None:
    def ask(method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int:
        line = http.client.HTTPConnection("127.0.0.1", town.server.metrics_port, timeout=20)
        try:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            answer.read()
            return answer.status
        finally:
            line.close()

    document = described(
        ("GET", "/metrics"), ("GET", "/{place}"), ("POST", "/metrics"), body={"*/*": {"schema": TEXT}}
    )
    assert {200, 405} <= ask_all(document, ask)
