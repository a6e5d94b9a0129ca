"""PostgreSQL under Patroni loses primary, standby and etcd under load: nothing acknowledged is lost.

Source: the promises of exchange/decisions/0098-what-a-failover-may-lose.md; deploy/patroni/patroni.yml.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import pytest

from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import Unavailable
from deploy.local.cluster import Cluster, missing, nodes_most
from deploy.local.processes import wait_until
from exchange.store.postgres_reader import PostgresReader
from exchange.store.verify import verify_store
from tests.e2e.load import Command, Worker
from tests.e2e.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORKERS = 3
# Steady rather than as quick as it can: what is looked at afterwards is every command.
PACE_S = 0.05
MORE_EACH_TIME = 8
BACK_WITHIN_S = 120
ASKED_AGAIN = 25

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one's own, to kill parts of."""
    if lacks := missing():
        pytest.skip(f"this machine has no {lacks}: see deploy/README.md, a cluster on one machine")
    made = Cluster(tmp_path_factory.mktemp("cluster"), nodes_most())
    try:
        made.up()
        yield made
    finally:
        made.down()


class AtNode(Service):
    """Who talks to one node of a cluster; residents are drawn from one row for all of them."""

    def __init__(self, cluster: Cluster, nth: int, first: Service | None) -> None:
        node = cluster.nodes[nth % len(cluster.nodes)]
        super().__init__(node.data)
        self.ready = node.ready
        self._known = cluster.credentials
        self._bsns = self._bsns if first is None else first._bsns

    def credentials(self, folder: str = "operator") -> Credentials:
        assert folder == "operator"
        return Credentials.load(self._known)


class Persistent:
    """A worker that asks on, with the same request id, until it is answered; it counts what it was told."""

    def __init__(self, service: Service, number: int) -> None:
        self.worker = Worker(service, number)
        self.answered: list[tuple[float, Command]] = []
        self.faults: list[str] = []
        self._service = service

    def work(self, enough: threading.Event) -> None:
        worker = self.worker
        worker.case.wmo = self._service.worker("college:WMO", f"w-{worker.case.bsn[-5:]}")
        while not enough.is_set():
            command = next(worker.commands)
            worker.sent.append(command)
            # A command that was begun is brought to its end: its outcome is known when this returns.
            until = time.monotonic() + BACK_WITHIN_S
            while command.answer is None:
                try:
                    worker.send(command)
                except Unavailable as refused:
                    self.faults.append(type(refused).__name__)
                    assert time.monotonic() < until, "the service does not come back by itself"
                    enough.wait(PACE_S)
            self.answered.append((time.monotonic(), command))
            enough.wait(PACE_S)


class Load:
    """Workers in threads of their own; what one of them raised is raised at the end."""

    def __init__(self, workers: list[Persistent]) -> None:
        self.workers = workers
        self._enough = threading.Event()
        self._raised: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in workers]

    def _run(self, worker: Persistent) -> None:
        try:
            worker.work(self._enough)
        except BaseException as raised:  # noqa: BLE001 -- raised again where the test sees it
            self._raised.append(raised)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *told: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()
        if self._raised:
            raise self._raised[0]

    def go_on(self) -> None:
        """Return when every worker was answered so many times more."""
        goals = [len(one.answered) + MORE_EACH_TIME for one in self.workers]

        def reached() -> bool:
            assert not self._raised, self._raised
            return all(len(one.answered) >= goal for one, goal in zip(self.workers, goals, strict=True))

        wait_until(reached, BACK_WITHIN_S, "answers to every worker")

    def silence_since(self, moment: float) -> float:
        """Return the longest time after a moment in which nobody was answered."""
        at = sorted(at for one in self.workers for at, _ in list(one.answered) if at > moment)
        return max(later - earlier for earlier, later in pairwise([moment, *at]))


def fault(load: Load, what: str, harm: Callable[[], None]) -> None:
    """Do harm under load, and say how long nobody was answered."""
    load.go_on()
    moment = time.monotonic()
    harm()
    load.go_on()
    silence = load.silence_since(moment)
    print(f"{what}: nobody was answered for {silence:.1f} s")  # noqa: T201 -- the figure is what is shown


def assert_nothing_is_lost(cluster: Cluster, load: Load) -> int:
    """Every receipt's leaf is in the store as it was told, and the store agrees with itself."""
    with closing(PostgresReader(f"{cluster.dsn()} passfile={cluster.pgpass}")) as reader:
        report = verify_store(reader)
        assert report.problems == []
        assert report.events == report.leaves == report.position
        leaves = reader.leaf_entries(0, report.leaves)
    for one in load.workers:
        for _, command in one.answered:
            receipt = command.receipt
            assert leaves[receipt.leaf_index] == receipt.leaf_entry
            assert receipt.leaf_index == receipt.position - 1
    return report.position


def assert_nothing_is_doubled(load: Load) -> None:
    """Asked again a command has the answer it had; a plan holds each once, in the order they were sent."""
    for one in load.workers:
        worker = one.worker
        for command in worker.sent[-ASKED_AGAIN:]:
            known = command.answer
            assert worker.send(command) == known
        told = [command.words for command in worker.sent]
        goals, reports = ([words for words in told if int(words.split()[1]) % 2 == odd] for odd in (1, 0))
        assert worker.words_of_plan() == goals + reports


def test_nothing_acknowledged_is_lost_whatever_of_the_database_dies(cluster: Cluster) -> None:
    first_service = AtNode(cluster, 0, None)
    services = [first_service, *(AtNode(cluster, nth, first_service) for nth in range(1, WORKERS))]
    try:
        load = Load([Persistent(service, number) for number, service in enumerate(services)])
        with load:
            first = cluster.primary()
            assert first is not None
            fault(load, "kill -9 of the primary's PostgreSQL", first.kill_postgres)
            second = cluster.primary()
            assert second is not None
            assert second is not first, "the primary that fell leads again: it was waited for"
            wait_until(lambda: cluster.synchronous() is first, BACK_WITHIN_S, "the former primary as standby")

            fault(load, "kill -9 of the standby's PostgreSQL", first.kill_postgres)
            wait_until(lambda: cluster.synchronous() is first, BACK_WITHIN_S, "the standby")

            fault(load, "kill -9 of etcd", cluster.etcd.kill)
            assert cluster.primary() is second
            cluster.start_etcd()
            load.go_on()

            def lose_the_machine() -> None:
                second.kill()
                # It is back as a standby, for without one nothing is answered.
                wait_until(lambda: cluster.primary() is first, BACK_WITHIN_S, "the standby in the lead")
                second.patroni.start()

            fault(load, "kill -9 of the primary's PostgreSQL and Patroni", lose_the_machine)
            wait_until(lambda: cluster.synchronous() is second, BACK_WITHIN_S, "the lost machine as standby")
        faults = sum(len(one.faults) for one in load.workers)
        assert faults > 0, "no worker noticed anything: nothing was tried"
        position = assert_nothing_is_lost(cluster, load)
        assert_nothing_is_doubled(load)
        answered = sum(len(one.answered) for one in load.workers)
        print(f"{answered} commands acknowledged, {faults} refusals, {position} events: 0 lost, 0 doubled")  # noqa: T201 -- shown
    finally:
        for service in services:
            service.hang_up()
