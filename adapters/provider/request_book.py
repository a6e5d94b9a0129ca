"""What was asked and what became of it: one row for each reference of the provider.

Promises: a reference is used once (TR347); a request stays open until it is rejected or an assignment honours
it; nothing shown of it is the provider's own text, which could be anybody's number. All in the journal's
file, in the caller's transaction.
Source: iWmo and iJw 3.2, messages 315, 317, 319; TR355, TR359, TR360, TR365, TR374, TR379.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Final

from adapters.provider.records import Product

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.provider.journal import Journal
    from adapters.provider.requests import Changed, Wanted
    from adapters.sdk.bsn import Bsn

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS requests (
  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, reference TEXT NOT NULL UNIQUE,
  identification TEXT NOT NULL, pseudonym TEXT, bsn TEXT, asked_on TEXT NOT NULL,
  answer_due TEXT, state TEXT NOT NULL, refusal TEXT NOT NULL, wanted TEXT NOT NULL
) STRICT""",
    """CREATE TABLE IF NOT EXISTS honoured (
  support_id TEXT PRIMARY KEY, pseudonym TEXT NOT NULL, reference TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
)
# A request of ours that the municipality's retour refused was never one.
_OURS: Final = """
FROM requests AS r LEFT JOIN outbox AS o ON o.kind = r.kind AND o.identification = r.identification
WHERE coalesce(o.codes, '') = ''
"""


class RequestState(Enum):
    """What became of a request."""

    OPEN = "open"
    INVESTIGATED = "investigated"
    REJECTED = "rejected"
    HONOURED = "honoured"


UNDER_WAY: Final = frozenset({RequestState.OPEN, RequestState.INVESTIGATED})


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the book holds it. `number` is ours, and how people name it."""

    number: int
    kind: str
    reference: str = field(repr=False)
    identification: str
    pseudonym: str | None = field(repr=False)
    asked_on: date
    answer_due: date | None
    state: RequestState
    refusal: str

    def line(self) -> str:
        """Return it for the eye: no text of the provider, nothing of the resident."""
        due = "" if self.answer_due is None else f" answer by {self.answer_due}"
        return f"{self.number} {self.kind} of {self.asked_on} {self.state.value}{due}"


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request that is to be written down; a BSN is kept only while nobody's pseudonym is known."""

    kind: str
    reference: str = field(repr=False)
    identification: str
    pseudonym: str | None = field(repr=False)
    bsn: Bsn
    asked_on: date
    answer_due: date | None = None
    wanted: tuple[Wanted, ...] = ()
    # Of assignments that run, and keep their number and their first day.
    changes: tuple[Changed, ...] = ()


