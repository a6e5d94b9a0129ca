"""`make` on a machine that lacks something says what, and builds nothing by halves."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.house.tree import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = ("sh", "make", "awk", "touch")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A clone and a PATH of its own: `bin` holds the tools and what a test calls python3."""
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        if found is None:
            pytest.skip(f"{tool} is not on this machine")
        (tmp_path / "bin" / tool).symlink_to(found)
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


def python(machine: Path, script: str) -> None:
    program = machine / "bin" / "python3"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def make(machine: Path, target: str) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603 -- fixed arguments
        [str(machine / "bin" / "make"), target],
        cwd=machine,
        env={"PATH": str(machine / "bin"), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_python_that_is_too_old_is_named(machine: Path) -> None:
    python(machine, "exit 1")
    code, said = make(machine, "test")
    assert code != 0
    assert "Python 3.11 or newer is needed" in said
    assert not (machine / ".venv").exists()


def test_no_python_at_all_is_named(machine: Path) -> None:
    code, said = make(machine, "demo")
    assert code != 0
    assert "Python 3.11 or newer is needed" in said


def test_a_python_without_venv_is_named(machine: Path) -> None:
    python(machine, 'case "$*" in *ensurepip*) exit 1;; esac; exit 0')
    code, said = make(machine, "check")
    assert code != 0
    assert "apt-get install python3-venv" in said
    assert not (machine / ".venv").exists()


def test_a_failing_installation_is_not_taken_for_ready(machine: Path) -> None:
    python(machine, 'case "$*" in "-m venv"*) exit 1;; esac; exit 0')
    code, _ = make(machine, "test")
    assert code != 0
    assert not (machine / ".venv" / ".ready").exists()


def test_make_alone_says_what_it_can_do(machine: Path) -> None:
    code, said = make(machine, "help")
    assert code == 0
    for target in ("demo", "test", "test-slow", "check", "fmt", "generate", "bench", "bench-postgres"):
        assert f"make {target} " in said
