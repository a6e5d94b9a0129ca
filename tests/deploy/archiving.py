"""A PostgreSQL that archives by the scripts of `deploy/backup`, and these scripts run by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psycopg

from deploy.local.cluster import postgres_binaries
from deploy.local.processes import Process, as_nobody, leash, wait_until
from tests.e2e.service import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = REPOSITORY / "deploy" / "backup"
READY_WITHIN_S = 60


class Database:
    """One PostgreSQL on a socket below a folder; its archive goes where the scripts' settings say."""

    def __init__(self, folder: Path, name: str) -> None:
        found = postgres_binaries()
        assert found is not None
        self.data, self.socket = folder / name, folder / f"s-{name}"
        self.socket.mkdir(mode=0o700)
        self._folder, self._bin, self._name = folder, found, name
        self._environment = scripts_environment(folder)
        self.process: Process | None = None

    def make(self) -> None:
        """Make an empty one that archives."""
        words = ["initdb", "-D", str(self.data), "-U", "exchange", "-A", "trust", "-E", "UTF8", "--locale=C"]
        self.run(str(self._bin / words[0]), *words[1:], "--no-instructions")
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(
                f"archive_mode = on\narchive_command = '{SCRIPTS}/archive %p %f'\nlisten_addresses = ''\n"
                "shared_buffers = 32MB\n"
            )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the server's account."""
        done = subprocess.run(  # noqa: S603 -- our own words
            [*as_nobody(), *leash("TERM"), *words],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment | {"PGHOST": str(self.socket), "PGUSER": "exchange"},
        )
        assert done.returncode == 0, done.stderr
        return done

    def start(self, *, standby: bool = False) -> None:
        """Start it, and return when it takes commands: a recovery has come to its end, or is a standby's."""
        words = [str(self._bin / "postgres"), "-D", str(self.data), "-k", str(self.socket)]
        self.process = Process(self._name, words, self._folder, self._environment)
        self.process.start()
        what = f"the database:\n{self.process.said()}"
        wait_until(lambda: self.recovers() is standby, READY_WITHIN_S, what)

    def recovers(self) -> bool | None:
        """Tell whether it is in recovery, as a standby is; None where it takes no questions now."""
        assert self.process is not None
        assert self.process.running, self.process.said()
        try:
            return bool(self.ask("SELECT pg_is_in_recovery()"))
        except psycopg.OperationalError:
            return None

    def ask(self, question: str) -> object:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            row = connection.execute(question.encode()).fetchone()
        return None if row is None else row[0]

    def tell(self, statement: str) -> None:
        """Run what answers nothing."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        if self.process is not None and self.process.running:
            os.kill(self.process.pid, signal.SIGINT)
            self.process.stop()

    @property
    def said(self) -> str:
        """What it wrote to its log."""
        return "" if self.process is None else self.process.said()

    @property
    def dsn(self) -> str:
        return f"host={self.socket} user=exchange dbname=postgres"


def scripts_environment(folder: Path) -> dict[str, str]:
    settings = folder / "backup.env"
    settings.write_text(f"BACKUP_FOLDER={folder / 'backup'}\nBACKUP_KEEP_DAYS=7\n", encoding="utf-8")
    path = f"{postgres_binaries()}:{os.environ['PATH']}"
    return {"PATH": path, "BACKUP_SETTINGS": str(settings), "LC_ALL": "C"}


def script(folder: Path, name: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- our own program
        [SCRIPTS / name, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=scripts_environment(folder),
    )
