"""How often something was refused within a restriction, and since when, in the file of a journal.

Promises: the exchange answers a command that it refused as it did before, so what is asked after a refusal
has another name: `again` gives it. What is refused for a month waits for a person, and for a lifting that is
told. Holds names of errands and plans, and nothing of what is in them.
Source: GDPR 18; exchange/decisions/0185-a-restricted-assignment-waits.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

TERM_MS: Final = 30 * 24 * 3_600_000
# Why something is parked that was refused as long as that.
TOO_LONG: Final = "restricted for 30 days"
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS refusals (name TEXT PRIMARY KEY, plan_id TEXT NOT NULL, "
    "times INTEGER NOT NULL, since_ms INTEGER) STRICT, WITHOUT ROWID"
)


class Refusals:
    """Owned by the thread that opened the journal; what it writes is part of the caller's step."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: Final = connection
        connection.execute(_SCHEMA)

    def refused(self, name: str, plan_id: str, now_ms: int) -> None:
        """Note that it was refused once more."""
        self._connection.execute(
            "INSERT INTO refusals VALUES (?, ?, 1, ?) ON CONFLICT (name) DO UPDATE SET times = times + 1, "
            # What was noted by a clock that ran ahead has its month from now.
            "since_ms = min(coalesce(since_ms, excluded.since_ms), excluded.since_ms)",
            (name, plan_id, now_ms),
        )

    def again(self, name: str) -> str:
        """Return what tells a command from the one that was refused; nothing where none was."""
        row = self._connection.execute("SELECT times FROM refusals WHERE name = ?", (name,)).fetchone()
        return "" if row is None else f" after-{row[0]}"

    def too_long(self, name: str, now_ms: int) -> bool:
        """Tell whether it was refused for as long as it is asked."""
        row = self._connection.execute("SELECT since_ms FROM refusals WHERE name = ?", (name,)).fetchone()
        return row is not None and row[0] is not None and now_ms - row[0] >= TERM_MS

    def settled(self, name: str) -> None:
        """Note that it was done, or goes on: a later refusal has its own month. Its names stay used."""
        self._connection.execute("UPDATE refusals SET since_ms = NULL WHERE name = ?", (name,))

    def lifted(self, plan_id: str) -> None:
        """Note that a lifting was told: what waited goes on."""
        self._connection.execute("UPDATE refusals SET since_ms = NULL WHERE plan_id = ?", (plan_id,))

    def forget(self, name: str) -> None:
        """Forget one that named no plan when it was refused."""
        self._connection.execute("DELETE FROM refusals WHERE name = ?", (name,))

    def forget_plan(self, plan_id: str) -> None:
        """Forget all of a plan."""
        self._connection.execute("DELETE FROM refusals WHERE plan_id = ?", (plan_id,))
