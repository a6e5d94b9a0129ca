"""Half a console does not start, and says what is missing; one that runs alone knows nothing else."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest

from adapters.sdk.credentials import Credentials
from exchange.console.roles import OFFICER
from exchange.console.session import Session
from exchange.errors import SettingsInvalid
from exchange.settings import Settings
from exchange.v1 import audit_service_pb2 as audit
from exchange.wiring import console_alone
from exchange.wiring.console import FILES
from exchange.wiring.console_alone import console_settings
from exchange.wiring.console_door import ROLE_NAMES, ConsoleDoor, refuse_half_a_console, roles_of
from exchange.wiring.service import door_material
from tests.console.house import HERE
from tests.server.town import ADMIN, AUDIT, CITY

if TYPE_CHECKING:
    from tests.console.house import House

WHOLE: dict[str, Any] = {
    "console_port": 0,
    "console_issuer": "https://login.example",
    "console_client_secret_file": "secret",
}
PRODUCTION = {
    "mode": "production",
    "console_url": HERE,
    "console_target": "exchange.example:8443",
    "console_credentials": "credentials",
}
READY_WAIT_S = 30
ASKED = audit.ListObligationsRequest(claim=AUDIT, fields=["obligations.duty"])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"console_issuer": ""}, "console_issuer"),
        ({"console_client_secret_file": None}, "console_client_secret_file"),
        ({"console_port": None}, "console_port"),
        ({"console_issuer": "http://login.example"}, "console_issuer"),
        (PRODUCTION | {"console_issuer": "http://localhost:1"}, "console_issuer"),
        (PRODUCTION | {"console_url": ""}, "console_url"),
        (PRODUCTION | {"console_target": ""}, "console_target"),
        (PRODUCTION | {"console_credentials": None}, "console_credentials"),
        ({"console_roles": "fg"}, "console_roles"),
        ({"console_roles": "fg=officer,fg=author"}, "console_roles"),
        ({"console_roles": "fg=admin"}, "console_roles"),
        ({"console_roles": "=officer"}, "console_roles"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_half_a_console_is_refused(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsInvalid, match=name):
        refuse_half_a_console(Settings(**(WHOLE | changes)))


@pytest.mark.parametrize(
    "changes",
    [{}, {"console_issuer": "http://localhost:1"}, PRODUCTION],
    ids=["whole", "loopback", "production"],
)
def test_a_whole_one_is_not(changes: dict[str, Any]) -> None:
    settings = Settings(**(WHOLE | changes))
    refuse_half_a_console(settings)
    refuse_half_a_console(Settings())
    assert set(roles_of(settings).values()) == ROLE_NAMES


def test_roles_are_what_the_provider_calls_them() -> None:
    told = Settings(console_roles="FG=officer, urn:register:opstellen=author,a=b=approver")
    assert roles_of(told) == {"FG": "officer", "urn:register:opstellen": "author", "a=b": "approver"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port = 1", "port"),
        ("kek = 'file'", "kek"),
        ("console_prot = 1", "console_prot"),
        ("console_port = 99999", "console_port"),
        ("console_port =", "cannot be read"),
        ("console_port = 0", "console_target"),
        ("console_port = 0\nconsole_target = 'localhost:1'", "console_credentials"),
    ],
)
def test_a_file_of_a_console_alone_names_a_console(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "console.toml"
    file.write_text(text)
    with pytest.raises(SettingsInvalid, match=says):
        console_settings(file)


def registered(house: House, folder: Path) -> Credentials:
    """Return other credentials of the municipality, known to the exchange."""
    house.town.authority.issue_organisation(CITY, "Gemeente", folder)
    renewed = Credentials.load(folder)
    house.town.worker("beheer", "beheerder-1").organisation.add_certificate(
        claim=ADMIN,
        oin=CITY,
        certificate_thumbprint=renewed.thumbprint,
        signing_key=renewed.signing_key.public_key().public_bytes_raw(),
    )
    return renewed


def test_credentials_are_renewed_under_a_console_that_runs(house: House, tmp_path: Path) -> None:
    town, folder = house.town, tmp_path / "credentials"
    shutil.copytree(town.settings.data / "operator", folder)
    settings = house.settings.model_copy(update={"console_credentials": folder})
    renewed = registered(house, tmp_path / "new")
    town.authority.issue_organisation("00000009998887778000", "Anders", tmp_path / "other")
    person = Session(OFFICER, "fg-7", "", two_factor=True, auth_time=int(time.time()) - 5, csrf="", began=0)

    async def renewing() -> list[object]:
        door = ConsoleDoor(settings, material, house._log, town.now)
        await door.start()
        line = door._line
        assert line is not None
        seen: list[object] = []

        def look(*names: str, of: str = "new") -> None:
            for name in names:
                shutil.copy(tmp_path / of / name, folder / name)
            try:
                seen.append(door.look())
            except SettingsInvalid as error:
                seen.append(error.message)

        try:
            await line.ask(ASKED, audit.ListObligationsResponse, person)
            look()
            look("client.pem")
            await line.ask(ASKED, audit.ListObligationsResponse, person)
            look("client.key", "signing.key")
            await line.ask(ASKED, audit.ListObligationsResponse, person)
            look(*FILES, of="other")
            seen.append(line.organisation.thumbprint == renewed.thumbprint)
            await line.ask(ASKED, audit.ListObligationsResponse, person)
        finally:
            await door.stop(1.0)
        return seen

    material, _, _ = door_material(house.settings)
    assert town.run(renewing) == [
        False,
        "the console's credentials do not belong together",
        True,
        "the console's credentials became those of another organisation",
        True,
    ]


def test_where_it_listens_is_told_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the file reads it as soon as it is there."""
    ready, write, seen = tmp_path / "ready.json", Path.write_text, list[bool]()

    def half(file: Path, text: str, **how: str) -> int:
        written = write(file, text[: len(text) // 2], **how)
        seen.append(ready.exists())
        return written + write(file, text, **how)

    monkeypatch.setattr(Path, "write_text", half)
    console_alone._say_ready(ready, "https://127.0.0.1:1", 2)
    assert seen == [False]
    assert json.loads(ready.read_text())["console_url"] == "https://127.0.0.1:1"
    assert [file.name for file in tmp_path.iterdir()] == ["ready.json"]
    console_alone._take_back(ready)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_it_serves_alone_with_credentials_and_no_key(house: House, tmp_path: Path) -> None:
    town = house.town
    issued = town.authority.issue_server(tmp_path / "server")
    file, ready = tmp_path / "console.toml", tmp_path / "ready.json"
    told = {
        "mode": "development",
        "console_port": 0,
        "console_target": town.target,
        "console_credentials": str(town.settings.data / "operator"),
        "console_issuer": house.provider.issuer,
        "console_client_secret_file": str(house.settings.console_client_secret_file),
        "server_certificate": str(issued.certificate),
        "server_key": str(issued.key),
    }
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items()))
    command = [sys.executable, "-m", "exchange", "console", "serve", "--config", str(file)]
    command += ["--metrics-port", "0", "--ready-file", str(ready)]
    with subprocess.Popen(command) as process:  # noqa: S603 -- our own program
        try:
            until = time.monotonic() + READY_WAIT_S
            while not ready.exists() and process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            at = json.loads(ready.read_text())
            url, numbers = at["console_url"], f"http://127.0.0.1:{at['metrics_port']}/metrics"
            trusted = ssl.create_default_context(cafile=str(issued.client_ca))
            answer = httpx2.get(f"{url}/", verify=trusted)
            assert answer.status_code == 200
            assert "Inloggen" in answer.text
            told_now = httpx2.get(numbers).text
            assert 'exchange_answers_total{outcome="2xx",process="console"} 1.0' in told_now
            assert 'exchange_answers_total{outcome="5xx",process="console"} 0.0' in told_now
            assert "exchange_certificate_end_seconds 1." in told_now
            # Renewed on disk and told so, it shows the other one; who reads goes on.
            other = town.authority.issue_server(tmp_path / "renewed")
            issued.certificate.write_bytes(other.certificate.read_bytes())
            issued.key.write_bytes(other.key.read_bytes())
            process.send_signal(signal.SIGHUP)
            host, port = "localhost", urlsplit(url).port
            assert port is not None
            wanted = other.certificate.read_text()
            while ssl.get_server_certificate((host, port)) != wanted and time.monotonic() < until:
                time.sleep(0.05)
            assert ssl.get_server_certificate((host, port)) == wanted
            assert httpx2.get(f"{url}/", verify=trusted).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(READY_WAIT_S) == 0
    assert not ready.exists()
