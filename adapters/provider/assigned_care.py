"""What a municipality assigned and what came back of it: numbers, contacts, starts and stops that stand.

Promises: an assignment keeps the number it was given at first, and its moment until it is changed; numbers
are never given twice and never look like a BSN; what came back stands until it is taken back.
All in the journal's file, in the caller's transaction. Source: TR332, IV013, OP087; 305 and 307.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from adapters.provider.codes import stop_reason
from adapters.provider.records import CareStart, CareStop, Product

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.provider.journal import Journal
    from adapters.provider.schema import Law

# One statement at a time: executescript would end a transaction that is under way.
_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS numbers (
  support_id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, assigned TEXT NOT NULL, pseudonym TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS deliveries (
  pseudonym TEXT NOT NULL, kind TEXT NOT NULL, line TEXT NOT NULL, PRIMARY KEY (pseudonym, kind, line)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS contacts (
  pseudonym TEXT PRIMARY KEY, contacts TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
)
_START: Final = "start"
_STOP: Final = "stop"


@dataclass(frozen=True, slots=True)
class Numbered:
    """The number an assignment has and the moment it was decided; that moment is local time."""

    support_id: str
    number: int
    decided: datetime


class AssignedCare:
    """Numbers, contacts and deliveries, in the file of the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal: Final = journal
        self._connection: Final = journal.connection
        with journal.transaction():
            for statement in _SCHEMA:
                self._connection.execute(statement)

    def forget(self, pseudonym: str) -> None:
        """Forget numbers, deliveries and contacts of a person."""
        with self._journal.transaction():
            for table in ("numbers", "deliveries", "contacts"):
                self._connection.execute(f"DELETE FROM {table} WHERE pseudonym = ?", (pseudonym,))  # noqa: S608 -- our own words

    def number(self, support_id: str, pseudonym: str, decided: datetime, draw: Callable[[], int]) -> Numbered:
        """Return the number of an assignment, drawn and kept at the first call."""
        with self._journal.transaction():
            known = self.numbered(support_id)
            if known is not None:
                return known
            number = draw()
            while self._taken(number):
                number = draw()
            self._connection.execute(
                "INSERT INTO numbers VALUES (?, ?, ?, ?)",
                (support_id, number, decided.isoformat(), pseudonym),
            )
            return Numbered(support_id, number, decided)

    def numbered(self, support_id: str) -> Numbered | None:
        """Return the number of an assignment, or None where it never got one here."""
        row = self._connection.execute(
            "SELECT support_id, number, assigned FROM numbers WHERE support_id = ?", (support_id,)
        ).fetchone()
        return None if row is None else Numbered(row[0], row[1], datetime.fromisoformat(row[2]))

    def decide_again(self, support_id: str, moment: datetime) -> None:
        """Note when an assignment was changed: later than it was decided before (IV013)."""
        before = self.numbered(support_id)
        assert before is not None, "what is changed was numbered"
        later = max(moment, before.decided + timedelta(seconds=1))
        self._connection.execute(
            "UPDATE numbers SET assigned = ? WHERE support_id = ?", (later.isoformat(), support_id)
        )

    def _taken(self, number: int) -> bool:
        row = self._connection.execute("SELECT 1 FROM numbers WHERE number = ?", (number,)).fetchone()
        return row is not None

    def numbers_of(self, pseudonym: str) -> tuple[Numbered, ...]:
        """Return every assignment number a resident has, in the order they were decided."""
        rows = self._connection.execute(
            "SELECT support_id, number, assigned FROM numbers WHERE pseudonym = ? ORDER BY assigned, number",
            (pseudonym,),
        )
        return tuple(Numbered(row[0], row[1], datetime.fromisoformat(row[2])) for row in rows)

    def keep_contacts(self, pseudonym: str, contacts: str) -> None:
        """Keep where to reach a resident, as JSON."""
        self._connection.execute("INSERT OR REPLACE INTO contacts VALUES (?, ?)", (pseudonym, contacts))

    def contacts(self, pseudonym: str) -> str:
        """Return what `keep_contacts` was given; an empty list for nobody."""
        row = self._connection.execute(
            "SELECT contacts FROM contacts WHERE pseudonym = ?", (pseudonym,)
        ).fetchone()
        return "[]" if row is None else str(row[0])

    def deliver(self, pseudonym: str, line: CareStart | CareStop) -> None:
        """Remember a start or stop that was accepted."""
        self._connection.execute(
            "INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?)", (pseudonym, *_write_line(line))
        )

    def take_back(self, pseudonym: str, line: CareStart | CareStop) -> None:
        """Forget a start or stop that was taken back."""
        self._connection.execute(
            "DELETE FROM deliveries WHERE pseudonym = ? AND kind = ? AND line = ?",
            (pseudonym, *_write_line(line)),
        )

    def delivered_to(self) -> tuple[str, ...]:
        """Return everybody of whom a start stands."""
        rows = self._connection.execute("SELECT DISTINCT pseudonym FROM deliveries WHERE kind = ?", (_START,))
        return tuple(str(row[0]) for row in rows)

    def delivered(self, pseudonym: str, law: Law) -> tuple[tuple[CareStart, ...], tuple[CareStop, ...]]:
        """Return the starts and stops that stand."""
        rows = self._connection.execute(
            "SELECT kind, line FROM deliveries WHERE pseudonym = ? ORDER BY line", (pseudonym,)
        ).fetchall()
        starts = tuple(_read_start(json.loads(line)) for kind, line in rows if kind == _START)
        stops = tuple(_read_stop(json.loads(line), law) for kind, line in rows if kind == _STOP)
        return starts, stops


def _write_line(line: CareStart | CareStop) -> tuple[str, str]:
    product = line.product or Product("")
    began = line.assignment_starts_on
    told: dict[str, object] = {
        "number": line.assignment_number,
        "category": product.category,
        "code": product.code,
        "assignment_starts_on": None if began is None else began.isoformat(),
        "starts_on": line.starts_on.isoformat(),
    }
    if isinstance(line, CareStop):
        told |= {"ends_on": line.ends_on.isoformat(), "reason": line.reason.code}
        return _STOP, json.dumps(told, sort_keys=True)
    return _START, json.dumps(told, sort_keys=True)


def _read_start(told: dict[str, Any]) -> CareStart:
    began = told["assignment_starts_on"]
    return CareStart(
        starts_on=date.fromisoformat(told["starts_on"]),
        assignment_number=told["number"],
        product=Product(told["category"], told["code"]) if told["category"] else None,
        assignment_starts_on=None if began is None else date.fromisoformat(began),
    )


def _read_stop(told: dict[str, Any], law: Law) -> CareStop:
    start = _read_start(told)
    return CareStop(
        starts_on=start.starts_on,
        ends_on=date.fromisoformat(told["ends_on"]),
        reason=stop_reason(law, told["reason"]),
        assignment_number=start.assignment_number,
        product=start.product,
        assignment_starts_on=start.assignment_starts_on,
    )
