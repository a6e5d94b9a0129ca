"""The systems beside the story: adapters and their counterparties, each a process as its user would run it.

Promises: none outlives the story, however that ends (`adapters.simulators.leash`); each writes to a log of
its own below the folder of its organisation.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from adapters.simulators.story.stage import StoryBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

WAIT_S: Final = 60.0
LOOK_EVERY_S: Final = 0.05
_LEASH: Final = "adapters.simulators.leash"
Found = TypeVar("Found")


@dataclass(slots=True)
class Systems:
    """What runs beside the story. `stop` ends all of it, also what has not started well."""

    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, log: Path, module: str, *words: str) -> subprocess.Popen[bytes]:
        """Run `python -m` this until the story ends; what it prints is read from its `stdout`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as lines:
            process = subprocess.Popen(  # noqa: S603 -- our own program
                [sys.executable, "-m", _LEASH, module, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=lines,
            )
        self.running.append(process)
        return process

    def adapter(self, noun: str, config: Path) -> None:
        """Run an adapter, as `exchange-adapter NOUN run --config FILE`."""
        self.start(config.with_suffix(".log"), "adapters", noun, "run", "--config", str(config))

    def stop(self) -> None:
        """End all; what an adapter has not sent stays in its outbox."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(timeout=WAIT_S)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self.running.clear()


def first_line(process: subprocess.Popen[bytes]) -> str:
    """Return the first line a process prints, once it does."""
    (line,) = first_lines(process, 1)
    return line


def first_lines(process: subprocess.Popen[bytes], count: int) -> list[str]:
    """Return the first lines a process prints, once they are there."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    if not all(lines):
        raise StoryBroken("a system beside the story did not start; see its log")
    return [line.decode().rstrip("\n") for line in lines]


def command(*words: str, waits: bool = False) -> str:
    """Give a command of `exchange-adapter` that ends by itself; return what it printed.

    `waits` where it says by its exit code that something waits for a person, as it should.
    """
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "adapters", *words],
        check=False,
        timeout=WAIT_S,
        capture_output=True,
        text=True,
    )
    if done.returncode != (1 if waits else 0):
        raise StoryBroken(f"an adapter's command failed: {done.stderr.strip()}")
    return done.stdout


def whole(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder by name; one whose name begins with a dot is still being written."""
    return sorted(file for file in folder.glob(pattern) if not file.name.startswith("."))


def wait_for(look: Callable[[], Found], otherwise: str) -> Found:
    """Return what is found once it is there."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(LOOK_EVERY_S)
    raise StoryBroken(otherwise)


def settings(file: Path, told: Mapping[str, Any]) -> Path:
    """Write a settings file of an adapter; a table within is a table there."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in told.items() if not isinstance(value, dict)]
    for name, table in told.items():
        if isinstance(table, dict):
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def asked(file: Path) -> list[dict[str, Any]]:
    """Return what a counterparty was asked, oldest first, as it wrote it down."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
