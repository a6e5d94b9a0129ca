"""The log of processing as its own document describes it, and that as the published extension does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response

from exchange.server.authzen.endpoints import ldv_document
from tests.authzen.test_processing_activities import ACTIVITIES, TRACE_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.authzen.web import Web

    Open = Callable[..., Web]

DOCUMENT = "/logboek-dataverwerkingen/v1/openapi.json"
TRIES = 100
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.positive_data_acceptance,
    checks.negative_data_rejection,
]


def test_it_is_told_to_any_certificate_and_needs_no_person(web: Open) -> None:
    answer = web().get(DOCUMENT)
    assert (answer.status, answer.body) == (200, ldv_document())
    # The paths of the document are where the endpoint is.
    (server,), (path,) = answer.body["servers"], answer.body["paths"]
    assert server["url"] + path == ACTIVITIES


def test_an_answer_names_its_version_and_a_refusal_is_a_problem(web: Open) -> None:
    officer = web("fg-1", "fg")
    answer = officer.post(ACTIVITIES, {"traceId": TRACE_ID})
    assert (answer.status, answer.headers["api-version"]) == (200, "1.1.0")
    refused = officer.post(ACTIVITIES, {})
    assert (refused.status, refused.headers["api-version"]) == (400, "1.1.0")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["cache-control"] == "no-store"
    told = refused.body
    assert (told["type"], told["status"]) == ("urn:exchange:error:REQUEST_INVALID", 400)
    assert (told["title"], told["detail"]) == (told["message"], told["remedy"])
    nobody = web().post(ACTIVITIES, {"traceId": TRACE_ID})
    assert (nobody.status, nobody.headers["www-authenticate"]) == (401, "Bearer")


def test_it_asks_and_answers_all_that_the_published_extension_does(standards_dir: Path) -> None:
    # As published it lacks a comma.
    text = (standards_dir / "ldv/lezen-openapi.json").read_text("utf-8")
    published = json.loads(re.sub(r'"_comment": "[^"]*"\s*', "", text))
    ours = ldv_document()
    assert ours["info"]["version"] == published["info"]["version"]
    assert list(ours["paths"]) == list(published["paths"])
    (path,) = ours["paths"]
    asked = published["paths"][path]["post"]["responses"]
    assert asked.keys() <= ours["paths"][path]["post"]["responses"].keys()
    theirs, own = published["components"]["schemas"], ours["components"]["schemas"]
    attributes = json.loads((standards_dir / "ldv/attributes.schema.json").read_text("utf-8"))["properties"]
    query = theirs["ProcessingActivityRequest"]["allOf"][1]["properties"].keys() | attributes.keys()
    assert own["Query"]["properties"].keys() == query
    line = theirs["ProcessingActivity"]
    assert own["Line"]["properties"].keys() == line["properties"].keys()
    assert set(line["required"]) <= set(own["Line"]["required"])
    assert own["Line"]["properties"]["status"]["enum"] == line["properties"]["status"]["enum"]
    assert attributes.keys() <= own["Attributes"]["properties"].keys()


def answered(officer: Web, case: Any) -> Response:  # noqa: ANN401 -- a schemathesis case
    """Ask what a case asks, and return the answer as its checks read one."""
    asked = requests.Request(
        **case.as_transport_kwargs(base_url="https://localhost/logboek-dataverwerkingen/v1")
    )
    prepared = asked.prepare()
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    assert body is None or isinstance(body, bytes)
    headers = {name: str(value) for name, value in prepared.headers.items() if name == "Content-Type"}
    told = officer.ask(str(prepared.method), prepared.path_url, body, headers)
    named = {name: [value] for name, value in told.headers.items()}
    return Response(told.status, named, json.dumps(told.body).encode(), prepared, elapsed=0.0, verify=True)


@pytest.mark.slow
def test_whatever_is_asked_the_answer_is_as_described_and_never_a_fault(web: Open) -> None:
    officer = web("fg-1", "fg")
    # Who asks is ours to say: cases without him are other tests.
    schema = schemathesis.openapi.from_dict(ldv_document() | {"security": []})
    (found,) = schema.get_all_operations()
    assert isinstance(found, Ok)
    operation = found.ok()
    good = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    bad = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    seen: set[int] = set()

    @given(case=st.one_of(good, bad))
    @settings(
        max_examples=TRIES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def asks(case: Any) -> None:  # noqa: ANN401 -- a schemathesis case
        response = answered(officer, case)
        seen.add(response.status_code)
        assert response.status_code < 500
        if response.status_code in {200, 400}:
            case.validate_response(response, checks=CHECKS)

    asks()
    assert {200, 400} <= seen
