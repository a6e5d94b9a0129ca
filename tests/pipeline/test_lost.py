"""Answers that did not arrive: recorded behind their decision, once, in commit order; or counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.disclosure import AbortReason, DeliveryAborted
from exchange.errors import AccessDenied
from exchange.keys.datakey import LEDGER_CATEGORY
from exchange.ledger.leaf import event_pseudonym, parse_leaf
from exchange.pipeline.queue import Pipeline
from exchange.pipeline.walk import ReadOutcome
from exchange.wiring.core import pipeline_of
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.held import Held, turns, until
from tests.pipeline.shard import NOW, Shard

if TYPE_CHECKING:
    from exchange.pipeline.walk import ReadWalk, Walk

DECIDED, ABORTED = "disclosure.decided.v1", "disclosure.delivery_aborted.v2"


def aborted(shard: Shard) -> list[DeliveryAborted]:
    found = []
    for row in shard.core.reader.page(0, 10_000, [ABORTED]):
        opened = shard.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        assert isinstance(opened.event, DeliveryAborted)
        assert opened.meta.decision_id == opened.event.decision_id
        found.append(opened.event)
    return found


async def lose(pipeline: Pipeline, walk: ReadWalk, reason: str = AbortReason.CALLER_GONE) -> ReadOutcome:
    """Let an answer be judged and not leave; return what was judged, once the rest is recorded."""
    read = await pipeline.submit(walk)
    assert isinstance(read, ReadOutcome)
    left = pipeline.answering(read, walk)
    left(reason)
    left(reason)
    await idle(pipeline)
    return read


async def idle(pipeline: Pipeline) -> None:
    await asyncio.wait_for(pipeline._idle.wait(), 30)


@pytest.mark.parametrize("reason", [AbortReason.CALLER_GONE, AbortReason.ANSWER_REFUSED])
async def test_what_did_not_leave_is_recorded_once_behind_its_decision(
    shard: Shard, pipeline: Pipeline, reason: AbortReason
) -> None:
    ref, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    head = shard.head
    read = await lose(pipeline, shard.question(plan_id), reason)
    assert shard.topics(head) == [DECIDED, ABORTED]
    (event,) = aborted(shard)
    assert (event.resident, event.decision_id, event.reason) == (ref, read.decision_id, reason)
    assert (event.organisation, event.task, event.rules) == (shard.oin, "college:WMO", ())
    assert event.at >= NOW
    shard.verified()


async def test_what_left_and_what_was_refused_leave_no_trace_of_a_loss(
    shard: Shard, pipeline: Pipeline
) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.question(plan_id)
    read = await pipeline.submit(walk)
    assert isinstance(read, ReadOutcome)
    pipeline.answering(read, walk)()
    pipeline.answering(read)(AbortReason.CALLER_GONE)
    with pytest.raises(AccessDenied):
        await pipeline.submit(shard.question(plan_id, caller=shard.caller(professional="prof-9")))
    await idle(pipeline)
    assert aborted(shard) == []


async def test_a_caller_who_hung_up_before_the_outcome_is_recorded_as_gone(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    # All that the walks name is in memory: none of them is still being loaded when its caller hangs up.
    shard.done(shard.question(plan_id))
    held = Held(shard, at_commit=True)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # a fake of the calls the queue makes
    walks: list[Walk] = [
        shard.question(plan_id),
        shard.question(plan_id, caller=shard.caller(professional="prof-9")),
        shard.goal(plan_id),
    ]
    calls = [asyncio.ensure_future(pipeline.submit(walk)) for walk in walks]
    await until(held.entered)
    for call in calls:
        call.cancel()
    await turns()
    assert aborted(shard) == [], "not before the decision itself"
    held.go.set()
    await pipeline.drain()
    (event,) = aborted(shard)
    assert event.reason == AbortReason.CALLER_GONE
    assert shard.topics()[-1] == ABORTED


@pytest.mark.parametrize(("fault", "recorded"), [("lost", False), ("kept", True), ("defect", False)])
async def test_a_loss_whose_commit_fails_is_kept_once_or_counted(
    shard: Shard, pipeline: Pipeline, fault: str, *, recorded: bool
) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.question(plan_id)
    read = await pipeline.submit(walk)
    assert isinstance(read, ReadOutcome)
    # A defect is tried again by itself, and then again alone.
    faulty_recorder(shard).faults += [fault] * (3 if fault == "defect" else 1)
    pipeline.answering(read, walk)(AbortReason.CALLER_GONE)
    await idle(pipeline)
    assert len(aborted(shard)) == int(recorded)
    assert pipeline.counts["losses_unrecorded"] == int(not recorded)
    shard.verified()


async def test_a_loss_is_recorded_while_the_queue_drains_and_counted_once_it_is_closed(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    pipeline = pipeline_of(shard.core)
    walk = shard.question(plan_id)
    reads = [await pipeline.submit(walk) for _ in range(2)]
    assert isinstance(reads[0], ReadOutcome)
    assert isinstance(reads[1], ReadOutcome)
    late = pipeline.answering(reads[1], walk)
    draining = asyncio.ensure_future(pipeline.drain())
    pipeline.answering(reads[0], walk)(AbortReason.CALLER_GONE)
    await asyncio.wait_for(draining, 30)
    assert [event.decision_id for event in aborted(shard)] == [reads[0].decision_id]
    late(AbortReason.CALLER_GONE)
    assert pipeline.counts["losses_unrecorded"] == 1


async def test_of_who_was_erased_meanwhile_nothing_is_recorded(shard: Shard, pipeline: Pipeline) -> None:
    ref, _, plan_id = shard.plan()
    walk = shard.question(plan_id)
    read = await pipeline.submit(walk)
    assert isinstance(read, ReadOutcome)
    head = shard.head
    shard.core.keys.destroy(ref)
    shard.core.hot.clear()
    pipeline.answering(read, walk)(AbortReason.CALLER_GONE)
    await idle(pipeline)
    assert shard.head == head


@pytest.mark.parametrize(
    ("changes", "found"), [({}, True), ({"action": "SUBSCRIBE", "change_of": ""}, False)]
)
async def test_the_residents_key_finds_no_lost_change(
    shard: Shard, pipeline: Pipeline, changes: dict[str, Any], *, found: bool
) -> None:
    ref, _, plan_id = shard.plan()
    await lose(pipeline, shard.question(plan_id, "plan_id", **changes))
    assert len(aborted(shard)) == 1
    leaf = parse_leaf(shard.core.reader.leaf_entries(shard.head - 1, shard.head)[0])
    assert leaf.topic == ABORTED
    key = shard.core.keys.obtain(ref, LEDGER_CATEGORY)
    assert (leaf.pseudonym == event_pseudonym(key.ledger_key, leaf.event_id)) is found
    assert (leaf.pseudonym == event_pseudonym(key.ledger_key_apart, leaf.event_id)) is not found
