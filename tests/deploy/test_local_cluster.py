"""The cluster of one machine as a command: what it says, the lead handed over, that nothing outlives it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from deploy.local.cluster import PATRONI_FILE, STATE, missing
from deploy.local.processes import wait_until
from tests.house.tree import REPOSITORY

LAUNCHER = REPOSITORY / "deploy" / "local" / "cluster"
UP_WITHIN_S = 300
GONE_WITHIN_S = 60
REFUSED = "no pg_hba[.]conf entry|valid client certificate"


def said(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- our own program
        [LAUNCHER, command, "--folder", folder], capture_output=True, text=True, check=False
    )


def patronictl(folder: Path, command: str) -> str:
    """Run the tool that the runbooks name."""
    tool = Path(sys.executable).parent / "patronictl"
    done = subprocess.run(  # noqa: S603 -- its own words
        [tool, "-c", folder / "pg1.yml", command], capture_output=True, text=True, check=True
    )
    return done.stdout


def assert_lines_are_closed(folder: Path) -> None:
    """Without TLS, a certificate or the right to a database nobody gets in, as production's file says."""
    told = json.loads((folder / STATE).read_text(encoding="utf-8"))
    if "sslmode" not in told["postgres"]:
        return  # the wheel's PostgreSQL has no TLS; the file is held by test_files.py all the same
    settings, passfile = told["postgres"], told["passfile"]
    with psycopg.connect(settings, passfile=passfile) as connection:
        row = connection.execute("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    assert row == ("TLSv1.3",)
    for changed in ("sslmode=disable", "sslcert=/nonexistent sslkey=/nonexistent", "user=replicator"):
        # What is said twice counts as it is said last.
        with pytest.raises(psycopg.OperationalError, match=REFUSED):
            psycopg.connect(f"{settings} {changed}", passfile=passfile)


def processes_below(folder: Path) -> list[str]:
    """Return the command lines of the processes that were told of this folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in words:
                found.append(words)
    return found


@pytest.mark.parametrize("command", ["status", "failover", "down"])
def test_without_a_cluster_it_says_so(command: str, tmp_path: Path) -> None:
    told = said(tmp_path, command)
    assert told.returncode == 1
    assert told.stderr == f"no cluster runs below {tmp_path}\n"


def test_it_does_not_start_over_another(tmp_path: Path) -> None:
    if lacks := missing():
        pytest.skip(f"this machine has no {lacks}: see deploy/README.md, a cluster on one machine")
    (tmp_path / STATE).write_text("{}", encoding="utf-8")
    told = said(tmp_path, "up")
    assert told.returncode == 2
    assert "take the folder away" in told.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_lead_is_handed_over_and_all_of_it_ends_with_its_starter(tmp_path: Path) -> None:
    if lacks := missing():
        pytest.skip(f"this machine has no {lacks}: see deploy/README.md, a cluster on one machine")
    folder = tmp_path / "cluster"
    with (tmp_path / "up.log").open("wb") as log:
        starter = subprocess.Popen([LAUNCHER, "up", "--folder", folder], stdout=log, stderr=log)  # noqa: S603 -- our own program
    try:
        wait_until((folder / STATE).exists, UP_WITHIN_S, "the cluster")
        assert len(processes_below(folder)) >= len(
            ("etcd", "nats", "pg1", "pg2", "patroni", "patroni", "node")
        )
        before = said(folder, "status").stdout
        assert "pg1" in before.split("primary")[0].splitlines()[-1]
        assert re.search(r"pg2 .*Quorum Standby .*streaming", patronictl(folder, "list"))
        assert_lines_are_closed(folder)
        told = said(folder, "failover").stdout
        assert "Successfully switched over" in told
        assert "pg2" in told.split("primary")[0].splitlines()[-1]
        assert json.loads((folder / STATE).read_text(encoding="utf-8"))["postgres"].count("password") == 0
        starter.send_signal(signal.SIGKILL)
        starter.wait()
        wait_until(lambda: not processes_below(folder), GONE_WITHIN_S, "the end of every process")
    finally:
        starter.kill()
        starter.wait()


def test_production_runs_what_the_cluster_of_one_machine_runs() -> None:
    told = PATRONI_FILE.read_text(encoding="utf-8")
    for promise in (
        "synchronous_mode: quorum",
        "synchronous_mode_strict: true",
        'fsync: "on"',
        "failsafe_mode: true",
    ):
        assert promise in told
