"""Erasures in the file of a journal: those that were begun and not answered yet, and what was erased.

Promises: what was held when an erasure was begun is told so, also where a kill, or an exchange that was away,
came between the erasing and the answer. What was erased stays known by a name that says nothing of it, so
that what comes behind the erasure is not written; who looks before a step sees in it whether an erasure came
between.
Source: GDPR 17 and 19; exchange/decisions/0210-what-comes-behind-an-erasure.md.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

# Of a resident who was erased whole: his plan is nobody's any more, and its id is never given again.
FOR_EVER: Final = 2**62
_SALT_BYTES: Final = 32
# One statement at a time: executescript would end a step that is under way.
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS erasing (erasure_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS erased (
  name BLOB PRIMARY KEY, until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS erased_book (
  one INTEGER PRIMARY KEY CHECK (one = 1), followed INTEGER NOT NULL, salt BLOB NOT NULL
) STRICT""",
)


class Erasures:
    """Owned by the thread that opened the journal; what it writes is part of the caller's step.

    `name` gives the name of an id; without one it is a hash under a salt of this file alone.
    """

    def __init__(self, connection: sqlite3.Connection, name: Callable[[bytes], bytes] | None = None) -> None:
        self._connection: Final = connection
        for statement in _SCHEMA:
            connection.execute(statement)
        self._salt: Final = self._drawn()
        self._named: Final = name or (lambda content: hmac.digest(self._salt, content, sha256))

    def _drawn(self) -> bytes:
        query = "SELECT salt FROM erased_book"
        if self._connection.execute(query).fetchone() is None:
            # The first one to write wins, and everybody reads what is written.
            self._connection.execute(
                "INSERT OR IGNORE INTO erased_book VALUES (1, 0, ?)", (secrets.token_bytes(_SALT_BYTES),)
            )
        (salt,) = self._connection.execute(query).fetchone()
        return bytes(salt)

    # --- begun, and not answered yet ----------------------------------------------------------------------

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

    # --- what was erased ----------------------------------------------------------------------------------

    def follow(self, ids: Iterable[str], until_ms: int = FOR_EVER) -> None:
        """Note, in the step that erases, that an erasure is followed, and of which plans or cases.

        `until_ms`, since 1970, is the moment up to which what is about them is erased: of a part, when it was
        asked; of a resident, for ever.
        """
        self._connection.execute("UPDATE erased_book SET followed = followed + 1")
        self._connection.executemany(
            "INSERT INTO erased VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)",
            [(self.name(one), until_ms) for one in ids],
        )

    def erased(self, one: str, at_ms: int = FOR_EVER) -> bool:
        """Tell whether what was made at a moment about a plan or case is erased; any moment, for ever."""
        query = "SELECT 1 FROM erased WHERE name = ? AND until_ms >= ?"
        return self._connection.execute(query, (self.name(one), at_ms)).fetchone() is not None

    @property
    def followed(self) -> int:
        """Return how many erasures were followed: the same again within a step, none came between."""
        (count,) = self._connection.execute("SELECT followed FROM erased_book").fetchone()
        return int(count)

    def name(self, one: str) -> bytes:
        """Return the name that an id has in this file."""
        return self._named(one.encode())
