"""Months of the calendar in the Netherlands, as moments.

Promises: pure; a month starts at midnight there, in summer time and in winter time.
Source: ISO 8601; Algemene termijnenwet (days are those of the Netherlands).
"""

from __future__ import annotations

from datetime import datetime

from exchange.domain.days import day_of
from exchange.domain.lookups import Month
from exchange.projections.obligations import microseconds, moment
from exchange.projections.workdays import ZONE


def month_of(at: int) -> Month:
    """Return the month of a stored moment."""
    day = day_of(moment(at))
    return Month(day.year, day.month)


def start_of(month: Month) -> int:
    """Return the stored moment a month begins; it ends where the next one does."""
    return microseconds(datetime(month.year, month.month, 1, tzinfo=ZONE))
