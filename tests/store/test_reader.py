"""Reading beside the writer: one moment at a time, in order, from any thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from exchange.errors import StoreUnavailable
from exchange.ledger.merkle import Frontier
from exchange.store import ports
from exchange.store.ports import Extent, look
from exchange.store.reader import SQLiteReader
from tests.store.builders import TOPIC, Store

if TYPE_CHECKING:
    from pathlib import Path


def test_an_empty_store_answers(either: Store) -> None:
    reader = either.reader
    assert reader.head() == reader.ledger_head() == (0, Frontier().to_bytes())
    assert reader.tail("plan-1") == (0, [])
    assert reader.last_version("plan-1") == (0, 0)
    assert reader.scope("r-1") == (0, ())
    assert reader.page(0, 10) == reader.page_of_stream("plan-1", 10, 10) == []
    assert reader.leaf_entries(0, 10) == []
    assert reader.answer("nobody", "nothing") is None
    assert reader.extent() == Extent(0, 0, 0, 0, 0)


def test_a_stream_is_read_in_order_from_a_version(either: Store) -> None:
    either.add("plan-1", "plan-2", "plan-1", "plan-1")
    tail = either.reader.tail("plan-1", 1)
    assert [(row.position, row.version) for row in tail.rows] == [(3, 2), (4, 3)]
    assert tail.as_of == 4
    for limit in (1, 2, 3):
        some = either.reader.tail("plan-1", 1, limit)
        assert (some.rows, some.as_of) == (tail.rows[:limit], 4)
    assert {(row.stream, row.topic) for row in tail.rows} == {("plan-1", TOPIC)}
    assert either.reader.last_version("plan-1") == (4, 3)
    page = either.reader.page_of_stream("plan-1", 3, 1)
    assert [row.version for row in page] == [2]
    assert [row.version for row in either.reader.page_of_stream("plan-1", 99, 9)] == [3, 2, 1]


def test_pages_follow_positions_and_topics(either: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    either.add(*["plan-1"] * 5)
    for position in (2, 4):
        either.put(position, topic="case.opened.v1")
    reader = either.reader
    assert [row.position for row in reader.page(1, 2)] == [2, 3]
    assert [row.position for row in reader.page(0, 9, ["case.opened.v1"])] == [2, 4]
    assert [row.position for row in reader.page(0, 9, [TOPIC, "case.opened.v1"])] == [1, 2, 3, 4, 5]
    assert reader.page(0, 9, ["plan.opened.v1') OR 1=1 --"]) == []
    monkeypatch.setattr(ports, "ROWS_PER_PAGE_MAX", 3)
    assert len(reader.page(0, 10**9)) == len(reader.page_of_stream("plan-1", 99, 10**9)) == 3


def test_a_page_ends_where_it_is_told_to(either: Store) -> None:
    either.add(*["plan-1"] * 5)
    either.put(4, topic="case.opened.v1")
    reader = either.reader
    assert [row.position for row in reader.page(1, 9, (), 3)] == [2, 3]
    assert [row.position for row in reader.page(1, 1, (), 3)] == [2]
    assert [row.position for row in reader.page(3, 9, (), 3)] == []
    for until, found in ((3, []), (4, [4]), (5, [4])):
        assert [row.position for row in reader.page(0, 9, ["case.opened.v1"], until)] == found


def test_a_look_for_few_goes_by_parts_and_misses_none(either: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    either.add(*["plan-1"] * 12)
    for position in (5, 6, 11):
        either.put(position, topic="case.opened.v1")
    monkeypatch.setattr(ports, "POSITIONS_PER_LOOK", 4)
    place, found, places = 0, list[int](), list[int]()
    while place < 10:
        rows, place = look(either.reader, place, 10, 1, ["case.opened.v1"])
        found += [row.position for row in rows]
        places.append(place)
    # To the end of a part where there was less than asked, else to the last that was found; 11 is beyond.
    assert (found, places) == ([5, 6], [4, 5, 6, 10])
    assert look(either.reader, 12, 10, 1, ["case.opened.v1"]) == ([], 12)


def test_streams_of_one_kind_are_read_together(either: Store) -> None:
    either.add("legal_basis-A", "legal_basis", "legal_basis.A", "legal_basis-B", "legal_basis-A", "plan-1")
    rows = either.reader.rows_of_streams("legal_basis-", 0)
    assert [(row.position, row.stream, row.version) for row in rows] == [
        (1, "legal_basis-A", 1),
        (4, "legal_basis-B", 1),
        (5, "legal_basis-A", 2),
    ]
    assert [row.position for row in either.reader.rows_of_streams("legal_basis-", 4)] == [5]
    assert either.reader.rows_of_streams("legal_basis-", 5) == []
    assert either.reader.rows_of_streams("organisation-", 0) == []


def test_leaves_are_read_by_index(either: Store) -> None:
    batch = either.batch(*["plan-1"] * 4)
    either.commit(batch)
    assert either.reader.leaf_entries(1, 3) == batch.leaves[1:3]
    assert either.reader.leaf_rows(2, 99) == [(2, batch.leaves[2]), (3, batch.leaves[3])]


def test_what_one_call_returns_is_of_one_moment(store: Store) -> None:
    store.add("plan-1")
    with store.reader._moment() as c:
        assert c.execute("SELECT position FROM head").fetchone() == (1,)
        store.add("plan-1", "plan-1")
        assert c.execute("SELECT count(*) FROM stored_events").fetchone() == (1,)
        assert c.execute("SELECT position FROM head").fetchone() == (1,)
    assert store.reader.tail("plan-1").as_of == 3


def test_beside_a_writer_every_tail_is_whole_as_of_its_position(either: Store) -> None:
    stop = threading.Event()

    def read() -> list[bool]:
        agreed = []
        while not stop.is_set():
            as_of, rows = either.reader.tail("plan-1")
            # Every event goes to this one stream, so the tail is as long as its position says.
            agreed.append(len(rows) == as_of)
        return agreed

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for _ in range(50):
            either.add("plan-1", "plan-1")
        stop.set()
    for reading in readers:
        assert reading.result()
        assert all(reading.result())


def test_reading_never_writes(store: Store) -> None:
    with pytest.raises(StoreUnavailable), store.reader._moment() as c:
        c.execute("DELETE FROM links")


def test_a_closed_reader_and_an_absent_file_do_not_answer(store: Store, tmp_path: Path) -> None:
    store.reader.head()
    store.reader.close()
    with pytest.raises(StoreUnavailable):
        store.reader.head()
    absent = SQLiteReader(tmp_path / "absent.db")
    with pytest.raises(StoreUnavailable):
        absent.head()
    assert not (tmp_path / "absent.db").exists()


def test_a_failed_read_does_not_spoil_the_next(store: Store) -> None:
    store.add("plan-1")
    with pytest.raises(StoreUnavailable), store.reader._moment() as c:
        c.execute("SELECT nothing FROM nowhere")
    assert store.reader.head()[0] == 1


def test_positions_of_some_streams_come_together_and_in_order(either: Store) -> None:
    either.add("plan-1", "case-1", "plan-2", "plan-1")
    reader = either.reader
    assert reader.positions(["plan-1", "case-1"], 99) == [1, 2, 4]
    # Up to a position, with it.
    assert reader.positions(["plan-1"], 4) == [1, 4]
    assert reader.positions(["plan-1"], 3) == [1]
    assert reader.positions([], 99) == reader.positions(["nobody", "plan-1') --"], 99) == []


def test_some_leaves_are_read_by_their_indexes(either: Store) -> None:
    either.add("plan-1", "plan-1", "plan-1")
    reader = either.reader
    every = reader.leaf_rows(0, 3)
    assert reader.leaves_at([2, 0]) == [every[0], every[2]]
    assert reader.leaves_at([]) == reader.leaves_at([3, -1]) == []
