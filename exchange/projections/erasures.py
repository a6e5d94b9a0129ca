"""Read model of erasures: what was destroyed, who was asked to erase what it got, and who answered.

Promises: a fold of the events and nothing else, so that rebuilt equals followed; nothing in it leads to a
person: an erasure is known by its own id, and what recipients were told of by ids that lead to nobody.
Source: GDPR 5(2), 17(2), 19.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.erasure.decision import KeysDestroyed
from exchange.domain.erasure.purge import ErasurePurgeConfirmed, ErasurePurgeRequested
from exchange.projections.database import Database
from exchange.projections.obligations import microseconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from exchange.store.batch import Row
    from exchange.store.codec import Codec

FILE: Final = "erasures.db"
SHAPE: Final = 2
TABLES: Final = (
    """CREATE TABLE erasures (
        position INTEGER PRIMARY KEY, erasure_id TEXT NOT NULL UNIQUE, categories TEXT NOT NULL,
        executed_at INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE purges (
        position INTEGER PRIMARY KEY, erasure_id TEXT NOT NULL, organisation TEXT NOT NULL,
        task TEXT NOT NULL, subjects TEXT NOT NULL, categories TEXT NOT NULL, asked_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL, confirmed_at INTEGER, outcome TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE UNIQUE INDEX purges_recipient ON purges (erasure_id, organisation, task)",
    "CREATE INDEX purges_open ON purges (organisation, task, position)",
)
_COLUMNS: Final = (
    "position, erasure_id, organisation, task, subjects, categories, asked_at, due_at, confirmed_at, outcome"
)
_ASK: Final = f"INSERT INTO purges ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,NULL,'')"  # noqa: S608 -- our own words
_CONFIRM: Final = """
UPDATE purges SET confirmed_at = ?, outcome = ?
WHERE erasure_id = ? AND organisation = ? AND task = ? AND confirmed_at IS NULL"""
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM purges WHERE position > :after
    AND (:organisation = '' OR (organisation = :organisation AND task = :task))
    AND (NOT :only_open OR confirmed_at IS NULL) AND (:erasure_id = '' OR erasure_id = :erasure_id)
ORDER BY position LIMIT :limit"""  # noqa: S608 -- our own words, values are bound


_EXECUTED: Final = """
SELECT position, erasure_id, categories, executed_at,
    (SELECT count(*) FROM purges WHERE purges.erasure_id = erasures.erasure_id),
    (SELECT count(*) FROM purges WHERE purges.erasure_id = erasures.erasure_id AND confirmed_at IS NULL)
FROM erasures WHERE position < ? ORDER BY position DESC LIMIT ?"""


class Executed(NamedTuple):
    """One executed erasure; `executed_at` in microseconds since 1970 UTC, no categories for all of them."""

    position: int
    erasure_id: str
    categories: tuple[str, ...]
    executed_at: int
    recipients: int
    open_recipients: int


class Purge(NamedTuple):
    """What one recipient was asked; times in microseconds since 1970 UTC."""

    position: int
    erasure_id: str
    organisation: str
    task: str
    subjects: tuple[str, ...]
    categories: tuple[str, ...]
    asked_at: int
    due_at: int
    confirmed_at: int | None
    outcome: str


class Asked(NamedTuple):
    """Which purges are wanted; empty words are all."""

    organisation: str = ""
    task: str = ""
    erasure_id: str = ""
    only_open: bool = False


class ErasureRecords:
    """The read model. `apply` is called by one follower; everything else by anybody."""

    name: Final[str] = "erasures"
    topics: Final[tuple[str, ...]] = (
        KeysDestroyed.TOPIC,
        ErasurePurgeRequested.TOPIC,
        ErasurePurgeConfirmed.TOPIC,
    )

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / FILE, TABLES, SHAPE)

    def apply(self, rows: Sequence[Row], after: int, position: int, codec: Codec) -> None:
        """Fold events, and note up to where, in one transaction. Raises HeadMoved."""
        with self.database.following(after, position) as c:
            for row in rows:
                clear, _, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
                if row.topic == KeysDestroyed.TOPIC:
                    _execute(c, row, clear)
                elif row.topic == ErasurePurgeRequested.TOPIC:
                    _ask(c, row, clear)
                else:
                    _confirm(c, clear)

    def position_of(self, erasure_id: str) -> int | None:
        """Return the position of the event that destroyed, None for an erasure that was not executed."""
        with self.database.reading() as c:
            row = c.execute("SELECT position FROM erasures WHERE erasure_id = ?", (erasure_id,)).fetchone()
        return None if row is None else int(row[0])

    def all(self) -> list[tuple[str, int]]:
        """Return every executed erasure with its position, oldest first."""
        with self.database.reading() as c:
            return c.execute("SELECT erasure_id, position FROM erasures ORDER BY position").fetchall()

    def executed(self, below: int, limit: int) -> list[Executed]:
        """Return at most `limit` executed erasures below a position, the newest first."""
        with self.database.reading() as c:
            rows = c.execute(_EXECUTED, (below, limit)).fetchall()
        return [Executed(place, name, tuple(json.loads(some)), *rest) for place, name, some, *rest in rows]

    def page(self, asked: Asked, after: int, limit: int) -> list[Purge]:
        """Return at most `limit` purges behind a position, in the order they were asked."""
        with self.database.reading() as c:
            rows = c.execute(_PAGE, {**asked._asdict(), "after": after, "limit": limit}).fetchall()
        return [
            Purge(
                position, erasure_id, oin, task, tuple(json.loads(subjects)), tuple(json.loads(some)), *rest
            )
            for position, erasure_id, oin, task, subjects, some, *rest in rows
        ]


def _execute(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any]) -> None:
    told = (row.position, clear["erasure_id"], json.dumps(clear["categories"]), _stored(clear["at"]))
    c.execute("INSERT OR IGNORE INTO erasures VALUES (?,?,?,?)", told)


def _ask(c: sqlite3.Connection, row: Row, clear: Mapping[str, Any]) -> None:
    lists = (json.dumps(clear["subjects"]), json.dumps(clear["categories"]))
    times = (_stored(clear["at"]), _stored(clear["due_at"]))
    who = (clear["erasure_id"], clear["organisation"], clear["task"])
    c.execute(_ASK, (row.position, *who, *lists, *times))


def _confirm(c: sqlite3.Connection, clear: Mapping[str, Any]) -> None:
    who = (clear["erasure_id"], clear["organisation"], clear["task"])
    c.execute(_CONFIRM, (_stored(clear["at"]), clear["outcome"], *who))


def _stored(at: str) -> int:
    return microseconds(datetime.fromisoformat(at))
