"""What a group stores is sealed and left at its end: nobody can tell, and what fails costs one walk."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.errors import KeyUnavailable, RequestInvalid, RequestTooLarge
from exchange.keys.datakey import LEDGER_CATEGORY
from exchange.ledger import leaf
from exchange.ledger.leaf import refuse_unfit
from exchange.pipeline import answers
from exchange.pipeline import drafts as room
from exchange.pipeline.hot import ENTRY_BYTES_MIN
from exchange.pipeline.walk import CommandOutcome, StoredAnswer
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from exchange.keys.datakey import DataKey
    from tests.pipeline.shard import Shard


def leaf_of(shard: Shard, outcome: CommandOutcome) -> bytes:
    """Return the leaf that is stored for the last event of a command."""
    (entry,) = shard.core.reader.leaf_entries(outcome.leaf_index, outcome.leaf_index + 1)
    return entry


def test_each_outcome_of_a_group_has_its_own_leaf(shard: Shard) -> None:
    plans = [shard.plan()[2] for _ in range(3)]
    outcomes = shard.run(*(shard.goal(plan_id) for plan_id in plans), shard.goal(plans[0]))
    assert [one.leaf_entry for one in outcomes] == [leaf_of(shard, one) for one in outcomes]
    assert len({one.leaf_entry for one in outcomes}) == 4


def test_who_asks_twice_in_one_group_gets_the_leaf_twice(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.goal(plan_id)
    first, other, again = shard.run(walk, shard.goal(plan_id), walk)
    assert first == again != other
    assert again.leaf_entry == leaf_of(shard, first) != b""


def test_an_answer_is_stored_without_its_leaf_and_told_with_it_after_a_restart(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.goal(plan_id)
    first = shard.done(walk)
    stored = shard.core.reader.answer(walk.caller.organisation, walk.request_id)
    assert stored is not None
    assert json.loads(stored[1])["done"]["leaf_entry"] == ""
    shard.core.writer._answers._recent.clear()
    assert shard.core.writer._answers.recorded(walk) == first
    assert first.leaf_entry == leaf_of(shard, first)


def answers_in_memory() -> int:
    gc.collect()
    return sum(type(one) is StoredAnswer for one in gc.get_objects())


def test_of_an_answer_that_is_recorded_only_its_id_is_kept_in_memory(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    walk, before = shard.goal(plan_id), answers_in_memory()
    first = shard.done(walk)
    monkeypatch.setattr(answers, "RECENT_ANSWERS_MAX", 2)
    for _ in range(4):
        shard.done(shard.goal(plan_id))
    # Of the last group alone: it is settled when the next one is walked.
    assert answers_in_memory() <= before + 1
    assert len(shard.core.writer._answers._recent) == 2
    asked: list[str] = []
    answer = shard.core.reader.answer

    def counted(organisation: str, request_id: str) -> tuple[bytes, bytes] | None:
        asked.append(request_id)
        return answer(organisation, request_id)

    monkeypatch.setattr(shard.core.reader, "answer", counted)
    last = shard.goal(plan_id)
    told = shard.done(last)
    shard.done(shard.goal(plan_id))
    # Who is new costs no look at the store; who asks again is told what stands there, and nothing is written.
    assert asked == []
    head = shard.head
    assert shard.done(last) == told
    assert shard.done(walk) == first
    assert (shard.head, set(asked)) == (head, {last.request_id, walk.request_id})


def test_a_ledger_key_out_of_reach_costs_only_its_own_walk(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    poor, _, poor_plan = shard.plan()
    _, _, plan_id = shard.plan()
    obtain, head = shard.core.keys.obtain, shard.head

    def failing(ref: str, category: str) -> DataKey:
        if (ref, category) == (poor, LEDGER_CATEGORY):
            raise KeyUnavailable("out of reach on purpose")
        return obtain(ref, category)

    monkeypatch.setattr(shard.core.keys, "obtain", failing)
    before, failed, after = shard.run(shard.goal(plan_id), shard.goal(poor_plan), shard.goal(plan_id))
    assert isinstance(failed, KeyUnavailable)
    assert (before.position, after.position) == (head + 1, head + 2)
    assert after.versions == {"plan": before.versions["plan"] + 1}
    assert shard.verified() == head + 2


def test_a_word_no_leaf_can_hold_costs_only_its_own_walk(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    head = shard.head
    odd = shard.goal(plan_id, claim=replace(shard.goal(plan_id).claim, purpose="two words"))
    before, refused, after = shard.run(shard.goal(plan_id), odd, shard.goal(plan_id))
    assert isinstance(refused, RequestInvalid)
    assert isinstance(before, CommandOutcome)
    assert isinstance(after, CommandOutcome)
    assert shard.verified() == head + 2


def test_a_leaf_that_would_be_too_long_costs_only_its_own_walk(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    head = shard.head
    claim = shard.goal(plan_id).claim
    longest = len(shard.done(shard.goal(plan_id)).leaf_entry)
    refuse_unfit.cache_clear()
    # A goal fits to the byte; that of a basis with a longer name, refused as unknown, does not.
    long = shard.goal(plan_id, claim=replace(claim, legal_basis="X" * 200))
    with monkeypatch.context() as patched:
        patched.setattr(leaf, "LEAF_BYTES_MAX", longest)
        before, refused, after = shard.run(shard.goal(plan_id), long, shard.goal(plan_id))
    assert isinstance(refused, RequestTooLarge)
    assert isinstance(before, CommandOutcome)
    assert isinstance(after, CommandOutcome)
    assert shard.verified() == head + 3


def test_a_defect_when_the_group_is_finished_leaves_nothing_of_it(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    head = shard.head

    def defect(*_: object) -> bytes:
        raise AssertionError("a bug on purpose")

    with monkeypatch.context() as patched:
        patched.setattr(room, "entry_of", defect)
        with pytest.raises(AssertionError):
            shard.run(shard.goal(plan_id))
    assert shard.head == head
    assert shard.done(shard.goal(plan_id)).position == head + 1
    assert shard.verified() == head + 1


def test_hot_states_count_the_bytes_of_every_event_of_a_group(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    stream = f"plan-{plan_id}"

    def sizes() -> list[int]:
        return [len(row.state) for row in shard.core.reader.tail(stream).rows]

    assert shard.run(shard.goal(plan_id), shard.goal(plan_id)) != []
    entry = shard.core.hot.peek(stream)
    assert entry is not None
    # As much as a loader counts that reads the same stream.
    assert entry.size == shard.core.loader.load(stream).size
    assert entry.size == sum(sizes()) + ENTRY_BYTES_MIN


@pytest.mark.parametrize(
    "after",
    [timedelta(), timedelta(microseconds=1), timedelta(microseconds=120_000), timedelta(seconds=1)],
)
def test_a_moment_has_six_digits(after: timedelta) -> None:
    at = NOW + after
    written = room._microseconds(at)
    assert written == at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert datetime.fromisoformat(written).astimezone(UTC) == at
