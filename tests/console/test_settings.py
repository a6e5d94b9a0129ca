"""Half a console does not start, and says what is missing; one that runs alone knows nothing else."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from exchange.errors import SettingsInvalid
from exchange.settings import Settings
from exchange.wiring.console_alone import console_settings
from exchange.wiring.console_door import ROLE_NAMES, refuse_half_a_console, roles_of
from tests.console.house import HERE

if TYPE_CHECKING:
    from pathlib import Path

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
    with subprocess.Popen([*command, "--ready-file", str(ready)]) as process:  # noqa: S603 -- our own program
        try:
            until = time.monotonic() + READY_WAIT_S
            while not ready.exists() and process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            url = json.loads(ready.read_text())["console_url"]
            trusted = ssl.create_default_context(cafile=str(issued.client_ca))
            answer = httpx2.get(f"{url}/", verify=trusted)
            assert answer.status_code == 200
            assert "Inloggen" in answer.text
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(READY_WAIT_S) == 0
    assert not ready.exists()
