"""Who comes in at the administration port, and what is said to what is misshapen."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import SettingsInvalid
from exchange.keys.authority import DevelopmentAuthority
from exchange.server.authzen.app import AuthzenApp
from exchange.server.authzen.asking import FIELDS_MAX
from exchange.server.authzen.desk import GateDesk
from exchange.server.authzen.door import AuthzenDoor, tls_context
from exchange.server.authzen.messages import EVALUATIONS_MAX
from exchange.server.parts import MESSAGE_BYTES_MAX
from tests.authzen.test_questions import question, worker
from tests.authzen.web import CONFIGURATION, EVALUATION, EVALUATIONS, RECORDS, SEARCH
from tests.server.town import ADMIN, CARE, made_up_bsns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.authzen.web import Reply, Web
    from tests.server.story import Story
    from tests.server.town import Town

    Open = Callable[..., Web]

ASKED: dict[str, Any] = {
    "subject": {"type": "professional", "id": "w-1"},
    "action": {"name": "READ"},
    "resource": {"type": "plan", "id": "5f3c9d1e-6a52-4c0e-9b1f-0d8a7e6c5b4a"},
}
A_BSN = next(made_up_bsns())


def without(*paths: str) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(json.dumps(ASKED))
    for path in paths:
        part, _, name = path.rpartition(".")
        del (asked[part] if part else asked)[name]
    return asked


# --- who comes in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("material", ["no certificate", "a certificate of another authority"])
def test_nobody_is_answered_without_a_certificate_of_the_authority(
    town: Town, tmp_path: Path, material: str
) -> None:
    context = ssl.create_default_context(cafile=str(town.settings.data / "operator" / "ca.pem"))
    if material != "no certificate":
        DevelopmentAuthority(tmp_path / "forger").issue_organisation(
            CARE, "Zorg Voorbeeld", tmp_path / "forged"
        )
        context.load_cert_chain(tmp_path / "forged" / "client.pem", tmp_path / "forged" / "client.key")
    connection = http.client.HTTPSConnection("localhost", town.server.admin_port, context=context, timeout=20)

    def ask() -> None:
        # Under TLS 1.3 the refusal may come with the first read.
        connection.request("GET", CONFIGURATION)
        connection.getresponse()

    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask()
    connection.close()


def test_nothing_is_served_in_the_clear(town: Town) -> None:
    with socket.create_connection(("localhost", town.server.admin_port), timeout=20) as line:
        line.sendall(f"GET {CONFIGURATION} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        try:
            said = line.recv(1_000)
        except ConnectionError:
            said = b""
    assert b"HTTP" not in said


def test_a_certificate_nobody_registered_is_refused(web: Open, town: Town) -> None:
    town.issue("00000009998887776000", "unregistered")
    mine = web("w-1", folder="unregistered")
    answers = [mine.get(CONFIGURATION), mine.get(RECORDS), mine.post(EVALUATION, ASKED)]
    assert [(one.status, one.body["error"]) for one in answers] == [(401, "CALLER_UNKNOWN")] * 3


def test_a_header_cannot_say_whose_certificate_it_is(web: Open, town: Town) -> None:
    town.issue("00000009998887775000", "pretender")
    pem = (town.settings.data / "operator" / "client.pem").read_text().replace("\n", " ")
    answer = web("w-1", folder="pretender").post(
        EVALUATION, ASKED, X_Client_Cert=pem, exchange_certificate=pem
    )
    assert answer.status == 401


@pytest.mark.parametrize(
    "header",
    [None, "Bearer ", "Bearer forged.token.here", "Basic dzp3", "bearer x", "Bearer " + "x" * 5_000],
    ids=["absent", "empty", "forged", "basic", "small letters", "too long"],
)
def test_without_a_good_token_nothing_is_evaluated(web: Open, header: str | None) -> None:
    mine = web()
    answer = mine.post(EVALUATION, ASKED, **({} if header is None else {"Authorization": header}))
    assert (answer.status, answer.body["error"]) == (401, "PERSON_TOKEN_INVALID")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_on_another_organisations_connection_is_refused(web: Open, town: Town) -> None:
    town.care()
    stolen = web("z-1", "wmo-aanbieder", f"of-{CARE}").headers["Authorization"]
    answer = web().post(EVALUATION, ASKED, Authorization=stolen)
    assert (answer.status, answer.body["error"]) == (401, "PERSON_TOKEN_INVALID")


def test_a_task_that_was_not_granted_is_refused(web: Open, town: Town) -> None:
    town.care()
    answer = web("z-1", "college:WMO", f"of-{CARE}").post(EVALUATION, ASKED)
    assert (answer.status, answer.body["error"]) == (401, "CALLER_UNKNOWN")


def test_an_open_connection_does_not_outlive_its_certificate_or_token(web: Open, town: Town) -> None:
    mine = web("w-1")
    assert mine.post(EVALUATION, ASKED).status == 200
    told = []
    for skew in (
        timedelta(minutes=16),
        town.credentials().valid_until - datetime.now(UTC) + timedelta(minutes=1),
    ):
        town.skew = skew
        try:
            told.append(mine.post(EVALUATION, ASKED))
        finally:
            town.skew = timedelta()
    assert [(one.status, one.body["error"]) for one in told] == [
        (401, "PERSON_TOKEN_INVALID"),
        (401, "CALLER_UNKNOWN"),
    ]


def test_a_revoked_certificate_is_refused_on_its_open_connection(web: Open, town: Town) -> None:
    oin = "00000009998887772000"
    gone = town.join(oin, "wmo-aanbieder")
    mine = web("z-1", "wmo-aanbieder", f"of-{oin}")
    assert mine.post(EVALUATION, ASKED).status == 200
    operator = town.worker("beheer", "beheerder-1").organisation
    operator.revoke_certificate(claim=ADMIN, oin=oin, certificate_thumbprint=gone.thumbprint)
    answer = mine.post(EVALUATION, ASKED)
    assert (answer.status, answer.body["error"]) == (401, "CALLER_UNKNOWN")


def test_the_metadata_ask_for_the_certificate_only(web: Open) -> None:
    assert web().get(CONFIGURATION).status == 200


# --- what is misshapen ------------------------------------------------------------------------------------


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
    ],
    ids=["text", "no type", "empty", "cut off", "a list", "no UTF-8", "deep lists", "deep objects"],
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


# --- every answer -----------------------------------------------------------------------------------------


def test_a_request_id_comes_back_also_with_an_error(web: Open) -> None:
    mine = web("w-1")
    assert mine.post(EVALUATION, ASKED, X_Request_ID="r-7").headers["x-request-id"] == "r-7"
    assert mine.post(EVALUATION, {}, X_Request_ID="r-8").headers["x-request-id"] == "r-8"
    assert web().post(EVALUATION, {}, X_Request_ID="r-9").headers["x-request-id"] == "r-9"
    assert "x-request-id" not in mine.post(EVALUATION, ASKED).headers


def test_one_line_for_each_call_and_nobody_in_it(web: Open, town: Town, story: Story) -> None:
    mine = web(worker(story))
    for _ in range(2):  # the first line is written before the second answer
        mine.post(EVALUATION, question(story), X_Request_ID="r-of-somebody")
    lines = (town.settings.data / "exchange.log").read_text("utf-8").splitlines()
    told = [json.loads(line) for line in lines if '"access_evaluation"' in line and '"OK"' in line]
    assert set(told[-1]) == {"event", "rpc", "code", "caller", "task", "took_ms", "level", "at"}


class Broken(GateDesk):
    """Fails as nobody foresaw, with words of a plan in the error."""

    async def evaluate(self, *_: object) -> Any:  # noqa: ANN401 -- never returns
        raise LookupError("Ik red het huishouden niet meer")


def test_a_defect_leaves_as_an_incident_number_and_nothing_else(web: Open, town: Town) -> None:
    server = town.server
    assert server._house is not None
    app = AuthzenApp(server._house, Broken(), server._log, server._metrics)
    door = AuthzenDoor(app, server._config)
    port = town.run(lambda: door.start(0))
    try:
        answer = web("w-1", port=port).post(EVALUATION, ASKED)
    finally:
        town.run(lambda: door.stop(1))
    assert (answer.status, sorted(answer.body)) == (500, ["error", "incident", "message", "remedy"])
    assert "huishouden" not in json.dumps(answer.body)
    assert "huishouden" not in (town.settings.data / "exchange.log").read_text("utf-8")


def test_an_organisation_over_its_share_is_told_when_to_come_back(web: Open, town: Town) -> None:
    house = town.server._house
    assert house is not None
    bucket = house.calls

    async def none_left() -> None:
        bucket.take(CARE, 9_990)

    town.care()
    mine = web("z-1", "wmo-aanbieder", f"of-{CARE}")
    town.run(none_left)
    answer = mine.post(EVALUATIONS, ASKED | {"evaluations": [{}] * EVALUATIONS_MAX})
    assert (answer.status, answer.body["error"]) == (429, "QUOTA_EXCEEDED")
    assert int(answer.headers["retry-after"]) >= 1


# --- what does not open -----------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_named(town: Town) -> None:
    server = town.server
    assert server._house is not None
    door = AuthzenDoor(AuthzenApp(server._house, GateDesk(), server._log, server._metrics), server._config)
    with pytest.raises(SettingsInvalid, match="cannot be opened"):
        town.run(lambda: door.start(server.admin_port))


@pytest.mark.parametrize(
    "changes",
    [{"server_key": b"no key"}, {"client_authorities": b"none"}, {"client_authorities": "é".encode()}],
    ids=["key", "authorities", "no PEM"],
)
def test_a_certificate_that_does_not_do_opens_nothing(changes: dict[str, bytes], town: Town) -> None:
    config = replace(town.server._config, **changes)  # type: ignore[arg-type] # fields by name
    with pytest.raises(SettingsInvalid, match="does not do"):
        tls_context(config)
