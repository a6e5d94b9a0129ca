"""A real exchange to test against: `exchange serve` in a process of its own, with throw-away certificates.

Promises: it does not outlive the suite (its leash is our end of a pipe); settings in the environment are
about another service and are not passed on; what it says lies in its own folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.conformance.certificates import ThrowAwayRoot
from adapters.conformance.errors import ExchangeMissing
from adapters.sdk.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_WAIT_S: Final = 60.0
STOP_WAIT_S: Final = 30.0
LOOK_EVERY_S: Final = 0.05
ENV_PREFIX: Final = "EXCHANGE_"


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where it listens, who operates it, and the root under which all certificates of the run are made."""

    data: Path
    target: str
    operator: Credentials
    root: ThrowAwayRoot


@contextmanager
def served(data: Path) -> Iterator[Exchange]:
    """Serve until the block ends. Raises ExchangeMissing."""
    data.mkdir(parents=True, mode=0o700)
    words = ["--data", str(data), "--port", "0", "--metrics-port", "0", "--leash"]
    with (data / "service.out").open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 -- the installed exchange, fixed words
            [sys.executable, "-m", "exchange", "serve", *words],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={key: os.environ[key] for key in os.environ if not key.startswith(ENV_PREFIX)},
        )
    try:
        target = _target(process, data / "service.json")
        yield Exchange(
            data, target, Credentials.load(data / "operator"), ThrowAwayRoot(data / "authority" / "root")
        )
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _target(process: subprocess.Popen[bytes], file: Path) -> str:
    until = time.monotonic() + START_WAIT_S
    while time.monotonic() < until and process.poll() is None:
        if file.exists():
            return str(json.loads(file.read_text(encoding="utf-8"))["target"])
        time.sleep(LOOK_EVERY_S)
    raise ExchangeMissing("`exchange serve` did not start; see service.out in its folder (--keep)")
