"""A month as it was judged: its counts in memory, what became of each access in a file without a name.

Promises: memory does not grow with the month; the file holds positions and numbers of rules, no id and no
word, and is gone with who opened it, whatever ends the process.
Source: sqlite.org/pragma.html (journal_mode, locking_mode);
exchange/decisions/0206-memory-keeps-no-past-state-and-no-month.md.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from exchange.projections.lookups.counting import Cells, Judged
from exchange.projections.lookups.explaining import UNEXPLAINED
from exchange.projections.lookups.rules import EXPLANATIONS, INDICATORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from exchange.projections.lookups.accesses import Access
    from exchange.projections.lookups.counting import Cell

FILE: Final = "lookups-judged.tmp"
REASONS: Final = (UNEXPLAINED, *(rule.name for rule in EXPLANATIONS))
# Nobody needs what is here after a fault: it is judged anew.
_PRAGMAS: Final = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE")
_TABLE: Final = """CREATE TABLE judged (
    position INTEGER PRIMARY KEY, cell INTEGER NOT NULL, reason INTEGER NOT NULL, met INTEGER NOT NULL
) STRICT"""
_INDEX: Final = "CREATE INDEX unexplained ON judged (cell, position) WHERE reason = 0"
_INSERT: Final = "INSERT INTO judged VALUES (?, ?, ?, ?)"
_UNEXPLAINED: Final = """
SELECT position FROM judged WHERE cell = ? AND reason = 0 AND position > ? AND (met <> 0 OR NOT ?)
ORDER BY position LIMIT ?"""
_TOLD: Final = "SELECT reason, met FROM judged WHERE position = ?"


class JudgedMonth:
    """Made once, then read. Owned by who holds the lock of the index."""

    def __init__(self, folder: Path, month: Iterable[Judged]) -> None:
        """Judge a month to its end. Raises sqlite3.Error where the file cannot be written."""
        cells = Cells()
        self._numbers: dict[tuple[str, str], int] = {}
        path = folder / FILE
        path.unlink(missing_ok=True)
        self._file: Final = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                self._file.execute(f"PRAGMA {pragma}")
            self._file.execute("BEGIN")
            self._file.execute(_TABLE)
            # From here on it has no name any more: whatever ends us ends it.
            path.unlink()
            self._file.executemany(_INSERT, self._rows(month, cells))
            self._file.execute(_INDEX)
            self._file.execute("COMMIT")
        except BaseException:
            self._file.close()
            raise
        self.cells: Final[tuple[Cell, ...]] = cells.told()

    def _rows(self, month: Iterable[Judged], cells: Cells) -> Iterator[tuple[int, int, int, int]]:
        reasons = {name: number for number, name in enumerate(REASONS)}
        bits = {rule.name: 1 << number for number, rule in enumerate(INDICATORS)}
        for one in month:
            cells.add(one)
            cell = one.access.organisation, one.access.task
            number = self._numbers.setdefault(cell, len(self._numbers))
            met = sum(bits[name] for name in one.indicators)
            yield one.access.position, number, reasons[one.explanation], met

    def unexplained(
        self, cell: tuple[str, str], after: int, limit: int, *, only_indicated: bool
    ) -> list[int]:
        """Return at most so many positions of a cell behind one, in order, of what nothing explains."""
        if cell not in self._numbers:
            return []
        asked = (self._numbers[cell], after, only_indicated, limit)
        return [position for (position,) in self._file.execute(_UNEXPLAINED, asked)]

    def told(self, access: Access) -> Judged:
        """Return an access of the month with what became of it."""
        reason, met = self._file.execute(_TOLD, (access.position,)).fetchone()
        names = tuple(rule.name for number, rule in enumerate(INDICATORS) if met >> number & 1)
        return Judged(access, REASONS[reason], names)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
