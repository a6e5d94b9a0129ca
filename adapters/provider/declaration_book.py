"""What was declared and what became of it: one row for each declaration and one for each of its lines.

Promises: a number and a reference are used once (TR333, TR314), also where a line was refused; who a line is
about is a pseudonym, never a BSN. All in the journal's file, in the caller's transaction.
Source: iWmo and iJw 3.2, messages 323 and 325.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import Unit
from adapters.provider.declarations import Performance
from adapters.provider.records import Product

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.provider.declarations import Declaration
    from adapters.provider.journal import Journal

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS declarations (
  number TEXT PRIMARY KEY, identification TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
  asked_cents INTEGER NOT NULL, granted_cents INTEGER, refusal TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS declared (
  reference TEXT PRIMARY KEY, declaration TEXT NOT NULL, pseudonym TEXT NOT NULL, assignment INTEGER NOT NULL,
  category TEXT NOT NULL, code TEXT, first TEXT NOT NULL, last TEXT NOT NULL, volume INTEGER NOT NULL,
  unit TEXT NOT NULL, rate_cents INTEGER, cents INTEGER NOT NULL, credits TEXT, state TEXT NOT NULL,
  codes TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS declared_assignment ON declared (assignment)",
    "CREATE INDEX IF NOT EXISTS declared_declaration ON declared (declaration)",
    "CREATE INDEX IF NOT EXISTS declared_credits ON declared (credits)",
)
_DECLARATIONS: Final = (
    "SELECT number, identification, last, asked_cents, granted_cents, refusal FROM declarations WHERE "
)
_LINES: Final = (
    "SELECT reference, assignment, category, code, first, last, volume, unit, rate_cents, cents, credits, "
    "declaration, pseudonym, state FROM declared WHERE "
)


class LineState(Enum):
    """What became of a line."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Declared:
    """A line as the book holds it."""

    line: Performance
    declaration: str
    pseudonym: str = field(repr=False)
    state: LineState


@dataclass(frozen=True, slots=True)
class DeclarationKnown:
    """A declaration as the book holds it; nothing granted yet is None."""

    number: str
    identification: str
    last: date
    asked_cents: int
    granted_cents: int | None
    refusal: str


class DeclarationBook:
    """Declarations and their lines, in the file of the journal."""

    def __init__(self, journal: Journal) -> None:
        self._connection: Final = journal.connection
        for statement in _SCHEMA:
            self._connection.execute(statement)

    def write(self, declared: Declaration, lines: Iterable[tuple[str, Performance]]) -> None:
        """Write a declaration down with its lines, each with the pseudonym it is about; all of them open.

        A line whose reference is taken is left out: it can only be refused.
        """
        self._connection.execute(
            "INSERT INTO declarations VALUES (?, ?, ?, ?, ?, NULL, '')",
            (
                declared.number,
                declared.envelope.identification,
                declared.first.isoformat(),
                declared.last.isoformat(),
                declared.signed_cents,
            ),
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO declared VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', '')",
            [_row(declared.number, pseudonym, line) for pseudonym, line in lines],
        )

    def settle(self, number: str, granted: int, refused: Iterable[tuple[str, str]], whole: str = "") -> None:
        """Remember the answer: the refused lines by reference with their codes; the others were granted.

        `whole` holds the codes of a declaration that was refused as such.
        """
        self._connection.execute(
            "UPDATE declarations SET granted_cents = ?, refusal = ? WHERE number = ?",
            (granted, whole, number),
        )
        self._connection.execute(
            "UPDATE declared SET state = ?, codes = ? WHERE declaration = ?",
            (LineState.REFUSED.value if whole else LineState.GRANTED.value, whole, number),
        )
        self._connection.executemany(
            "UPDATE declared SET state = 'refused', codes = ? WHERE reference = ? AND declaration = ?",
            [(codes, reference, number) for reference, codes in refused],
        )

    def declaration(self, number: str) -> DeclarationKnown | None:
        """Return a declaration by its number, or None."""
        return self._one("number = ?", number)

    def sent_as(self, identification: str) -> DeclarationKnown | None:
        """Return the declaration that a message carried, or None."""
        return self._one("identification = ?", identification)

    def latest(self) -> DeclarationKnown | None:
        """Return the declaration of the latest month that was not refused as such, or None."""
        return self._one("refusal = ? ORDER BY last DESC LIMIT 1", "")

    def _one(self, condition: str, value: str) -> DeclarationKnown | None:
        # The condition is one of the three texts above, never of a caller.
        row = self._connection.execute(_DECLARATIONS + condition, (value,)).fetchone()
        if row is None:
            return None
        return DeclarationKnown(row[0], row[1], date.fromisoformat(row[2]), row[3], row[4], row[5])

    def line(self, reference: str) -> Declared | None:
        """Return a line by its reference, or None."""
        return next(iter(self._some("reference = ?", reference)), None)

    def lines_of(self, declaration: str) -> tuple[Declared, ...]:
        """Return every line of a declaration."""
        return self._some("declaration = ?", declaration)

    def lines_under(self, assignment: int) -> tuple[Declared, ...]:
        """Return every line under an assignment that was not refused."""
        return self._some("state <> 'refused' AND assignment = ?", assignment)

    def _some(self, condition: str, value: str | int) -> tuple[Declared, ...]:
        # The condition is one of the texts above, never of a caller.
        return tuple(_read(row) for row in self._connection.execute(_LINES + condition, (value,)))

    def forget(self, pseudonym: str) -> None:
        """Forget a person's lines; that a declaration came, and its sums, stays."""
        self._connection.execute("DELETE FROM declared WHERE pseudonym = ?", (pseudonym,))


def _row(number: str, pseudonym: str, line: Performance) -> tuple[str | int | None, ...]:
    return (
        line.reference,
        number,
        pseudonym,
        line.number,
        line.product.category,
        line.product.code,
        line.first.isoformat(),
        line.last.isoformat(),
        line.volume,
        line.unit.code,
        line.rate_cents,
        line.cents,
        line.credits_reference,
    )


def _read(
    row: tuple[str, int, str, str | None, str, str, int, str, int | None, int, str | None, str, str, str],
) -> Declared:
    line = Performance(
        reference=row[0],
        number=row[1],
        product=Product(row[2], row[3]),
        first=date.fromisoformat(row[4]),
        last=date.fromisoformat(row[5]),
        volume=row[6],
        unit=Unit.of(row[7]),
        rate_cents=row[8],
        cents=row[9],
        credits_reference=row[10],
    )
    return Declared(line, row[11], row[12], LineState(row[13]))
