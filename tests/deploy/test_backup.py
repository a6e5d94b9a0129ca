"""The scripts of `deploy/backup` on a real PostgreSQL: base backup, archive, point in time, what was erased.

Source: deploy/README.md, back up and restore; postgresql.org/docs/current/continuous-archiving.html.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.credentials import Credentials
from adapters.sdk.tokens import Person, PersonTokens
from deploy.local.processes import wait_until
from tests.deploy.archiving import READY_WITHIN_S, SCRIPTS, Database
from tests.e2e.service import REPOSITORY, Case, Service

if TYPE_CHECKING:
    from pathlib import Path


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
