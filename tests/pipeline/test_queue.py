"""The queue before the writer: groups, bounds, callers who hang up, cold streams, the fence, draining."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import AccessDenied, Overloaded, StoreUnavailable
from exchange.pipeline import queue as room
from exchange.pipeline.hot import HotStates, Loader
from exchange.pipeline.queue import Pipeline
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.faults import faulty_reader, faulty_recorder
from tests.pipeline.held import Held, turns, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.pipeline.walk import AnyWalk, View
    from exchange.pipeline.walked import Walked
    from tests.pipeline.shard import Shard


# --- groups -------------------------------------------------------------------------------------------


async def test_many_calls_at_once_are_few_groups(shard: Shard, pipeline: Pipeline) -> None:
    _, _, plan_id = shard.plan()
    await pipeline.submit(shard.question(plan_id))
    recorder = faulty_recorder(shard)
    outcomes = await asyncio.gather(*(pipeline.submit(shard.goal(plan_id)) for _ in range(300)))
    assert sorted(one.versions["plan"] for one in outcomes if isinstance(one, CommandOutcome)) == list(
        range(3, 303)
    )
    assert pipeline.counts["walks"] == 301
    assert len(recorder.commits) <= 4
    assert max(len(batch.events) for batch in recorder.commits) <= room.GROUP_WALKS_MAX


async def test_walks_are_answered_in_the_order_they_came(shard: Shard, pipeline: Pipeline) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    await pipeline.submit(shard.question_with_consent(plan_id))
    before, withdrawn, after = await asyncio.gather(
        pipeline.submit(shard.question_with_consent(plan_id)),
        pipeline.submit(shard.withdrawal(consent_id, fence=False)),
        pipeline.submit(shard.question_with_consent(plan_id)),
        return_exceptions=True,
    )
    assert isinstance(before, ReadOutcome)
    assert isinstance(withdrawn, CommandOutcome)
    assert isinstance(after, AccessDenied)


async def test_an_idle_call_does_not_wait_for_the_cap(
    shard: Shard, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    monkeypatch.setattr(room, "LINGER_MAX_S", 3600.0)
    outcome = await asyncio.wait_for(pipeline.submit(shard.goal(plan_id)), timeout=30)
    assert isinstance(outcome, CommandOutcome)


@pytest.mark.parametrize(("cap_s", "one_group"), [(3600.0, True), (0.0, False)])
async def test_calls_that_come_turn_by_turn_are_one_group_until_the_cap(
    shard: Shard,
    monkeypatch: pytest.MonkeyPatch,
    cap_s: float,
    one_group: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    held = Held(shard)
    held.go.set()
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # a fake of the one call
    monkeypatch.setattr(room, "LINGER_MAX_S", cap_s)
    await asyncio.gather(*(pipeline.submit(shard.question(plan_id)) for _ in range(30)))
    assert held.groups == [30]
    calls = []
    for _ in range(30):
        calls.append(asyncio.ensure_future(pipeline.submit(shard.question(plan_id))))
        await turns(3)
    await asyncio.gather(*calls)
    assert sum(held.groups) == 60
    assert (held.groups == [30, 30]) is one_group
    assert one_group or held.groups[1] <= 3
    await pipeline.drain()


async def test_who_is_alone_and_was_lately_waits_for_nobody(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a group may stay open; who came with others is forgotten when he comes no more."""
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    held = Held(shard)
    held.go.set()
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # a fake of the one call

    def ask() -> asyncio.Future[object]:
        return asyncio.ensure_future(pipeline.submit(shard.question(plan_id)))

    with monkeypatch.context() as patient:
        patient.setattr(room, "LINGER_MAX_S", 3600.0)
        patient.setattr(room, "QUIET_TURNS", 2**62)
        await ask()
        await ask()
        assert held.groups == [1, 1]
        others = [ask(), ask()]
        await turns()
        assert held.groups == [1, 1], "there are two: more may be on their way"
        patient.undo()
        await asyncio.gather(*others)
    assert held.groups == [1, 1, 2]
    with monkeypatch.context() as patient:
        patient.setattr(room, "LINGER_MAX_S", 3600.0)
        patient.setattr(room, "QUIET_TURNS", 2**62)
        one = ask()
        await turns()
        assert held.groups == [1, 1, 2], "the other may come again"
        patient.undo()
        await one
    await ask()
    monkeypatch.setattr(room, "LINGER_MAX_S", 3600.0)
    monkeypatch.setattr(room, "QUIET_TURNS", 2**62)
    await ask()
    assert held.groups == [1, 1, 2, 1, 1, 1]
    await pipeline.drain()


