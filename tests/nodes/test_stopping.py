"""Nodes that are told to stop while their store is away are gone in time, and nothing answered is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from exchange.domain.plan.events import GoalSet
from exchange.wiring.ending import EXIT
from tests.e2e.service import Case
from tests.nodes.cluster import Cluster, Databases, until
from tests.postgres.started import started_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres.server import PostgresServer

DRAIN_S = 1
GOALS = 2
UNDERWAY = "0b8f4c52-7d0e-4c3a-9a51-3f1f6a3f2e01"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of one's own, to stop and to kill."""
    with started_server() as made:
        yield made


@pytest.fixture
def cluster(server: PostgresServer, tmp_path: Path) -> Iterator[Cluster]:
    """Two nodes whose calls have a second left when they are told to stop."""
    databases = Databases(*(server.create(name) for name in Databases._fields))
    made = Cluster(tmp_path, databases, count=2)
    for node in made.nodes:
        node._environment["EXCHANGE_DRAIN_S"] = str(DRAIN_S)
    try:
        yield made.start()
    finally:
        made.close()


class Asking:
    """A command on its way while the store is silent; what comes of it is told, or nothing is."""

    def __init__(self, case: Case, words: str) -> None:
        self._case, self._words = case, words
        self.answered = False
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self._case.report(self._words, request_id=UNDERWAY)
        except Exception:  # noqa: BLE001 -- whichever way it is cut off
            return
        self.answered = True

    def ended(self) -> bool:
        self._thread.join()
        return self.answered


@pytest.mark.slow
def test_a_store_that_is_silent_holds_up_no_end_and_the_shard_goes_on(
    server: PostgresServer, cluster: Cluster
) -> None:
    holder = cluster.held()
    (other,) = cluster.others(holder)
    case = Case(holder)
    case.goal("Vastgelegd.")
    acknowledged = cluster.head()
    server.pause()
    try:
        underway = Asking(case, "Onderweg.")
        # By a signal, and waited for: it was never gone before, for a line to a silent server says nothing.
        assert holder.stop() == EXIT
        assert underway.ended() is False
    finally:
        server.resume()
    assert '"reason":"cut_off","event":"stopped"' in holder.said()
    # Its lease could not be given back, and is over: the other one takes it, and has all that was answered.
    cluster.held(but=holder.address)
    assert cluster.verified() >= acknowledged
    case.service, case.wmo = other, other.worker("college:WMO", f"w-{case.bsn[-5:]}")
    # Whether it was recorded nobody was told; asked again under its name it is there once.
    told = [case.report("Onderweg.", request_id=UNDERWAY) for _ in range(2)]
    assert told[0] == told[1]
    case.version = told[1].version
    case.goal("Bij de ander.")
    assert cluster.topics_after(0).count(GoalSet.TOPIC) == GOALS
    cluster.verified()
    # Whoever was cut off starts as after a power cut.
    holder.start()
    assert holder.stop() == 0


@pytest.mark.slow
def test_a_store_that_died_holds_up_no_end(server: PostgresServer, cluster: Cluster) -> None:
    holder = cluster.held()
    (other,) = cluster.others(holder)
    case = Case(holder)
    acknowledged = cluster.head()
    server.kill()
    # Its read models have asked, and wait for a line.
    until(lambda: "publish_failed" in holder.said(), "the holder misses its store")
    holder.stop()
    server.start()
    cluster.held(but=holder.address)
    assert cluster.verified() >= acknowledged
    case.service, case.wmo = other, other.worker("college:WMO", f"w-{case.bsn[-5:]}")
    until(lambda: _set(case), "the other serves")


def _set(case: Case) -> bool:
    try:
        case.goal("Bij de ander.")
    except Exception:  # noqa: BLE001 -- it finds its store again
        return False
    return True
