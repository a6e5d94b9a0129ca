"""LAWS.md names every law once, and only tests that exist; no test named for a law is left out of it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.house.tree import REPOSITORY, rooms

PAGE = Path(__file__).with_name("LAWS.md")
ROW = re.compile(r"^\| P(\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
NAMED_FOR_A_LAW = re.compile(r"^(?:async )?def (test_p(\d{2})_\w+)", re.MULTILINE)
LAWS = range(1, 15)


def named_for_laws() -> set[tuple[int, str, str]]:
    """Return (law, file, test) of every test whose name begins with a law."""
    return {
        (int(law), room.name, name)
        for room in rooms("tests")
        for name, law in NAMED_FOR_A_LAW.findall(room.text)
    }


def told() -> dict[int, list[tuple[str, str]]]:
    page = PAGE.read_text(encoding="utf-8")
    return {int(law): TEST.findall(tests) for law, _, tests in ROW.findall(page)}


def test_every_law_has_its_row_and_a_test_named_for_it() -> None:
    assert list(told()) == list(LAWS)
    assert {law for law, _, _ in named_for_laws()} == set(LAWS)
    for law, tests in told().items():
        assert any(name.startswith(f"test_p{law:02}_") for _, name in tests), f"P{law}"


def test_every_test_that_is_named_exists() -> None:
    missing = [
        f"{file}::{name}"
        for tests in told().values()
        for file, name in tests
        if not re.search(rf"^(?:async )?def {name}\(", (REPOSITORY / file).read_text("utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_no_test_of_a_law_is_left_out() -> None:
    rows = {(law, file, name) for law, tests in told().items() for file, name in tests}
    assert named_for_laws() - rows == set()
