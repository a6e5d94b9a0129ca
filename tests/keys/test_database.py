"""The file under the keys: its form, its modes, its durability, and the cache before it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import KeyDestroyed, KeyUnavailable
from exchange.keys.database import LeastRecentlyUsed, open_database, transaction

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "content", [b"this is no database, it is a text of some length", b"\x00" * 4096], ids=["text", "zeros"]
)
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys.db").write_bytes(content)
    with pytest.raises(KeyUnavailable):
        open_database(tmp_path / "keys.db")
    assert (tmp_path / "keys.db").read_bytes() == content


def test_another_kind_of_database_is_refused_and_kept(tmp_path: Path) -> None:
    events = sqlite3.connect(tmp_path / "keys.db")
    events.execute("CREATE TABLE stored_events (position INTEGER)")
    events.close()
    with pytest.raises(KeyUnavailable, match="another kind"):
        open_database(tmp_path / "keys.db")
    events = sqlite3.connect(tmp_path / "keys.db")
    assert events.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (1,)
    events.close()


def test_a_database_that_cannot_be_opened_is_a_named_failure(tmp_path: Path) -> None:
    (tmp_path / "keys.db").mkdir()
    with pytest.raises(KeyUnavailable):
        open_database(tmp_path / "keys.db")


def test_the_database_and_its_log_are_open_to_their_owner_only(tmp_path: Path) -> None:
    database = open_database(tmp_path / "keys.db")
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("keys.db*")}
    assert modes == dict.fromkeys(("keys.db", "keys.db-wal", "keys.db-shm"), 0o600)
    database.close()


def test_what_one_connection_committed_another_reads(tmp_path: Path) -> None:
    first, second = open_database(tmp_path / "keys.db"), open_database(tmp_path / "keys.db")
    with transaction(first):
        first.execute("INSERT INTO destroyed VALUES ('r-1')")
    assert second.execute("SELECT resident_ref FROM destroyed").fetchall() == [("r-1",)]
    for connection in (first, second):
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)
        connection.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path / "keys.db")

    def insert_and_fail() -> None:
        with transaction(database):
            database.execute("INSERT INTO destroyed VALUES ('r-1')")
            raise KeyDestroyed("on purpose")

    with pytest.raises(KeyDestroyed):
        insert_and_fail()
    assert database.execute("SELECT count(*) FROM destroyed").fetchone() == (0,)
    assert not database.in_transaction
    database.close()


@given(
    entries_max=st.integers(1, 5), steps=st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=60)
)
def test_the_cache_holds_what_was_used_last(entries_max: int, steps: list[tuple[bool, int]]) -> None:
    cache: LeastRecentlyUsed[int, str] = LeastRecentlyUsed(entries_max)
    used: list[int] = []
    for adding, key in steps:
        known = key in used[-entries_max:]
        if adding:
            cache.put(key, str(key))
        else:
            assert cache.get(key) == (str(key) if known else None)
        if adding or known:
            used = [*(other for other in used[-entries_max:] if other != key), key]
        assert len(cache) == min(len(used), entries_max)
    cache.drop(lambda key, _: key % 2 == 0)
    assert all(cache.get(key) is None for key in (0, 2, 4, 6))
    cache.clear()
    assert len(cache) == 0
