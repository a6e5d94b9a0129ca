"""Processes that die, meet a full disk, or write beside each other: what was acknowledged is there."""

from __future__ import annotations

import multiprocessing
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from exchange.ledger.merkle import Frontier
from tests.pipeline import children
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

KILLS = 20
PLANS = 24  # so many that none is full before the last death, also on a fast machine
GOALS = 40
ALIVE_MAX_S = 0.25
ANSWER_MAX_S = 60

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload([children.__name__])


@contextmanager
def child(work: Callable[..., None], *arguments: object) -> Iterator[tuple[Any, Connection]]:
    """Start a process; kill it at the end if it still runs."""
    ours, theirs = CHILDREN.Pipe()
    process = CHILDREN.Process(target=work, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def hear(connection: Connection) -> Any:  # noqa: ANN401 -- what a child tells
    assert connection.poll(ANSWER_MAX_S), "the child says nothing"
    return connection.recv()


def all_told(connection: Connection) -> list[tuple[str, int]]:
    """Everything a dead child had acknowledged; a message cut off by death was not."""
    told: list[tuple[str, int]] = []
    while connection.poll(0):
        try:
            told += connection.recv()
        except (EOFError, OSError):
            break
    return told


def acknowledged(shard: Shard, told: list[tuple[str, int]]) -> None:
    """Every acknowledged command and decision stands at its position."""
    for name, position in told:
        (row,) = shard.core.reader.page(position - 1, 1)
        _, meta, _ = shard.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        recorded = shard.core.reader.answer(shard.oin, name)
        if recorded is None:
            assert meta.decision_id == name
        else:
            assert f'"position":{position},'.encode() in recorded[1]


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shard = Shard(data)
    plan_ids = tuple(shard.plan()[2] for _ in range(PLANS))
    shard.close()
    chance = random.Random(41)  # noqa: S311 -- moments to kill at
    heads = []
    for number in range(KILLS):
        with child(children.walk_until_killed, data, plan_ids, number) as (process, connection):
            assert hear(connection) == "ready"
            time.sleep(chance.uniform(0, ALIVE_MAX_S))  # the moment of death, not a wait for anything
            assert process.is_alive(), "who ended by himself was not killed"
            process.kill()
            process.join()
            told = all_told(connection)
        shard = Shard(data)
        try:
            heads.append(shard.verified())
            assert heads[-1] >= max((position for _, position in told), default=0)
            acknowledged(shard, told)
            signed = shard.core.integrator.integrate()
            assert signed is not None
            assert signed.checkpoint.size == heads[-1]
            _, frontier = shard.core.reader.head()
            assert signed.checkpoint.root == Frontier.from_bytes(frontier).root()
        finally:
            shard.close()
    assert heads == sorted(heads)
    assert heads[-1] > heads[0]


def test_a_disk_that_is_full_in_the_middle_of_a_commit_loses_nothing_acknowledged(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shard = Shard(data)
    _, _, plan_id = shard.plan()
    shard.close()
    with child(children.fill_the_disk, data, plan_id) as (_, connection):
        done, refused, again = hear(connection)
    assert refused is not None
    refused_id, code = refused
    assert code == "STORE_FULL"
    assert again == {"STORE_FULL"}
    shard = Shard(data)
    try:
        shard.verified()
        assert len(done) > 1
        assert shard.topics().count("plan.goal_set.v1") == len(done)
        assert all(shard.core.reader.answer(shard.oin, request_id) for request_id in done)
        assert shard.core.reader.answer(shard.oin, refused_id) is None
    finally:
        shard.close()


def test_two_processes_on_one_store_lose_and_double_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shard = Shard(data)
    _, _, plan_id = shard.plan()
    before = shard.head
    shard.close()
    with (
        child(children.write_beside, data, plan_id, GOALS) as (_, first),
        child(children.write_beside, data, plan_id, GOALS) as (_, second),
    ):
        for connection in (first, second):
            assert hear(connection) == "started"
        for connection in (first, second):
            connection.send("go")
        first_done, second_done = hear(first), hear(second)
    # Each wrote on what the other had written: whoever went on last had an old head.
    assert first_done[0][1] < second_done[-1][1]
    assert second_done[0][1] < first_done[-1][1]
    shard = Shard(data)
    try:
        assert shard.verified() == before + 2 * GOALS
        positions = sorted(position for _, position in first_done + second_done)
        assert positions == list(range(before + 1, before + 2 * GOALS + 1))
        acknowledged(shard, first_done + second_done)
        state = shard.core.loader.load(f"plan-{plan_id}").state
        assert len(state.goals) == 2 * GOALS
    finally:
        shard.close()
