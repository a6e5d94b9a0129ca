"""A key is on the disk before anything that only it opens."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.kit.sealing import key_at

if TYPE_CHECKING:
    import pytest

MAKES = (
    "import sys; from pathlib import Path; from adapters.kit.sealing import key_at; "
    "sys.stdout.buffer.write(key_at(Path(sys.argv[1])))"
)


def test_a_new_key_and_its_name_are_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    file = tmp_path / "state" / "some.key"
    assert key_at(file) == file.read_bytes()
    assert [flushed[0][:14], *flushed[1:]] == ["some.key.draft", "state"]
    assert [one.name for one in file.parent.iterdir()] == ["some.key"]


def test_whoever_makes_a_key_first_has_it_also_where_it_is_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command beside the adapter may come for the same key at the same moment: what it sealed must open."""
    file = tmp_path / "state" / "some.key"
    drawn = secrets.token_bytes

    def another(size: int) -> bytes:
        monkeypatch.setattr(secrets, "token_bytes", drawn)
        command = [sys.executable, "-c", MAKES, str(file)]
        made.append(subprocess.run(command, check=True, capture_output=True))  # noqa: S603 -- our own words
        return drawn(size)

    made: list[subprocess.CompletedProcess[bytes]] = []
    monkeypatch.setattr(secrets, "token_bytes", another)
    assert key_at(file) == made[0].stdout == file.read_bytes()
    assert [one.name for one in file.parent.iterdir()] == ["some.key"]
