"""What runs on a leash ends with it, and by itself; what runs beside a story ends with the story."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from adapters.simulators.story.stage import StoryBroken
from adapters.simulators.story.systems import Systems, first_line, whole
from tests.e2e.service import REPOSITORY, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CASES = "adapters.simulators.open_zaak"
WAIT_S = 60.0


@pytest.fixture
def beside() -> Iterator[Systems]:
    made = Systems()
    yield made
    made.stop()


def test_it_ends_with_its_leash_and_not_before(beside: Systems, tmp_path: Path) -> None:
    process = beside.start(tmp_path / "cases.log", CASES, "0")
    assert first_line(process).startswith("http://127.0.0.1:")
    assert process.poll() is None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(WAIT_S) == 0


def test_all_of_it_ends_with_the_story(beside: Systems, tmp_path: Path) -> None:
    process = beside.start(tmp_path / "cases.log", CASES, "0")
    first_line(process)
    beside.stop()
    assert process.returncode == 0
    assert beside.running == []


def test_what_does_not_start_is_told(beside: Systems, tmp_path: Path) -> None:
    process = beside.start(tmp_path / "cases.log", CASES, "no-port")
    with pytest.raises(StoryBroken, match="did not start"):
        first_line(process)
    assert process.wait(WAIT_S) == 2
    assert "no-port" in (tmp_path / "cases.log").read_text(encoding="utf-8")


def test_what_ends_by_itself_does_not_wait_for_its_leash() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "adapters.simulators.leash", "this"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env=environment(),
    ) as process:
        assert process.wait(WAIT_S) == 0
        assert process.stdout is not None
        assert b"Namespaces" in process.stdout.read()


def test_what_is_still_being_written_is_not_looked_at(tmp_path: Path) -> None:
    for name in ("2.json", ".1.json", "1.json", "1.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in whole(tmp_path, "*.json")] == ["1.json", "2.json"]
    assert whole(tmp_path / "absent", "*.json") == []
