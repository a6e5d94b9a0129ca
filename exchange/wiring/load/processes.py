"""The other processes of the load: who calls, what echoes, the library, the service.

Promises: none outlives us; settings in the environment are about other services and are not passed on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import Unavailable
from exchange.settings import ENV_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STOP_WAIT_S: Final = 20.0
# Fields 14 and 15 of all, as they stand behind the name in parentheses.
UTIME, STIME = 11, 12
QUIET: Final = {"GRPC_VERBOSITY": "NONE"}


@contextmanager
def child(
    module: str, words: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a module of ours until the block ends; its input and output are ours."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    process = subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-m", module, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # An interrupt at the keyboard is ours: we end it. Should we be killed, its input ends and it too.
        start_new_session=True,
        env=ours | QUIET | dict(environment or {}),
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        # What it did not take any more is lost with it.
        with suppress(BrokenPipeError):
            if pipe is not None:
                pipe.close()


class Obedient:
    """A process that takes orders, a line of JSON each, and answers each with a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process: Final = process

    def ask(self, do: str, **order: Any) -> Any:  # noqa: ANN401 -- anything JSON can say
        """Give an order and return its answer. Raises Unavailable where it could not be done."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(f"{json.dumps({'do': do, **order})}\n")
            stdin.flush()
        except BrokenPipeError:
            raise Unavailable("a process of the bench has ended", order=do) from None
        line = stdout.readline()
        if not line:
            raise Unavailable("a process of the bench has ended", order=do)
        told = json.loads(line)
        if "error" in told:
            raise Unavailable("a process of the bench could not do this", order=do, reason=told["error"])
        return told["answer"]


@contextmanager
def caller() -> Iterator[Obedient]:
    """Run who calls."""
    with child("exchange.wiring.load.caller") as process:
        yield Obedient(process)


@contextmanager
def library(environment: Mapping[str, str]) -> Iterator[Obedient]:
    """Run the library as it comes."""
    with child("exchange.wiring.load.library", environment=environment) as process:
        yield Obedient(process)


@contextmanager
def echo(data: Path, sizes: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Run a bare service with the certificates of a shard; yield where it listens, and its process."""
    with child("exchange.wiring.load.echo", [str(data), *map(str, sizes)]) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise Unavailable("the echo of the bench did not start")
        yield f"localhost:{port}", process.pid


def processor_s(pid: int) -> float:
    """Return the processor seconds of a process so far, all its threads; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[UTIME : STIME + 1])) / os.sysconf("SC_CLK_TCK")
