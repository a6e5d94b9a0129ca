"""Each write of the walk fails twice: lost, and kept though reported lost; then the store is compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.errors import (
    AccessDenied,
    KeyUnavailable,
    OutcomeOpen,
    RequestIdReused,
    StoreFull,
    StoreUnavailable,
    VersionConflict,
)
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from exchange.pipeline.writer import COMMIT_TRIES_MAX
from tests.pipeline.faults import faulty_keys, faulty_reader, faulty_recorder

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard


def test_a_lost_commit_answers_nobody_and_leaves_no_tentative_state(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    recorder = faulty_recorder(shard)
    head = shard.head
    recorder.faults = ["lost"]

    outcomes = shard.run(shard.withdrawal(consent_id), shard.goal(plan_id), shard.question(plan_id))

    assert [type(one) for one in outcomes] == [StoreUnavailable] * 3
    assert shard.head == head
    # Had the withdrawal stayed in memory, this read would be refused; had the goal, its version would be 4.
    read, goal = shard.run(shard.question_with_consent(plan_id), shard.goal(plan_id))
    assert isinstance(read, ReadOutcome)
    assert read.captured.goals == ()
    assert goal.versions == {"plan": 3}
    assert shard.verified() == head + 2


def test_a_lost_commit_keeps_no_answer_to_a_request_id(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    recorder = faulty_recorder(shard)
    recorder.faults = ["lost"]
    walk = shard.goal(plan_id)
    (lost,) = shard.run(walk)
    assert isinstance(lost, StoreUnavailable)
    done = shard.done(walk)
    assert done.position == shard.head
    assert shard.topics().count("plan.goal_set.v1") == 1


def test_a_kept_commit_that_was_reported_lost_is_success_once(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    recorder = faulty_recorder(shard)
    recorder.faults = ["kept"]
    walk = shard.goal(plan_id)
    done, read = shard.run(walk, shard.question(plan_id))
    assert isinstance(done, CommandOutcome)
    assert isinstance(read, ReadOutcome)
    assert shard.done(walk) == done
    assert shard.topics().count("plan.goal_set.v1") == 1
    assert shard.done(shard.goal(plan_id)).versions == {"plan": 4}
    shard.verified()


def test_a_kept_commit_that_another_writer_built_on_is_success_too(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    _, _, other_plan = shard.plan()
    beside = shard.beside()
    recorder = faulty_recorder(shard)
    recorder.faults = ["kept"]
    real = recorder.recorder

    class Built:
        def commit(self, batch: object) -> None:
            real.commit(batch)  # type: ignore[arg-type] # the writer's batch
            beside.done(beside.goal(other_plan))

        def settle(self) -> None:
            real.settle()

    recorder.recorder = Built()  # type: ignore[assignment] # a fake with the calls that are made
    done = shard.done(shard.goal(plan_id))
    recorder.recorder = real
    assert shard.head == done.position + 1
    assert shard.done(shard.goal(other_plan)).versions == {"plan": 4}
    assert shard.verified() == done.position + 2
    beside.close()


def test_an_unknown_outcome_fails_all_and_the_retry_gets_the_recorded_answer(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    recorder, reader = faulty_recorder(shard), faulty_reader(shard)
    walks = [shard.goal(plan_id), shard.withdrawal(consent_id)]
    shard.run(shard.question(plan_id))

    recorder.faults = ["kept"]
    recorder.before = lambda: setattr(reader, "down", True)
    assert [type(one) for one in shard.run(*walks)] == [OutcomeOpen] * 2
    head = shard.head

    # Nothing of this attempt was recorded, and that is said.
    assert [type(one) for one in shard.run(*walks)] == [StoreUnavailable] * 2
    reader.down = False
    recorder.before = lambda: None
    goal, withdrawn = shard.run(*walks)
    assert (goal.position, withdrawn.position) == (head - 1, head)
    assert shard.head == head
    assert shard.topics().count("plan.goal_set.v1") == 1
    assert shard.verified() == head


def test_an_unknown_outcome_of_a_refusal_gets_the_recorded_refusal(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    recorder, reader = faulty_recorder(shard), faulty_reader(shard)
    walk = shard.goal(plan_id, caller=shard.caller(professional="prof-2"))
    recorder.faults = ["kept"]
    recorder.before = lambda: setattr(reader, "down", True)
    assert [type(one) for one in shard.run(walk)] == [OutcomeOpen]
    reader.down = False
    recorder.before = lambda: None
    head = shard.head
    (refused,) = shard.run(walk)
    assert isinstance(refused, AccessDenied)
    assert shard.head == head


def test_taken_ids_are_answered_and_their_neighbours_still_walk(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.goal(plan_id)
    done = shard.done(walk)
    reopened = shard.reopen()
    try:
        neighbours = [reopened.goal(plan_id) for _ in range(3)]
        stolen = replace(reopened.goal(plan_id), request_id=walk.request_id, content=b"other")
        first, repeated, second, reused, third = reopened.run(
            neighbours[0], walk, neighbours[1], stolen, neighbours[2]
        )
        assert repeated == done
        assert isinstance(reused, RequestIdReused)
        assert [one.versions["plan"] for one in (first, second, third)] == [4, 5, 6]
        assert reopened.verified() == done.position + 3
    finally:
        reopened.close()


def test_a_failing_flush_of_keys_commits_nothing(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    keys = faulty_keys(shard)
    head = shard.head
    keys.flush_faults = 1
    walk = shard.registration("r-new")
    outcomes = shard.run(walk, shard.goal(plan_id))
    assert [type(one) for one in outcomes] == [KeyUnavailable] * 2
    assert shard.head == head
    shard.done(walk)
    assert shard.done(shard.goal(plan_id)).versions == {"plan": 3}
    reopened = shard.reopen()
    try:
        assert reopened.core.loader.load("resident-r-new").state.capable is True
        assert reopened.verified() == head + 2
    finally:
        reopened.close()


def test_a_bug_in_the_commit_is_not_swallowed_and_leaves_nothing(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    recorder = faulty_recorder(shard)
    head = shard.head
    recorder.faults = ["defect"]
    with pytest.raises(AssertionError, match="a bug on purpose"):
        shard.run(shard.goal(plan_id))
    assert shard.head == head
    assert shard.done(shard.goal(plan_id)).versions == {"plan": 3}


def test_a_reader_that_is_down_fails_the_group_and_later_groups_are_right(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    reader = faulty_reader(shard)
    shard.core.hot.clear()
    reader.down = True
    outcomes = shard.run(shard.goal(plan_id), shard.question(plan_id))
    assert [type(one) for one in outcomes] == [StoreUnavailable] * 2
    reader.down = False
    assert shard.done(shard.goal(plan_id)).versions == {"plan": 3}


def test_a_full_database_is_store_full_and_works_again_with_room(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    with shard.datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA page_count")
        pages = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages + 1}")
    head = shard.head
    done = 0
    for _ in range(200):
        outcomes = shard.run(shard.goal(plan_id, "x" * 3000), shard.question(plan_id))
        if isinstance(outcomes[0], StoreUnavailable):
            break
        done += 1
    assert [type(one) for one in outcomes] == [StoreFull] * 2
    assert shard.verified() == head + 2 * done
    with shard.datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA max_page_count = 1000000")
    assert shard.done(shard.goal(plan_id)).versions == {"plan": 3 + done}
    assert shard.verified() == head + 2 * done + 1


# --- two writers on one store -------------------------------------------------------------------------


def test_a_writer_whose_head_moved_walks_again_on_what_the_other_wrote(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    beside = shard.beside()
    beside.done(beside.question_with_consent(plan_id))

    shard.done(shard.withdrawal(consent_id))
    (refused,) = beside.run(beside.question_with_consent(plan_id))
    assert isinstance(refused, AccessDenied)
    assert refused.rules == ("R19",)

    goals = [
        shard.done(shard.goal(plan_id)),
        beside.done(beside.goal(plan_id)),
        shard.done(shard.goal(plan_id)),
    ]
    assert [goal.versions["plan"] for goal in goals] == [3, 4, 5]
    assert shard.verified() == goals[-1].position
    beside.close()


def test_a_refusal_without_an_event_is_not_given_on_an_old_head(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    beside = shard.beside()
    stream = f"plan-{plan_id}"
    beside.done(beside.question(plan_id))
    shard.done(shard.goal(plan_id))
    # The other node has folded version 2; who read version 3 here must not be refused there for ever.
    assert beside.done(beside.goal(plan_id, expected=(stream, 3))).versions == {"plan": 4}
    (conflict,) = shard.run(shard.goal(plan_id, expected=(stream, 3)))
    assert isinstance(conflict, VersionConflict)
    assert conflict.metadata["found"] == "4"
    beside.close()


def test_an_organisation_that_joined_at_the_other_node_is_known_here(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    beside = shard.beside()
    other = "00000003001234567000"
    caller = shard.caller(organisation=other, thumbprint="ef" * 32)
    shard.run(shard.question(plan_id, caller=caller))
    beside.done(beside.joining(other, "ef" * 32, "college:WMO"))
    (refused,) = shard.run(shard.question(plan_id, caller=caller))
    assert isinstance(refused, AccessDenied)
    beside.close()


def test_a_head_that_never_rests_ends_in_unavailable(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    beside = shard.beside()
    _, _, other_plan = beside.plan()
    recorder = faulty_recorder(shard)
    head = shard.head
    recorder.before = lambda: beside.done(beside.goal(other_plan))
    (busy,) = shard.run(shard.goal(plan_id))
    assert busy.code == "UNAVAILABLE"
    assert shard.topics(head) == ["plan.goal_set.v1"] * COMMIT_TRIES_MAX
    recorder.before = lambda: None
    assert shard.done(shard.goal(plan_id)).versions == {"plan": 3}
    shard.verified()
    beside.close()


def test_the_same_request_at_both_nodes_is_done_once(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    beside = shard.beside()
    walk = shard.goal(plan_id)
    recorder = faulty_recorder(shard)
    answers: list[object] = []

    def first() -> None:
        if not answers:
            answers.append(beside.done(walk))

    recorder.before = first
    assert shard.done(walk) == answers[0]
    assert shard.topics().count("plan.goal_set.v1") == 1
    beside.close()
