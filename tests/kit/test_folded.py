"""What SQLite leaves of rows that moved from page to page: gone from a journal as well, once it is folded."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from adapters.kit.journal import Journal
from adapters.kit.steps import NoRoomToFold, StillRead
from tests.kit.squeezed import DISK_BYTES, small_disk

if TYPE_CHECKING:
    from pathlib import Path

_KEYED: Final = "STRICT, WITHOUT ROWID"
SCHEMA: Final = f"CREATE TABLE IF NOT EXISTS held (about TEXT PRIMARY KEY, content BLOB NOT NULL) {_KEYED};"
SEEDS: Final = range(12)
ROWS: Final = 1_500


def left_behind(journal: Journal, file: Path, seed: int) -> list[bytes]:
    """Hold something of some hundred people, forget a third; return what lies in the file all the same."""
    chance = random.Random(seed)  # noqa: S311 -- the same rows every time
    rows = [(chance.randbytes(16).hex(), chance.randbytes(chance.randrange(40, 200))) for _ in range(ROWS)]
    gone = chance.sample(rows, ROWS // 3)
    with journal.transaction():
        journal.connection.executemany("INSERT INTO held VALUES (?, ?)", rows)
    with journal.transaction():
        journal.connection.executemany("DELETE FROM held WHERE about = ?", [(about,) for about, _ in gone])
    journal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found = file.read_bytes()
    return [content[:16] for _, content in gone if content[:16] in found]


def test_what_was_deleted_is_gone_also_from_a_page_that_its_row_had_left(tmp_path: Path) -> None:
    for seed in SEEDS:
        file = tmp_path / f"{seed}.db"
        with closing(Journal(file, SCHEMA)) as journal:
            if not (left := left_behind(journal, file, seed)):
                continue
            kept = journal.connection.execute("SELECT * FROM held ORDER BY about").fetchall()
            journal.fold_log()
            found = b"".join(one.read_bytes() for one in tmp_path.glob(f"{seed}.db*"))
            assert not [piece for piece in left if piece in found]
            assert journal.connection.execute("SELECT * FROM held ORDER BY about").fetchall() == kept
        return
    pytest.skip("this SQLite leaves nothing behind where a row moves")


def test_while_somebody_writes_a_journal_is_not_folded(tmp_path: Path) -> None:
    with (
        closing(Journal(tmp_path / "journal.db")) as journal,
        closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other,
    ):
        journal.connection.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StillRead):
            journal.fold_log()
        other.execute("ROLLBACK")
        journal.fold_log()


def test_what_passes_lies_beside_the_file_and_nothing_of_that_stays(tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    folder.mkdir()
    with closing(Journal(folder / "journal.db")) as journal:
        journal.fold_log()
        assert journal.connection.execute("PRAGMA temp_store_directory").fetchall() == []
        assert sorted(one.name for one in folder.iterdir()) == [
            "journal.db",
            "journal.db-shm",
            "journal.db-wal",
        ]


def test_a_disk_without_room_for_it_leaves_the_journal_as_it_was_and_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, closing(Journal(disk / "journal.db", SCHEMA)) as journal:
        for number in range(DISK_BYTES // 2 // 4_000):
            journal.connection.execute("INSERT INTO held VALUES (?, zeroblob(4000))", (str(number),))
            journal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with pytest.raises(NoRoomToFold):
            journal.fold_log()
        assert (disk / "journal.db-wal").stat().st_size == 0, "there is as much room as before"
        assert journal.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for number in range(20, DISK_BYTES // 2 // 4_000):
            journal.connection.execute("DELETE FROM held WHERE about = ?", (str(number),))
            journal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        journal.fold_log()
        assert journal.connection.execute("SELECT count(*) FROM held").fetchone() == (20,)


FOLDED_BYTES: Final = 80_000_000
FOLDS: Final = """
import re, sys
from pathlib import Path
from adapters.kit.journal import Journal
def most():
    # getrusage would count the parent as it was when it forked; this begins anew with each program.
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
journal = Journal(Path(sys.argv[1]), "CREATE TABLE held (content BLOB) STRICT")
with journal.transaction():
    for _ in range(int(sys.argv[2]) // 8_000):
        journal.connection.execute("INSERT INTO held VALUES (randomblob(8000))")
journal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
before = most()
journal.fold_log()
print(most() - before)
"""


@pytest.mark.slow
def test_a_large_journal_is_folded_in_little_memory(tmp_path: Path) -> None:
    words = [sys.executable, "-c", FOLDS, str(tmp_path / "journal.db"), str(FOLDED_BYTES)]
    told = subprocess.run(words, capture_output=True, check=True)  # noqa: S603 -- our own program
    assert int(told.stdout) * 1024 < FOLDED_BYTES // 4
