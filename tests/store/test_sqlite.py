"""The recorder: everything of a group or nothing, durable, and never on a store it does not know."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import HistoryUnreadable, StoreFull, StoreUnavailable
from exchange.store import backfill
from exchange.store import sqlite as room
from exchange.store.batch import Request
from exchange.store.errors import Taken
from exchange.store.reader import CACHE_KIB, SQLiteReader
from exchange.store.sqlite import EMPTY_FRONTIER, SCHEMA_VERSION, SQLiteRecorder, store_errors
from tests.store.builders import OIN, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteCursor

    from exchange.store.batch import Batch

COPY_WAIT_MAX_S = 30.0


class Watched(SQLiteRecorder):
    """A recorder that lets a test look from inside the writing transaction, before the commit."""

    def __init__(self, path: Path, look: Callable[[SQLiteCursor], None]) -> None:
        super().__init__(path)
        self._look = look

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Batch
    ) -> Sequence[int] | None:
        positions = super()._insert_events(c, stored_events, **kwargs)
        self._look(c)
        return positions


# --- one transaction ----------------------------------------------------------------------------------


def test_a_group_is_written_whole(store: Store) -> None:
    batch = store.batch("plan-1", "case-1", "plan-1", requests=["one"], links=[("r-1", "plan-1")])
    store.commit(batch)
    rows = store.everything()
    assert rows["streams"] == [(1, "plan-1"), (2, "case-1")]
    assert [row[:3] for row in rows["stored_events"]] == [(1, 1, 1), (2, 2, 1), (3, 1, 2)]
    assert rows["leaves"] == list(enumerate(batch.leaves))
    assert [row[-2:] for row in rows["requests"]] == [(b"content", b"answer one")]
    assert rows["links"] == [("r-1", "plan-1")]
    assert rows["head"] == [(1, 3, batch.frontier)]


# --- durable ------------------------------------------------------------------------------------------


def test_the_writing_connection_flushes_every_commit(tmp_path: Path) -> None:
    seen: dict[str, object] = {}

    def look(c: SQLiteCursor) -> None:
        for name in ("synchronous", "journal_mode"):
            c.execute(f"PRAGMA {name}")
            seen[name] = c.fetchone()[0]

    store = Store(tmp_path / "events.db")
    store.recorder.close()
    store.recorder = Watched(tmp_path / "events.db", look)
    store.add("plan-1")
    store.close()
    assert seen == {"synchronous": 2, "journal_mode": "wal"}


def test_every_connection_of_the_pool_flushes(store: Store) -> None:
    levels = []

    def nested(depth: int) -> None:
        with store.recorder.datastore.transaction(commit=False) as c:
            c.execute("PRAGMA synchronous")
            levels.append(c.fetchone()[0])
            if depth:
                nested(depth - 1)

    nested(3)
    assert levels == [2] * 4


def test_every_thread_that_reads_keeps_few_pages(store: Store) -> None:
    def kept() -> int:
        store.reader.head()
        return int(store.reader._connection().execute("PRAGMA cache_size").fetchone()[0])

    with ThreadPoolExecutor(1) as pool:
        assert {kept(), pool.submit(kept).result()} == {-CACHE_KIB}
    assert CACHE_KIB <= 256


def test_readers_see_nothing_of_a_group_before_its_commit_and_do_not_wait(tmp_path: Path) -> None:
    seen: list[Any] = []
    reader = SQLiteReader(tmp_path / "events.db")

    def look(_: SQLiteCursor) -> None:
        seen.append((reader.head()[0], reader.tail("plan-1").rows, reader.answer(OIN, "first")))

    store = Store(tmp_path / "events.db")
    store.recorder.close()
    store.recorder = Watched(tmp_path / "events.db", look)
    store.commit(store.batch("plan-1", requests=["first"]))
    assert seen == [(0, [], None)]
    assert reader.head()[0] == 1
    reader.close()
    store.close()


def test_a_writer_waits_for_the_one_before_it(store: Store) -> None:
    held = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    held.execute("BEGIN IMMEDIATE")
    letting_go = threading.Timer(0.05, held.execute, ("ROLLBACK",))
    letting_go.start()
    store.add("plan-1")
    letting_go.join()
    held.close()
    assert store.reader.head()[0] == 1


# --- the log that is copied back ------------------------------------------------------------------------


def in_the_file(store: Store) -> int:
    """Return how many events the file itself has, without its log; 0 while pages are being copied."""
    uri = f"{store.path.absolute().as_uri()}?immutable=1"
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(uri, uri=True)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM stored_events").fetchone()[0])
    return 0


def backfillers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "backfill"]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "REST_S", 0.0)


def has_copied(store: Store, count: int) -> bool:
    """Wait until the file has so many events."""
    until = time.monotonic() + COPY_WAIT_MAX_S
    while in_the_file(store) < count:
        if time.monotonic() > until:
            return False
        threading.Event().wait(0.005)
    return True


@pytest.mark.usefixtures("at_once")
def test_what_was_committed_is_copied_into_the_file_beside_those_who_commit(store: Store) -> None:
    assert not in_the_file(store)
    for number in range(1, 4):
        store.add("plan-1")
        assert has_copied(store, number), "long before the log is full"
    assert [row[0] for row in store.everything()["stored_events"]] == [1, 2, 3]


@pytest.mark.usefixtures("at_once")
def test_neither_a_reader_nor_a_commit_waits_for_the_copy(store: Store) -> None:
    """A reader keeps his moment; what was committed since is copied once he is gone."""
    store.add("plan-1")
    with closing(sqlite3.connect(store.path, isolation_level=None, timeout=0)) as reading:
        reading.execute("BEGIN")
        assert reading.execute("SELECT COUNT(*) FROM stored_events").fetchone() == (1,)
        for _ in range(20):
            store.add("plan-1")
        assert reading.execute("SELECT COUNT(*) FROM stored_events").fetchone() == (1,)
        reading.execute("COMMIT")
    store.add("plan-1")
    assert has_copied(store, 22)


def test_it_begins_with_the_first_commit_and_ends_with_the_store(store: Store) -> None:
    before = len(backfillers())
    store.reader.head()
    assert len(backfillers()) == before
    store.add("plan-1")
    store.add("plan-1")
    assert len(backfillers()) == before + 1
    store.reader.close()
    store.recorder.close()
    assert len(backfillers()) == before
    assert not store.path.with_name("events.db-wal").exists(), "who closes last clears the log away"
    assert in_the_file(store) == 2


@pytest.mark.usefixtures("at_once")
def test_an_end_that_comes_while_it_notes_that_it_looked_ends_it(store: Store) -> None:
    store.add("plan-1")
    one = backfill.Backfill(store.path)

    class Ended(threading.Event):
        """Somebody closes it in the very moment before the flag is taken down."""

        def clear(self) -> None:
            one._ended.set()
            self.set()
            super().clear()

    one._written = Ended()
    one.wake()
    assert one._thread is not None
    one._thread.join(COPY_WAIT_MAX_S)
    assert not one._thread.is_alive()


@pytest.mark.usefixtures("at_once")
def test_where_nothing_can_be_copied_everything_stays_in_the_log(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    before = len(backfillers())
    store.add("plan-1")
    for thread in backfillers()[before:]:
        thread.join(COPY_WAIT_MAX_S)
    store.add("plan-1")
    monkeypatch.undo()
    assert not in_the_file(store)
    assert [row[0] for row in store.everything()["stored_events"]] == [1, 2]


# --- stores it does not know --------------------------------------------------------------------------


def test_a_new_store_is_empty_and_of_this_version(store: Store) -> None:
    rows = store.everything()
    assert rows.pop("head") == [(1, 0, EMPTY_FRONTIER)]
    assert rows.pop("schema_version") == [(1, SCHEMA_VERSION)]
    assert not any(rows.values())


def test_a_store_of_a_newer_version_is_refused_and_not_touched(store: Store) -> None:
    store.add("plan-1")
    store.close()
    store.tamper("UPDATE schema_version SET version = version + 1", "DROP TABLE links")
    store.tamper("PRAGMA wal_checkpoint(TRUNCATE)")
    before = store.path.read_bytes()
    with pytest.raises(HistoryUnreadable) as caught:
        SQLiteRecorder(store.path)
    assert caught.value.metadata == {"found": str(SCHEMA_VERSION + 1), "known": str(SCHEMA_VERSION)}
    assert store.path.read_bytes() == before


def test_a_store_from_before_the_first_release_is_refused(store: Store) -> None:
    store.close()
    store.tamper("UPDATE schema_version SET version = 1")
    with pytest.raises(HistoryUnreadable, match="before the first release"):
        SQLiteRecorder(store.path)


def test_the_number_of_a_stream_lost_with_its_commit_is_not_used_again(store: Store) -> None:
    batch = store.batch("plan-1")
    batch.requests.append(Request(OIN, "one", b"content", b"answer"))
    batch.requests.append(Request(OIN, "one", b"content", b"answer"))
    with pytest.raises(Taken):
        store.recorder.commit(batch)
    store.add("case-1")
    store.add("plan-1", "case-1")
    assert store.everything()["streams"] == [(1, "case-1"), (2, "plan-1")]
    assert [row.stream for row in store.reader.page(0, 10)] == ["case-1", "plan-1", "case-1"]


def test_a_recorder_that_forgot_the_numbers_looks_them_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "NUMBERS_KEPT_MAX", 0)
    for _ in range(3):
        store.add("plan-1", "case-1")
    assert store.everything()["streams"] == [(1, "plan-1"), (2, "case-1")]
    assert [row.version for row in store.reader.tail("plan-1").rows] == [1, 2, 3]


def test_opening_a_store_again_writes_nothing_and_waits_for_nobody(store: Store) -> None:
    store.add("plan-1")
    held = sqlite3.connect(store.path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    again = SQLiteRecorder(store.path)
    held.execute("ROLLBACK")
    held.close()
    again.close()
    assert store.reader.head()[0] == 1


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "events.db"
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreUnavailable):
        SQLiteRecorder(file)
    assert file.read_bytes() == b"no database at all" * 100


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        SQLiteRecorder(tmp_path / "absent" / "events.db")


@pytest.mark.parametrize("name", ["with space", "a?b#c", "100%25", "ünïcode"])
def test_any_folder_name_does(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    store = Store(tmp_path / name / "events.db")
    store.add("plan-1")
    assert store.reader.head()[0] == 1
    assert store.path.exists()
    store.close()


# --- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (sqlite3.IntegrityError("UNIQUE constraint failed"), Taken),
        (sqlite3.OperationalError("database or disk is full"), StoreFull),
        (sqlite3.OperationalError("disk I/O error"), StoreFull),
        (sqlite3.OperationalError("database is locked"), StoreUnavailable),
        (sqlite3.DatabaseError("database disk image is malformed"), StoreUnavailable),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), StoreUnavailable),
    ],
)
def test_every_failure_of_sqlite_has_its_own_name(raised: Exception, told: type[Exception]) -> None:
    with pytest.raises(StoreUnavailable) as caught, store_errors():
        raise raised
    assert type(caught.value) is told
    assert str(raised) not in str(caught.value)


def test_a_full_store_works_again_with_room(store: Store) -> None:
    store.add("plan-1")
    with store.recorder.datastore.transaction(commit=False) as c:
        c.execute("PRAGMA page_count")
        pages = c.fetchone()[0]
        c.execute(f"PRAGMA max_page_count = {pages}")
    before = store.everything()
    with pytest.raises(StoreFull):
        store.add(*["plan-1"] * 200)
    assert store.everything() == before
    with store.recorder.datastore.transaction(commit=False) as c:
        c.execute("PRAGMA max_page_count = 1000000")
    store.add(*["plan-1"] * 200)
    assert store.reader.head()[0] == 201
