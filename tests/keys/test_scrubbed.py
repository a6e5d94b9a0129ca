"""What SQLite leaves of rows that moved from page to page: gone as well, once the file is scrubbed."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from exchange.errors import KeyUnavailable
from exchange.keys.database import KEY_DATABASE_ID, open_database, scrub, transaction

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.databases.place import Connection

SEEDS: Final = range(12)
RESIDENTS, WRAPPED_BYTES, PIECE = 600, 60, slice(16, 28)
CATEGORIES: Final = ("LEDGER", "LOG", "WMO-PLAN")


def left_behind(connection: Connection, file: Path, seed: int) -> list[bytes]:
    """Fill the keys of some hundred residents, delete a fifth; return what lies in the file all the same."""
    chance = random.Random(seed)  # noqa: S311 -- the same rows every time
    rows = [
        (ref, category, 1, "0" * 16, chance.randbytes(WRAPPED_BYTES))
        for ref in (chance.randbytes(16).hex() for _ in range(RESIDENTS))
        for category in CATEGORIES
    ]
    gone = chance.sample(sorted({ref for ref, *_ in rows}), RESIDENTS // 5)
    with transaction(connection):
        connection.executemany("INSERT INTO data_key VALUES (?, ?, ?, ?, ?)", rows)
    with transaction(connection):
        connection.executemany("DELETE FROM data_key WHERE resident_ref = ?", [(ref,) for ref in gone])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found = file.read_bytes()
    return [wrapped for ref, *_, wrapped in rows if ref in gone and wrapped[PIECE] in found]


def test_a_deleted_key_is_gone_also_from_a_page_that_its_row_had_left(tmp_path: Path) -> None:
    for seed in SEEDS:
        file = tmp_path / f"{seed}.db"
        with closing(open_database(file)) as connection:
            if not (left := left_behind(connection, file, seed)):
                continue
            kept = connection.execute("SELECT * FROM data_key").fetchall()
            scrub(connection)
            found = b"".join(one.read_bytes() for one in tmp_path.glob(f"{seed}.db*"))
            assert not [wrapped for wrapped in left if wrapped[PIECE] in found]
            assert connection.execute("SELECT * FROM data_key").fetchall() == kept
            assert connection.execute("PRAGMA application_id").fetchone() == (KEY_DATABASE_ID,)
        open_database(file).close()
        return
    pytest.skip("this SQLite leaves nothing behind where a row moves")


def test_while_somebody_writes_the_keys_lie_there_still_and_that_is_told(tmp_path: Path) -> None:
    with (
        closing(open_database(tmp_path / "keys.db")) as connection,
        closing(sqlite3.connect(tmp_path / "keys.db", isolation_level=None)) as other,
    ):
        connection.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(KeyUnavailable, match="destroy again"):
            scrub(connection)
        other.execute("ROLLBACK")
        scrub(connection)
