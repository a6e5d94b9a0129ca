"""The adapter's own register: which case is which plan, whose, and what was told.

Promises: a case has one plan and a plan one case; a report is written down whole before it is sent, so that
it says the same when it is sent again; a purge leaves nothing of a resident but that there was a case.
Source: GDPR 17, 19.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapters.municipal.records import Report
from adapters.sdk.bsn import Bsn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.kit.journal import Journal

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS links (
  zaak TEXT PRIMARY KEY, plan_id TEXT UNIQUE, case_id TEXT NOT NULL, pseudonym TEXT NOT NULL,
  closed INTEGER NOT NULL, etag TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS people (
  pseudonym TEXT PRIMARY KEY, bsn TEXT NOT NULL UNIQUE, plan_id TEXT NOT NULL, case_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reports (
  zaak TEXT PRIMARY KEY, pseudonym TEXT NOT NULL, born TEXT NOT NULL, capable INTEGER NOT NULL,
  minor INTEGER NOT NULL, own_words TEXT NOT NULL, domains TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told (
  plan_id TEXT NOT NULL, what TEXT NOT NULL, value TEXT NOT NULL, done INTEGER NOT NULL,
  PRIMARY KEY (plan_id, what)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A case of the case system, and the plan it belongs to: empty where we have no part in it."""

    zaak: str
    plan_id: str
    case_id: str
    pseudonym: str = field(repr=False)
    closed: bool
    etag: str


@dataclass(frozen=True, slots=True)
class PreparedReport:
    """A report as it will be sent, however often."""

    pseudonym: str = field(repr=False)
    born: str = field(repr=False)
    capable: bool
    minor: bool
    report: Report


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """Who a plan is about."""

    pseudonym: str = field(repr=False)
    bsn: Bsn
    plan_id: str
    case_id: str


