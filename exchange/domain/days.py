"""On which day in the Netherlands something is: who is sixteen today is so from midnight here.

Promises: pure; the same moment is on the same day for ever, whatever the machine knows of time zones, so that
a decision of then is judged again by the day of then. For moments from 1997 on, when all of the Union began
to change its clocks together.
Source: Algemene termijnenwet; Directive 2000/84/EC, articles 2 and 3 (from 1.00 UTC on the last Sunday of
March to 1.00 UTC on the last Sunday of October the clock is an hour ahead).
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

WINTER: Final = timedelta(hours=1)
SUMMER: Final = timedelta(hours=2)
MARCH: Final = 3
OCTOBER: Final = 10
LAST_OF_MONTH: Final = 31
YEARS_CACHED_MAX: Final = 300


def day_of(moment: datetime) -> date:
    """Return the day in the Netherlands on which an aware moment lies."""
    at = moment.astimezone(UTC)
    begins, ends = _summer_of(at.year)
    return (at + (SUMMER if begins <= at < ends else WINTER)).date()


@lru_cache(maxsize=YEARS_CACHED_MAX)
def _summer_of(year: int) -> tuple[datetime, datetime]:
    """Return when summer time begins, and when it is over."""
    return _last_sunday(year, MARCH), _last_sunday(year, OCTOBER)


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, LAST_OF_MONTH, 1, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)
