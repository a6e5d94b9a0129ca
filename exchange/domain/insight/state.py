"""A year of published tables as it stands, and how events change it.

Promises: takes every event in any state and refuses none; what was spent is never given back.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from exchange.domain.insight.events import BudgetApproved, BudgetProposed, TablePublished


@dataclass(frozen=True, slots=True)
class Table:
    """One published table; `cells` and `handed_over` as in the event."""

    table_id: str
    question: str
    cells: tuple[str, ...]
    spent_thousandths: int
    published_at: datetime
    handed_over: str = ""


@dataclass(frozen=True, slots=True)
class ProposedBudget:
    """What one person wants; `proposer` is a person of `organisation`."""

    total_thousandths: int
    proposer: str
    reason: str


@dataclass(frozen=True, slots=True)
class InsightState:
    """One year. `total_thousandths` is 0 while nothing was published and nobody changed it."""

    year: int
    total_thousandths: int = 0
    tables: tuple[Table, ...] = ()
    proposal: ProposedBudget | None = None

    @property
    def spent_thousandths(self) -> int:
        """What every table took together."""
        return sum(table.spent_thousandths for table in self.tables)

    def table(self, question: str) -> Table | None:
        """Return the table that answers a question."""
        return next((table for table in self.tables if table.question == question), None)


def published(state: InsightState | None, event: TablePublished) -> InsightState:
    """Add a table; the total is from now on what it was published under."""
    known = state or InsightState(event.year)
    made = (event.table_id, event.question, event.cells)
    table = Table(*made, event.spent_thousandths, event.at, event.handed_over)
    return replace(known, total_thousandths=event.total_thousandths, tables=(*known.tables, table))


def proposed(state: InsightState | None, event: BudgetProposed) -> InsightState:
    """Let it wait for a second person, in the place of what waited before."""
    wanted = ProposedBudget(event.total_thousandths, event.professional, event.reason)
    return replace(state or InsightState(event.year), proposal=wanted)


def approved(state: InsightState, event: BudgetApproved) -> InsightState:
    """Let the year have this total."""
    return replace(state, total_thousandths=event.total_thousandths, proposal=None)