class Links:
    """In the file of the journal."""

    def __init__(self, journal: Journal) -> None:
        self._connection = journal.connection

    # --- case and plan --------------------------------------------------------------------------------------

    def of_case(self, zaak: str) -> Link | None:
        """Return the link of a case."""
        return self._link("zaak = ?", zaak)

    def of_plan(self, plan_id: str) -> Link | None:
        """Return the link of a plan."""
        return self._link("plan_id = ?", plan_id)

    def _link(self, condition: str, value: str) -> Link | None:
        # The condition is one of the two texts above, never of a caller.
        query = "SELECT zaak, plan_id, case_id, pseudonym, closed, etag FROM links WHERE "
        row = self._connection.execute(query + condition, (value,)).fetchone()
        return None if row is None else Link(row[0], row[1] or "", row[2], row[3], bool(row[4]), row[5])

    def link(self, zaak: str, plan_id: str, case_id: str, pseudonym: str) -> None:
        """Remember that a case and a plan belong together; known already, it stays as it is."""
        self._connection.execute(
            "INSERT INTO links VALUES (?, ?, ?, ?, 0, '') ON CONFLICT (zaak) DO UPDATE SET "
            "plan_id = coalesce(links.plan_id, excluded.plan_id), "
            "case_id = CASE links.case_id WHEN '' THEN excluded.case_id ELSE links.case_id END",
            (zaak, plan_id or None, case_id, pseudonym),
        )

    def seen(self, zaak: str, etag: str) -> None:
        """Remember how a case was when it was looked at last."""
        self._connection.execute("UPDATE links SET etag = ? WHERE zaak = ?", (etag, zaak))

    def close(self, zaak: str) -> None:
        """Remember that a case is closed."""
        self._connection.execute("UPDATE links SET closed = 1 WHERE zaak = ?", (zaak,))

    def without_plan(self) -> tuple[Link, ...]:
        """Return the cases that were reported without our having a part in what became of it."""
        rows = self._connection.execute(
            "SELECT zaak, case_id, pseudonym, etag FROM links WHERE plan_id IS NULL AND closed = 0"
        )
        return tuple(Link(row[0], "", row[1], row[2], closed=False, etag=row[3]) for row in rows)

    def counts(self) -> tuple[int, int]:
        """Return how many cases are linked, and how many wait for a part in their plan."""
        row = self._connection.execute(
            "SELECT count(*) FILTER (WHERE plan_id IS NOT NULL), "
            "count(*) FILTER (WHERE plan_id IS NULL AND closed = 0) FROM links"
        ).fetchone()
        return int(row[0]), int(row[1])

    # --- people ---------------------------------------------------------------------------------------------

    def know(self, pseudonym: str, bsn: Bsn, plan_id: str = "", case_id: str = "") -> None:
        """Remember who a pseudonym is, and of which plan."""
        self._connection.execute(
            "INSERT INTO people VALUES (?, ?, ?, ?) ON CONFLICT (pseudonym) DO UPDATE SET "
            "plan_id = CASE excluded.plan_id WHEN '' THEN people.plan_id ELSE excluded.plan_id END, "
            "case_id = CASE excluded.case_id WHEN '' THEN people.case_id ELSE excluded.case_id END",
            (pseudonym, bsn.reveal(), plan_id, case_id),
        )

    def person_of(self, plan_id: str) -> KnownPerson | None:
        """Return who a plan is about, where that is known here."""
        row = self._connection.execute(
            "SELECT pseudonym, bsn, plan_id, case_id FROM people WHERE plan_id = ?", (plan_id,)
        ).fetchone()
        return None if row is None else KnownPerson(row[0], Bsn(row[1]), row[2], row[3])

    # --- reports --------------------------------------------------------------------------------------------

    def prepare(self, zaak: str, prepared: PreparedReport) -> None:
        """Write a report down as it will be sent. The first one counts."""
        self._connection.execute(
            "INSERT OR IGNORE INTO reports VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                zaak,
                prepared.pseudonym,
                prepared.born,
                prepared.capable,
                prepared.minor,
                prepared.report.own_words,
                json.dumps(prepared.report.domains),
            ),
        )

    def prepared(self, zaak: str) -> PreparedReport | None:
        """Return the report of a case that was written down and not yet answered."""
        row = self._connection.execute(
            "SELECT pseudonym, born, capable, minor, own_words, domains FROM reports WHERE zaak = ?", (zaak,)
        ).fetchone()
        if row is None:
            return None
        report = Report(row[4], tuple(json.loads(row[5])))
        return PreparedReport(row[0], row[1], capable=bool(row[2]), minor=bool(row[3]), report=report)

    def reported(self, zaak: str) -> None:
        """Forget the words of a report that was recorded."""
        self._connection.execute("DELETE FROM reports WHERE zaak = ?", (zaak,))

    # --- told -----------------------------------------------------------------------------------------------

    def told(self, plan_id: str, what: str) -> str | None:
        """Return the value of what the case system has, or None."""
        row = self._connection.execute(
            "SELECT value FROM told WHERE plan_id = ? AND what = ? AND done = 1", (plan_id, what)
        ).fetchone()
        return None if row is None else str(row[0])

    def told_of(self, plan_id: str, prefix: str) -> tuple[str, ...]:
        """Return what the case system has or may have, of all that begins so; the beginning left out."""
        rows = self._connection.execute(
            "SELECT what FROM told WHERE plan_id = ? AND substr(what, 1, ?) = ? ORDER BY what",
            (plan_id, len(prefix), prefix),
        )
        return tuple(str(row[0])[len(prefix) :] for row in rows)

    def plan_to_tell(self, plan_id: str, what: str, value: str) -> str:
        """Write down what will be told; return what was written down first, which is what is told."""
        self._connection.execute("INSERT OR IGNORE INTO told VALUES (?, ?, ?, 0)", (plan_id, what, value))
        row = self._connection.execute(
            "SELECT value FROM told WHERE plan_id = ? AND what = ?", (plan_id, what)
        ).fetchone()
        return str(row[0])

    def has_told(self, plan_id: str, what: str, value: str) -> None:
        """Remember that the case system has it."""
        self._connection.execute(
            "INSERT INTO told VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET value = excluded.value, done = 1",
            (plan_id, what, value),
        )

    def untell(self, plan_id: str, what: str) -> None:
        """Forget that the case system has it."""
        self._connection.execute("DELETE FROM told WHERE plan_id = ? AND what = ?", (plan_id, what))

    # --- purge ----------------------------------------------------------------------------------------------

    def cases_of(self, plan_ids: Iterable[str]) -> tuple[str, ...]:
        """Return the cases of these plans, as far as they are known."""
        query = "SELECT zaak FROM links WHERE plan_id IN (SELECT value FROM json_each(?))"
        return tuple(str(row[0]) for row in self._connection.execute(query, (json.dumps([*plan_ids]),)))

    def holds(self, plan_id: str) -> bool:
        """Tell whether anything of a plan is kept here."""
        row = self._connection.execute(
            "SELECT 1 FROM links WHERE plan_id = ?1 UNION SELECT 1 FROM people WHERE plan_id = ?1", (plan_id,)
        ).fetchone()
        return row is not None

    def forget_unlinked(self, zaak: str, pseudonym: str) -> None:
        """Forget who reported a case whose plan was erased before it was known here; the case stays known."""
        self.reported(zaak)
        self._connection.execute(
            "DELETE FROM people WHERE pseudonym = ? AND plan_id = '' "
            "AND pseudonym NOT IN (SELECT pseudonym FROM reports)",
            (pseudonym,),
        )
        self.link(zaak, "", "", "")
        self._connection.execute(
            "UPDATE links SET case_id = '', pseudonym = '', closed = 1, etag = '' WHERE zaak = ?", (zaak,)
        )

    def forget(self, plan_id: str) -> None:
        """Forget a plan, its resident and what was told of it."""
        run = self._connection.execute
        run(
            "DELETE FROM reports WHERE pseudonym IN (SELECT pseudonym FROM people WHERE plan_id = ?)",
            (plan_id,),
        )
        run("DELETE FROM people WHERE plan_id = ?", (plan_id,))
        run("DELETE FROM told WHERE plan_id = ?", (plan_id,))
        # The case stays known, so that it is not reported anew; whose it is does not.
        run(
            "UPDATE links SET plan_id = NULL, case_id = '', pseudonym = '', closed = 1, etag = '' "
            "WHERE plan_id = ?",
            (plan_id,),
        )
