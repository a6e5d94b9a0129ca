"""How walks leave the queue: behind the fence, and when the service drains."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from exchange.errors import Draining
from exchange.pipeline import queue as room
from exchange.pipeline.queue import Pipeline
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from exchange.wiring.core import pipeline_of
from tests.pipeline.held import Held, turns, until

if TYPE_CHECKING:
    from exchange.pipeline.walked import Walked
    from tests.pipeline.shard import Shard


# --- the fence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("evicted", [False, True])
async def test_a_withdrawal_is_answered_after_the_answers_judged_before_it(
    shard: Shard,
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    evicted: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    monkeypatch.setattr(room, "FENCE_WAIT_MAX_S", 3600.0)
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    read = await pipeline.submit(shard.question_with_consent(plan_id))
    assert isinstance(read, ReadOutcome)
    left = pipeline.answering(read)
    withdrawal = asyncio.ensure_future(pipeline.submit(shard.withdrawal(consent_id)))
    if evicted:
        commit = shard.core.writer.commit

        def forgetful(walked: Walked) -> None:
            commit(walked)
            shard.core.hot.clear()

        pipeline._writer.commit = forgetful  # type: ignore[method-assign] # evicts what the fence asks for
    committed = pipeline.committed
    await asyncio.wait_for(committed.wait(), 30)
    await turns()
    assert not withdrawal.done()
    left()
    assert isinstance(await withdrawal, CommandOutcome)
    left()
    assert pipeline.counts["fences"] == 1


async def test_the_fence_waits_for_nobody_else_and_not_for_ever(
    shard: Shard, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, case_id, plan_id = shard.plan()
    _, _, other_plan = shard.plan()
    consent_id = shard.consent(ref, case_id)
    monkeypatch.setattr(room, "FENCE_WAIT_MAX_S", 3600.0)
    other = await pipeline.submit(shard.question(other_plan))
    assert isinstance(other, ReadOutcome)
    other_left = pipeline.answering(other)
    await asyncio.wait_for(pipeline.submit(shard.withdrawal(consent_id)), 30)
    other_left()

    monkeypatch.setattr(room, "FENCE_WAIT_MAX_S", 0.01)
    read = await pipeline.submit(shard.question(plan_id))
    assert isinstance(read, ReadOutcome)
    pipeline.answering(read)
    await asyncio.wait_for(pipeline.submit(shard.withdrawal(consent_id)), 30)


# --- looks ----------------------------------------------------------------------------------------------


async def test_who_looks_while_a_look_waits_shares_it_and_who_comes_later_does_not(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    held = Held(shard)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # as below
    now = shard.core.clock()
    first = asyncio.ensure_future(pipeline.look(now))
    await until(held.entered)
    # That one looks already, and may miss what is committed from here on: these share another.
    others = [asyncio.ensure_future(pipeline.look(now)) for _ in range(200)]
    await turns()
    assert pipeline.depth == 2
    others[0].cancel()  # who began it hung up: the others still wait for it
    held.go.set()
    seen = shard.core.reader.head()[0]
    assert await first == seen
    assert await asyncio.gather(*others[1:]) == [seen] * 199
    assert others[0].cancelled()
    assert held.groups == [1, 1]
    await pipeline.drain()


# --- draining -----------------------------------------------------------------------------------------


async def test_draining_finishes_what_was_accepted_and_refuses_the_rest(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    held = Held(shard)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # a fake of the one call
    calls = [asyncio.ensure_future(pipeline.submit(shard.goal(plan_id)))]
    await until(held.entered)
    calls += [asyncio.ensure_future(pipeline.submit(shard.goal(plan_id))) for _ in range(3)]
    await turns()
    calls[3].cancel()  # hung up, yet accepted
    draining = asyncio.ensure_future(pipeline.drain())
    await turns()
    with pytest.raises(Draining):
        await pipeline.submit(shard.goal(plan_id))
    assert not draining.done()
    held.go.set()
    await draining
    assert len([call for call in calls[:3] if isinstance(call.result(), CommandOutcome)]) == 3
    assert shard.topics().count("plan.goal_set.v1") == 4


async def test_draining_an_idle_queue_ends_at_once(shard: Shard) -> None:
    pipeline = pipeline_of(shard.core)
    await asyncio.wait_for(pipeline.drain(), 30)
    with pytest.raises(Draining):
        await pipeline.submit(shard.question("p"))
