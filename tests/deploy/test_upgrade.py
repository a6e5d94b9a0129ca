"""A store goes forward under running nodes: the older code goes on, neither starts on what it does not know.

The newer version is a copy of this code with one step more, run as a process of its own.
Source: exchange/decisions/0086-a-store-goes-forward-when-told.md, 0121-a-step-says-whether-it-only-adds.md;
deploy/RUNBOOKS.md, a new version.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
import uuid
from itertools import cycle
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.sdk.errors import Unavailable
from deploy.local.processes import wait_until
from exchange.store.postgres import SCHEMA_VERSION, found_version
from tests.e2e.service import REPOSITORY, Case, Service
from tests.nodes.cluster import Cluster, Databases
from tests.postgres.started import started_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from tests.nodes.cluster import Node
    from tests.postgres.server import PostgresServer

MORE_EACH_TIME = 5
WITHIN_S = 60
# A table that the older code knows nothing of: the kind of step that needs no stop.
STEP = f"""

STEPS[{SCHEMA_VERSION}] = ("CREATE TABLE later (one integer)",)
ONLY_ADD.add({SCHEMA_VERSION})
"""
LEASE_S = 10.0
PACE_S = 0.05


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with started_server() as made:
        yield made


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The code of the next version, beside this one."""
    code = tmp_path / "newer"
    shutil.copytree(
        REPOSITORY / "exchange", code / "exchange", ignore=shutil.ignore_patterns("__pycache__", "*.md")
    )
    room = code / "exchange" / "store" / "postgres.py"
    text = room.read_text(encoding="utf-8")
    version = f"SCHEMA_VERSION: Final = {SCHEMA_VERSION}\n"
    assert text.count(version) == 1
    room.write_text(
        text.replace(version, f"SCHEMA_VERSION: Final = {SCHEMA_VERSION + 1}\n") + STEP, encoding="utf-8"
    )
    return code


def command(service: Service, code: Path, *words: str, data: Path | None = None) -> tuple[int, str]:
    """Run a version's command line with a service's settings; return its exit code and what it said."""
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "exchange", *words, "--data", str(data or service.data)],
        capture_output=True,
        text=True,
        check=False,
        cwd=code,
        env=service._environment,
    )
    return done.returncode, done.stdout + done.stderr


def refused_start(service: Service, code: Path) -> str:
    """Return what a version says instead of starting beside the running one."""
    other = service.data.parent / f"other-{uuid.uuid4().hex[:6]}"
    # Everything but the hold of the folder is as it was.
    shutil.copytree(service.data, other, ignore=shutil.ignore_patterns("service.json"))
    exit_code, said = command(service, code, "serve", "--port", "0", "--metrics-port", "0", data=other)
    assert exit_code != 0
    return said


class Caller:
    """Sets one goal after another, and keeps what refused it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.set = 0
        self.raised: list[BaseException] = []
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._enough.is_set():
                self._set_one(f"Wens {self.set}.")
                self.set += 1
                # A plan has an end; who does not wait fills it on a fast machine before the test is over.
                self._enough.wait(PACE_S)
        except BaseException as raised:  # noqa: BLE001 -- looked at by the test
            self.raised.append(raised)

    def _set_one(self, words: str) -> None:
        self.case.goal(words)

    def go_on(self) -> None:
        goal = self.set + MORE_EACH_TIME
        wait_until(lambda: bool(self.raised) or self.set >= goal, WITHIN_S, "goals that are set")
        assert self.raised == []

    def stop(self) -> None:
        self._enough.set()
        self._thread.join()


class Wanderer(Caller):
    """Goes from node to node until one answers; keeps how long each goal took him."""

    def __init__(self, case: Case, nodes: Sequence[Node]) -> None:
        self.took_s: list[float] = []
        self.refused = 0
        self._turn = cycle(nodes)
        self._workers: dict[str, ExchangeClient] = {}
        super().__init__(case)

    def _set_one(self, words: str) -> None:
        request_id, version, began = str(uuid.uuid4()), self.case.version, time.monotonic()
        while True:
            self.case.wmo, self.case.version = self._worker(next(self._turn)), version
            try:
                self.case.goal(words, request_id)
            except Unavailable:
                self.refused += 1
                assert time.monotonic() < began + WITHIN_S, "nobody answers"
                self._enough.wait(PACE_S)
            else:
                break
        self.took_s.append(time.monotonic() - began)

    def _worker(self, node: Node) -> ExchangeClient:
        if node.target not in self._workers:
            self._workers[node.target] = node.worker("college:WMO", f"w-{self.case.bsn[-5:]}")
        return self._workers[node.target]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nodes_are_replaced_one_after_another_and_no_call_waits_longer_than_the_lease(
    server: PostgresServer, newer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    databases = Databases(*map(server.create, Databases._fields))
    cluster = Cluster(tmp_path / "nodes", databases, count=2, lease_s=LEASE_S)
    caller: Wanderer | None = None
    try:
        cluster.start()
        caller = Wanderer(Case(cluster.nodes[0]), cluster.nodes)
        caller.go_on()
        exit_code, said = command(cluster.nodes[0], newer, "store", "migrate", data=tmp_path / "aside")
        assert (exit_code, found_version(databases.events)) == (0, SCHEMA_VERSION + 1), said
        caller.go_on()
        # The one that does not hold the shard first: it moves once only.
        for node in (*cluster.others(cluster.held()), cluster.held()):
            assert node.stop() == 0
            caller.go_on()
            node.code = newer
            node.start()
            caller.go_on()
        caller.stop()
        assert caller.raised == []
        longest_s = max(caller.took_s)
        with capsys.disabled():
            told = (
                f"{caller.set} goals, {caller.refused} refusals, longest {longest_s:.2f} s of {LEASE_S:.0f}"
            )
            sys.stdout.write(f"\nrolling upgrade: {told}\n")
        assert longest_s < LEASE_S
        assert caller.refused > 0
        assert cluster.topics_after(0).count("plan.goal_set.v1") == caller.set
        cluster.verified()
    finally:
        if caller is not None:
            caller.stop()
        cluster.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_store_goes_forward_under_the_older_code_and_the_newer_takes_over(
    server: PostgresServer, newer: Path, tmp_path: Path
) -> None:
    service = Service(tmp_path / "exchange", store="postgres", postgres=server.dsn()).start()
    caller = Caller(Case(service))
    try:
        caller.go_on()
        assert "written by an older version" in refused_start(service, newer)
        caller.go_on()
        exit_code, said = command(service, newer, "store", "migrate", data=tmp_path / "aside")
        assert (exit_code, found_version(server.dsn())) == (0, SCHEMA_VERSION + 1), said
        caller.go_on()
        assert "written by a newer version" in refused_start(service, REPOSITORY)
        caller.go_on()
        caller.stop()
        last, version = str(uuid.uuid4()), caller.case.version
        answered = caller.case.goal("De laatste.", request_id=last)
        assert service.stop() == 0
        service.hang_up()
        service.code = newer
        service.start()
        case = caller.case
        case.wmo, case.version = service.worker("college:WMO", f"w-{case.bsn[-5:]}"), version
        assert case.goal("De laatste.", request_id=last) == answered
        case.goal("De eerste onder de nieuwe.")
        told = command(service, newer, "store", "verify", data=service.data)
        assert told[0] == 0, told[1]
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    finally:
        caller.stop()
        service.close()
