"""A read model that could not be opened leaves nothing behind in the process."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from exchange.errors import StoreUnavailable
from exchange.projections.database import Database

if TYPE_CHECKING:
    from pathlib import Path


def test_one_that_could_not_be_opened_keeps_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as one is open, SQLite keeps the fault of its shared memory for the whole process."""
    opened: list[sqlite3.Connection] = []

    def fails(database: Database) -> None:
        with database.reading() as connection:
            opened.append(connection)
            raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(Database, "_make_anew", fails)
    with pytest.raises(StoreUnavailable):
        Database(tmp_path / "sample.db", (), 1)
    with pytest.raises(sqlite3.ProgrammingError):
        opened[0].execute("SELECT 1")
    monkeypatch.undo()
    again = Database(tmp_path / "sample.db", (), 1)
    assert again.position() == 0
    again.close()
