"""What the runbooks tell somebody to type is there: our scripts, our units, Patroni's commands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import blocks_of
from tests.e2e.service import REPOSITORY

RUNBOOKS = "deploy/RUNBOOKS.md"
INSTALLED = "/usr/lib/exchange/"
SYSTEMCTL = frozenset({"enable", "start", "stop", "reload", "restart", "is-failed"})
BACKUPS = "/srv/backup/exchange/"


def lines() -> list[str]:
    return [
        line
        for block in blocks_of(RUNBOOKS)
        if block.mark == "bash machine"
        for line in block.text.splitlines()
    ]


def patroni_commands() -> set[str]:
    told = subprocess.run(  # noqa: S603 -- its own words
        [Path(sys.executable).parent / "patronictl", "--help"], capture_output=True, text=True, check=True
    ).stdout
    return set(re.findall(r"^  ([a-z][\w-]+)  ", told.partition("Commands:")[2], re.MULTILINE))


def fault(line: str, patroni: set[str]) -> str | None:
    """Return the first word that is nothing we know of."""
    program, *words = shlex.split(line)
    if program.startswith((INSTALLED, "deploy/")):
        script = REPOSITORY / program.replace(INSTALLED, "deploy/", 1)
        known = script.is_file() and bool(script.stat().st_mode & 0o100)
        return None if known else program
    if program == "install":
        # A folder of the backups, and nothing over what is there.
        return None if words[0] == "-d" and words[-1].startswith(BACKUPS) else line
    if program == "systemctl":
        *verbs, unit = [word for word in words if not word.startswith("--")]
        if not set(verbs) <= SYSTEMCTL:
            return " ".join(verbs)
        return None if (REPOSITORY / "deploy" / "systemd" / unit).is_file() else unit
    if program == "patronictl":
        return None if words[:2] == ["-c", "/etc/patroni/patroni.yml"] and words[2] in patroni else line
    return program


def test_every_command_of_the_runbooks_is_there() -> None:
    patroni = patroni_commands()
    assert {"list", "switchover"} <= patroni
    assert len(lines()) > 10
    assert [line for line in lines() if fault(line, patroni) is not None] == []


@pytest.mark.parametrize(
    "line",
    [
        "deploy/local/clustr up",
        "/usr/lib/exchange/backup/backup.env",
        "systemctl enable --now exchnge.service",
        "systemctl edit exchange.service",
        "install -m 0600 kek /srv/backup/exchange/kek",
        "patronictl -c /etc/patroni/patroni.yml failback exchange",
        "rm -rf checkpoints",
    ],
)
def test_a_command_that_is_not_there_is_seen(line: str) -> None:
    assert fault(line, {"list", "switchover"}) is not None


def test_scripts_and_runbooks_know_each_other() -> None:
    told = (REPOSITORY / RUNBOOKS).read_text(encoding="utf-8")
    folders = {
        path.name
        for path in (REPOSITORY / "deploy").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    assert folders == set(re.findall(r"^\| `(\w+)/` \|", told, re.MULTILINE))
