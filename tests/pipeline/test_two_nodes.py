"""Two writers on one store, with no lease between them: the head check alone keeps every promise.

Each has its own queue, threads and memory; they share PostgreSQL, keys and checkpoints, as two nodes do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import AccessDenied, ExchangeError, RequestIdReused, StoreUnavailable
from exchange.pipeline.overtaken import ROWS_FOLLOWED_MAX
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.erasing import erased
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence
    from pathlib import Path

    from tests.postgres.server import PostgresServer

COMMANDS = 40
ROUNDS = 4
ROUNDS_MAX = 48  # in which none of the plans is full
IN_FLIGHT = 24
READS_AROUND = 10


@pytest.fixture
def nodes(tmp_path: Path, postgres: PostgresServer) -> Iterator[tuple[Shard, Shard]]:
    """Two cores over one store."""
    first = Shard(tmp_path / "data", store="postgres", postgres=postgres.schema())
    second = first.beside()
    yield first, second
    second.close()
    first.close()


async def some_at_once(asked: Sequence[Awaitable[Any]]) -> list[Any]:
    """Ask for all, a few at a time; what is refused is an outcome too."""
    room = asyncio.Semaphore(IN_FLIGHT)

    async def one(ask: Awaitable[Any]) -> Any:  # noqa: ANN401 -- whatever is asked
        async with room:
            try:
                return await ask
            except ExchangeError as error:
                return error

    return await asyncio.gather(*map(one, asked))


async def test_two_writers_race_and_nothing_is_lost_or_doubled(nodes: tuple[Shard, Shard]) -> None:
    first, _ = nodes
    plans = [first.plan()[2] for _ in range(4)]
    before, queues = first.head, [one.queue() for one in nodes]
    done: list[Any] = []
    goals = rounds = 0
    # A race may be won by the same one for a while: on until each was overtaken.
    while rounds < ROUNDS or min(queue.counts["overtaken"] for queue in queues) == 0:
        rounds += 1
        assert rounds < ROUNDS_MAX, "the two never wrote at once"
        asked = []
        for number in range(COMMANDS):
            for queue, node in zip(queues, nodes, strict=True):
                asked.append(queue.submit(node.goal(plans[number % len(plans)])))
                if number % 4 == 0:
                    asked.append(queue.submit(node.question(plans[number % len(plans)])))
        done += await some_at_once(asked)
        goals += 2 * COMMANDS
    assert [one for one in done if isinstance(one, ExchangeError)] == []
    # Every answer has a place of its own, and nothing else was written: no loss, no double.
    assert sorted(one.position for one in done) == list(range(before + 1, before + len(done) + 1))
    assert first.topics(before).count("plan.goal_set.v1") == goals
    assert first.verified() == before + len(done)
    for queue in queues:
        await queue.drain()


async def test_a_withdrawal_at_one_and_reads_at_both_are_in_one_order(nodes: tuple[Shard, Shard]) -> None:
    first, second = nodes
    queues = [one.queue() for one in nodes]
    for _ in range(4):
        ref, case_id, plan_id = first.plan()
        consent_id = first.consent(ref, case_id)
        reads = [one.question_with_consent(plan_id) for one in nodes for _ in range(READS_AROUND)]
        asked = [queues[number // READS_AROUND].submit(walk) for number, walk in enumerate(reads)]
        asked.insert(READS_AROUND, queues[1].submit(second.withdrawal(consent_id)))
        outcomes = await some_at_once(asked)
        withdrawn = outcomes.pop(READS_AROUND)
        assert isinstance(withdrawn, CommandOutcome)
        given = [one for one in outcomes if isinstance(one, ReadOutcome)]
        assert all(one.position < withdrawn.position for one in given)
        assert all(isinstance(one, ReadOutcome | AccessDenied) for one in outcomes)
        # It was answered: from then on nothing leaves anywhere, whatever a node still had in memory.
        for queue, node in zip(queues, nodes, strict=True):
            with pytest.raises(AccessDenied):
                await queue.submit(node.question_with_consent(plan_id))
    first.verified()
    for queue in queues:
        await queue.drain()


async def test_the_same_request_at_both_at_once_is_done_once(nodes: tuple[Shard, Shard]) -> None:
    first, second = nodes
    _, _, plan_id = first.plan()
    queues, before = [one.queue() for one in nodes], first.head
    walks = [first.goal(plan_id) for _ in range(20)]
    told = await asyncio.gather(*(some_at_once([queue.submit(walk) for walk in walks]) for queue in queues))
    assert told[0] == told[1]
    assert first.topics(before) == ["plan.goal_set.v1"] * len(walks)
    other = second.goal(plan_id, request_id=walks[0].request_id, content=b"\1" * 32)
    with pytest.raises(RequestIdReused):
        await queues[1].submit(other)
    first.verified()
    for queue in queues:
        await queue.drain()


async def test_what_one_erased_or_let_join_the_other_knows_before_it_answers(
    nodes: tuple[Shard, Shard],
) -> None:
    first, second = nodes
    ref, _, plan_id = first.plan()
    assert isinstance(second.done(second.question(plan_id)), ReadOutcome)
    assert second.core.hot.peek(f"plan-{plan_id}") is not None
    erased(first, ref)
    (refused,) = second.run(second.question(plan_id))
    assert isinstance(refused, AccessDenied)
    assert second.core.codec.is_erased(ref)
    entry = second.core.hot.peek(f"resident-{ref}")
    assert entry is None or entry.state is None

    oin = "00000003271543200000"
    (absent,) = second.run(second.question(plan_id, caller=second.caller(organisation=oin)))
    assert isinstance(absent, ExchangeError)
    first.done(first.joining(oin, "ef" * 32, "wmo-aanbieder"))
    queue = second.queue()
    assert await queue.look(second.core.clock()) == first.head
    assert second.core.loader.load(f"organisation-{oin}").state is not None
    held = second.core.hot.peek(f"organisation-{oin}")
    assert held is None or held.state is not None
    await queue.drain()


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_who_is_far_behind_forgets_everything_and_who_is_near_only_what_was_touched(
    nodes: tuple[Shard, Shard], more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    (_, _, plan_id), (_, _, quiet) = first.plan(), first.plan()
    for plan in (plan_id, quiet):
        second.done(second.question(plan))
    kept = second.core.hot.peek(f"plan-{quiet}")
    monkeypatch.setattr("exchange.pipeline.overtaken.ROWS_FOLLOWED_MAX", 4)
    first.run(*(first.goal(plan_id) for _ in range(4 + more)))
    goal = second.done(second.goal(plan_id))
    assert goal.versions == {"plan": 2 + 4 + more + 1}
    assert (second.core.hot.peek(f"plan-{quiet}") is kept) is (more <= 0)
    assert ROWS_FOLLOWED_MAX > 4
    assert first.done(first.goal(plan_id)).versions == {"plan": goal.versions["plan"] + 1}
    first.verified()


async def test_an_answer_that_another_node_recorded_is_told_when_it_lasts(nodes: tuple[Shard, Shard]) -> None:
    """He may have recorded it, died, and never have been told that a standby has it."""
    first, second = nodes
    walk = first.goal(first.plan()[2])
    done = await first.queue().submit(walk)
    recorder, queue = faulty_recorder(second), second.queue()
    recorder.unsettled = True
    with pytest.raises(StoreUnavailable):
        await queue.submit(walk)
    recorder.unsettled = False
    assert await queue.submit(walk) == done
    await queue.drain()
