"""A key is on the disk before anything that only it opens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.kit.sealing import key_at

if TYPE_CHECKING:
    import pytest


def test_a_new_key_and_its_name_are_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    file = tmp_path / "state" / "some.key"
    assert key_at(file) == file.read_bytes()
    assert flushed == ["some.key.draft", "state"]
