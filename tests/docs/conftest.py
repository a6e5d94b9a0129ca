"""One service for each worker, started by the very command the README gives, and a folder to follow it in."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import blocks_of
from tests.house.tree import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START_WAIT_S = 30
RUN_WAIT_S = 300
TOLD_TARGET = "localhost:8443"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which the pages' commands are run; beside it, where the service listens."""

    folder: Path
    target: str
    environment: dict[str, str]

    def here(self, text: str) -> str:
        """Return a block with the one thing changed that cannot be as written: a port may be taken."""
        return text.replace(TOLD_TARGET, self.target)

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as a reader would."""
        return subprocess.run(  # noqa: S603 -- our own pages
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=RUN_WAIT_S,
            check=False,
        )


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(REPOSITORY / "protos", folder / "protos", ignore=shutil.ignore_patterns("__pycache__"))
    environment = reader_environment(folder)
    (command,) = [block.text for block in blocks_of("README.md") if block.mark == "bash serve"]
    with (folder / "service.out").open("wb") as out:
        service = subprocess.Popen(  # noqa: S602 -- the README's own line
            f"exec {command} --port 0 --metrics-port 0",
            shell=True,
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        port = ready(service, folder).rpartition(":")[2]
        yield Place(folder, f"localhost:{port}", environment)
    finally:
        service.send_signal(signal.SIGTERM)
        ended = service.wait(timeout=START_WAIT_S)
    assert ended == 0, (folder / "service.out").read_text()[-2_000:]


def reader_environment(folder: Path) -> dict[str, str]:
    """Return what a reader has who activated the environment: its commands first, no setting of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    path = os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", "")))
    return kept | {"PATH": path, "PYTHONPATH": str(REPOSITORY), "HOME": str(folder), "COLUMNS": "200"}


def ready(service: subprocess.Popen[bytes], folder: Path) -> str:
    file = folder / "data" / "service.json"
    until = time.monotonic() + START_WAIT_S
    while time.monotonic() < until and service.poll() is None:
        if file.exists():
            return str(json.loads(file.read_text())["target"])
        time.sleep(0.02)
    raise AssertionError((folder / "service.out").read_text()[-2_000:])
