"""A reload (SIGHUP) that comes too early or too late: it looks at nothing then, and ends nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.e2e.service import READY_WAIT_S, REPOSITORY, STOP_WAIT_S, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOK_EVERY_S = 0.01


def until(there: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_WAIT_S
    while not there():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < end
        time.sleep(LOOK_EVERY_S)


def test_a_reload_while_it_starts_or_stops_ends_nothing(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    words = ["-m", "exchange", "serve", "--data", str(data), "--port", "0", "--metrics-port", "0"]
    process = subprocess.Popen(  # noqa: S603 -- our own program, fixed words
        [sys.executable, *words, "--log-file", str(log)], cwd=REPOSITORY, env=environment()
    )

    def reload(there: Callable[[], bool]) -> None:
        def reloaded() -> bool:
            process.send_signal(signal.SIGHUP)
            return there()

        until(reloaded, process)

    try:
        # It holds its folder before it opens anything in it.
        until((data / "service.lock").exists, process)
        reload((data / "service.json").exists)
        process.send_signal(signal.SIGTERM)
        with suppress(AssertionError):
            # As long as it says nothing: what follows is the end of the interpreter.
            reload(lambda: b'"stopped"' in log.read_bytes())
        process.wait(STOP_WAIT_S)
    finally:
        process.kill()
        process.wait(STOP_WAIT_S)
    told = [json.loads(line)["event"] for line in log.read_text(encoding="utf-8").splitlines()]
    assert told == ["ready", "stopped"]
