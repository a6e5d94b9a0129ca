"""Read model of insight: which events tell of scores and support, and whose; never what they say.

Promises: a fold of the events and nothing else, so that rebuilt equals followed; holds places and no words:
whose (a random ref), where, in which year, sealed under which category. Nothing sealed is opened here, so
that an erasure changes nothing of what is rebuilt: with his keys a resident's rows go too. Beside them stands
which plans went along to another municipality.
Source: GDPR 5(1)(c), 17, 89(1); exchange/decisions/0064-published-tables.md.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from exchange.domain.case_events import CaseHandedOver
from exchange.domain.erasure.decision import KeysDestroyed
from exchange.domain.handover.events import HandoverOffered
from exchange.domain.plan import PlanCorrected
from exchange.domain.plan.events import SituationDescribed, SupportRequested, SupportStarted, SupportStopped
from exchange.projections.database import Database
from exchange.store.upcasts import UPCASTS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from exchange.store.batch import Row
    from exchange.store.codec import Codec

FILE: Final = "insight.db"
# 2: corrections. 3: plans that were handed over.
SHAPE: Final = 3
VERSION_SUFFIX: Final = ".v"
_TOLD: Final = (SituationDescribed, SupportRequested, SupportStarted, SupportStopped, PlanCorrected)
_KINDS: Final = frozenset(one.TOPIC.rpartition(VERSION_SUFFIX)[0] for one in _TOLD)
# With those of earlier versions: what was stored then is read as what would be written today.
OF_PLANS: Final = tuple(
    sorted(
        {one.TOPIC for one in _TOLD} | {old for old in UPCASTS if old.rpartition(VERSION_SUFFIX)[0] in _KINDS}
    )
)
# A row without a rowid, in the order in which it is read: one resident after another.
TABLES: Final = (
    """CREATE TABLE places (
        resident TEXT NOT NULL, position INTEGER NOT NULL, category TEXT NOT NULL, year INTEGER NOT NULL,
        PRIMARY KEY (resident, position)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX places_of_year ON places (year, resident) WHERE year > 0",
    """CREATE TABLE offered (
        handover TEXT PRIMARY KEY, resident TEXT NOT NULL, plan TEXT NOT NULL, gone INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX offered_of_resident ON offered (resident)",
)
# One statement for all of them: each statement, and each row it gives back, lets go of Python's lock.
_INSERT: Final = """
INSERT INTO places
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)"""
_ERASE: Final = "DELETE FROM places WHERE resident = ?"
_ERASE_PART: Final = f"{_ERASE} AND category = ?"
_OFFER: Final = "INSERT INTO offered (handover, resident, plan) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_GO: Final = "UPDATE offered SET gone = 1 WHERE handover = ?"
_FORGET: Final = "DELETE FROM offered WHERE resident = ?"
_GONE: Final = "SELECT resident, plan FROM offered WHERE gone = 1"
_OF_YEAR: Final = """
SELECT resident, position FROM places
WHERE resident IN (SELECT resident FROM places WHERE year IN (?, ?)) ORDER BY resident, position"""
NO_SCORE: Final = 0
_encode: Final = msgspec.json.Encoder().encode
# What a correction is of and says is sealed: it can move a score to any year.
ANY_YEAR: Final = 9_999


class Places(NamedTuple):
    """Where the events of one resident stand, in the order they were recorded; `gone` are plans."""

    resident: str
    positions: tuple[int, ...]
    gone: frozenset[str] = frozenset()


class InsightIndex:
    """The read model. `apply` is called by one follower; everything else by anybody."""

    name: Final[str] = "insight"
    topics: Final[tuple[str, ...]] = (
        *OF_PLANS,
        KeysDestroyed.TOPIC,
        HandoverOffered.TOPIC,
        CaseHandedOver.TOPIC,
    )

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / FILE, TABLES, SHAPE)

    def apply(self, rows: Sequence[Row], after: int, position: int, codec: Codec) -> None:
        """Fold events, and note up to where, in one transaction. Raises HeadMoved."""
        with self.database.following(after, position) as c:
            placed: list[tuple[str, int, str, int]] = []
            for row in rows:
                clear, _, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
                if row.topic == KeysDestroyed.TOPIC:
                    _place(c, placed)
                    _erase(c, clear)
                    continue
                if row.topic == HandoverOffered.TOPIC:
                    c.execute(_OFFER, (clear["handover_id"], clear["resident"], clear["plan_id"]))
                    continue
                if row.topic == CaseHandedOver.TOPIC:
                    c.execute(_GO, (clear["handover_id"],))
                    continue
                sealed = codec.categories(row.state, stream=row.stream, topic=row.topic)
                year = ANY_YEAR if row.topic == PlanCorrected.TOPIC else _year_of(clear)
                placed.append((clear["resident"], row.position, _one_of(sealed), year))
            _place(c, placed)

    def of_year(self, year: int) -> Iterator[Places]:
        """Yield residents of whom a score was judged in a year, or may have been; with all their places."""
        with self.database.reading() as c:
            rows: list[tuple[str, int]] = c.execute(_OF_YEAR, (year, ANY_YEAR)).fetchall()
            went: list[tuple[str, str]] = c.execute(_GONE).fetchall()
        found: dict[str, list[int]] = {}
        for resident, position in rows:
            found.setdefault(resident, []).append(position)
        gone: dict[str, set[str]] = {}
        for resident, plan in went:
            gone.setdefault(resident, set()).add(plan)
        for resident, positions in found.items():
            yield Places(resident, tuple(positions), frozenset(gone.get(resident, ())))


def _place(c: sqlite3.Connection, placed: list[tuple[str, int, str, int]]) -> None:
    """Write places down, and keep none of them."""
    if placed:
        c.execute(_INSERT, (_encode(placed).decode(),))
        placed.clear()


def _erase(c: sqlite3.Connection, clear: Mapping[str, Any]) -> None:
    if not clear["categories"]:
        c.execute(_ERASE, (clear["resident"],))
        c.execute(_FORGET, (clear["resident"],))
    for category in clear["categories"]:
        c.execute(_ERASE_PART, (clear["resident"], category))


def _one_of(categories: frozenset[str]) -> str:
    # Each of these events is sealed under one category; an early start of care had nothing to seal.
    assert len(categories) <= 1
    return next(iter(categories), "")


def _year_of(clear: Mapping[str, Any]) -> int:
    judged = clear.get("judge_date")
    return NO_SCORE if judged is None else date.fromisoformat(judged).year
