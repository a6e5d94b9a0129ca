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
from exchange.server.authzen.desk import GateDesk
from exchange.server.authzen.door import AuthzenDoor, tls_context
from exchange.server.authzen.messages import EVALUATIONS_MAX
from tests.authzen.test_questions import question, worker
from tests.authzen.web import ASKED, CONFIGURATION, EVALUATION, EVALUATIONS, RECORDS
from tests.server.town import ADMIN, CARE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.authzen.web import Web
    from tests.server.story import Story
    from tests.server.town import Town

    Open = Callable[..., Web]

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


def test_an_organisation_over_its_share_is_told_when_to_come_back(
    web: Open, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = town.server._house
    assert house is not None
    bucket = house.calls
    # Its time stands still: no share comes back between taking and asking, however slow the machine is.
    moment = bucket._clock()
    monkeypatch.setattr(bucket, "_clock", lambda: moment)

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
