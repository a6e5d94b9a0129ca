"""What happens in a year of published tables. Topics and shapes are permanent; nothing here is about anybody.

Promises: privacy is counted in thousandths of an epsilon, whole numbers: a sum of them has no rounding.
Source: Dwork and Roth 2014, section 3.5 (composition); GDPR 5(2), 89(1).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from exchange.domain.kernel import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePublished(Event):
    """A table left, with its noise; so much of the year's privacy is spent for good.

    A cell is "<row> <life domain> <residents> <steps>", or ends after the domain where it was suppressed.
    `handed_over` is how many residents are in no cell because the plan went along to another municipality,
    with noise; "few" where that was suppressed, empty in a table of before it was counted.
    `total_thousandths` is what the year had at that moment.
    """

    TOPIC: ClassVar[str] = "insight.table_published.v2"
    year: int
    table_id: str
    question: str
    cells: tuple[str, ...]
    handed_over: str
    spent_thousandths: int
    total_thousandths: int
    as_of: int
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetProposed(Event):
    """One person wants another total for a year; it changes nothing yet."""

    TOPIC: ClassVar[str] = "insight.budget_proposed.v1"
    year: int
    total_thousandths: int
    reason: str
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetApproved(Event):
    """A second person approved it: from here on the year has this total."""

    TOPIC: ClassVar[str] = "insight.budget_approved.v1"
    year: int
    total_thousandths: int
    organisation: str
    task: str
    professional: str
    at: datetime
