"""Many questions of one caller, waited for as one: each judged alone, on its way when told, or lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from exchange.domain.disclosure import AbortReason
from exchange.errors import AccessDenied, Draining, Overloaded
from exchange.pipeline import queue as room
from exchange.pipeline.queue import Pipeline
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.held import Held, turns, until
from tests.pipeline.test_lost import ABORTED, DECIDED, aborted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.pipeline.walk import ReadWalk, WalkOutcome
    from tests.pipeline.shard import Shard


class Taken:
    """What a caller took, by the number of the question; each answer is on its way from then on."""

    def __init__(self, pipeline: Pipeline, walks: Sequence[ReadWalk]) -> None:
        self.pipeline, self.walks = pipeline, walks
        self.told: dict[int, WalkOutcome | BaseException] = {}
        self.left: list[Callable[..., None]] = []

    def __call__(self, number: int, told: WalkOutcome | BaseException) -> None:
        assert number not in self.told
        self.told[number] = told
        if isinstance(told, ReadOutcome):
            self.left.append(self.pipeline.answering(told, self.walks[number]))


def held_pipeline(shard: Shard) -> tuple[Held, Pipeline]:
    held = Held(shard, at_commit=True)
    return held, Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # a fake of the calls the queue makes


async def test_each_is_judged_and_recorded_alone_in_its_order(shard: Shard, pipeline: Pipeline) -> None:
    plans = [shard.plan()[2] for _ in range(3)]
    stranger = shard.caller(professional="prof-9")
    walks = [
        shard.question(plans[0]),
        shard.question(plans[1], caller=stranger),
        shard.question(plans[1]),
        shard.question(plans[2]),
    ]
    head, taken = shard.head, Taken(pipeline, walks)
    await pipeline.submit_all(walks, taken)
    assert sorted(taken.told) == [0, 1, 2, 3]
    assert isinstance(taken.told[1], AccessDenied)
    given = [taken.told[number] for number in (0, 2, 3)]
    assert all(isinstance(one, ReadOutcome) for one in given)
    assert shard.topics(head) == [DECIDED] * 4
    decisions = [one.decision_id for one in given if isinstance(one, ReadOutcome)]
    assert len(set(decisions)) == 3
    positions = [one.position for one in given if isinstance(one, ReadOutcome)]
    assert positions == sorted(positions)
    assert pipeline.depth == 0
    shard.verified()


async def test_no_questions_are_no_walk(shard: Shard, pipeline: Pipeline) -> None:
    head = shard.head
    await asyncio.wait_for(pipeline.submit_all([], Taken(pipeline, [])), 30)
    assert (shard.head, pipeline.counts["walks"]) == (head, 0)


@pytest.mark.parametrize("group", [1, 256])
async def test_a_withdrawal_waits_for_each_that_was_judged_before_it(
    shard: Shard, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    """Also where they were committed in groups: what is told first is on its way before the last is."""
    monkeypatch.setattr(room, "FENCE_WAIT_MAX_S", 3600.0)
    monkeypatch.setattr(room, "GROUP_WALKS_MAX", group)
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    # All of it is in memory: none of them is still being loaded when the withdrawal comes.
    shard.done(shard.question_with_consent(plan_id))
    walks = [shard.question_with_consent(plan_id) for _ in range(3)]
    taken = Taken(pipeline, walks)
    asked = asyncio.ensure_future(pipeline.submit_all(walks, taken))
    await turns(1)
    withdrawal = asyncio.ensure_future(pipeline.submit(shard.withdrawal(consent_id)))
    await asyncio.wait_for(asked, 30)
    async with asyncio.timeout(30):
        while not pipeline.counts["fences"]:  # noqa: ASYNC110 -- nothing tells when somebody begins to wait
            await asyncio.sleep(0)
    for left in taken.left:
        await turns()
        assert not withdrawal.done()
        left()
    assert isinstance(await asyncio.wait_for(withdrawal, 30), CommandOutcome)
    later = Taken(pipeline, walks)
    await pipeline.submit_all(walks, later)
    assert all(isinstance(one, AccessDenied) for one in later.told.values())


async def test_who_hangs_up_takes_nothing_more_and_each_is_told_as_lost(shard: Shard) -> None:
    plans = [shard.plan()[2] for _ in range(3)]
    for plan_id in plans:
        shard.done(shard.question(plan_id))
    held, pipeline = held_pipeline(shard)
    walks = [shard.question(plan_id) for plan_id in plans]
    walks.append(shard.question(plans[0], caller=shard.caller(professional="prof-9")))
    taken = Taken(pipeline, walks)
    asked = asyncio.ensure_future(pipeline.submit_all(walks, taken))
    await until(held.entered)
    asked.cancel()
    await turns()
    assert asked.cancelled()
    assert aborted(shard) == [], "not before the decisions themselves"
    held.go.set()
    await pipeline.drain()
    assert taken.told == {}
    assert [one.reason for one in aborted(shard)] == [AbortReason.CALLER_GONE] * 3
    assert shard.topics()[-3:] == [ABORTED] * 3
    assert pipeline.depth == 0


async def test_a_queue_without_room_for_all_takes_none(
    shard: Shard, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "QUEUE_WALKS_MAX", 2)
    _, _, plan_id = shard.plan()
    head, walks = shard.head, [shard.question(plan_id) for _ in range(3)]
    taken = Taken(pipeline, walks)
    with pytest.raises(Overloaded):
        await pipeline.submit_all(walks, taken)
    assert (taken.told, pipeline.depth, shard.head) == ({}, 0, head)
    await pipeline.submit_all(walks[:2], taken)
    assert sorted(taken.told) == [0, 1]


async def test_a_queue_that_drains_takes_none(shard: Shard, pipeline: Pipeline) -> None:
    walks = [shard.question("p")]
    await pipeline.drain()
    with pytest.raises(Draining):
        await pipeline.submit_all(walks, Taken(pipeline, walks))
    assert pipeline.depth == 0


@pytest.mark.parametrize("fault", ["lost", "kept"])
async def test_a_commit_that_fails_or_is_kept_though_it_failed_answers_each_once(
    shard: Shard, pipeline: Pipeline, fault: str
) -> None:
    plans = [shard.plan()[2] for _ in range(3)]
    walks = [shard.question(plan_id) for plan_id in plans]
    taken, head = Taken(pipeline, walks), shard.head
    faulty_recorder(shard).faults.append(fault)
    await pipeline.submit_all(walks, taken)
    assert sorted(taken.told) == [0, 1, 2]
    given = [one for one in taken.told.values() if isinstance(one, ReadOutcome)]
    assert len(given) == len(shard.topics(head))
    shard.verified()