async def test_what_comes_while_a_group_is_with_the_writer_is_the_next_group(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    held = Held(shard)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # a fake of the one call
    calls = [asyncio.ensure_future(pipeline.submit(shard.goal(plan_id)))]
    await until(held.entered)
    calls += [asyncio.ensure_future(pipeline.submit(shard.goal(plan_id))) for _ in range(20)]
    await turns()
    assert held.groups == [1]
    held.go.set()
    await asyncio.gather(*calls)
    assert held.groups == [1, 20]
    await pipeline.drain()


async def test_every_group_wakes_who_follows_commits(shard: Shard, pipeline: Pipeline) -> None:
    _, _, plan_id = shard.plan()
    committed = pipeline.committed
    await pipeline.submit(shard.goal(plan_id))
    assert committed.is_set()
    assert not pipeline.committed.is_set()


# --- bounds -------------------------------------------------------------------------------------------


async def test_a_full_queue_refuses_and_keeps_what_it_accepted(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    monkeypatch.setattr(room, "QUEUE_WALKS_MAX", 5)
    held = Held(shard)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # a fake of the one call
    calls = [asyncio.ensure_future(pipeline.submit(shard.goal(plan_id))) for _ in range(5)]
    await turns()
    with pytest.raises(Overloaded):
        await pipeline.submit(shard.goal(plan_id))
    assert (pipeline.depth, pipeline.counts["overloaded"]) == (5, 1)
    held.go.set()
    assert len(await asyncio.gather(*calls)) == 5
    assert pipeline.depth == 0
    await pipeline.submit(shard.goal(plan_id))
    await pipeline.drain()


async def test_callers_who_hang_up_make_no_room_for_more(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    monkeypatch.setattr(room, "QUEUE_WALKS_MAX", 5)
    held = Held(shard)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # a fake of the one call
    calls = [asyncio.ensure_future(pipeline.submit(shard.goal(plan_id))) for _ in range(5)]
    await turns()
    for call in calls:
        call.cancel()
    await turns()
    assert all(call.cancelled() for call in calls)
    with pytest.raises(Overloaded):
        await pipeline.submit(shard.goal(plan_id))
    held.go.set()
    await pipeline.drain()
    assert shard.topics().count("plan.goal_set.v1") == 5


# --- callers who hang up, and defects -----------------------------------------------------------------


async def test_a_caller_who_hangs_up_does_not_break_the_group(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    held = Held(shard)
    pipeline = Pipeline(held, shard.core.hot, shard.core.loader)  # type: ignore[arg-type] # a fake of the one call
    stranger = shard.caller(professional="prof-2")
    walks = [shard.goal(plan_id), shard.goal(plan_id, caller=stranger), shard.goal(plan_id)]
    calls = [asyncio.ensure_future(pipeline.submit(walk)) for walk in walks]
    await until(held.entered)
    calls[0].cancel()
    calls[1].cancel()
    await turns()
    held.go.set()
    outcome = await calls[2]
    assert isinstance(outcome, CommandOutcome)
    assert outcome.versions == {"plan": 4}
    await pipeline.drain()
    # What the first one asked was done all the same, and a repeat gets its answer.
    assert shard.done(walks[0]).versions == {"plan": 3}
    assert shard.topics().count("plan.goal_set.v1") == 2


async def test_a_defect_in_one_walk_fails_only_that_walk(shard: Shard, pipeline: Pipeline) -> None:
    _, _, plan_id = shard.plan()
    await pipeline.submit(shard.question(plan_id))

    def broken(_: View) -> Any:  # noqa: ANN401 -- it never returns
        raise AssertionError("a bug on purpose")

    walks = [shard.goal(plan_id), replace(shard.goal(plan_id), process=broken), shard.goal(plan_id)]
    committed = pipeline.committed
    first, bug, second = await asyncio.gather(
        *(pipeline.submit(walk) for walk in walks), return_exceptions=True
    )
    assert isinstance(first, CommandOutcome)
    assert isinstance(second, CommandOutcome)
    assert isinstance(bug, AssertionError)
    assert (first.versions, second.versions) == ({"plan": 3}, {"plan": 4})
    assert pipeline.counts["split_groups"] == 1
    assert committed.is_set()
    assert not pipeline.committed.is_set()
    outcome = await pipeline.submit(shard.goal(plan_id))
    assert isinstance(outcome, CommandOutcome)
    assert outcome.versions == {"plan": 5}
    shard.verified()


async def test_a_store_that_fails_fails_the_group_and_the_queue_goes_on(
    shard: Shard, pipeline: Pipeline
) -> None:
    _, _, plan_id = shard.plan()
    await pipeline.submit(shard.question(plan_id))
    recorder = faulty_recorder(shard)
    recorder.faults = ["lost"]
    outcomes = await asyncio.gather(
        *(pipeline.submit(shard.goal(plan_id)) for _ in range(3)), return_exceptions=True
    )
    assert [type(one) for one in outcomes] == [StoreUnavailable] * 3
    assert (pipeline.counts["store_faults"], pipeline.counts["committed"]) == (1, 1)
    assert isinstance(await pipeline.submit(shard.goal(plan_id)), CommandOutcome)
    assert (pipeline.counts["store_faults"], pipeline.counts["committed"]) == (1, 2)
    assert shard.topics().count("plan.goal_set.v1") == 1


# --- cold streams -------------------------------------------------------------------------------------


async def test_loaders_bring_what_a_walk_needs_before_the_writer_sees_it(
    shard: Shard, pipeline: Pipeline
) -> None:
    ref, case_id, plan_id = shard.plan()
    shard.consent(ref, case_id)
    shard.core.hot.clear()
    reader = faulty_reader(shard)
    seen: list[list[str]] = []
    walk = shard.core.writer.walk

    def watched(walks: Sequence[AnyWalk]) -> Walked:
        seen.append(list(reader.calls))
        walked = walk(walks)
        seen.append(list(reader.calls))
        return walked

    pipeline._writer.walk = watched  # type: ignore[method-assign] # to see what the writer itself reads
    outcome = await pipeline.submit(shard.question_with_consent(plan_id))
    assert isinstance(outcome, ReadOutcome)
    before, after = seen
    # Organisation, plan, resident, case and consent; the scope; the count of decisions.
    assert sorted(before) == ["last_version", "scope", *["tail"] * 5]
    assert after == before


async def test_a_resident_whose_keys_are_gone_is_asked_about_like_nobody(
    shard: Shard, pipeline: Pipeline
) -> None:
    ref, _, plan_id = shard.plan()
    shard.core.keys.destroy(ref)
    shard.core.hot.clear()
    told = []
    for asked in (plan_id, "7b0c1f52-5f0e-4a53-8df5-4b8d29c3a9be"):
        with pytest.raises(AccessDenied) as refused:
            await pipeline.submit(shard.question(asked))
        told.append((refused.value.rules, refused.value.explanation, refused.value.remedies))
    assert told[0] == told[1]
    assert pipeline.depth == 0


async def test_a_cache_too_small_for_a_walk_still_gives_right_answers(shard: Shard) -> None:
    plans = [shard.plan() for _ in range(3)]
    consents = [shard.consent(ref, case_id) for ref, case_id, _ in plans]
    core = shard.core
    tiny = HotStates(bytes_max=1500)
    core.writer._hot = tiny
    pipeline = Pipeline(core.writer, tiny, Loader(core.reader, core.codec, tiny))
    for number in range(4):
        for _, _, plan_id in plans:
            outcome = await pipeline.submit(shard.goal(plan_id))
            assert isinstance(outcome, CommandOutcome)
            assert outcome.versions == {"plan": 3 + number}
    entries, held = tiny.size
    assert held <= 1500 or entries == 1
    await pipeline.submit(shard.withdrawal(consents[0]))
    for index, (_, _, plan_id) in enumerate(plans):
        call = pipeline.submit(shard.question_with_consent(plan_id))
        if index:
            outcome = await call
            assert isinstance(outcome, ReadOutcome)
            assert len(outcome.captured.goals) == 4
        else:
            with pytest.raises(AccessDenied):
                await call
    await pipeline.drain()
    shard.verified()
