"""One group is committed while the next is walked: what each sees, and what becomes of both when it fails."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import AccessDenied, StoreUnavailable
from exchange.pipeline import queue as room
from exchange.pipeline.queue import Pipeline
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.held import Held, turns, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exchange.pipeline.walk import View, Walk
    from tests.pipeline.shard import Shard


class Overlapping:
    """A queue whose first commit is held: what is submitted meanwhile is walked over it."""

    def __init__(self, shard: Shard) -> None:
        self.held = Held(shard, at_commit=True)
        self.pipeline = Pipeline(self.held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # the calls the queue makes

    @property
    def groups(self) -> list[int]:
        return self.held.groups

    async def first(self, *walks: Walk) -> list[asyncio.Future[Any]]:
        """Submit a group and wait until it is about to be committed."""
        calls = self.submit(*walks)
        await until(self.held.entered)
        return calls

    async def second(self, *walks: Walk) -> list[asyncio.Future[Any]]:
        """Submit a group and wait until it was walked."""
        calls = self.submit(*walks)
        await until(self.held.walked)
        await turns(5)
        return calls

    def submit(self, *walks: Walk) -> list[asyncio.Future[Any]]:
        return [asyncio.ensure_future(self.pipeline.submit(walk)) for walk in walks]

    def let_go(self) -> None:
        self.held.go.set()


@asynccontextmanager
async def overlapping(shard: Shard) -> AsyncIterator[Overlapping]:
    queue = Overlapping(shard)
    with pytest.MonkeyPatch.context() as patch:
        # As among several: of one who is alone nothing is walked beside his commit (test_at_once.py).
        patch.setattr(room, "ALONE_MAX", 0)
        try:
            yield queue
        finally:
            queue.let_go()
            queue.held.recovers.set()
            await queue.pipeline.drain()


async def ended(*calls: asyncio.Future[Any]) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 30)


# --- what each sees -------------------------------------------------------------------------------------


async def test_the_next_group_stands_on_the_one_being_committed_and_a_third_waits(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    async with overlapping(shard) as queue:
        first = await queue.first(shard.goal(plan_id))
        second = await queue.second(shard.goal(plan_id), shard.question(plan_id))
        third = queue.submit(shard.goal(plan_id))
        await turns()
        assert queue.groups == [1, 2]
        assert not any(call.done() for call in (*first, *second, *third))
        assert shard.topics().count("plan.goal_set.v1") == 0
        queue.let_go()
        one, two, read, three = await ended(*first, *second, *third)
        assert [outcome.versions for outcome in (one, two, three)] == [{"plan": 3}, {"plan": 4}, {"plan": 5}]
        assert len(read.captured.goals) == 2
        assert one.position < two.position < read.position < three.position
    shard.verified()
    assert shard.head == three.position


async def test_who_is_answered_finds_what_was_committed_in_the_hot_states(
    shard: Shard, pipeline: Pipeline
) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    for version in (3, 4, 5):
        await pipeline.submit(shard.goal(plan_id))
        entry = shard.core.hot.peek(f"plan-{plan_id}")
        assert entry is not None
        assert entry.version == version


async def test_a_withdrawal_being_committed_refuses_the_read_walked_meanwhile(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    shard.done(shard.question_with_consent(plan_id))
    async with overlapping(shard) as queue:
        first = await queue.first(shard.withdrawal(consent_id, fence=False))
        second = await queue.second(shard.question_with_consent(plan_id))
        queue.let_go()
        withdrawn, refused = await ended(*first, *second)
        assert isinstance(withdrawn, CommandOutcome)
        assert isinstance(refused, AccessDenied)


async def test_a_repeat_of_what_is_being_committed_gets_its_answer_after_it(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    walk = shard.goal(plan_id)
    async with overlapping(shard) as queue:
        first = await queue.first(walk)
        second = await queue.second(walk)
        await turns()
        assert not second[0].done()
        queue.let_go()
        told, again = await ended(*first, *second)
        assert told == again
    assert shard.topics().count("plan.goal_set.v1") == 1


# --- what becomes of both when the commit fails -----------------------------------------------------------


async def test_when_a_commit_is_lost_what_was_walked_on_it_is_walked_again(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    recorder = faulty_recorder(shard)
    recorder.faults = ["lost"]
    async with overlapping(shard) as queue:
        first = await queue.first(shard.goal(plan_id, "verloren"), shard.goal(plan_id, "verloren"))
        second = await queue.second(shard.goal(plan_id, "bewaard"), shard.question(plan_id))
        queue.let_go()
        lost, also_lost, kept, read = await ended(*first, *second)
        assert isinstance(lost, StoreUnavailable)
        assert isinstance(also_lost, StoreUnavailable)
        assert kept.versions == {"plan": 3}
        assert [goal.own_words for goal in read.captured.goals] == ["bewaard"]
        (after,) = await ended(*queue.submit(shard.goal(plan_id)))
        assert after.versions == {"plan": 4}
    shard.verified()


async def test_a_lost_withdrawal_refuses_nobody(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    shard.done(shard.question_with_consent(plan_id))
    recorder = faulty_recorder(shard)
    recorder.faults = ["lost"]
    async with overlapping(shard) as queue:
        first = await queue.first(shard.withdrawal(consent_id, fence=False))
        second = await queue.second(shard.question_with_consent(plan_id))
        queue.let_go()
        lost, read = await ended(*first, *second)
        assert isinstance(lost, StoreUnavailable)
        assert isinstance(read, ReadOutcome)


async def test_a_commit_kept_though_reported_lost_keeps_both(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    recorder = faulty_recorder(shard)
    recorder.faults = ["kept", "kept"]
    async with overlapping(shard) as queue:
        first = await queue.first(shard.goal(plan_id))
        second = await queue.second(shard.goal(plan_id))
        queue.let_go()
        one, two = await ended(*first, *second)
        assert (one.versions, two.versions) == ({"plan": 3}, {"plan": 4})
    assert len(recorder.commits) == 2
    shard.verified()


async def test_a_group_that_was_forming_when_a_commit_failed_waits_until_it_is_recovered(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handed over beside the recovery, it would lose a group behind it: its callers would wait for ever."""
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    recorder = faulty_recorder(shard)
    recorder.faults = ["lost"]
    async with overlapping(shard) as queue:
        first = await queue.first(shard.goal(plan_id))
        monkeypatch.setattr(room, "QUIET_TURNS", 2**62)
        monkeypatch.setattr(room, "LINGER_MAX_S", 3600.0)
        second = queue.submit(shard.goal(plan_id))
        await turns()
        queue.held.recovers.clear()
        queue.let_go()
        await until(queue.held.recovering)
        monkeypatch.setattr(room, "QUIET_TURNS", 1)
        await turns()
        assert queue.pipeline.counts["groups"] == 1
        queue.held.recovers.set()
        lost, done = await ended(*first, *second)
        assert isinstance(lost, StoreUnavailable)
        assert done.versions == {"plan": 3}
        assert queue.groups == [1, 1]
    shard.verified()


