"""PostgreSQL under Patroni, etcd, NATS and nodes die under load: nothing acknowledged is lost or doubled.

Three nodes where PostgreSQL has TLS. Load and checker are those of `tests/history`.
Source: the promises of exchange/decisions/0098-what-a-failover-may-lose.md; deploy/patroni/patroni.yml.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.credentials import Credentials
from deploy.local.cluster import Cluster, missing, nodes_most
from deploy.local.processes import wait_until
from exchange.store.lease import lease_of
from exchange.store.postgres_reader import PostgresReader
from exchange.store.verify import verify_store
from tests.history.clustered import Clustered, beside, under_load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.local.cluster import Member
    from deploy.local.nodes import Node

PLANS = 16  # so many that none of them is full before it is over
BACK_WITHIN_S = 120

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster of one's own, to kill parts of."""
    if lacks := missing():
        pytest.skip(f"this machine has no {lacks}: see deploy/README.md, a cluster on one machine")
    made = Cluster(tmp_path_factory.mktemp("cluster"), nodes_most())
    monkeypatch.setenv("PGPASSFILE", str(made.pgpass))
    try:
        made.up()
        yield made
    finally:
        made.down()


def leads(cluster: Cluster) -> Member:
    """Return the primary, once there is one."""
    wait_until(lambda: cluster.primary() is not None, BACK_WITHIN_S, "a primary")
    found = cluster.primary()
    assert found is not None
    return found


def follows(cluster: Cluster, one: Member) -> None:
    """Return when a member is the synchronous standby."""
    wait_until(lambda: cluster.synchronous() is one, BACK_WITHIN_S, f"{one.name} as synchronous standby")


def holder_of(cluster: Cluster) -> Node:
    """Return the node that holds the shard; the only one where there is one."""
    if len(cluster.nodes) == 1:
        return cluster.nodes[0]
    wait_until(lambda: lease_of(cluster.dsn()).left_s > 0, BACK_WITHIN_S, "a node that holds the shard")
    held = lease_of(cluster.dsn()).holder
    return next(one for one in cluster.nodes if one.address == held)


def kill_the_primary(cluster: Cluster, under: Clustered) -> None:
    """Crash PostgreSQL of the primary: the standby takes over, the former comes back as standby."""
    first = leads(cluster)
    writable_after: list[float] = []

    def harm() -> None:
        began = time.monotonic()
        first.kill_postgres()
        wait_until(lambda: cluster.primary() not in {first, None}, BACK_WITHIN_S, "the standby in the lead")
        wait_until(cluster.writable, BACK_WITHIN_S, "a database that can be written")
        writable_after.append(time.monotonic() - began)

    under.fault("kill -9 of the primary's PostgreSQL", harm)
    under.lines.append(f"  the standby was writable after {writable_after[0]:.1f} s")
    follows(cluster, first)


def kill_the_machine(cluster: Cluster, under: Clustered) -> None:
    """Lose PostgreSQL and Patroni of the primary at once; it is started again when the other one leads."""
    second = leads(cluster)

    def harm() -> None:
        second.kill()
        wait_until(lambda: cluster.primary() not in {second, None}, BACK_WITHIN_S, "the standby in the lead")
        # It is back as a standby, for without one nothing is answered.
        second.patroni.start()

    under.fault("kill -9 of the primary's PostgreSQL and Patroni", harm)
    follows(cluster, second)


def kill_the_rest(cluster: Cluster, under: Clustered) -> None:
    """Kill what nobody waits for in the long run: standby, etcd, the bell, the node that holds the shard."""
    first = leads(cluster)
    standby = next(one for one in cluster.members if one is not first)
    under.fault("kill -9 of the standby's PostgreSQL", standby.kill_postgres)
    follows(cluster, standby)
    under.fault("kill -9 of etcd", cluster.etcd.kill)
    assert cluster.primary() is first
    cluster.start_etcd()
    under.fault("kill -9 of NATS", cluster.nats.kill)
    cluster.nats.start()
    holder = holder_of(cluster)

    def kill_the_holder() -> None:
        holder.kill()
        holder.begin()

    under.fault("kill -9 of the node that holds the shard", kill_the_holder)
    holder.await_ready()


def test_nothing_acknowledged_is_lost_whatever_dies(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = beside(
        {"store": "postgres", "postgres": cluster.dsn()} | cluster.shared, cluster.nodes[0].data
    )
    credentials = Credentials.load(cluster.credentials)

    def targets() -> list[str]:
        return [node.ready["target"] for node in cluster.nodes]

    with under_load(targets, credentials, tmp_path, settings, plans=PLANS) as under:
        kill_the_primary(cluster, under)
        kill_the_rest(cluster, under)
        kill_the_machine(cluster, under)
        under.end()
    assert any(one.outcome != "ok" for one in under.history), "no client noticed anything: nothing was tried"
    with closing(PostgresReader(cluster.dsn())) as reader:
        stored = verify_store(reader)
    assert stored.problems == []
    acknowledged = sum(one.outcome == "ok" and bool(one.leaf) for one in under.history)
    under.lines.append(f"{acknowledged} commands acknowledged, {stored.events} events: 0 lost, 0 doubled")
    with capsys.disabled():
        under.tell()
