"""Read model of decisions: which there are, of what kind, about which pseudonym; never what was said.

Promises: a fold of the events and nothing else, so that rebuilt equals followed; holds ids, times and words
such as "DENY": no word of anybody, and of a resident the pseudonym that officers read. Nothing sealed is
opened here, so that an erasure changes nothing of what is rebuilt: the rows of an erased resident stay, under
a pseudonym to which no way is left. Every count is that of the rows of its filter, to the row.
Source: GDPR 5(2), 17(3)(b), 39(1)(b); exchange/decisions/0130-kinds-of-decisions.md.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.obligations import Duty
from exchange.domain.values import DisclosureOutcome
from exchange.projections.database import Database
from exchange.projections.kinds import NO_BASIS, Kind, KnownKinds
from exchange.projections.obligations import microseconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from exchange.store.batch import Row
    from exchange.store.codec import Codec

FILE: Final = "decisions.db"
SHAPE: Final = 1
DAY_US: Final = 86_400 * 1_000_000
# Counts are kept whole, of 32 days at a time, and of each day, all in UTC.
ALL, MONTH, DAY = 0, 1, 2
DAYS_PER_MONTH: Final = 32
TABLES: Final = (
    """CREATE TABLE kinds (
        kind INTEGER PRIMARY KEY, organisation TEXT NOT NULL, task TEXT NOT NULL, basis TEXT NOT NULL,
        version TEXT NOT NULL, purpose TEXT NOT NULL, outcome TEXT NOT NULL, glass INTEGER NOT NULL,
        categories TEXT NOT NULL, rules TEXT NOT NULL
    ) STRICT""",
    """CREATE UNIQUE INDEX kinds_alike ON kinds
        (organisation, task, basis, version, purpose, outcome, glass, categories, rules)""",
    """CREATE TABLE decisions (
        position INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL, name BLOB NOT NULL,
        resident BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX decisions_of_kind ON decisions (kind, position, at)",
    "CREATE INDEX decisions_at ON decisions (at, kind)",
    "CREATE INDEX decisions_named ON decisions (name)",
    "CREATE INDEX decisions_about ON decisions (resident, position) WHERE resident <> x''",
    """CREATE TABLE counts (
        level INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL, decisions INTEGER NOT NULL,
        PRIMARY KEY (level, number, kind)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE days (
        day INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL
    ) STRICT""",
)
_KIND: Final = """
SELECT kind FROM kinds WHERE organisation = ? AND task = ? AND basis = ? AND version = ? AND purpose = ?
    AND outcome = ? AND glass = ? AND categories = ? AND rules = ?"""
_NEW_KIND: Final = """
INSERT INTO kinds (organisation, task, basis, version, purpose, outcome, glass, categories, rules)
VALUES (?,?,?,?,?,?,?,?,?)"""
_INSERT: Final = "INSERT INTO decisions VALUES (?,?,?,?,?)"
_COUNT: Final = """
INSERT INTO counts VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET decisions = decisions + excluded.decisions"""
_DAY: Final = """
INSERT INTO days VALUES (?,?,?)
ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)"""
_IN_EMERGENCY: Final = frozenset(
    {DisclosureOutcome.PERMIT_BREAK_GLASS, DisclosureOutcome.PARTIAL_BREAK_GLASS}
)


class DecisionFile(Database):
    """The file, and what is kept in memory of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, TABLES, SHAPE)
        self.known = KnownKinds()


class Filed(NamedTuple):
    """One decision as it is filed; `at` in microseconds since 1970 UTC."""

    position: int
    kind: Kind
    at: int
    name: bytes
    resident: bytes


class DecisionList:
    """The read model. `apply` is called by one follower; everything else by anybody.

    `pseudonym` makes that of the log of a resident's ref: 24 hexadecimal digits.
    """

    name: Final[str] = "decisions"
    topics: Final[tuple[str, ...]] = (DisclosureDecided.TOPIC,)

    def __init__(self, folder: Path, pseudonym: Callable[[str], str]) -> None:
        self._pseudonym = pseudonym
        self.database = DecisionFile(folder / FILE)

    def apply(self, rows: Sequence[Row], after: int, position: int, codec: Codec) -> None:
        """Fold events, and note up to where, in one transaction. Raises HeadMoved."""
        filed = [filed_of(row, codec, self._pseudonym) for row in rows]
        with self.database.following(after, position) as c:
            file_all(c, filed)


def filed_of(row: Row, codec: Codec, pseudonym: Callable[[str], str]) -> Filed:
    """Return a recorded decision as it is filed; nothing sealed is opened. Raises HistoryUnreadable."""
    clear, meta, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
    resident = clear.get("resident", "")
    return Filed(
        row.position,
        kind_of(clear, () if meta.asked is None else meta.asked.categories),
        microseconds(datetime.fromisoformat(clear["at"])),
        name_of(clear["decision_id"]),
        bytes.fromhex(pseudonym(resident)) if resident else b"",
    )


def file_all(c: sqlite3.Connection, filed: Iterable[Filed]) -> None:
    """File decisions in the order of their positions, and count them."""
    kinds: dict[Kind, int] = {}
    counted: Counter[tuple[int, int, int]] = Counter()
    days: dict[int, tuple[int, int]] = {}
    rows = []
    for one in filed:
        kind = kinds.get(one.kind)
        if kind is None:
            kind = kinds[one.kind] = _number_of(c, one.kind)
        day = one.at // DAY_US
        rows.append((one.position, kind, one.at, one.name, one.resident))
        counted.update(((ALL, 0, kind), (MONTH, day // DAYS_PER_MONTH, kind), (DAY, day, kind)))
        first, last = days.get(day, (one.position, one.position))
        days[day] = min(first, one.position), max(last, one.position)
    c.executemany(_INSERT, rows)
    c.executemany(_COUNT, ((*place, number) for place, number in counted.items()))
    c.executemany(_DAY, ((day, *ends) for day, ends in days.items()))


def kind_of(clear: Mapping[str, Any], categories: Iterable[str]) -> Kind:
    """Return the kind of a recorded decision, of what is not sealed of it."""
    judged = clear["basis_version"] not in {"", "0"}
    outcome, duties = clear["outcome"], clear["obligations"]
    return Kind(
        clear["organisation"],
        clear["task"],
        clear["legal_basis"] if judged else NO_BASIS,
        clear["basis_version"] if judged else "",
        clear["purpose"],
        outcome,
        int(outcome in _IN_EMERGENCY or Duty.ALERT_BREAK_GLASS_REFUSED in duties),
        " ".join(sorted(categories)),
        " ".join(sorted(set(clear["rules"]))),
    )


def name_of(decision_id: str) -> bytes:
    """Return how a decision's id is kept: its 16 bytes, or what else it is."""
    try:
        return bytes.fromhex(decision_id)
    except ValueError:
        return decision_id.encode()


def _number_of(c: sqlite3.Connection, kind: Kind) -> int:
    found = c.execute(_KIND, kind).fetchone()
    if found is not None:
        return int(found[0])
    number = c.execute(_NEW_KIND, kind).lastrowid
    assert number is not None
    return number
