"""Erasures that were begun and not answered yet, in the file of a journal.

Promises: what was held when an erasure was begun is told so, also where a kill, or an exchange that was away,
came between the erasing and the answer.
Source: GDPR 17 and 19.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS erasing (erasure_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID"


class Erasures:
    """Owned by the thread that opened the journal; what it writes is part of the caller's step."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: Final = connection
        connection.execute(_SCHEMA)

    def begin(self, erasure_id: str) -> None:
        """Note that something is held of what is to be erased."""
        self._connection.execute("INSERT OR IGNORE INTO erasing VALUES (?)", (erasure_id,))

    def begun(self, erasure_id: str) -> bool:
        """Tell whether something was held, now or before."""
        query = "SELECT 1 FROM erasing WHERE erasure_id = ?"
        return self._connection.execute(query, (erasure_id,)).fetchone() is not None

    @property
    def any_begun(self) -> bool:
        """Tell whether something was held of any erasure that was not ended."""
        return self._connection.execute("SELECT 1 FROM erasing").fetchone() is not None

    def end(self, erasure_id: str) -> None:
        """Forget an erasure that was answered."""
        self._connection.execute("DELETE FROM erasing WHERE erasure_id = ?", (erasure_id,))
