"""The terms of each assignment as the last 301 told them: what, how much, from when until when.

Promises: an older version never overwrites a newer one (IV013); terms that the other side refused do not
count; no free text is kept. All in the journal's file, in the caller's transaction.
Source: iWmo and iJw 3.2, class ToegewezenProduct of the 301.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, time
from typing import TYPE_CHECKING, Any, Final

from adapters.provider.codes import ChangeReason, Frequency, Unit
from adapters.provider.records import Assignment, Product

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.provider.journal import Journal

_SCHEMA: Final = """CREATE TABLE IF NOT EXISTS terms (
  number INTEGER PRIMARY KEY, pseudonym TEXT NOT NULL, decided TEXT NOT NULL, line TEXT NOT NULL,
  outbox_name TEXT
) STRICT"""
# What we told ourselves counts until it is refused; what we were told we took.
_SELECT: Final = """
SELECT t.number, t.pseudonym, t.line FROM terms AS t LEFT JOIN outbox AS o ON o.name = t.outbox_name
WHERE coalesce(o.codes, '') = '' AND
"""


@dataclass(frozen=True, slots=True)
class Term:
    """An assignment and whose it is."""

    pseudonym: str
    assignment: Assignment


class Terms:
    """Terms by number, in the file of the journal. One adapter has one law and one municipality."""

    def __init__(self, journal: Journal) -> None:
        self._connection: Final = journal.connection
        self._connection.execute(_SCHEMA)
        self._connection.execute("CREATE INDEX IF NOT EXISTS terms_person ON terms (pseudonym)")

    def keep(self, pseudonym: str, assignment: Assignment, outbox_name: str | None = None) -> None:
        """Write down terms; `outbox_name` is the message of ours that tells them."""
        decided = "T".join(part.isoformat() for part in assignment.decided)
        self._connection.execute(
            "INSERT INTO terms VALUES (?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET "
            "decided = excluded.decided, line = excluded.line, outbox_name = excluded.outbox_name "
            "WHERE excluded.decided > decided",
            (assignment.number, pseudonym, decided, _write(assignment), outbox_name),
        )

    def of(self, number: int) -> Term | None:
        """Return the terms of a number, or None for one never told."""
        row = self._connection.execute(_SELECT + "t.number = ?", (number,)).fetchone()
        return None if row is None else Term(row[1], _read(row[0], row[2]))

    def current(self, pseudonym: str, day: date) -> dict[int, Assignment]:
        """Return by number what a person has that is not removed and had not ended before a day."""
        return {
            one.number: one
            for one in self._all_of(pseudonym)
            if not one.removed and (one.ends_on is None or one.ends_on >= day)
        }

    def _all_of(self, pseudonym: str) -> Iterator[Assignment]:
        rows = self._connection.execute(_SELECT + "t.pseudonym = ? ORDER BY t.number", (pseudonym,))
        return (_read(number, line) for number, _, line in rows)

    def forget(self, pseudonym: str) -> None:
        """Forget the terms of a person."""
        self._connection.execute("DELETE FROM terms WHERE pseudonym = ?", (pseudonym,))


def _write(one: Assignment) -> str:
    product = one.product
    told: dict[str, object] = {
        "product": None if product is None else [product.category, product.code],
        "assigned": [one.assigned_on.isoformat(), one.assigned_at.isoformat()],
        "days": [one.starts_on.isoformat(), None if one.ends_on is None else one.ends_on.isoformat()],
        "reason": None if one.change_reason is None else one.change_reason.code,
        "volume": one.volume,
        "unit": None if one.unit is None else one.unit.code,
        "frequency": None if one.frequency is None else one.frequency.code,
        "budget": one.budget_cents,
    }
    return json.dumps(told)


def _read(number: int, line: str) -> Assignment:
    told: dict[str, Any] = json.loads(line)
    starts_on, ends_on = told["days"]
    return Assignment(
        number=number,
        product=None if told["product"] is None else Product(*told["product"]),
        assigned_on=date.fromisoformat(told["assigned"][0]),
        assigned_at=time.fromisoformat(told["assigned"][1]),
        starts_on=date.fromisoformat(starts_on),
        ends_on=None if ends_on is None else date.fromisoformat(ends_on),
        change_reason=None if told["reason"] is None else ChangeReason.of(told["reason"]),
        volume=told["volume"],
        unit=None if told["unit"] is None else Unit.of(told["unit"]),
        frequency=None if told["frequency"] is None else Frequency.of(told["frequency"]),
        budget_cents=told["budget"],
    )
