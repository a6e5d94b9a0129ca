"""Read model of lookups: who looked at whom, what bound him to that resident, and what was recorded there.

Promises: a fold of the events and nothing else, so that rebuilt equals followed; holds ids, times and words
of closed lists; opens nothing that is sealed, so that an erasure changes nothing of what is rebuilt: who
looked stays countable, as the decision itself does. What was refused is no access; nor is what lets nobody
look.
Source: GDPR 5(2), 32; exchange/decisions/0133-what-explains-a-lookup.md.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final

from exchange.projections.database import Database
from exchange.projections.lookups.accesses import DAY, Access, Act, Known, Tie
from exchange.projections.lookups.counting import judged
from exchange.projections.lookups.folding import TOPICS_FOLLOWED, fold
from exchange.projections.lookups.kept import JudgedMonth
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
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from exchange.domain.lookups import Month
    from exchange.projections.lookups.counting import Cell, Judged
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
_COLUMNS: Final = "position, decision_id, at, organisation, task, professional, resident, emergency"
_ACCESSES: Final = f"SELECT {_COLUMNS} FROM accesses WHERE at >= ? AND at < ? ORDER BY at, position"  # noqa: S608 -- our own words
_AT: Final = f"SELECT {_COLUMNS} FROM accesses WHERE position = ?"  # noqa: S608 -- our own words
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
        self._folder = folder
        self._lock = Lock()
        self._last: tuple[tuple[int, Month], JudgedMonth] | None = None  # owned by the holder of _lock

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

    def judged(self, month: Month) -> Iterator[Judged]:
        """Yield every access of a month, judged, in order; nothing of it is kept."""
        with self.database.reading() as c:
            yield from _judged(c, month)

    def cells(self, month: Month) -> Sequence[Cell]:
        """Return the counts of a month."""
        with self._month(month) as (_, kept):
            return kept.cells

    def unexplained(
        self, month: Month, of: tuple[str, str], after: int, limit: int, *, only_indicated: bool
    ) -> list[Judged]:
        """Return at most so many accesses of one cell that nothing explains, by position, behind one."""
        with self._month(month) as (c, kept):
            found = kept.unexplained(of, after, limit, only_indicated=only_indicated)
            return [kept.told(Access(*c.execute(_AT, (position,)).fetchone())) for position in found]

    def of_decisions(self, month: Month, decision_ids: Sequence[str]) -> dict[str, Judged]:
        """Return those accesses of a month that are decisions of these ids."""
        marks = ", ".join("?" * len(decision_ids))
        query = f"SELECT {_COLUMNS} FROM accesses WHERE at >= ? AND at < ? AND decision_id IN ({marks})"  # noqa: S608 -- marks only
        with self._month(month) as (c, kept):
            asked = c.execute(query, (start_of(month), start_of(month.next), *decision_ids))
            return {one.decision_id: kept.told(one) for one in map(Access._make, asked)}

    @contextmanager
    def _month(self, month: Month) -> Iterator[tuple[sqlite3.Connection, JudgedMonth]]:
        """Yield a month as it was judged; the month that was asked last is kept.

        A page of it is a decision too, and changes nothing here: the next page is not judged anew.
        """
        with self._lock, self.database.reading() as c:
            asked = (int(c.execute("SELECT events FROM changed").fetchone()[0]), month)
            if self._last is None or self._last[0] != asked:
                self._forget()
                self._last = (asked, JudgedMonth(self._folder, _judged(c, month)))
            yield c, self._last[1]

    def _forget(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last[1].close()

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


class _Accesses:
    """The accesses of a month and the days before it, in order: read anew each time they are gone through."""

    def __init__(self, c: sqlite3.Connection, month: Month) -> None:
        self._c = c
        self._between = (start_of(month) - LOOKED_BACK_DAYS * DAY, start_of(month.next))

    def __iter__(self) -> Iterator[Access]:
        # Who looks, and at whom, comes again and again: one text of each.
        words: dict[str, str] = {}
        kept = words.setdefault
        for position, decision_id, at, by, task, who, whom, emergency in self._c.execute(
            _ACCESSES, self._between
        ):
            shared = kept(by, by), kept(task, task), kept(who, who), kept(whom, whom)
            yield Access(position, decision_id, at, *shared, emergency)


def _judged(c: sqlite3.Connection, month: Month) -> Iterator[Judged]:
    """Judge a month by what is known around it."""
    start, end = start_of(month), start_of(month.next)
    around, since = ACTS_AROUND_DAYS * DAY, start - TIES_BACK_DAYS * DAY
    # A stand-in that is recorded some days late explains what was before it.
    ties = (Tie(*row) for row in c.execute(_TIES, (end + around, since)))
    asked = {"start": start - around, "end": end + around, "since": since, "case": CASE}
    acts = (Act(*row) for row in c.execute(_ACTS, asked | {"worked": OWN_PART_WORKED_DAYS * DAY}))
    return judged(_Accesses(c, month), Known(ties, acts), start)
