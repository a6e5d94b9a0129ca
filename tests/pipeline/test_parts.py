"""A command that rests on parts of a plan: asked again in the walk, and told what may be read now."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.plan.changes import changes_since
from exchange.errors import StoreUnavailable, VersionConflict
from exchange.pipeline.walk import CommandOutcome, Differs, Seen
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import COLLECTIONS, NOW
from tests.pipeline.test_replay import replayed

if TYPE_CHECKING:
    from exchange.pipeline.walk import CommandWalk, ReadOutcome, ReadWalk, View
    from tests.pipeline.shard import Shard

PATH = "goals.own_words"
DECIDED = "disclosure.decided.v1"
GOAL = "plan.goal_set.v1"


def seen_at(question: ReadWalk, version: int) -> Seen:
    """Return what somebody saw of the words of the goals, at a version."""
    question = replace(question, collections=COLLECTIONS, allow_partial=True, now=NOW)

    def moved(view: View, sealed: frozenset[str]) -> bool:
        goals = view.state(question.anchor).goals
        leaves = () if PATH in sealed else ("own_words",)
        return bool(list(changes_since(goals, version, lambda _one: leaves)))

    def told(outcome: ReadOutcome) -> list[Any]:
        leaves = ("own_words",) if PATH in outcome.released else ()
        return list(changes_since(outcome.captured.goals, version, lambda _one: leaves))

    return Seen(question, moved, told)


def resting(shard: Shard, plan_id: str, version: int, **changes: Any) -> CommandWalk:  # noqa: ANN401 -- any field of a walk
    seen = changes.pop("seen", None) or seen_at(shard.question(plan_id, PATH), version)
    return shard.goal(plan_id, seen=seen, **changes)


def test_two_of_one_group_rest_on_the_same_part_and_the_second_is_told(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    head = shard.head
    first, second = shard.run(resting(shard, plan_id, 2), resting(shard, plan_id, 2))
    assert isinstance(first, CommandOutcome)
    assert isinstance(second, VersionConflict)
    assert isinstance(second.differs, Differs)
    assert [change.version for change in second.differs.changes] == [3]
    # The look is on record behind what it saw, as the read it is.
    assert shard.topics(head) == [GOAL, DECIDED]
    assert second.differs.outcome.position == shard.head
    assert (second.metadata, second.detail) == ({}, None)
    assert shard.done(resting(shard, plan_id, 3)).versions == {"plan": 4}
    assert shard.verified() == shard.head
    # Judged again, as every decision is.
    tally = replayed(shard)
    assert tally.ok
    assert tally.differences == []


def test_a_repeat_is_answered_as_before_whatever_changed_since(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    walk = resting(shard, plan_id, 2)
    done = shard.done(walk)
    shard.done(shard.goal(plan_id))
    head = shard.head
    assert shard.run(walk) == [done]
    reopened = shard.reopen()
    try:
        assert reopened.run(walk) == [done]
        assert reopened.head == head
    finally:
        reopened.close()


def test_who_lost_the_right_to_read_is_told_nothing_and_has_no_conflict(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    seen = seen_at(shard.question_with_consent(plan_id), 2)
    seen = replace(seen, question=replace(seen.question, now=NOW + timedelta(minutes=3)))
    shard.done(shard.goal(plan_id))
    (conflict,) = shard.run(resting(shard, plan_id, 2, seen=seen))
    assert isinstance(conflict, VersionConflict)
    shard.done(shard.withdrawal(consent_id))
    head = shard.head
    later: dict[str, Any] = {"now": NOW + timedelta(minutes=4)}
    assert isinstance(shard.done(resting(shard, plan_id, 2, seen=seen, **later)), CommandOutcome)
    assert shard.topics(head) == [GOAL]


@pytest.mark.parametrize("paths", [(PATH,), tuple(sorted(COLLECTIONS["goals"]))])
def test_what_is_sealed_is_no_conflict_and_leaves_the_same_events(
    shard: Shard, paths: tuple[str, ...]
) -> None:
    ref, _, plan_id = shard.plan()
    _, _, other = shard.plan()
    shard.seal(ref, "s-1", paths)
    shard.done(shard.goal(plan_id))
    told = []
    for which, version in ((plan_id, 2), (other, 2)):
        head = shard.head
        outcome = shard.done(resting(shard, which, version))
        told.append((outcome.leaves, sorted(outcome.ids), shard.topics(head)))
    assert told[0] == told[1]


@pytest.mark.parametrize("fault", ["lost", "kept"])
def test_nobody_is_told_before_the_look_is_on_disk(shard: Shard, fault: str) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    head = shard.head
    faulty_recorder(shard).faults.append(fault)
    (told,) = shard.run(resting(shard, plan_id, 2))
    if fault == "lost":
        assert isinstance(told, StoreUnavailable)
        assert shard.head == head
    else:
        assert isinstance(told, VersionConflict)
        assert shard.topics(head) == [DECIDED]


def test_a_conflict_is_no_answer_to_its_request_id(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    request_id = str(uuid.uuid4())
    (conflict,) = shard.run(resting(shard, plan_id, 2, request_id=request_id))
    assert isinstance(conflict, VersionConflict)
    assert isinstance(shard.done(resting(shard, plan_id, 3, request_id=request_id)), CommandOutcome)