async def test_a_repeat_of_what_was_lost_is_done_anew(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    walk = shard.goal(plan_id)
    recorder = faulty_recorder(shard)
    recorder.faults = ["lost"]
    async with overlapping(shard) as queue:
        first = await queue.first(walk)
        second = await queue.second(walk)
        queue.let_go()
        lost, done = await ended(*first, *second)
        assert isinstance(lost, StoreUnavailable)
        assert isinstance(done, CommandOutcome)
    assert shard.topics().count("plan.goal_set.v1") == 1


async def test_another_writer_in_between_makes_both_walk_again(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    async with overlapping(shard) as queue:
        first = await queue.first(shard.goal(plan_id, "tweede"))
        second = await queue.second(shard.goal(plan_id, "derde"))
        beside = shard.beside()
        beside.done(beside.goal(plan_id, "eerste"))
        beside.close()
        queue.let_go()
        one, two = await ended(*first, *second)
        assert (one.versions, two.versions) == ({"plan": 4}, {"plan": 5})
        read = await queue.pipeline.submit(shard.question(plan_id))
        assert isinstance(read, ReadOutcome)
        assert [goal.own_words for goal in read.captured.goals] == ["eerste", "tweede", "derde"]
    shard.verified()


async def test_another_writer_does_not_let_a_refusal_walked_meanwhile_stand(shard: Shard) -> None:
    # A refusal without an event has no head check of its own: it is confirmed after the group below it.
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    async with overlapping(shard) as queue:
        first = await queue.first(shard.question(plan_id))
        stale = replace(shard.goal(plan_id), expected=(f"plan-{plan_id}", 3))
        second = await queue.second(stale)
        beside = shard.beside()
        beside.done(beside.goal(plan_id))
        beside.close()
        queue.let_go()
        _, done = await ended(*first, *second)
        # Version 3 is there now: the other writer wrote it.
        assert isinstance(done, CommandOutcome)
        assert done.versions == {"plan": 4}


async def test_a_defect_in_the_next_group_leaves_the_one_being_committed_alone(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))

    def broken(_: View) -> Any:  # noqa: ANN401 -- it never returns
        raise AssertionError("a bug on purpose")

    async with overlapping(shard) as queue:
        first = await queue.first(shard.goal(plan_id))
        bug = replace(shard.goal(plan_id), process=broken)
        second = await queue.second(shard.goal(plan_id), bug, shard.goal(plan_id))
        queue.let_go()
        one, two, failed, three = await ended(*first, *second)
        assert [outcome.versions for outcome in (one, two, three)] == [{"plan": 3}, {"plan": 4}, {"plan": 5}]
        assert isinstance(failed, AssertionError)
        assert queue.pipeline.counts["split_groups"] == 1
    shard.verified()


@pytest.mark.parametrize("fault", ["lost", "kept"])
async def test_a_fault_at_any_commit_of_a_busy_queue_loses_and_doubles_nothing(
    shard: Shard, pipeline: Pipeline, fault: str
) -> None:
    plans = [shard.plan()[2] for _ in range(3)]
    recorder = faulty_recorder(shard)
    recorder.faults = ["", fault, "", fault, fault, "", ""]

    async def worker(plan_id: str) -> int:
        done = 0
        for _ in range(12):
            outcome = (await ended(asyncio.ensure_future(pipeline.submit(shard.goal(plan_id)))))[0]
            done += isinstance(outcome, CommandOutcome)
            assert isinstance(outcome, CommandOutcome | StoreUnavailable)
        return done

    counts = await asyncio.gather(*(worker(plan_id) for plan_id in plans for _ in range(4)))
    assert shard.topics().count("plan.goal_set.v1") == sum(counts)
    assert (sum(counts) == 12 * 12) is (fault == "kept")
    shard.verified()
