"""The adapter under test: its own folder, its process, and what it wrote.

Promises: it is started as its author says, in a folder of its own, and never outlives the suite; only this
process and its children are ended, by their ids.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from string import Template
from typing import TYPE_CHECKING, Final

from adapters.conformance.errors import ContractInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from adapters.conformance.contract import Contract

BESIDE_WAIT_S: Final = 60.0
LOOK_EVERY_S: Final = 0.02
STOP_WAIT_S: Final = 30.0
GIVE_WAIT_S: Final = 60.0


class Adapter:
    """One adapter; may be stopped, killed, started again. `words` fill in what its contract leaves open."""

    def __init__(self, contract: Contract, home: Path, logs: Path, words: Mapping[str, str]) -> None:
        self.home: Final = home
        self.logs: Final = logs
        self._contract: Final = contract
        self._words: Final = words
        self._process: subprocess.Popen[bytes] | None = None
        self._beside: Final[list[subprocess.Popen[bytes]]] = []
        logs.mkdir(parents=True)
        for name, text in contract.files.items():
            file = home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(Template(text).substitute(words), encoding="utf-8")
        (home / "tmp").mkdir(exist_ok=True)

    @property
    def runs(self) -> bool:
        """Tell whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and before the first time what its author wants beside it."""
        if not self._beside:
            for number, command in enumerate(self._contract.beside):
                self._beside.append(self._popen(command, f"beside-{number}.out"))
            self._wait_for_beside()
        self._process = self._popen(self._contract.run, "adapter.out")

    def _wait_for_beside(self) -> None:
        """Wait for the files that what runs beside it makes. Raises ContractInvalid."""
        until = time.monotonic() + BESIDE_WAIT_S
        wanted = [self.home / one for one in self._contract.wait_for]
        while not all(file.is_file() for file in wanted):
            if time.monotonic() > until or all(one.poll() is not None for one in self._beside):
                raise ContractInvalid(
                    "what runs beside it did not make what adapter.wait_for names; what it said is in "
                    "beside-*.out (--keep)"
                )
            time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """Ask it to end; kill it where it does not."""
        if self._process is not None and self.runs:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it as a power cut would, with its children."""
        if self._process is not None:
            _kill_group(self._process)

    def close(self) -> None:
        """End all that runs."""
        self.stop()
        for process in self._beside:
            _kill_group(process)

    def give(self, name: str, content: str, words: Mapping[str, str]) -> None:
        """Give it an input: a file that appears whole in its inbox, or what its author's own command does."""
        given = self._contract.input
        if given.command:
            draft = self.home / "tmp" / name
            draft.write_text(content, encoding="utf-8")
            filled = [Template(word).substitute({**words, "file": str(draft)}) for word in given.command]
            self._run(filled)
            draft.unlink(missing_ok=True)
            return
        inbox = self.home / given.inbox
        inbox.mkdir(parents=True, exist_ok=True)
        draft = inbox / f".{name}.draft"
        draft.write_text(content, encoding="utf-8")
        draft.rename(inbox / name)

    def read_rejected(self, path: Path) -> bytes:
        """Return what is kept of a rejected input, as it came: by the author's own command where sealed.

        A reason is a file that the command does not know: it is read as it stands.
        """
        reading = self._contract.input.reading
        if not reading:
            return path.read_bytes()
        filled = [Template(word).substitute({**self._words, "kept": path.name}) for word in reading]
        with (self.logs / "reading.out").open("ab") as said:
            try:
                return subprocess.run(  # noqa: S603 -- the contract's own command
                    filled,
                    cwd=self.home,
                    env=self._environment(),
                    stdout=subprocess.PIPE,
                    stderr=said,
                    timeout=GIVE_WAIT_S,
                    check=True,
                ).stdout
            except subprocess.CalledProcessError:
                return path.read_bytes()
            except (OSError, subprocess.SubprocessError):
                raise ContractInvalid("input.reading failed: it did not start, or did not end") from None

    def _run(self, command: Sequence[str]) -> None:
        with (self.logs / "give.out").open("ab") as out:
            try:
                subprocess.run(  # noqa: S603 -- the contract's own command
                    command,
                    cwd=self.home,
                    env=self._environment(),
                    stdout=out,
                    stderr=out,
                    timeout=GIVE_WAIT_S,
                    check=True,
                )
            except (OSError, subprocess.SubprocessError):
                raise ContractInvalid("input.command failed; what it said is in give.out (--keep)") from None

    def waits(self, name: str) -> bool:
        """Tell whether an input still lies where it was given."""
        return (self.home / self._contract.input.inbox / name).exists()

    def matching(self, pattern: str) -> frozenset[str]:
        """Return the files that fit a pattern, from the adapter's own folder.

        None whose name begins with a dot: such a one is still being written.
        """
        found = (path.relative_to(self.home) for path in self.home.glob(pattern))
        return frozenset(str(path) for path in found if not path.name.startswith("."))

    def _popen(self, command: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        filled = [Template(word).substitute(self._words) for word in command]
        with (self.logs / log).open("ab") as out:
            try:
                return subprocess.Popen(  # noqa: S603 -- the contract's own command
                    filled,
                    cwd=self.home,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            except OSError as error:
                raise ContractInvalid(f"a command of it cannot be started: {error.strerror}") from None

    def _environment(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in os.environ if not key.startswith("EXCHANGE_")}
        paths = [str((self._contract.base / one).resolve()) for one in self._contract.path]
        paths += [kept["PYTHONPATH"]] if kept.get("PYTHONPATH") else []
        own = {"HOME": str(self.home), "TMPDIR": str(self.home / "tmp")}
        return kept | own | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})


def words_of_adapter(target: str, oin: str, counterparty_oin: str, ports: Sequence[int]) -> dict[str, str]:
    """Return what is filled in for an adapter."""
    words = {"python": sys.executable, "target": target, "oin": oin, "counterparty_oin": counterparty_oin}
    return words | {f"port{number}": str(port) for number, port in enumerate(ports, 1)}


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # Its own group, made when it was started: nobody else is in it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=STOP_WAIT_S)
