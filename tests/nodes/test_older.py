"""Batches while nodes are replaced: one node knows them, the other is of a version that does not.

The older version is a copy of this code without the rpc, run as a process of its own.
Source: exchange/decisions/0211-a-batch-to-an-older-node-goes-one-by-one.md; deploy/RUNBOOKS.md.
"""

from __future__ import annotations

import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk.batches import SEND_COMMANDS, Batch, Collected
from adapters.sdk.client import ExchangeClient
from adapters.sdk.logs import AdapterLog
from adapters.sdk.patience import Patience
from adapters.sdk.tokens import Person
from exchange.store.postgres_reader import PostgresReader
from tests.e2e.service import REPOSITORY, Case
from tests.nodes.batching import GOALS, goals_of
from tests.nodes.cluster import Cluster, Databases, metrics, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nodes.cluster import Node
    from tests.postgres.server import PostgresServer

BATCH = "    (batch_service_pb2.DESCRIPTOR, batch.RPCS),\n"
FIRST_FEW = 3
# So long that a busy machine loses none by itself.
LEASE_S = 10.0


@pytest.fixture(scope="module")
def older_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    code = tmp_path_factory.mktemp("older")
    shutil.copytree(
        REPOSITORY / "exchange", code / "exchange", ignore=shutil.ignore_patterns("__pycache__", "*.md")
    )
    room = code / "exchange" / "server" / "app.py"
    text = room.read_text(encoding="utf-8")
    assert text.count(BATCH) == 1
    room.write_text(text.replace(BATCH, ""), encoding="utf-8")
    return code


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, older_code: Path
) -> Iterator[Cluster]:
    """Two nodes, of which the second is older."""
    databases = Databases(*(postgres.create(f"older-{what}") for what in Databases._fields))
    made = Cluster(tmp_path_factory.mktemp("cluster"), databases, count=2, lease_s=LEASE_S)
    made.nodes[1].code = older_code
    try:
        yield made.start()
    finally:
        made.close()


def client_of(node: Node, case: Case, said: io.StringIO, *, attempts: int = 20) -> ExchangeClient:
    person = Person(f"w-{case.bsn[-5:]}", "college:WMO", "regisseur")
    patient = Patience(attempts_max=attempts)
    made = ExchangeClient(node.target, node.credentials(), person, patience=patient, timeout_s=60)
    return made.with_log(AdapterLog(said))


def held_by(cluster: Cluster, node: Node) -> None:
    """Let a node hold the shard, and both know it: who held it before may serve until it hears of that."""
    while cluster.held() is not node:
        cluster.move()
    for one in cluster.nodes:
        holds = f"\nexchange_lease_held {float(one is node)}\n"
        until(partial(told, one, holds), "each node knows who holds the shard")


def told(node: Node, holds: str) -> bool:
    return holds in metrics(node)


def reasons(said: io.StringIO) -> list[str]:
    return [json.loads(line).get("reason", "") for line in said.getvalue().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("door", "holder", "news"),
    [(0, 1, ["HOLDER_OLDER"]), (1, 0, [""]), (1, 1, [""]), (0, 0, [])],
    ids=["a new door, an older holder", "an older door, a new holder", "older", "new"],
)
def test_a_batch_is_done_whichever_node_knows_it(
    cluster: Cluster, door: int, holder: int, news: list[str]
) -> None:
    case, said = Case(cluster.nodes[0]), io.StringIO()
    held_by(cluster, cluster.nodes[holder])
    before, term = cluster.head(), cluster.tenure().term
    batch, goals = goals_of(case)
    with client_of(cluster.nodes[door], case, said) as client:
        client.send_batch(batch)
    answers = [one.answer() for one in goals]
    assert [one.version for one in answers] == [case.version + 1 + number for number in range(GOALS)]
    places = [one.receipt.position for one in answers]
    assert places == sorted(set(places))
    assert cluster.topics_after(before).count("plan.goal_set.v1") == GOALS
    assert cluster.tenure().term == term, "the shard moved by itself"
    assert reasons(said) == news
    cluster.verified()


@pytest.mark.slow
def test_a_batch_whose_newer_node_dies_in_the_middle_of_it_goes_on_at_an_older_one_and_nothing_twice(
    cluster: Cluster,
) -> None:
    newer, older = cluster.nodes
    case, said = Case(older), io.StringIO()
    held_by(cluster, newer)
    before = cluster.head()
    batch, goals = goals_of(case)
    with (
        closing(PostgresReader(cluster.dsn)) as reader,
        ThreadPoolExecutor(1) as aside,
        # Few attempts, and not little time: a busy machine may take long for the first few.
        client_of(newer, case, said, attempts=5) as client,
    ):
        sending = aside.submit(client.send_batch, batch)
        while reader.head()[0] < before + FIRST_FEW:
            assert not sending.done()
        newer.kill()
        stood = reader.head()[0]
        sending.result()
    cluster.held(but=newer.address)
    # Nobody answered for the first node: all is sent again to the one that is left.
    again = Batch()
    again.collected.extend([Collected(one.rpc, one.request) for one in goals])
    with client_of(older, case, said) as client:
        client.send_batch(again)
    newer.hang_up()
    newer.start()
    answers: list[Any] = [one.answer() for one in again.collected]
    assert [one.version for one in answers] == [case.version + 1 + number for number in range(GOALS)]
    assert stood < answers[-1].receipt.position
    assert cluster.topics_after(before).count("plan.goal_set.v1") == GOALS
    assert reasons(said) == [""]
    cluster.verified()


@pytest.mark.slow
def test_who_does_not_use_the_sdk_is_told_what_to_do(cluster: Cluster) -> None:
    newer, older = cluster.nodes
    case = Case(newer)
    held_by(cluster, older)
    with client_of(newer, case, io.StringIO()) as client:
        line, channel = client._connection.current
        metadata = line.metadata(SEND_COMMANDS, client._person)
        call: Any = channel.unary_unary(SEND_COMMANDS.path)
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", timeout=30, metadata=metadata)
    refused: Any = raised.value
    assert refused.code() is grpc.StatusCode.UNIMPLEMENTED
    details = dict(refused.trailing_metadata())["grpc-status-details-bin"]
    assert b"HOLDER_OLDER" in details
    assert b"Send commands of a batch by calls of their own" in details
