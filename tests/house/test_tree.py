"""The repository as a whole: nothing secret, nothing of one machine, every floor told, every commit named."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from tests.house.tree import REPOSITORY, files, git

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_BYTES_MAX = 2_000_000
# Put together here, so that this file does not find itself.
PRIVATE_KEY = re.compile(r"BEGIN [A-Z ]*PRIVATE" + r" KEY-----(?:\s|\\n)*[A-Za-z0-9+/]{16}")
MACHINE_PATH = re.compile(r"(?<![\w.)}>-])/(?:" + "work|root|home" + r"|Users|opt)/[\w.-]+")
SUBJECT = re.compile(r"^[a-z][a-z0-9_]*(?:[+, -]+[a-z0-9_]+)*: [a-z][\w'-]*[ ,].+[^.]$")
SUBJECT_CHARACTERS_MAX = 120
COMMITS_LOOKED_AT = 20
FLOOR_WORDS_MIN = 60


def texts() -> Iterator[tuple[str, str]]:
    for name in files():
        path = REPOSITORY / name
        if path.stat().st_size <= TEXT_BYTES_MAX:
            content = path.read_bytes()
            if b"\0" not in content:
                yield name, content.decode("utf-8", errors="replace")


def places(pattern: re.Pattern[str], text: str) -> list[int]:
    return [text.count("\n", 0, found.start()) + 1 for found in pattern.finditer(text)]


@pytest.mark.parametrize("pattern", [PRIVATE_KEY, MACHINE_PATH], ids=["private key", "path of one machine"])
def test_no_file_holds_one(pattern: re.Pattern[str]) -> None:
    assert [f"{name}:{line}" for name, text in texts() for line in places(pattern, text)] == []


def test_a_private_key_is_seen() -> None:
    body = "MC4CAQAwBQYDK2VwBCIEIA" + "x" * 20
    assert places(PRIVATE_KEY, f"a\n-----BEGIN PRIVATE KEY-----\n{body}\n") == [2]
    assert places(PRIVATE_KEY, f'"-----BEGIN EC PRIVATE KEY-----\\n{body}"') == [1]
    assert places(PRIVATE_KEY, "assert b'BEGIN PRIVATE KEY-----' in pem") == []
    assert places(PRIVATE_KEY, f"-----BEGIN PUBLIC KEY-----\n{body}\n") == []


def test_a_path_of_one_machine_is_seen() -> None:
    assert places(MACHINE_PATH, 'x = "/ro' + 'ot/thing"') == [1]
    assert places(MACHINE_PATH, "see /ho" + "me/somebody") == [1]
    assert places(MACHINE_PATH, "exchange/ho" + "me/x and https://a.example/wo" + "rk/x") == []


# --- the floors ----------------------------------------------------------------------------------------


def floors() -> list[str]:
    """Return the folders of the exchange that hold code, but for generated code."""
    return sorted(
        {
            name.split("/")[1]
            for name in files()
            if name.startswith("exchange/") and name.endswith(".py") and name.count("/") > 1
        }
        - {"v1"}
    )


def test_every_floor_says_what_it_does() -> None:
    """What it does, one invariant, and what an attacker who holds it can do."""
    assert {"domain", "gate", "store"} <= set(floors())
    untold = []
    for floor in floors():
        readme = REPOSITORY / "exchange" / floor / "README.md"
        text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
        if len(text.split()) < FLOOR_WORDS_MIN or "attacker" not in text.lower():
            untold.append(f"exchange/{floor}/README.md")
    assert untold == []


# --- licence, commits ----------------------------------------------------------------------------------


def test_the_licence_is_whole() -> None:
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    articles = re.findall(r"^([0-9]+)\. [A-Z]", text, re.MULTILINE)
    assert articles == [str(number) for number in range(1, 16)]
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2")
    assert "\nAppendix\n" in text
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["license"] == "EUPL-1.2"


def subject_faults(subject: str) -> list[str]:
    faults = [] if SUBJECT.match(subject) else ["not `floor: verb ...`"]
    if len(subject) > SUBJECT_CHARACTERS_MAX:
        faults.append("too long")
    return faults


def test_commits_name_their_floor() -> None:
    log = git("log", f"-{COMMITS_LOOKED_AT}", "--no-merges", "--format=%s")
    if not log:
        pytest.skip("no git history here: an unpacked archive")
    assert [subject for subject in log.splitlines() if subject_faults(subject)] == []


@pytest.mark.parametrize(
    "subject",
    ["Update files", "gate: Refuse", "gate refuse this", "wip", "gate: x.", "gate: refuse " + "x" * 120],
)
def test_a_nameless_commit_is_seen(subject: str) -> None:
    assert subject_faults(subject)


@pytest.mark.parametrize(
    "subject", ["gate: refuse categories outside the agreement", "keys, sdk: blind in one way"]
)
def test_a_named_commit_is_let_be(subject: str) -> None:
    assert subject_faults(subject) == []


# --- the lock ------------------------------------------------------------------------------------------


def locked() -> dict[str, str]:
    """Return locked name -> its block."""
    text = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    return {re.split(r"==", block)[0]: block for block in blocks if "==" in block}


def test_everything_locked_has_a_hash_and_no_address() -> None:
    blocks = locked()
    assert len(blocks) > 30
    assert [name for name, block in blocks.items() if "--hash=sha256:" not in block] == []
    assert [name for name, block in blocks.items() if "://" in block or "--index" in block] == []


def test_everything_asked_for_is_locked() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[^A-Za-z0-9_-]", one)[0].lower().replace("_", "-") for one in asked}
    assert names - set(locked()) == set()
