"""Three nodes on one shard, real processes over real mutual TLS: it moves, its holder dies, or is stopped."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING

import pytest

from tests.e2e.service import Case
from tests.nodes.cluster import until
from tests.nodes.working import DENIED, OK, Client, at_work, explained, write

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nodes.cluster import Cluster, Node

CLIENTS = 3
MOVES = 5
MOVE_EVERY_S = 1.0
SERVED_WITHIN_S = 20.0
DONE = {("goal", OK), ("withdraw", OK), ("read", OK), ("read", DENIED)}


def at(case: Case, node: Node) -> Case:
    """Let the same professional come to another node."""
    case.service = node
    case.wmo = node.worker("college:WMO", f"w-{case.bsn[-5:]}")
    return case


def test_the_shard_moves_under_load_and_nothing_is_lost_or_doubled(cluster: Cluster, tmp_path: Path) -> None:
    told = moved(cluster, tmp_path, MOVES)
    assert all(told[f"{op} {outcome}"] > 0 for op, outcome in DONE)


def moved(cluster: Cluster, tmp_path: Path, moves: int) -> Counter[str]:
    """Let people work while the shard moves so many times; return how their attempts ended, explained."""
    clients = [Client(cluster.nodes, number) for number in range(CLIENTS)]
    before, term = cluster.head(), cluster.tenure().term

    def everything() -> bool:
        found = {(one.op, one.outcome) for client in clients for one in client.lines}
        return found >= DONE or any(client.error for client in clients)

    def move() -> None:
        began = time.monotonic()
        for number in range(1, moves + 1):
            cluster.move()
            # At its moment: those who work meanwhile are not to be waited for.
            time.sleep(max(0.0, began + number * MOVE_EVERY_S - time.monotonic()))
        # On a slow machine they have only begun.
        until(everything, "people wrote, agreed, read, withdrew and were refused")

    lines = at_work(clients, move)
    write(tmp_path / "history.jsonl", lines)
    assert cluster.tenure().term >= term + moves
    cluster.verified()
    return explained(lines, cluster.topics_after(before))


def test_the_same_request_sent_to_every_node_at_once_is_done_once(cluster: Cluster) -> None:
    case = Case(cluster.nodes[0])
    before = cluster.head()
    request_id, version = str(uuid.uuid4()), case.version
    workers = [node.worker("college:WMO", f"w-{case.bsn[-5:]}") for node in cluster.nodes]

    def ask(number: int) -> bytes:
        mine = copy(case)
        mine.wmo, mine.version = workers[number % len(workers)], version
        return bytes(mine.goal(request_id=request_id).SerializeToString())

    with ThreadPoolExecutor(6) as asking:
        answers = set(asking.map(ask, range(12)))
    assert len(answers) == 1
    assert cluster.topics_after(before).count("plan.goal_set.v1") == 1


@pytest.mark.slow
def test_when_the_holder_is_killed_others_serve_and_it_comes_back_as_one_of_them(cluster: Cluster) -> None:
    case = Case(cluster.nodes[0])
    holder = cluster.held()
    first, version, request_id = case.goal(), case.version, str(uuid.uuid4())
    holder.kill()
    began = time.monotonic()
    at(case, cluster.others(holder)[0])
    case.version = first.version
    answer = case.goal("Weer naar buiten.", request_id=request_id)
    assert time.monotonic() - began < SERVED_WITHIN_S
    assert answer.version == version + 1
    holder.hang_up()
    holder.start()
    case.version = first.version
    assert at(case, holder).goal("Weer naar buiten.", request_id=request_id) == answer
    assert cluster.held() is not holder
    cluster.verified()


@pytest.mark.slow
def test_a_holder_that_was_stopped_past_its_lease_commits_nothing_wrong(cluster: Cluster) -> None:
    case, hanging = Case(cluster.nodes[0]), str(uuid.uuid4())
    holder = cluster.held()
    others = cluster.others(holder)
    # On a line that stands before he is stopped, as a caller's does.
    at(case, holder).goal()
    mine = copy(case)
    with ThreadPoolExecutor(1) as asking, stopped(holder):
        late = asking.submit(mine.goal, "Weer naar buiten.", hanging)
        assert cluster.held(but=holder.address) in others
        answer = at(case, others[0]).goal("Weer naar buiten.", request_id=hanging)
        case.look_through_work()
        assert case.give_consent()
        holder.resume()
        # What he was asked before is answered as the others recorded it.
        assert late.result() == answer
    version = case.version
    assert at(case, holder).goal("En weer koken.").version == version + 1
    cluster.verified()


@contextmanager
def stopped(node: Node) -> Iterator[None]:
    """Stop a node; it goes on at the end, however that comes."""
    node.pause()
    try:
        yield
    finally:
        node.resume()
