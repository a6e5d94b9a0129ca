"""The scripts of `deploy/backup`, one by one, on a real PostgreSQL; also where the archive is away."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.processes import wait_until
from tests.deploy.archiving import READY_WITHIN_S, SCRIPTS, Database, script, scripts_environment
from tests.e2e.service import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

HARD_ERROR = 126  # from here on PostgreSQL gives up


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


@pytest.mark.parametrize(("words", "away"), [((), 1), (("whole",), HARD_ERROR)])
def test_an_archive_that_is_away_ends_a_restore_and_never_a_standby(
    folder: Path, words: tuple[str, ...], away: int
) -> None:
    wal = folder / "backup" / "wal"
    (wal / "0001").write_bytes(b"one")
    assert script(folder, "restore", "0001", folder / "back", *words).returncode == 0
    assert (folder / "back").read_bytes() == b"one"
    assert script(folder, "restore", "0002", folder / "back", *words).returncode == 1
    (wal / "0003").mkdir()
    assert script(folder, "restore", "0003", folder / "back", *words).returncode == away
    wal.rename(folder / "away")
    assert script(folder, "restore", "0001", folder / "back", *words).returncode == away
    environment = scripts_environment(folder) | {"BACKUP_SETTINGS": str(folder / "gone.env")}
    asked = [str(SCRIPTS / "restore"), "0001", "back", *words]
    assert subprocess.run(asked, check=False, cwd=folder, env=environment).returncode == away  # noqa: S603 -- our own program


@pytest.mark.slow
def test_a_standby_outlives_its_primary_while_the_archive_is_away(database: Database, folder: Path) -> None:
    standby = Database(folder, "b")
    database.run(
        "pg_basebackup", "--pgdata", str(standby.data), "--checkpoint", "fast", "--write-recovery-conf"
    )
    with (standby.data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write(f"restore_command = '{SCRIPTS}/restore %f %p'\n")
    (folder / "backup" / "wal").rename(folder / "away")
    try:
        standby.start(standby=True)
        followed = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        wait_until(lambda: database.ask(followed) == 1, READY_WITHIN_S, "the standby to follow")
        database.stop()
        # Its line ends, and it asks the archive, which is away, before it asks the primary again.
        asked = "could not connect to the primary server"
        wait_until(lambda: asked in standby.said, READY_WITHIN_S, "the standby to ask")
        assert standby.recovers() is True
        standby.ask("SELECT pg_promote()")
        wait_until(lambda: standby.recovers() is False, READY_WITHIN_S, "the standby to lead")
    finally:
        standby.stop()


@pytest.mark.slow
def test_who_was_restored_archives_again_once_it_was_told_that_it_has_recovered(
    database: Database, folder: Path
) -> None:
    base = database.run(str(SCRIPTS / "base")).stdout.strip().splitlines()[-1]
    database.stop()
    told = Database(folder, "n")
    told.run(str(SCRIPTS / "restore-to"), base, str(told.data))
    assert script(folder, "restored", told.data).returncode == 1
    told.start()
    assert told.ask("SHOW archive_mode") == "off"
    assert script(folder, "restored", told.data).returncode == 1
    told.stop()
    told.run(str(SCRIPTS / "restored"), str(told.data))
    told.start()
    try:
        assert (told.ask("SHOW archive_mode"), told.ask("SHOW restore_command")) == ("on", "")
        written = str(told.ask("SELECT pg_walfile_name(pg_switch_wal())"))
        wait_until((folder / "backup" / "wal" / written).exists, READY_WITHIN_S, "the archive")
    finally:
        told.stop()


def with_a_still_archive(database: Database, folder: Path) -> str:
    """Return settings of the same backups, whose archive nobody writes into."""
    still = folder / "still"
    database.run("mkdir", "-p", str(still / "wal"))
    database.run("ln", "-s", str(folder / "backup" / "base"), str(still / "base"))
    said = (folder / "backup.env").read_text(encoding="utf-8")
    settings = folder / "still.env"
    settings.write_text(said.replace(str(folder / "backup"), str(still)), encoding="utf-8")
    settings.chmod(0o644)
    return f"BACKUP_SETTINGS={settings}"


def test_when_a_backup_went_well_is_told_whole_and_one_that_failed_changes_nothing(
    database: Database, folder: Path
) -> None:
    told = folder / "told"
    told.mkdir()
    told.chmod(0o777)  # the scripts run as the server's account
    where = ("env", f"BACKUP_METRICS={told}", "BACKUP_WAIT_S=1")
    before = int(time.time())
    database.run(*where, "BACKUP_WAIT_S=60", str(SCRIPTS / "base"))
    (file,) = told.iterdir()
    said = file.read_text(encoding="ascii")
    assert (file.name, file.stat().st_mode & 0o777) == ("exchange_backup.prom", 0o644)
    (family,) = text_string_to_metric_families(said)
    (sample,) = family.samples
    assert (family.type, sample.name) == ("gauge", "exchange_backup_last_success_timestamp_seconds")
    assert before <= sample.value <= time.time()
    still = with_a_still_archive(database, folder)
    with pytest.raises(AssertionError, match="the archive stands still"):
        database.run(*where, still, str(SCRIPTS / "base"))
    assert [path.read_text(encoding="ascii") for path in told.iterdir()] == [said]


@pytest.mark.slow
def test_nothing_older_goes_while_the_archive_stands_still(database: Database, folder: Path) -> None:
    backup = folder / "backup"
    first = database.run(str(SCRIPTS / "base")).stdout.strip().splitlines()[-1]
    os.utime(first, (0, 0))
    left = backup / "base" / "19700101T000000Z.partial"
    left.mkdir()
    still = with_a_still_archive(database, folder)
    kept = {path.name for path in (backup / "wal").iterdir()}
    with pytest.raises(AssertionError, match="the archive stands still"):
        database.run("env", "BACKUP_WAIT_S=1", still, str(SCRIPTS / "base"))
    assert (backup / "base" / first).is_dir()
    assert kept <= {path.name for path in (backup / "wal").iterdir()}
    newest = database.run(str(SCRIPTS / "base")).stdout.strip().splitlines()[-1]
    assert not (backup / "base" / first).exists()
    assert (backup / "base" / newest).is_dir()


@pytest.mark.slow
def test_two_backups_in_one_second_are_two(database: Database, folder: Path) -> None:
    told = [database.run(str(SCRIPTS / "base")).stdout.strip().splitlines()[-1] for _ in range(3)]
    assert len(set(told)) == len(told)
    assert sorted(str(path) for path in (folder / "backup" / "base").iterdir()) == sorted(told)


def test_a_backup_makes_no_archive_that_the_server_could_not_write(folder: Path) -> None:
    (folder / "backup" / "wal").rmdir()
    told = script(folder, "base")
    assert (told.returncode, "may not remove from it" in told.stderr) == (1, True)
    assert not (folder / "backup" / "wal").exists()


def test_nothing_is_restored_over_what_is_there(folder: Path) -> None:
    (folder / "taken").mkdir()
    (folder / "taken" / "PG_VERSION").write_text("18", encoding="utf-8")
    told = script(folder, "restore-to", folder / "base", folder / "taken")
    assert (told.returncode, told.stderr) == (1, f"restore-to: {folder / 'taken'} is not empty\n")


def test_the_shell_of_deploy_is_sound() -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed: apt-get install shellcheck")
    files = [*(SCRIPTS / name for name in ("archive", "restore", "base", "restore-to", "restored"))]
    files.append(REPOSITORY / "deploy" / "local" / "cluster")
    # Where the settings lie is not known here.
    told = subprocess.run(  # noqa: S603 -- its own words
        [shellcheck, "--exclude=SC1090", *files], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout) == (0, "")
