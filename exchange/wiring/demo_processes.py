"""The processes of the demo: a service on a leash, and the story that is told against it.

Promises: whatever becomes of the demo, the service does not outlive it; a story nobody listens to ends too.
Settings in the environment are about other services and are not passed on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import SettingsInvalid, Unavailable
from exchange.settings import DATABASES, ENV_PREFIX
from exchange.wiring.holding import private_files
from exchange.wiring.service import OPERATOR_FOLDER, READY_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from exchange.settings import Settings

START_WAIT_S: Final = 60.0
STOP_WAIT_S: Final = 20.0
LOOK_EVERY_S: Final = 0.05
PARTS: Final = ("plan", "household")


def serve_command(settings: Settings) -> list[str]:
    """Return the command of an ordinary service with these settings."""
    words = ["--data", str(settings.data), "--port", "0", "--metrics-port", "0", *store_words(settings)]
    return ["exchange", "serve", *words, "--log-file", str(settings.log_file), "--leash"]


def store_words(settings: Settings) -> list[str]:
    """Return the words that name a child its databases, nothing where it has files of its own."""
    if settings.store == "sqlite":
        return []
    file = settings.data / "databases.toml"
    with private_files():
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{name} = {json.dumps(getattr(settings, name))}\n" for name in ("store", *DATABASES)]
        file.write_text("".join(lines), encoding="utf-8")
    return ["--config", str(file)]


def read_databases(file: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings of both exchanges' databases: the tables `plan` and `household` of a TOML file.

    Nothing for both without a file. Raises SettingsInvalid.
    """
    if file is None:
        return {}, {}
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
        plan, household = (
            {"store": "postgres"} | {name: found[part][name] for name in DATABASES} for part in PARTS
        )
    except (OSError, ValueError, KeyError, TypeError):
        what = f"the file of databases has the tables {' and '.join(PARTS)}, each with {', '.join(DATABASES)}"
        raise SettingsInvalid(what, file=file.name) from None
    return plan, household


@contextmanager
def child_service(
    command: Sequence[str], data: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """Run `python -m` this until the block ends; yield it with what it says of itself once it is ready.

    Its output goes to service.out in its folder; `environment` is added to ours. Raises Unavailable where it
    does not start.
    """
    with private_files():
        data.mkdir(parents=True, exist_ok=True)
    with (data / "service.out").open("wb") as out:
        service = subprocess.Popen(  # noqa: S603 -- our own program, fixed words
            [sys.executable, "-m", *command],
            # Its leash: whatever becomes of us, the service does not outlive us.
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment_of_ours() | dict(environment or {}),
        )
        try:
            yield service, _wait_ready(service, data / READY_FILE)
        finally:
            _stop(service)


def told_story(module: str, words: Sequence[str], listen: Callable[[Iterable[str]], bool]) -> bool:
    """Run a story and let its lines be listened to; return whether it came to its end, and ended well."""
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-m", module, *words],
        # Its leash: whatever becomes of us, neither the story nor what it started outlives us.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as story:
        assert story.stdout is not None
        try:
            ended = listen(story.stdout)
        except BaseException:
            # Nobody listens any more: the story ends too, without a word about its pipe.
            story.kill()
            raise
    return story.returncode == 0 and ended


def heard(
    lines: Iterable[str], steps: list[dict[str, Any]], tell: Callable[[dict[str, Any]], None]
) -> dict[str, Any] | None:
    """Take in a story, one JSON object a line: tell each, keep each step; return its last words, or None."""
    end: dict[str, Any] | None = None
    for text in lines:
        line = json.loads(text)
        if line.get("end"):
            end = line
            continue
        if "name" in line:
            steps.append({key: line[key] for key in ("name", "outcome", "rules")})
        tell(line)
    return end


def hand_over(settings: Settings, folder: Path) -> None:
    """Give the municipality's own systems the credentials of the operator."""
    with private_files():
        folder.mkdir(parents=True, exist_ok=True)
        for file in (settings.data / OPERATOR_FOLDER).iterdir():
            (folder / file.name).write_bytes(file.read_bytes())


def rss_mb(pid: int) -> float:
    """Return a process's resident memory in MB, 0 where the system does not tell."""
    try:
        words = Path(f"/proc/{pid}/status").read_text(encoding="ascii").split("VmRSS:")[1].split()
    except (OSError, IndexError):
        return 0.0
    return int(words[0]) / 1024


def environment_of_ours() -> dict[str, str]:
    """Return the environment without settings: those are about other services."""
    return {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _wait_ready(service: subprocess.Popen[bytes], file: Path) -> dict[str, Any]:
    until = time.monotonic() + START_WAIT_S
    while time.monotonic() < until:
        if file.exists():
            ready: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return ready
        if service.poll() is not None:
            break
        time.sleep(LOOK_EVERY_S)
    raise Unavailable("the service did not start; see service.out in its folder")
