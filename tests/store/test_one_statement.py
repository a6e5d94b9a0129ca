"""A group of known streams is committed by one statement: all of it or nothing, and told why."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from exchange.errors import StoreUnavailable
from exchange.store import one_statement
from exchange.store.batch import Request
from exchange.store.errors import HeadMoved, Taken
from exchange.store.one_statement import ROWS_MAX
from exchange.store.sqlite import SQLiteRecorder
from exchange.store.stored_event import stored_event
from tests.store.builders import OIN, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteCursor

    from exchange.store.batch import Batch


class Counting(SQLiteRecorder):
    """A recorder that counts the commits it makes in several steps."""

    stepped = 0

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Batch
    ) -> Sequence[int] | None:
        self.stepped += 1
        return super()._insert_events(c, stored_events, **kwargs)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Counting]:
    made = Counting(tmp_path / "events.db")
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path, recorder: Counting) -> Iterator[Store]:
    """A store with one stream, which its recorder knows since it made it in several steps."""
    made = Store(tmp_path / "events.db")
    made.recorder.close()
    made.recorder = recorder
    made.commit(made.batch("plan-1", requests=["first"]))
    assert recorder.stepped == 1
    yield made
    made.close()


@pytest.mark.parametrize("count", [1, 7, 255, ROWS_MAX])
def test_a_group_of_known_streams_is_one_statement(store: Store, recorder: Counting, count: int) -> None:
    batch = store.batch(*["plan-1"] * count, requests=[str(number) for number in range(count)])
    store.commit(batch)
    assert recorder.stepped == 1
    assert [row.version for row in store.reader.page(1, 2_000)] == list(range(2, count + 2))
    assert store.reader.leaf_entries(1, count + 1) == batch.leaves
    assert len(store.everything()["requests"]) == count + 1
    assert store.reader.head() == (count + 1, batch.frontier)


@pytest.mark.parametrize("count", [ROWS_MAX + 1, 2 * ROWS_MAX + 1])
def test_more_rows_than_one_statement_takes_are_one_transaction(
    store: Store, recorder: Counting, count: int
) -> None:
    batch = store.batch(*["plan-1"] * count, requests=["second"])
    store.commit(batch)
    assert recorder.stepped == 2
    assert store.reader.head() == (count + 1, batch.frontier)
    assert store.reader.leaf_entries(1, count + 1) == batch.leaves


@pytest.mark.parametrize("links", [[], [("r-1", "plan-1")]])
def test_a_new_stream_or_a_link_takes_several_steps(
    store: Store, recorder: Counting, links: list[tuple[str, str]]
) -> None:
    store.commit(store.batch("plan-1" if links else "case-1", links=links))
    assert recorder.stepped == 2
    store.commit(store.batch("plan-1"))
    assert recorder.stepped == 2
    assert store.everything()["links"] == links


def older_head(batch: Batch) -> None:
    batch.base -= 1


def newer_head(batch: Batch) -> None:
    batch.base += 1


def taken_version(batch: Batch) -> None:
    batch.events[-1] = batch.events[0]


def taken_request(batch: Batch) -> None:
    batch.requests.append(Request(OIN, "first", b"other", b"other"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (older_head, HeadMoved),
        (newer_head, HeadMoved),
        (taken_version, Taken),
        (taken_request, Taken),
    ],
)
def test_it_writes_all_or_nothing(
    store: Store, recorder: Counting, fault: Callable[[Batch], None], error: type[StoreUnavailable]
) -> None:
    before = store.everything()
    batch = store.batch("plan-1", "plan-1", requests=["second"])
    fault(batch)
    with pytest.raises(error):
        recorder.commit(batch)
    assert store.everything() == before
    store.commit(store.batch("plan-1", requests=["second"]))
    assert recorder.stepped == 1
    assert store.reader.head()[0] == 2


def test_a_leaf_that_is_there_refuses_the_whole_group(store: Store, recorder: Counting) -> None:
    store.tamper("INSERT INTO leaves VALUES (2, x'00')")
    before = store.everything()
    with pytest.raises(Taken):
        recorder.commit(store.batch("plan-1", "plan-1", requests=["second"]))
    assert store.everything() == before


def test_of_a_moved_head_and_a_taken_request_the_head_is_told(store: Store, recorder: Counting) -> None:
    batch = store.batch("plan-1", requests=["first"])
    batch.base += 1
    with pytest.raises(HeadMoved):
        recorder.commit(batch)


def test_the_view_is_of_the_connection_and_not_of_the_file(store: Store) -> None:
    other = sqlite3.connect(store.path)
    names = {name for (name,) in other.execute("SELECT name FROM sqlite_schema")}
    other.close()
    assert "stored_events" in names
    assert not {name for name in names if name.startswith("written")}


def test_a_store_that_is_locked_takes_nothing(store: Store, recorder: Counting) -> None:
    held = sqlite3.connect(store.path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    with recorder.datastore.get_connection(commit=True) as connection:
        connection.cursor().execute("PRAGMA busy_timeout = 0")
    with pytest.raises(StoreUnavailable) as refused:
        recorder.commit(store.batch("plan-1"))
    assert not isinstance(refused.value, HeadMoved | Taken)
    held.execute("ROLLBACK")
    held.close()
    assert store.reader.head()[0] == 1
    store.commit(store.batch("plan-1"))
    assert recorder.stepped == 1


def test_more_bytes_than_one_statement_takes_are_one_transaction(
    store: Store, recorder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = store.batch("plan-1", "plan-1")
    size = sum(len(one.state) for one in batch.events)
    monkeypatch.setattr(one_statement, "BYTES_MAX", size)
    store.commit(batch)
    assert recorder.stepped == 1
    monkeypatch.setattr(one_statement, "BYTES_MAX", size - 1)
    batch = store.batch("plan-1", "plan-1", requests=["second"])
    store.commit(batch)
    assert recorder.stepped == 2
    assert store.reader.head() == (5, batch.frontier)
    assert store.reader.leaf_entries(3, 5) == batch.leaves
    assert len(store.everything()["requests"]) == 2


def test_bytes_of_any_length_and_kind_are_kept_as_they_were(store: Store, recorder: Counting) -> None:
    batch = store.batch(*["plan-1"] * 3)
    kept = [bytes(range(256)) * 300, b"\x00", b"\xff" * 3]
    batch.events = [
        stored_event(str(one.originator_id), one.originator_version, one.topic, state)
        for one, state in zip(batch.events, kept, strict=True)
    ]
    batch.leaves = [b"\x00", bytes(1_024), b"[]"]
    batch.requests = [Request(OIN, "a", b"", b"\x00"), Request(OIN, "b", b"\x00" * 32, b"")]
    store.commit(batch)
    assert recorder.stepped == 1
    assert [row.state for row in store.reader.page(1, 10)] == kept
    assert store.reader.leaf_entries(1, 4) == batch.leaves
    found = {row[1:] for row in store.everything()["requests"]}
    assert {(one.name, one.content, one.answer) for one in batch.requests} < found
