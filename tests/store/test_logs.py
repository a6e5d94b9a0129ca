"""Logs of a store: one after the other, each with its own frontier; a store of before is taken forward."""

from __future__ import annotations

import sqlite3

import pytest

from exchange.errors import HistoryUnreadable, StoreOutdated, StoreUnavailable
from exchange.ledger.merkle import Frontier
from exchange.store.errors import HeadMoved
from exchange.store.reader import SQLiteReader
from exchange.store.sqlite import SCHEMA_VERSION, SQLiteRecorder, found_version
from exchange.store.verify import verify_store
from tests.store.builders import FIRST_LOG, OIN, Store

SECOND_LOG, THIRD_LOG = f"exchange.example/{OIN}/2027", f"exchange.example/{OIN}/2029"


@pytest.fixture
def turned(store: Store) -> Store:
    """Three leaves in the first log, three in the second, one in the third."""
    store.add("plan-1", "plan-2", "plan-1")
    store.commit(store.turn(2027))
    store.add("plan-1", "plan-2")
    store.commit(store.turn(2029))
    return store


def test_each_log_begins_where_the_former_ended(turned: Store) -> None:
    heads = turned.reader.heads()
    assert [(one.first, one.origin) for one in heads.opened] == [(3, SECOND_LOG), (6, THIRD_LOG)]
    assert [Frontier.from_bytes(one.former).size for one in heads.opened] == [3, 3]
    assert (heads.position, Frontier.from_bytes(heads.frontier).size) == (7, 1)
    report = verify_store(turned.reader, FIRST_LOG)
    assert report.problems == []
    assert (report.position, report.leaves) == (7, 7)
    assert report.root == Frontier.from_bytes(heads.frontier).root().hex()


def test_a_group_that_opens_a_log_over_another_head_leaves_nothing(turned: Store) -> None:
    before = turned.everything()
    batch = turned.turn(2030)
    batch.base -= 1
    with pytest.raises(HeadMoved):
        turned.recorder.commit(batch)
    assert turned.everything() == before


@pytest.mark.parametrize(
    ("change", "position", "what"),
    [
        ("UPDATE logs SET former = zeroblob(8) WHERE first = 3", 4, "not that of its leaves"),
        ("UPDATE logs SET origin = 'another/2029' WHERE first = 6", 7, "does not open this log"),
        ("UPDATE logs SET first = 5 WHERE first = 6", 6, "does not open this log"),
        ("DELETE FROM logs WHERE first = 6", 7, "a log that the store does not have"),
        ("INSERT INTO logs VALUES (9, 'another/2030', zeroblob(8))", 10, "no leaf is in"),
        ("UPDATE leaves SET entry = x'00' WHERE leaf_index = 1", 4, "not that of its leaves"),
    ],
)
def test_a_log_that_is_not_what_its_leaves_and_its_opening_say_is_named(
    turned: Store, change: str, position: int, what: str
) -> None:
    turned.tamper(change)
    problems = verify_store(turned.reader, FIRST_LOG).problems
    assert any(at == position and what in told for at, told in problems), problems


def test_a_second_log_over_another_first_one_is_named(turned: Store) -> None:
    report = verify_store(turned.reader, "exchange.example/another/2026")
    assert report.problems == [(4, "the event does not open this log over the end of the former")]


# --- a store of before ----------------------------------------------------------------------------------


def test_a_store_of_before_is_taken_forward_and_keeps_what_it_holds(store: Store) -> None:
    store.add("plan-1", "plan-2")
    before = store.everything()
    assert before.pop("schema_version") == [(1, SCHEMA_VERSION)]
    as_before(store)
    reader = SQLiteReader(store.path)
    assert reader.heads() == (2, store.frontier.to_bytes(), ())
    assert verify_store(reader).ok
    reader.close()
    with pytest.raises(StoreOutdated):
        SQLiteRecorder(store.path)
    assert found_version(store.path) == SCHEMA_VERSION - 1
    recorder = SQLiteRecorder(store.path, forward=True)
    after = store.everything()
    assert after.pop("schema_version") == [(1, SCHEMA_VERSION)]
    assert after == before
    store.recorder, store.reader = recorder, SQLiteReader(store.path)
    store.commit(store.turn(2027))
    assert verify_store(store.reader, FIRST_LOG).ok


def test_a_step_forward_that_fails_leaves_the_store_as_it_was(store: Store) -> None:
    store.add("plan-1")
    as_before(store)
    store.tamper("CREATE TABLE logs (first INTEGER)")
    with pytest.raises(StoreUnavailable):
        SQLiteRecorder(store.path, forward=True)
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchone() == (2,)
    connection.close()
    store.tamper("DROP TABLE logs")
    SQLiteRecorder(store.path, forward=True).close()


def test_a_store_of_before_the_first_release_is_not_taken_forward(store: Store) -> None:
    store.close()
    store.tamper("UPDATE schema_version SET version = 1", "DROP TABLE logs")
    with pytest.raises(HistoryUnreadable, match="before the first release"):
        SQLiteRecorder(store.path, forward=True)


def as_before(store: Store) -> None:
    """Leave a store as the version before this one made it."""
    store.close()
    store.tamper("DROP TABLE logs", "UPDATE schema_version SET version = 2")
