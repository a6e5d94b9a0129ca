"""Working days in the Netherlands: the one home of the library of holidays.

Promises: a pure function of a moment; a Saturday, a Sunday and a day the law lists is no working day.
Source: Algemene termijnenwet 1(1) (a term that ends on such a day ends on the next working day) and 3(1)-(2)
(the days: New Year, Good Friday, Easter Monday, Ascension, Whit Monday, both Christmas days, the King's
birthday as it is celebrated, 5 May).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from exchange.domain.days import day_of

ZONE: Final = ZoneInfo("Europe/Amsterdam")
# Good Friday, and 5 May in every year, are no public holidays by custom; the law makes them equal.
CATEGORIES: Final = ("public", "optional")
SATURDAY: Final = 5
YEARS_CACHED_MAX: Final = 300


@lru_cache(maxsize=YEARS_CACHED_MAX)
def _holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("NL", years=year, categories=CATEGORIES))


def is_workday(day: date) -> bool:
    """Tell whether the law counts this day as a working day."""
    return day.weekday() < SATURDAY and day not in _holidays(day.year)


def end_of_next_workday(moment: datetime) -> datetime:
    """Return the end, in UTC, of the first working day after the day of this moment in the Netherlands."""
    day = day_of(moment) + timedelta(days=1)
    while not is_workday(day):
        day += timedelta(days=1)
    return end_of_day(day)


def end_of_day(day: date) -> datetime:
    """Return the moment, in UTC, at which a day in the Netherlands is over."""
    return datetime.combine(day + timedelta(days=1), time(), ZONE).astimezone(UTC)
