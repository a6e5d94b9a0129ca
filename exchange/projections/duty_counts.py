"""How many duties of each kind arose in a period, and what became of them, from the list of duties.

Promises: counts only, of the rows as they stand; what the clock executes is compared with the clock, as the
list itself does. One statement, so that all of it is of one moment.
Source: GDPR 12(3), 39(1)(b); obligations.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.obligations import DutyOutcome
from exchange.projections.obligations import microseconds

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.projections.obligations import ObligationList

_DONE: Final = "COALESCE(executed_at, CASE WHEN executes_at <= :now THEN executes_at END)"
COUNT: Final = f"""
SELECT duty, COUNT(*), TOTAL(done <= due_at), TOTAL(done > due_at), TOTAL(done IS NULL),
    TOTAL(done IS NULL AND due_at <= :now), TOTAL(outcome = :justified), TOTAL(outcome = :not_justified)
FROM (SELECT duty, due_at, outcome, {_DONE} AS done FROM obligations
    WHERE decided_at >= :start AND decided_at < :end AND (:organisation = '' OR organisation = :organisation))
GROUP BY duty ORDER BY duty"""  # noqa: S608 -- our own words, values are bound


class DutyCount(NamedTuple):
    """One kind of duty; names are those of the contract's fields."""

    duty: str
    arisen: int
    ended_in_time: int
    ended_late: int
    open: int
    overdue: int
    justified: int
    not_justified: int


def duty_counts(
    duties: ObligationList, start: datetime, end: datetime, now: datetime, organisation: str = ""
) -> list[DutyCount]:
    """Return counts of what arose from `start` until `end`, of one organisation's own where one is named."""
    values = {
        "start": microseconds(start),
        "end": microseconds(end),
        "now": microseconds(now),
        "organisation": organisation,
        "justified": DutyOutcome.JUSTIFIED,
        "not_justified": DutyOutcome.NOT_JUSTIFIED,
    }
    with duties.database.reading() as c:
        return [DutyCount(duty, *map(int, counts)) for duty, *counts in c.execute(COUNT, values)]
