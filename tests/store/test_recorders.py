"""A group in any store: whole or not at all, and told why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.errors import StoreUnavailable
from exchange.store.batch import Request
from exchange.store.errors import HeadMoved, Taken
from tests.store.builders import OIN, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.store.batch import Batch


def break_event(batch: Batch) -> None:
    batch.events.append(batch.events[0])


def break_request(batch: Batch) -> None:
    batch.requests.append(Request(OIN, "first", b"other", b"other"))


def break_link(batch: Batch) -> None:
    batch.links.append((object(), "plan-1"))  # type: ignore[arg-type] # the fault


@pytest.mark.parametrize("fault", [break_event, break_request, break_link])
def test_a_fault_at_any_step_leaves_nothing_of_the_group(
    either: Store, fault: Callable[[Batch], None]
) -> None:
    either.commit(either.batch("plan-1", requests=["first"], links=[("r-1", "plan-1")]))
    before = either.everything()
    batch = either.batch("plan-1", "case-1", requests=["second"], links=[("r-1", "case-1")])
    fault(batch)
    with pytest.raises(StoreUnavailable):
        either.recorder.commit(batch)
    assert either.everything() == before
    either.commit(either.batch("plan-1", "case-1", requests=["second"], links=[("r-1", "case-1")]))
    assert either.reader.head()[0] == 3


def test_a_leaf_that_is_there_leaves_nothing_of_the_group(either: Store) -> None:
    either.add("plan-1")
    either.tamper(
        "INSERT INTO leaves VALUES (2, '')" if either.path == Path() else "INSERT INTO leaves VALUES (2, x'')"
    )
    before = either.everything()
    with pytest.raises(StoreUnavailable):
        either.recorder.commit(
            either.batch("plan-1", "case-1", requests=["second"], links=[("r-1", "case-1")])
        )
    assert either.everything() == before


def test_a_group_judged_on_an_older_head_is_refused_whole(either: Store) -> None:
    late = either.batch("plan-2", requests=["late"])
    either.add("plan-1")
    before = either.everything()
    with pytest.raises(HeadMoved):
        either.recorder.commit(late)
    late.base = 2
    with pytest.raises(HeadMoved):
        either.recorder.commit(late)
    assert either.everything() == before


def test_a_taken_version_or_request_id_is_told_apart_from_a_moved_head(either: Store) -> None:
    either.commit(either.batch("plan-1", requests=["first"]))
    before = either.everything()
    taken = either.batch("plan-1", requests=["second"])
    taken.events = either.batch("plan-2").events
    either.versions["plan-1"] = 0
    with pytest.raises(Taken):
        either.recorder.commit(either.batch("plan-1"))
    either.versions["plan-1"] = 1
    with pytest.raises(Taken):
        either.recorder.commit(either.batch("plan-1", requests=["first"]))
    assert either.everything() == before


def test_a_request_id_belongs_to_its_organisation(either: Store) -> None:
    either.commit(either.batch("plan-1", requests=["first"]))
    batch = either.batch("plan-1")
    batch.requests.append(Request("00000003001234567000", "first", b"other", b"theirs"))
    either.commit(batch)
    assert either.reader.answer(OIN, "first") == (b"content", b"answer first")
    assert either.reader.answer("00000003001234567000", "first") == (b"other", b"theirs")


def test_an_answer_without_events_is_kept_on_the_same_head(either: Store) -> None:
    either.add("plan-1")
    batch = either.batch(requests=["nothing changed"])
    either.commit(batch)
    assert either.reader.head() == (1, batch.frontier)
    assert either.reader.answer(OIN, "nothing changed") is not None


def test_a_link_told_twice_stands_once(either: Store) -> None:
    either.commit(either.batch("plan-1", links=[("r-1", "plan-1")]))
    either.commit(either.batch("plan-1", links=[("r-1", "plan-1"), ("r-1", "case-1")]))
    assert either.reader.scope("r-1").streams == ("case-1", "plan-1")


def test_the_library_reads_what_was_committed(either: Store) -> None:
    either.add("plan-1", "case-1", "plan-1")
    recorder = either.recorder
    assert [(one.originator_id, one.originator_version) for one in recorder.select_events("plan-1")] == [
        ("plan-1", 1),
        ("plan-1", 2),
    ]
    assert [one.originator_version for one in recorder.select_events("plan-1", gt=1)] == [2]
    told = recorder.select_notifications(2, 10)
    assert [(one.id, one.originator_id, one.originator_version) for one in told] == [
        (2, "case-1", 1),
        (3, "plan-1", 2),
    ]
    assert recorder.max_notification_id() == 3


@pytest.mark.parametrize("count", [1, 2, 3, 127, 128, 129, 255, 300])
def test_a_group_of_any_size_is_written_row_by_row_in_order(either: Store, count: int) -> None:
    batch = either.batch(*["plan-1"] * count, requests=[str(number) for number in range(count)])
    either.commit(batch)
    assert [row.version for row in either.reader.page(0, 1_000)] == list(range(1, count + 1))
    assert either.reader.leaf_entries(0, count) == batch.leaves
    assert len(either.everything()["requests"]) == count


def test_a_closed_recorder_does_not_answer(either: Store) -> None:
    batch = either.batch("plan-1")
    either.recorder.close()
    with pytest.raises(StoreUnavailable):
        either.recorder.commit(batch)
