"""Read model of lookups: who looked at whom, what bound him to that resident, and what was recorded there.

Promises: a fold of the events and nothing else, so that rebuilt equals followed; holds ids, times and words
of closed lists; opens nothing that is sealed, so that an erasure changes nothing of what is rebuilt: who
looked stays countable, as the decision itself does. What was refused is no access; nor is what lets nobody
look.
Source: GDPR 5(2), 32; exchange/decisions/0133-what-explains-a-lookup.md.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from exchange.projections.database import Database
from exchange.projections.lookups.accesses import DAY, Access, Act, Known, Tie
from exchange.projections.lookups.counting import Judged, judged
from exchange.projections.lookups.folding import TOPICS_FOLLOWED, fold
from exchange.projections.lookups.months import start_of
from exchange.projections.lookups.rules import (
    ACTS_AROUND_DAYS,
    CASE,
    LOOKED_BACK_DAYS,
    OWN_PART_WORKED_DAYS,
    TIES_BACK_DAYS,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from exchange.domain.lookups import Month
    from exchange.store.batch import Row
    from exchange.store.codec import Codec

FILE: Final = "lookups.db"
SHAPE: Final = 1
TABLES: Final = (
    """CREATE TABLE accesses (
        position INTEGER PRIMARY KEY, decision_id TEXT NOT NULL, at INTEGER NOT NULL,
        organisation TEXT NOT NULL, task TEXT NOT NULL, professional TEXT NOT NULL, resident TEXT NOT NULL,
        emergency TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX accesses_at ON accesses (at, position)",
    "CREATE INDEX accesses_emergency ON accesses (decision_id) WHERE emergency <> ''",
    """CREATE TABLE ties (
        position INTEGER PRIMARY KEY, kind TEXT NOT NULL, resident TEXT NOT NULL, organisation TEXT NOT NULL,
        task TEXT NOT NULL, professional TEXT NOT NULL, start_at INTEGER NOT NULL, end_at INTEGER,
        own INTEGER NOT NULL, place_of TEXT NOT NULL, name TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX ties_name ON ties (name, kind)",
    """CREATE TABLE acts (
        resident TEXT NOT NULL, organisation TEXT NOT NULL, task TEXT NOT NULL, professional TEXT NOT NULL,
        day INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (resident, organisation, task, professional, day)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX acts_at ON acts (at)",
    # How many events changed anything: what was judged stands while this does, whatever else is recorded.
    "CREATE TABLE changed (one INTEGER PRIMARY KEY CHECK (one = 1), events INTEGER NOT NULL) STRICT",
    "INSERT INTO changed VALUES (1, 0)",
    "CREATE TABLE decided (month TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)
_ACCESSES: Final = """
SELECT position, decision_id, at, organisation, task, professional, resident, emergency FROM accesses
WHERE at >= ? AND at < ? ORDER BY at, position"""
_IDS: Final = """
SELECT decision_id FROM accesses WHERE at >= ? AND at < ? AND organisation = ? ORDER BY at, position"""
_TIES: Final = """
SELECT kind, resident, organisation, task, professional, start_at, end_at, own, place_of FROM ties
WHERE start_at < ? AND (end_at IS NULL OR end_at >= ?) ORDER BY position"""
# Around the month, and at the beginning of each part that somebody gave himself.
_ACTS: Final = """
SELECT resident, organisation, task, professional, at FROM acts WHERE at >= :start AND at < :end
UNION
SELECT a.resident, a.organisation, a.task, a.professional, a.at FROM ties t
JOIN acts a USING (resident, organisation, task, professional)
WHERE t.own AND t.kind = :case AND t.start_at < :end AND (t.end_at IS NULL OR t.end_at >= :since)
    AND a.at BETWEEN t.start_at AND t.start_at + :worked"""
_FIRST_AFTER: Final = "SELECT min(position) FROM decided WHERE month > ?"


class LookupIndex:
    """The read model. `apply` is called by one follower; everything else by anybody."""

    name: Final[str] = "lookups"
    topics: Final[tuple[str, ...]] = TOPICS_FOLLOWED

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / FILE, TABLES, SHAPE)
        self._lock = Lock()
        self._last: tuple[tuple[int, Month], list[Judged]] | None = None  # owned by the holder of _lock

    def apply(self, rows: Sequence[Row], after: int, position: int, codec: Codec) -> None:
        """Fold events, and note up to where, in one transaction. Raises HeadMoved."""
        with self.database.following(after, position) as c:
            changed = 0
            for row in rows:
                clear, meta, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
                before = c.total_changes
                fold(c, row, clear, meta)
                changed += c.total_changes != before
            c.execute("UPDATE changed SET events = events + ?", (changed,))

    def judged(self, month: Month) -> list[Judged]:
        """Return every access of a month, judged, in order; the month that was asked last is kept.

        A page of it is a decision too, and changes nothing here: the next page is not judged anew.
        """
        with self._lock, self.database.reading() as c:
            asked = (int(c.execute("SELECT events FROM changed").fetchone()[0]), month)
            if self._last is None or self._last[0] != asked:
                accesses, known = _read(c, month)
                self._last = (asked, judged(accesses, known, start_of(month)))
            return self._last[1]

    def decision_ids(self, organisation: str, month: Month) -> list[str]:
        """Return the ids of all accesses of one organisation in a month, in order."""
        with self.database.reading() as c:
            rows = c.execute(_IDS, (start_of(month), start_of(month.next), organisation)).fetchall()
        return [decision_id for (decision_id,) in rows]

    def first_after(self, month: Month) -> int:
        """Return the position of the first decision after a month, of any outcome; 0 for none."""
        with self.database.reading() as c:
            found: int | None = c.execute(_FIRST_AFTER, (month.text,)).fetchone()[0]
        return found or 0


def _read(c: sqlite3.Connection, month: Month) -> tuple[list[Access], Known]:
    """Return the accesses of a month and the days before it, and what is known around them."""
    start, end = start_of(month), start_of(month.next)
    around, since = ACTS_AROUND_DAYS * DAY, start - TIES_BACK_DAYS * DAY
    accesses = [Access(*row) for row in c.execute(_ACCESSES, (start - LOOKED_BACK_DAYS * DAY, end))]
    # A stand-in that is recorded some days late explains what was before it.
    ties = [Tie(*row) for row in c.execute(_TIES, (end + around, since))]
    asked = {"start": start - around, "end": end + around, "since": since, "case": CASE}
    acts = [Act(*row) for row in c.execute(_ACTS, asked | {"worked": OWN_PART_WORKED_DAYS * DAY})]
    return accesses, Known(ties, acts)
