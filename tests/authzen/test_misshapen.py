"""What is said to a question, a list or a search that is misshapen: every fault by its name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from exchange.server.authzen.asking import FIELDS_MAX
from exchange.server.authzen.messages import EVALUATIONS_MAX
from exchange.server.parts import MESSAGE_BYTES_MAX
from tests.authzen.web import ASKED, CONFIGURATION, EVALUATION, EVALUATIONS, SEARCH
from tests.server.town import made_up_bsns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.authzen.web import Reply, Web

    Open = Callable[..., Web]

A_BSN = next(made_up_bsns())


def without(*paths: str) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(json.dumps(ASKED))
    for path in paths:
        part, _, name = path.rpartition(".")
        del (asked[part] if part else asked)[name]
    return asked


def refused(answer: Reply) -> tuple[int, str, list[str]]:
    return answer.status, answer.body["error"], sorted(answer.body.get("fields", {}))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (without("subject"), ["subject"]),
        (without("action"), ["action"]),
        (without("resource"), ["resource"]),
        (without("subject", "action", "resource"), ["action", "resource", "subject"]),
        (without("subject.type"), ["subject.type"]),
        (without("subject.id"), ["subject.id"]),
        (without("action.name"), ["action.name"]),
        (without("resource.type"), ["resource.type"]),
        (without("resource.id"), ["resource.id"]),
        (ASKED | {"subject": "w-1"}, ["subject"]),
        (ASKED | {"subject": {"type": "", "id": "w-1"}}, ["subject.type"]),
        (ASKED | {"subject": {"type": "professional", "id": "x" * 201}}, ["subject.id"]),
        (ASKED | {"action": {"name": 123}}, ["action.name"]),
        (ASKED | {"action": {"name": "READ", "properties": []}}, ["action.properties"]),
        (ASKED | {"context": "none"}, ["context"]),
        (ASKED | {"context": {"purpose": 7}}, ["context.purpose"]),
        (ASKED | {"context": {"purpose": "a word and more"}}, ["context.purpose"]),
        (ASKED | {"context": {"legal_basis": "x" * 61}}, ["context.legal_basis"]),
        (ASKED | {"context": {"necessity": 7}}, ["context.necessity"]),
        (ASKED | {"context": {"necessity": {"text": "a", "subsidiarity": 7}}}, ["context.necessity"]),
        (ASKED | {"context": {"necessity": "x" * 4_001}}, ["context.necessity"]),
        (ASKED | {"context": {"necessity": "bell \a"}}, ["context.necessity"]),
        (ASKED | {"context": {"allow_partial": "yes"}}, ["context.allow_partial"]),
        (
            ASKED | {"resource": ASKED["resource"] | {"properties": {"fields": "all"}}},
            ["resource.properties.fields"],
        ),
        (
            ASKED | {"resource": ASKED["resource"] | {"properties": {"fields": [7]}}},
            ["resource.properties.fields"],
        ),
        (
            ASKED | {"resource": ASKED["resource"] | {"properties": {"fields": ["Jan Jansen"]}}},
            ["resource.properties.fields"],
        ),
        (
            ASKED
            | {
                "resource": ASKED["resource"]
                | {"properties": {"fields": [f"f{i}" for i in range(FIELDS_MAX + 1)]}}
            },
            ["resource.properties.fields"],
        ),
        (
            ASKED | {"subject": ASKED["subject"] | {"properties": {"task": {}}}},
            ["subject.properties.task"],
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_every_fault_is_named(web: Open, asked: dict[str, Any], named: list[str]) -> None:
    assert refused(web("w-1").post(EVALUATION, asked)) == (400, "REQUEST_INVALID", named)


@pytest.mark.parametrize(
    ("body", "content_type", "named"),
    [
        (b"{}", "text/plain", ["Content-Type"]),
        (b"{}", "", ["Content-Type"]),
        (b"", "application/json", ["body"]),
        (b"{", "application/json", ["body"]),
        (b"[]", "application/json", ["body"]),
        (b'{"subject": "\xff"}', "application/json", ["body"]),
        (b"[" * 100_000, "application/json", ["body"]),
        (b'{"a":' * 100_000, "application/json", ["body"]),
        (b'{"subject": {"id": "a", "id": "b"}}', "application/json", ["subject.id"]),
    ],
    ids=["text", "no type", "empty", "cut off", "a list", "no UTF-8", "deep lists", "deep objects", "twice"],
)
def test_what_is_no_json_object_is_refused(
    web: Open, body: bytes, content_type: str, named: list[str]
) -> None:
    answer = web("w-1").ask("POST", EVALUATION, body, {"Content-Type": content_type})
    assert refused(answer) == (400, "REQUEST_INVALID", named)


def test_a_type_with_parameters_is_json_too(web: Open) -> None:
    raw, headers = json.dumps(ASKED).encode(), {"Content-Type": "Application/JSON; charset=utf-8"}
    assert web("w-1").ask("POST", EVALUATION, raw, headers).status == 200


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)], ids=["the bound", "over it"])
def test_a_body_has_a_bound(web: Open, more: int, status: int) -> None:
    raw = json.dumps(ASKED).encode()
    raw += b" " * (MESSAGE_BYTES_MAX - len(raw) + more)
    answer = web("w-1").ask("POST", EVALUATION, raw, {"Content-Type": "application/json"})
    assert answer.status == status
    assert status == 200 or refused(answer) == (413, "REQUEST_TOO_LARGE", ["body"])


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("context.necessity", {"context": {"necessity": f"mevrouw {A_BSN} vroeg erom"}}),
        ("subject.id", {"subject": {"type": "professional", "id": A_BSN}}),
        ("resource.id", {"resource": {"type": "plan", "id": A_BSN}}),
        ("context.purpose", {"context": {"purpose": A_BSN}}),
    ],
)
def test_a_bsn_is_refused_and_not_repeated(web: Open, path: str, asked: dict[str, Any]) -> None:
    answer = web("w-1").post(EVALUATION, ASKED | asked)
    assert refused(answer) == (400, "BSN_REFUSED", [path])
    assert A_BSN not in json.dumps(answer.body)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"evaluations": {}}, ["evaluations"]),
        ({"evaluations": [{}] * (EVALUATIONS_MAX + 1)}, ["evaluations"]),
        ({"options": []}, ["options"]),
        (
            {"evaluations": [{}], "options": {"evaluations_semantic": "as you like"}},
            ["options.evaluations_semantic"],
        ),
    ],
)
def test_a_list_that_does_not_do_is_refused_whole(web: Open, more: dict[str, Any], named: list[str]) -> None:
    assert refused(web("w-1").post(EVALUATIONS, ASKED | more)) == (400, "REQUEST_INVALID", named)


def test_as_many_as_the_bound_are_answered(web: Open) -> None:
    answer = web("w-1").post(EVALUATIONS, ASKED | {"evaluations": [{}] * EVALUATIONS_MAX})
    assert len(answer.body["evaluations"]) == EVALUATIONS_MAX


def test_an_evaluation_that_is_no_object_is_a_no(web: Open) -> None:
    answer = web("w-1").post(EVALUATIONS, ASKED | {"evaluations": [7, {"context": {"purpose": 7}}]})
    assert [one["decision"] for one in answer.body["evaluations"]] == [False, False]
    assert [one["context"]["error"]["status"] for one in answer.body["evaluations"]] == [400, 400]


@pytest.mark.parametrize(
    ("gap", "asked", "named"),
    [
        ("subject", without("action"), ["action"]),
        ("subject", without("resource.id"), ["resource.id"]),
        ("resource", without("subject"), ["subject"]),
        ("resource", without("subject.id"), ["subject.id"]),
        ("action", without("resource"), ["resource"]),
        ("action", without("subject.id"), ["subject.id"]),
        ("action", ASKED | {"page": 7}, ["page"]),
        ("action", ASKED | {"page": {"limit": 0}}, ["page.limit"]),
        ("action", ASKED | {"page": {"limit": True}}, ["page.limit"]),
        ("action", ASKED | {"page": {"limit": "many"}}, ["page.limit"]),
        ("action", ASKED | {"page": {"token": 7}}, ["page.token"]),
        ("action", ASKED | {"page": {"token": "x" * 201}}, ["page.token"]),
        ("action", ASKED | {"page": {"token": "not one of ours"}}, ["page.token"]),
    ],
)
def test_a_search_that_does_not_do_is_refused(
    web: Open, gap: str, asked: dict[str, Any], named: list[str]
) -> None:
    assert refused(web("w-1").post(SEARCH + gap, asked)) == (400, "REQUEST_INVALID", named)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", EVALUATION, 405),
        ("POST", CONFIGURATION, 405),
        ("GET", "/", 404),
        ("POST", "/access/v2/x", 404),
    ],
)
def test_what_no_endpoint_serves_is_told_in_json(web: Open, method: str, path: str, status: int) -> None:
    answer = web("w-1").ask(method, path, headers={"X-Request-ID": "r-1"})
    assert (answer.status, answer.body["error"], answer.headers["x-request-id"]) == (
        status,
        "NOT_FOUND",
        "r-1",
    )


def test_a_host_that_is_none_names_nothing(web: Open) -> None:
    answer = web().ask("GET", CONFIGURATION, headers={"Host": "evil.example/x?"})
    assert refused(answer) == (400, "REQUEST_INVALID", ["Host"])
