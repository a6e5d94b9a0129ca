"""The entries of a log, by what they are looked up by. Promises: made in one pass."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.history.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.history.entries import Entry

PERMITS: Final = frozenset({"PERMIT", "PARTIAL", "PERMIT_BREAK_GLASS", "PARTIAL_BREAK_GLASS"})


@dataclass
class Log:
    """The entries, by what they are looked up by."""

    entries: Sequence[Entry]
    at: dict[int, Entry] = field(init=False)
    decisions: dict[str, Entry] = field(init=False)
    marks: defaultdict[str, list[Entry]] = field(init=False)
    model: Model = field(init=False)

    def __post_init__(self) -> None:
        self.at = {entry.position: entry for entry in self.entries}
        self.decisions = {one.decision: one for one in self.entries if one.outcome}
        self.marks = defaultdict(list)
        for entry in self.entries:
            if entry.mark:
                self.marks[entry.mark].append(entry)
        self.model = Model(self.entries)

    def of_mark(self, mark: str) -> list[Entry]:
        """Return the events with a mark."""
        return self.marks.get(mark, [])
