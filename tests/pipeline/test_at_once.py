"""One caller, alone: his group is walked and committed in one go, and is as safe as any other."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.ledger import LogOpened
from exchange.errors import AccessDenied, StoreUnavailable
from exchange.pipeline.at_once import AtOnce
from exchange.pipeline.queue import Pipeline
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.erasing import approving, proposed
from tests.pipeline.faults import faulty_reader, faulty_recorder
from tests.pipeline.held import Held, turns, until

if TYPE_CHECKING:
    from exchange.pipeline.walk import View
    from tests.pipeline.shard import Shard

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def committing_threads(shard: Shard) -> list[str]:
    """Return the list that each commit from here on adds the name of its thread to."""
    names: list[str] = []
    faulty_recorder(shard).before = lambda: names.append(threading.current_thread().name)
    return names


async def test_who_is_alone_is_walked_and_committed_by_one_thread(shard: Shard, pipeline: Pipeline) -> None:
    _, _, plan_id = shard.plan()
    names = committing_threads(shard)
    await pipeline.submit(shard.goal(plan_id))
    await pipeline.submit(shard.goal(plan_id))
    assert names == ["writer", "writer"]
    await asyncio.gather(*(pipeline.submit(shard.goal(plan_id)) for _ in range(2)))
    assert names == ["writer", "writer", "committer"]
    shard.verified()


async def test_who_comes_meanwhile_is_walked_after_the_commit_and_on_what_it_changed(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    shard.done(shard.question_with_consent(plan_id))
    held = Held(shard, at_commit=True)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # the calls the queue makes
    first = asyncio.ensure_future(pipeline.submit(shard.withdrawal(consent_id, fence=False)))
    await until(held.entered)
    second = asyncio.ensure_future(pipeline.submit(shard.question_with_consent(plan_id)))
    await turns()
    assert held.groups == [1]
    assert not first.done()
    held.go.set()
    withdrawn, refused = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(withdrawn, CommandOutcome)
    assert isinstance(refused, AccessDenied)
    assert held.groups == [1, 1]
    await pipeline.drain()
    shard.verified()


async def test_nobody_is_answered_before_the_commit(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    held = Held(shard, at_commit=True)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # the calls the queue makes
    call = asyncio.ensure_future(pipeline.submit(shard.goal(plan_id)))
    await until(held.entered)
    await turns()
    entry = shard.core.hot.peek(f"plan-{plan_id}")
    assert entry is not None
    assert (call.done(), entry.version) == (False, 2)
    held.go.set()
    assert isinstance(await call, CommandOutcome)
    await pipeline.drain()


@pytest.mark.parametrize(
    ("fault", "versions"), [("lost", [3, 4]), ("kept", [3, 4, 5]), ("defect", [3, 4, 5])]
)
async def test_a_commit_that_fails_is_recovered_as_any_other(
    shard: Shard, pipeline: Pipeline, fault: str, versions: list[int]
) -> None:
    """Lost, it is told so and nothing stands; kept, it is found; an unforeseen error is tried again."""
    _, _, plan_id = shard.plan()
    await pipeline.submit(shard.question(plan_id))
    faulty_recorder(shard).faults = [fault]
    found = []
    for _ in range(3):
        try:
            outcome = await pipeline.submit(shard.goal(plan_id))
        except StoreUnavailable:
            continue
        assert isinstance(outcome, CommandOutcome)
        found.append(outcome.versions["plan"])
    assert found == versions
    assert shard.topics().count("plan.goal_set.v1") == len(versions)
    assert pipeline.depth == 0
    shard.verified()


async def test_a_walk_that_fails_for_a_moment_is_walked_again(shard: Shard, pipeline: Pipeline) -> None:
    _, _, plan_id = shard.plan()
    await pipeline.submit(shard.question(plan_id))
    tried: list[int] = []
    goal = shard.goal(plan_id)

    def at_second(view: View) -> Any:  # noqa: ANN401 -- what the command does
        tried.append(1)
        if len(tried) == 1:
            raise AssertionError("a bug on purpose, once")
        return goal.process(view)

    outcome = await pipeline.submit(replace(goal, process=at_second))
    assert isinstance(outcome, CommandOutcome)
    assert (outcome.versions, len(tried)) == ({"plan": 3}, 2)
    shard.verified()


async def test_a_walk_with_a_defect_fails_its_caller_and_the_queue_goes_on(
    shard: Shard, pipeline: Pipeline
) -> None:
    _, _, plan_id = shard.plan()
    await pipeline.submit(shard.question(plan_id))

    def broken(_: View) -> Any:  # noqa: ANN401 -- it never returns
        raise AssertionError("a bug on purpose")

    with pytest.raises(AssertionError):
        await pipeline.submit(replace(shard.goal(plan_id), process=broken))
    outcome = await pipeline.submit(shard.goal(plan_id))
    assert isinstance(outcome, CommandOutcome)
    assert outcome.versions == {"plan": 3}
    shard.verified()


async def test_a_store_that_cannot_be_read_is_told_and_the_next_is_served(
    shard: Shard, pipeline: Pipeline
) -> None:
    _, _, plan_id = shard.plan()
    await pipeline.submit(shard.question(plan_id))
    faulty_recorder(shard).faults = ["lost"]
    with pytest.raises(StoreUnavailable):
        await pipeline.submit(shard.goal(plan_id))
    reader = faulty_reader(shard)
    reader.down = True
    with pytest.raises(StoreUnavailable):
        await pipeline.submit(shard.goal(plan_id))
    reader.down = False
    outcome = await pipeline.submit(shard.goal(plan_id))
    assert isinstance(outcome, CommandOutcome)
    assert outcome.versions == {"plan": 3}
    shard.verified()


async def test_the_first_of_a_year_waits_until_its_log_was_opened(shard: Shard, pipeline: Pipeline) -> None:
    await pipeline.submit(shard.registration("r-1"))
    before = shard.head
    outcome = await pipeline.submit(replace(shard.registration("r-2"), now=NEW_YEAR))
    assert isinstance(outcome, CommandOutcome)
    assert shard.topics(before) == [LogOpened.TOPIC, "resident.registered.v1"]
    assert pipeline.counts["walks"] == 2
    shard.verified()


async def test_keys_are_gone_before_who_erased_is_answered(shard: Shard, pipeline: Pipeline) -> None:
    ref, _, plan_id = shard.plan()
    await pipeline.submit(shard.goal(plan_id))
    erasure_id = proposed(shard, ref)
    outcome = await pipeline.submit(approving(shard, ref, erasure_id, "prof-3"))
    assert isinstance(outcome, CommandOutcome)
    assert shard.core.keys.is_destroyed(ref)
    with pytest.raises(AccessDenied):
        await pipeline.submit(shard.question(plan_id))


async def test_another_writer_in_between_makes_it_walk_again(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    held = Held(shard, at_commit=True)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # the calls the queue makes
    call = asyncio.ensure_future(pipeline.submit(shard.goal(plan_id, "tweede")))
    await until(held.entered)
    beside = shard.beside()
    beside.done(beside.goal(plan_id, "eerste"))
    beside.close()
    held.go.set()
    outcome = await call
    assert isinstance(outcome, CommandOutcome)
    assert (outcome.versions, pipeline.counts["overtaken"]) == ({"plan": 4}, 1)
    read = await pipeline.submit(shard.question(plan_id))
    assert isinstance(read, ReadOutcome)
    assert [goal.own_words for goal in read.captured.goals] == ["eerste", "tweede"]
    await pipeline.drain()
    shard.verified()


def test_how_far_it_came_is_known_where_it_fails(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    writer, walks = shard.core.writer, [shard.goal(plan_id)]
    faulty_recorder(shard).faults = ["lost"]
    lost, done, unread = AtOnce(), AtOnce(), AtOnce()
    with pytest.raises(StoreUnavailable) as error:
        lost.run(writer, walks)
    assert lost.walked is not None
    assert not lost.walked.committed
    # Nothing is known of the store now: it is asked, and does not answer.
    (told,) = writer.recover(walks, error.value)
    assert told is error.value
    reader = faulty_reader(shard)
    reader.down = True
    with pytest.raises(StoreUnavailable):
        unread.run(writer, walks)
    assert unread.walked is None
    reader.down = False
    done.run(writer, walks)
    assert done.walked is not None
    assert done.walked.committed


# --- who follows commits ------------------------------------------------------------------------------------


async def test_who_follows_commits_is_called_once_for_each_group_after_its_answer(
    shard: Shard, pipeline: Pipeline
) -> None:
    _, _, plan_id = shard.plan()
    seen: list[str] = []
    pipeline.when_committed.append(lambda: seen.append("told"))
    call = asyncio.ensure_future(pipeline.submit(shard.goal(plan_id)))
    call.add_done_callback(lambda _: seen.append("answered"))
    await call
    await turns()
    assert seen.count("told") == 1
    await asyncio.gather(*(pipeline.submit(shard.goal(plan_id)) for _ in range(5)))
    await turns()
    assert seen.count("told") == 2
