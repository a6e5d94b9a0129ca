"""The demo, run once for all workers: whoever comes second waits for what the first one makes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.service import REPOSITORY, environment
from tests.server.conftest import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server.town import Town

DEMO_MAX_S = 240.0
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Demo:
    """What `exchange demo --json` printed, its exit code, and its folder."""

    exit: int
    told: dict[str, Any]
    errors: str
    data: Path
    processor_s: float  # of the demo and of all it started

    @property
    def outside(self) -> list[Path]:
        """Every file that no organisation's own system wrote."""
        files = [file for file in self.data.rglob("*") if file.is_file()]
        return [file for file in files if not file.is_relative_to(self.data / "adapters")]


def run_demo(folder: Path) -> dict[str, Any]:
    """Run it as anybody would; return exit code and both outputs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "exchange", "demo", "--json", "--data", str(folder / "data")],
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        env=environment(),
        text=True,
        timeout=DEMO_MAX_S,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {
        "exit": done.returncode,
        "printed": done.stdout,
        "errors": done.stderr,
        "processor_s": used_s,
    }


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo-of-all"
    made = folder / "made.json"
    try:
        folder.mkdir()
    except FileExistsError:
        until = time.monotonic() + DEMO_MAX_S
        while not made.exists():
            assert time.monotonic() < until, "the worker that runs the demo never ended it"
            time.sleep(LOOK_EVERY_S)
    else:
        partial = made.with_suffix(".partial")
        partial.write_text(json.dumps(run_demo(folder)))
        partial.replace(made)
    ran = json.loads(made.read_text())
    printed = ran["printed"].strip()
    assert printed, ran["errors"]
    return Demo(ran["exit"], json.loads(printed), ran["errors"], folder / "data", ran["processor_s"])


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory, fresh_store: Callable[[], dict[str, str]]
) -> Iterator[Town]:
    """Return one exchange for the stories of a practice: each story has a resident of its own."""
    yield from opened(tmp_path_factory.mktemp("stories"), fresh_store())