class RequestBook:
    """Requests, in the file of the journal."""

    def __init__(self, journal: Journal) -> None:
        self._connection: Final = journal.connection
        for statement in _SCHEMA:
            self._connection.execute(statement)

    def write(self, new: NewRequest) -> None:
        """Write a request down; what was refused under its reference is replaced."""
        self._connection.execute(
            "INSERT OR REPLACE INTO requests (kind, reference, identification, pseudonym, bsn, asked_on, "
            "answer_due, state, refusal, wanted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', ?)",
            (
                new.kind,
                new.reference,
                new.identification,
                new.pseudonym,
                new.bsn.reveal() if new.pseudonym is None else None,
                new.asked_on.isoformat(),
                None if new.answer_due is None else new.answer_due.isoformat(),
                RequestState.OPEN.value,
                json.dumps(
                    [
                        *(_write(wanted) for wanted in new.wanted),
                        *([*_write(one.wanted), one.number] for one in new.changes),
                    ]
                ),
            ),
        )

    def by_reference(self, reference: str) -> Request | None:
        """Return the request with a reference, or None."""
        return self._one("r.reference = ?", reference)

    def by_number(self, number: int) -> Request | None:
        """Return the request with a number of ours, or None."""
        return self._one("r.number = ?", number)

    def under_way(self) -> tuple[Request, ...]:
        """Return every request that still waits for a decision, oldest first."""
        return tuple(one for one in self._some("1 = 1", ()) if one.state in UNDER_WAY)

    def has_under_way(self, pseudonym: str | None, bsn: Bsn) -> bool:
        """Tell whether a request about this person waits for a decision (TR374)."""
        found = self._some("(r.pseudonym = ? OR r.bsn = ?)", (pseudonym, bsn.reveal()))
        return any(one.state in UNDER_WAY for one in found)

    def overdue(self, today: date) -> tuple[Request, ...]:
        """Return what should have been answered by now."""
        return tuple(one for one in self.under_way() if one.answer_due is not None and one.answer_due < today)

    def answered(self, reference: str, state: RequestState, refusal: str = "") -> None:
        """Remember what became of a request."""
        self._connection.execute(
            "UPDATE requests SET state = ?, refusal = ? WHERE reference = ?",
            (state.value, refusal, reference),
        )

    # --- the municipality's: which support honours what ---------------------------------------------------

    def honour(self, support_id: str, pseudonym: str, wanted: Wanted) -> None:
        """Tie a support to the oldest open request of this person that asks for exactly this, if any."""
        self._honour(support_id, pseudonym, _write(wanted))

    def honour_change(self, support_id: str, pseudonym: str, changed: Changed) -> bool:
        """Tie a changed support to the oldest open request that asks this of its number; tell if so."""
        return self._honour(support_id, pseudonym, [*_write(changed.wanted), changed.number])

    def _honour(self, support_id: str, pseudonym: str, given: list[object]) -> bool:
        rows = self._connection.execute(
            "SELECT reference, wanted FROM requests WHERE pseudonym = ? "
            "AND state IN ('open', 'investigated') ORDER BY number",
            (pseudonym,),
        ).fetchall()
        for reference, asked in rows:
            if any(_fits(one, given) for one in json.loads(asked)):
                # A change honours another request than the assignment did.
                self._connection.execute(
                    "INSERT OR REPLACE INTO honoured VALUES (?, ?, ?)", (support_id, pseudonym, reference)
                )
                self.answered(reference, RequestState.HONOURED)
                return True
        return False

    def reference_of(self, support_id: str) -> str | None:
        """Return the reference a support honours, or None (TR379)."""
        row = self._connection.execute(
            "SELECT reference FROM honoured WHERE support_id = ?", (support_id,)
        ).fetchone()
        return None if row is None else str(row[0])

    def link(self, pseudonym: str, bsn: Bsn) -> None:
        """Give what was asked about a person who was not known then its pseudonym, and forget the number."""
        self._connection.execute(
            "UPDATE inbox SET pseudonym = ?1 WHERE pseudonym IS NULL AND (kind, identification) IN "
            "(SELECT kind, identification FROM requests WHERE bsn = ?2)",
            (pseudonym, bsn.reveal()),
        )
        self._connection.execute(
            "UPDATE requests SET pseudonym = ?, bsn = NULL WHERE bsn = ?", (pseudonym, bsn.reveal())
        )

    def forget(self, pseudonym: str) -> None:
        """Forget what was asked about a person."""
        self._connection.execute("DELETE FROM requests WHERE pseudonym = ?", (pseudonym,))
        self._connection.execute("DELETE FROM honoured WHERE pseudonym = ?", (pseudonym,))

    def _one(self, condition: str, value: str | int) -> Request | None:
        return next(iter(self._some(condition, (value,))), None)

    def _some(self, condition: str, values: Iterable[str | int | None]) -> tuple[Request, ...]:
        # The condition is one of the texts above, never of a caller outside this room.
        rows = self._connection.execute(
            "SELECT r.number, r.kind, r.reference, r.identification, r.pseudonym, r.asked_on, r.answer_due, "
            f"r.state, r.refusal {_OURS} AND {condition} ORDER BY r.number",
            tuple(values),
        )
        return tuple(map(_read, rows))


def _read(row: tuple[int, str, str, str, str | None, str, str | None, str, str]) -> Request:
    number, kind, reference, identification, pseudonym, asked_on, answer_due, state, refusal = row
    return Request(
        number=number,
        kind=kind,
        reference=reference,
        identification=identification,
        pseudonym=pseudonym,
        asked_on=date.fromisoformat(asked_on),
        answer_due=None if answer_due is None else date.fromisoformat(answer_due),
        state=RequestState(state),
        refusal=refusal,
    )


def _write(wanted: Wanted) -> list[object]:
    product, size = wanted.product or Product(""), wanted.size
    return [
        product.category or None,
        product.code,
        wanted.starts_on.isoformat(),
        None if wanted.ends_on is None else wanted.ends_on.isoformat(),
        size.volume,
        None if size.unit is None else size.unit.code,
        None if size.frequency is None else size.frequency.code,
    ]


def _fits(asked: list[object], given: list[object]) -> bool:
    """Tell whether what is given is what was asked; where nothing was asked of it, anything fits."""
    # A change names its number at the end, and what is new has none.
    return (
        len(asked) == len(given)
        and asked[2:4] == given[2:4]
        and all(one is None or one == other for one, other in zip(asked, given, strict=True))
    )
