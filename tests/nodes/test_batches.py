"""A batch that is under way when its node is killed or stopped: each command is done once, and told so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.batches import Batch, Collected
from adapters.sdk.client import ExchangeClient
from adapters.sdk.patience import Patience
from adapters.sdk.tokens import Person
from exchange.store.postgres_reader import PostgresReader
from tests.e2e.service import Case
from tests.nodes.batching import GOALS, goals_of

if TYPE_CHECKING:
    from tests.nodes.cluster import Cluster

FIRST_FEW = 3


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["kill", "pause", "pass on"])
def test_a_batch_sent_on_to_a_node_that_loses_the_shard_in_the_middle_of_it(
    cluster: Cluster, harm: str
) -> None:
    case = Case(cluster.nodes[0])
    holder = cluster.held()
    door = cluster.others(holder)[0]
    person = Person(f"w-{case.bsn[-5:]}", "college:WMO", "regisseur")
    batch, goals = goals_of(case)
    before = cluster.head()
    with (
        closing(PostgresReader(cluster.dsn)) as reader,
        ThreadPoolExecutor(1) as aside,
        ExchangeClient(
            door.target, door.credentials(), person, patience=Patience(attempts_max=20), timeout_s=60
        ) as client,
    ):
        sending = aside.submit(client.send_batch, batch)
        try:
            while reader.head()[0] < before + FIRST_FEW:
                assert not sending.done()
            if harm == "pass on":
                cluster.move()
            else:
                getattr(holder, harm)()
            stood = reader.head()[0]
            cluster.held(but=holder.address)
            sending.result()
        finally:
            if harm == "pause":
                holder.resume()
    if harm == "kill":
        holder.hang_up()
        holder.start()
    answers = [one.answer() for one in goals]
    assert [one.version for one in answers] == [case.version + 1 + number for number in range(GOALS)]
    places = [one.receipt.position for one in answers]
    assert places == sorted(set(places))
    assert harm == "pass on" or stood < places[-1]
    assert cluster.topics_after(before).count("plan.goal_set.v1") == GOALS
    # Sent again, whatever was told of it before: the same receipts, and nothing more.
    again = Batch()
    for one in goals:
        again.collected.append(Collected(one.rpc, one.request))
    with ExchangeClient(door.target, door.credentials(), person, timeout_s=60) as client:
        client.send_batch(again)
    assert [one.answer() for one in again.collected] == answers
    cluster.verified()
