"""A copy of the test run ends as its work did, and collects nothing of what it was copied from."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.forked import ended

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_is_collected_in_a_copy(tmp_path: Path) -> None:
    """Also not by what Python itself does behind a fork, before the work begins."""
    collected, here, threshold = tmp_path / "collected", os.getpid(), gc.get_threshold()

    def tell(_phase: str, _info: dict[str, int]) -> None:
        if os.getpid() != here:
            collected.touch()

    def work() -> None:
        assert len([[number] for number in range(1_000)]) == 1_000

    gc.callbacks.append(tell)
    gc.set_threshold(1)
    try:
        assert ended(work) == 0
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(tell)
    assert not collected.exists()
    assert gc.isenabled()


@pytest.mark.parametrize("code", [1, -signal.SIGKILL, -signal.SIGTERM])
def test_a_copy_tells_how_it_ended(code: int) -> None:
    def work() -> None:
        if code < 0:
            os.kill(os.getpid(), -code)
        raise ValueError("the work failed")

    assert ended(work) == code
