"""What the units hand over to what they start, where systemd shows a credential with an access list."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from exchange.keys.kek import private_bytes
from tests.e2e.service import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

DEPLOY = REPOSITORY / "deploy"
SHOWS_AS = 0o440  # a credential, from systemd 254 on
PROGRAM = re.compile(r"exec (/usr/lib/exchange/[\w/.-]+)")


@pytest.mark.parametrize("name", ["exchange.service", "exchange-backup.service"])
def test_a_credential_reaches_the_service_as_a_file_of_its_owner_alone(name: str, tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    (runtime,) = re.findall(r"^RuntimeDirectory=(.*)$", text, re.MULTILINE)
    credentials, memory = tmp_path / "credentials", tmp_path / "memory"
    credentials.mkdir()
    memory.mkdir()
    names = re.findall(r"^LoadCredential=(\w+):", text, re.MULTILINE)
    for one in names:
        (credentials / one).write_text(one, encoding="ascii")
        (credentials / one).chmod(SHOWS_AS)
    # What libpq and the service are told of lies where the line puts it, and nowhere as it came.
    assert re.findall(r"=%t/(\S+)", text) == [f"{runtime}/{one}" for one in names]
    assert "%d" not in text
    # Its own program is not installed here: what it would find is looked at in its place.
    shown = PROGRAM.sub(f"exec ls {memory} #", line)
    assert shown != line
    folders = {"CREDENTIALS_DIRECTORY": str(credentials), "RUNTIME_DIRECTORY": str(memory)}
    done = subprocess.run(  # noqa: S603 -- the line of our own unit
        shlex.split(shown.replace("$$", "$")),
        env=folders | {"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == names
    for one in names:
        assert (memory / one).read_text(encoding="ascii") == one
        assert private_bytes(memory / one, "a credential", 64) == one.encode()
