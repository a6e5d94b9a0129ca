"""What SQLite leaves of rows that moved from page to page: gone from a journal as well, once it is folded."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from adapters.kit.journal import Journal
from adapters.kit.steps import StillRead

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
