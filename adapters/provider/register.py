"""The organisation's own register: which pseudonym is whom, and which assignment is which support.

Promises: a BSN has one pseudonym and a pseudonym one BSN; an older version of an assignment never overwrites
a newer one, in whatever order they arrive; a purge leaves nothing of a person in the journal but that
messages came and went. Source: IV013 (the latest decides), OP080 (order of arrival means nothing),
GDPR 17 and 19.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, cast

from adapters.provider.codes import DateUse, Gender, NameUse
from adapters.provider.errors import JournalConflict
from adapters.provider.records import PersonName, Product, Resident
from adapters.provider.schema import Law
from adapters.sdk.bsn import Bsn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.provider.journal import Journal
    from adapters.provider.records import Assignment

_INSERT: Final = """
INSERT INTO assignments (law, municipality, number, pseudonym, decided, starts_on, ends_on, category, code)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET decided = excluded.decided, starts_on = excluded.starts_on,
  ends_on = excluded.ends_on, category = excluded.category, code = excluded.code
"""
_SELECT: Final = """
SELECT law, municipality, number, pseudonym, starts_on, ends_on, category, code, plan_id, support_id
FROM assignments WHERE
"""


@dataclass(frozen=True, slots=True)
class AssignmentKey:
    """What makes an assignment one: law, municipality (four digits) and its number (TR332)."""

    law: Law
    municipality: str
    number: int


@dataclass(frozen=True, slots=True)
class KnownAssignment:
    """An assignment as the register holds it; plan and support are those of the exchange, once known."""

    key: AssignmentKey
    pseudonym: str
    starts_on: date
    ends_on: date | None
    product: Product | None
    plan_id: str | None
    support_id: str | None


class Register:
    """Residents and assignments, in the file of the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._connection = journal.connection

    def remember(self, pseudonym: str, resident: Resident) -> None:
        """Write down who a pseudonym is; what was known of the same person is replaced.

        Raises JournalConflict if the pseudonym is another person's, or the BSN has another pseudonym.
        """
        use = resident.birth_date_use
        with self._journal.transaction():
            taken = self._connection.execute(
                "SELECT 1 FROM residents WHERE (pseudonym = ?) <> (bsn = ?)",
                (pseudonym, resident.bsn.reveal()),
            ).fetchone()
            if taken is not None:
                raise JournalConflict("pseudonym and BSN do not belong together")
            self._connection.execute(
                "INSERT OR REPLACE INTO residents VALUES (?, ?, ?, ?, ?, ?)",
                (
                    pseudonym,
                    resident.bsn.reveal(),
                    resident.birth_date.isoformat(),
                    None if use is None else use.code,
                    resident.gender.code,
                    _write_name(resident.name),
                ),
            )

    def resident(self, pseudonym: str) -> Resident | None:
        """Return who a pseudonym is, or None."""
        row = self._connection.execute(
            "SELECT bsn, birth_date, birth_date_use, gender, name FROM residents WHERE pseudonym = ?",
            (pseudonym,),
        ).fetchone()
        if row is None:
            return None
        return Resident(
            bsn=Bsn(row[0]),
            birth_date=date.fromisoformat(row[1]),
            birth_date_use=None if row[2] is None else DateUse.of(row[2]),
            gender=Gender.of(row[3]),
            name=_read_name(row[4]),
        )

    def pseudonym(self, bsn: Bsn) -> str | None:
        """Return the pseudonym of a BSN, or None for one never seen."""
        row = self._connection.execute(
            "SELECT pseudonym FROM residents WHERE bsn = ?", (bsn.reveal(),)
        ).fetchone()
        return None if row is None else str(row[0])

    def assign(self, key: AssignmentKey, pseudonym: str, assignment: Assignment) -> bool:
        """Write down an assignment; return False for one older than, or the same as, what is known.

        Raises JournalConflict if the number is known for another resident (TR332, retour code 9332).
        """
        decided = "T".join(part.isoformat() for part in assignment.decided)
        ends_on = assignment.ends_on
        with self._journal.transaction():
            known = self._connection.execute(
                "SELECT pseudonym, decided FROM assignments "
                "WHERE law = ? AND municipality = ? AND number = ?",
                _key(key),
            ).fetchone()
            if known is not None and known[0] != pseudonym:
                raise JournalConflict("this assignment number is another resident's (TR332)")
            if known is not None and known[1] >= decided:
                return False
            product = assignment.product or Product("")
            self._connection.execute(
                _INSERT,
                (
                    *_key(key),
                    pseudonym,
                    decided,
                    assignment.starts_on.isoformat(),
                    None if ends_on is None else ends_on.isoformat(),
                    product.category or None,
                    product.code,
                ),
            )
            return True

    def link(self, key: AssignmentKey, plan_id: str, support_id: str) -> None:
        """Remember which support of which plan an assignment became."""
        changed = self._connection.execute(
            "UPDATE assignments SET plan_id = ?, support_id = ? "
            "WHERE law = ? AND municipality = ? AND number = ?",
            (plan_id, support_id, *_key(key)),
        )
        if changed.rowcount != 1:
            raise JournalConflict("an unknown assignment is linked")

    def known(self, key: AssignmentKey) -> KnownAssignment | None:
        """Return what is known of an assignment, or None."""
        return self._one("law = ? AND municipality = ? AND number = ?", _key(key))

    def of_support(self, support_id: str) -> KnownAssignment | None:
        """Return the assignment that became this support, or None."""
        return self._one("support_id = ?", (support_id,))

    def _one(self, condition: str, values: tuple[str | int, ...]) -> KnownAssignment | None:
        # The condition is one of the two texts above, never of a caller.
        row = self._connection.execute(_SELECT + condition, values).fetchone()
        if row is None:
            return None
        return KnownAssignment(
            key=AssignmentKey(Law(row[0]), row[1], row[2]),
            pseudonym=row[3],
            starts_on=date.fromisoformat(row[4]),
            ends_on=None if row[5] is None else date.fromisoformat(row[5]),
            product=None if row[6] is None else Product(row[6], row[7]),
            plan_id=row[8],
            support_id=row[9],
        )

    def purge(self, pseudonym: str) -> tuple[str, ...]:
        """Forget a person, and return the names of the archived files that are to go too.

        The journal keeps that messages came and went, without their content: a message that comes again
        after this has no answer to give again. Purging twice is harmless; `files_gone` ends it.
        """
        rows = self._connection.execute(
            "SELECT archived FROM inbox WHERE pseudonym = ? AND archived IS NOT NULL", (pseudonym,)
        ).fetchall()
        self.forget(pseudonym)
        self._journal.fold_log()
        return tuple(str(row[0]) for row in rows)

    def forget(self, pseudonym: str) -> None:
        """Forget a person in the file; what is deleted lies in SQLite's log until `fold_log`."""
        with self._journal.transaction():
            self._connection.execute(
                "UPDATE outbox SET content = NULL, state = 'sent' WHERE pseudonym = ?", (pseudonym,)
            )
            self._connection.execute("DELETE FROM assignments WHERE pseudonym = ?", (pseudonym,))
            self._connection.execute("DELETE FROM residents WHERE pseudonym = ?", (pseudonym,))

    def people_of(self, plan_ids: Iterable[str]) -> frozenset[str]:
        """Return the pseudonyms of whom assignments of these plans are."""
        query = "SELECT pseudonym FROM assignments WHERE plan_id IN (SELECT value FROM json_each(?))"
        return frozenset(str(row[0]) for row in self._connection.execute(query, (json.dumps([*plan_ids]),)))

    def files_of(self, pseudonym: str) -> tuple[tuple[str, str], ...]:
        """Return (folder, name) of the files about a person: in "archive", and in "outbox" if still there."""
        rows = self._connection.execute(
            "SELECT 'archive', archived FROM inbox WHERE pseudonym = ?1 AND archived IS NOT NULL "
            "UNION ALL SELECT 'outbox', name FROM outbox WHERE pseudonym = ?1",
            (pseudonym,),
        )
        return tuple((str(folder), str(name)) for folder, name in rows)

    def files_of_somebody(self) -> frozenset[str]:
        """Return the names of the files in the archive of which is known whom they are about."""
        rows = self._connection.execute(
            "SELECT archived FROM inbox WHERE archived IS NOT NULL AND pseudonym IS NOT NULL"
        )
        return frozenset(str(row[0]) for row in rows)

    def files_gone(self, pseudonym: str) -> None:
        """Note that the archived files of a purged person were deleted."""
        self._connection.execute(
            "UPDATE inbox SET archived = NULL, pseudonym = NULL WHERE pseudonym = ?", (pseudonym,)
        )
        self._connection.execute("UPDATE outbox SET pseudonym = NULL WHERE pseudonym = ?", (pseudonym,))


def _key(key: AssignmentKey) -> tuple[str, str, int]:
    return key.law.value, key.municipality, key.number


def _write_name(name: PersonName) -> str:
    return json.dumps(dataclasses.asdict(name) | {"use": name.use.code}, ensure_ascii=False)


def _read_name(text: str) -> PersonName:
    parts = cast("dict[str, str | None]", json.loads(text))
    use = NameUse.of(parts.pop("use") or NameUse.OWN.code)
    return PersonName(surname=parts.pop("surname") or "", use=use, **parts)
