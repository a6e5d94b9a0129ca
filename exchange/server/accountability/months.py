"""How many decisions of each kind were taken in a month, from the events; no resident and no member of staff.

Promises: every recorded decision of the month is counted once, a command that was let through too; what a
caller claimed is told only where the register has it: nobody writes words of his own into a report. Nothing
sealed is opened.
Source: GDPR 5(2), 24, 39(1)(b).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.obligations import COMMAND
from exchange.gate.model import Outcome
from exchange.projections.workdays import end_of_day
from exchange.server.accountability.moments import SLACK, position_before
from exchange.server.contract.decisions import TOPIC

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.pipeline.registers import Registers
    from exchange.store.batch import Row
    from exchange.store.codec import Codec, Meta
    from exchange.store.ports import EventReader

EVENTS_PER_PAGE_MAX: Final = 50_000
KINDS_PER_PAGE_MAX: Final = 2_000
UNKNOWN_BASIS: Final = "unknown"
_ROWS_PER_LOOK: Final = 1_000
_MONTHS: Final = 12


class Kind(NamedTuple):
    """What is counted together."""

    organisation: str
    legal_basis: str
    action: str
    outcome: str


class Month(NamedTuple):
    """A month in the time of the Netherlands, its moments in UTC; `end` is not included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """One page: how many of each kind, the position to go on after, and whether there may be more."""

    kinds: Counter[Kind]
    last: int
    more: bool


def month_of(year: int, number: int) -> Month:
    """Return a month by its number from 1."""
    following = date(year + number // _MONTHS, number % _MONTHS + 1, 1)
    first = date(year, number, 1)
    day = timedelta(days=1)
    return Month(end_of_day(first - day), end_of_day(following - day))


@dataclass(frozen=True, slots=True)
class MonthCounter:
    """Counts decisions. Safe between threads."""

    reader: EventReader
    codec: Codec
    registers: Registers

    def page(self, month: Month, after: int | None, until: int, organisation: str = "") -> Counted:
        """Count those behind a position, or from the month's beginning, and before another.

        With an organisation: those it asked for.
        """
        last = position_before(self.reader, self.codec, month.start, until) if after is None else after
        known = frozenset(
            f"{state.basis_id}@{one.number}" for state in self.registers.states for one in state.versions
        )
        kinds, looked, decision = Counter[Kind](), 0, self._decision_at(last)
        while looked < EVENTS_PER_PAGE_MAX and len(kinds) < KINDS_PER_PAGE_MAX:
            rows = self.reader.page(last, _ROWS_PER_LOOK)
            for row in rows:
                kind, meta = self._kind(row, known)
                if row.position >= until or meta.at > month.end + SLACK:
                    return Counted(kinds, last, more=False)
                new = bool(meta.decision_id) and meta.decision_id != decision
                if new and month.start <= meta.at < month.end and organisation in {"", kind.organisation}:
                    kinds[kind] += 1
                last, decision, looked = row.position, meta.decision_id, looked + 1
                if len(kinds) >= KINDS_PER_PAGE_MAX:
                    break
            if len(rows) < _ROWS_PER_LOOK and (not rows or last == rows[-1].position):
                return Counted(kinds, last, more=False)
        return Counted(kinds, last, more=True)

    def _kind(self, row: Row, known: frozenset[str]) -> tuple[Kind, Meta]:
        clear, meta, _ = self.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        if row.topic == TOPIC:
            basis = f"{clear['legal_basis']}@{clear['basis_version']}"
            action, outcome = str(clear["action"]), str(clear["outcome"])
        else:
            # A command that was let through: its events are its decision.
            basis, action, outcome = meta.legal_basis, COMMAND, str(Outcome.PERMIT)
        return Kind(meta.organisation, basis if basis in known else UNKNOWN_BASIS, action, outcome), meta

    def _decision_at(self, position: int) -> str:
        rows = self.reader.page(position - 1, 1) if position > 0 else []
        return self._meta(rows[0]).decision_id if rows else ""

    def _meta(self, row: Row) -> Meta:
        _, meta, _ = self.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        return meta
