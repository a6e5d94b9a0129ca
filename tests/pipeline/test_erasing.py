"""An erasure in the walk: a barrier, alone, nobody afterwards; and what becomes of it when things fail."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from exchange.errors import (
    AccessDenied,
    KeyDestroyed,
    KeyUnavailable,
    OutcomeOpen,
    StoreUnavailable,
    Unavailable,
)
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.erasing import approving, erased, proposed

if TYPE_CHECKING:
    from exchange.pipeline.queue import Pipeline
    from tests.pipeline.shard import Shard


def gone(shard: Shard, ref: str) -> bool:
    """Tell whether nothing of this resident opens any more, and nothing but him was hurt."""
    with pytest.raises(KeyDestroyed):
        shard.core.keys.obtain(ref, "WMO-PLAN")
    return shard.core.loader.load(f"resident-{ref}").state is None


def test_what_comes_behind_an_erasure_in_its_group_finds_nobody(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    other, _, other_plan = shard.plan()
    shard.done(shard.goal(plan_id))
    erasure_id = proposed(shard, ref)
    done, read, kept = shard.run(
        approving(shard, ref, erasure_id, "prof-3"), shard.question(plan_id), shard.question(other_plan)
    )
    assert isinstance(done, CommandOutcome)
    assert isinstance(read, AccessDenied)
    assert isinstance(kept, ReadOutcome)
    assert gone(shard, ref)
    assert shard.core.loader.load(f"resident-{other}").state is not None
    shard.verified()


def test_a_reading_before_it_in_its_group_makes_a_recipient(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    erasure_id = proposed(shard, ref)
    read, done = shard.run(shard.question(plan_id), approving(shard, ref, erasure_id, "prof-3"))
    assert isinstance(read, ReadOutcome)
    assert isinstance(done, CommandOutcome)
    assert done.ids["recipients"] == "1"


async def test_a_reading_under_way_in_the_group_below_makes_one_too(shard: Shard, pipeline: Pipeline) -> None:
    ref, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    erasure_id = proposed(shard, ref)
    reads = [asyncio.create_task(pipeline.submit(shard.question(plan_id))) for _ in range(50)]
    await asyncio.sleep(0)
    done = await pipeline.submit(approving(shard, ref, erasure_id, "prof-3"))
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert isinstance(done, CommandOutcome)
    permitted = [one for one in outcomes if isinstance(one, ReadOutcome)]
    assert done.ids["recipients"] == ("1" if permitted else "0")
    assert all(isinstance(one, ReadOutcome | AccessDenied) for one in outcomes)


def test_a_stream_loaded_before_the_erasure_never_comes_back(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    stale = shard.core.loader.load(f"plan-{plan_id}")
    erased(shard, ref)
    shard.core.hot.put(f"plan-{plan_id}", stale)
    (refused,) = shard.run(shard.question(plan_id))
    assert isinstance(refused, AccessDenied)
    shard.core.hot.clear()
    shard.core.hot.put(f"plan-{plan_id}", stale)
    (refused,) = shard.run(shard.question(plan_id))
    assert isinstance(refused, AccessDenied)


def test_a_command_that_named_him_before_the_erasure_does_not_tell_of_it(shard: Shard) -> None:
    ref, _, _ = shard.plan()
    erased(shard, ref)
    # Its caller found the ref a moment before; asked again, he is somebody new.
    (told,) = shard.run(shard.registration(ref))
    assert isinstance(told, Unavailable)
    assert told.code == "UNAVAILABLE"


def test_a_part_that_was_erased_is_not_folded_from_what_was_loaded_before(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    stale = shard.core.loader.load(f"plan-{plan_id}")
    erased(shard, ref, categories=("SCHULDEN",), kept=("legal_claim",))
    shard.core.hot.put(f"plan-{plan_id}", stale)
    assert isinstance(shard.run(shard.question(plan_id))[0], ReadOutcome)
    entry = shard.core.hot.peek(f"plan-{plan_id}")
    assert entry is not None
    assert entry is not stale


def test_keys_that_cannot_be_destroyed_now_are_told_and_destroyed_at_the_next_start(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, _, plan_id = shard.plan()
    erasure_id = proposed(shard, ref)

    def full(*_: object, **__: object) -> int:
        raise KeyUnavailable("the disk of the key database is full")

    monkeypatch.setattr(shard.core.keys, "destroy", full)
    walk = approving(shard, ref, erasure_id, "prof-3")
    (failed,) = shard.run(walk)
    # Not that nothing was recorded.
    assert isinstance(failed, OutcomeOpen)
    assert failed.metadata == {"because": "KEY_UNAVAILABLE"}
    assert isinstance(shard.run(shard.question(plan_id))[0], AccessDenied)
    monkeypatch.undo()
    again = shard.reopen()
    try:
        assert gone(again, ref)
        (told,) = again.run(walk)
        assert isinstance(told, CommandOutcome)
        assert told.ids["executed"] == "yes"
    finally:
        again.close()


def test_a_list_that_cannot_be_written_keeps_no_key_and_is_written_later(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ref, _, _), (other, _, _) = shard.plan(), shard.plan()
    erasure_id = proposed(shard, ref)

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(shard.core.erasures.listed, "add", full)
        (told,) = shard.run(approving(shard, ref, erasure_id, "prof-3"))
    assert isinstance(told, OutcomeOpen)
    assert gone(shard, ref)
    assert shard.core.erasures.listed.entries == {}
    later = erased(shard, other)
    assert list(shard.core.erasures.listed.entries) == [erasure_id, later]


def test_a_commit_that_was_lost_destroys_nothing(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    ref, _, plan_id = shard.plan()
    erasure_id = proposed(shard, ref)

    def lost(_: object) -> None:
        raise StoreUnavailable("lost")

    with monkeypatch.context() as broken:
        broken.setattr(shard.core.recorder, "commit", lost)
        (failed,) = shard.run(approving(shard, ref, erasure_id, "prof-3"))
        assert isinstance(failed, StoreUnavailable)
    assert isinstance(shard.run(shard.question(plan_id))[0], ReadOutcome)


def test_a_commit_that_was_kept_though_it_failed_destroys(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, _, _ = shard.plan()
    erasure_id = proposed(shard, ref)
    commit = shard.core.recorder.commit

    def kept(batch: object) -> None:
        commit(batch)  # type: ignore[arg-type] # passes on what it gets
        raise StoreUnavailable("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(shard.core.recorder, "commit", kept)
        (done,) = shard.run(approving(shard, ref, erasure_id, "prof-3"))
    assert isinstance(done, CommandOutcome)
    assert gone(shard, ref)


def test_a_commit_nobody_was_sure_of_is_executed_when_it_is_found(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, _, plan_id = shard.plan()
    erasure_id = proposed(shard, ref)
    commit, head = shard.core.recorder.commit, shard.core.reader.head

    def kept(batch: object) -> None:
        commit(batch)  # type: ignore[arg-type] # passes on what it gets
        broken.setattr(shard.core.reader, "head", silent)
        raise StoreUnavailable("no answer")

    def silent() -> tuple[int, bytes]:
        raise StoreUnavailable("no answer to this either")

    with monkeypatch.context() as broken:
        broken.setattr(shard.core.recorder, "commit", kept)
        (unsure,) = shard.run(approving(shard, ref, erasure_id, "prof-3"))
    assert isinstance(unsure, StoreUnavailable)
    assert shard.core.reader.head == head
    assert isinstance(shard.run(shard.question(plan_id))[0], AccessDenied)
    assert gone(shard, ref)
