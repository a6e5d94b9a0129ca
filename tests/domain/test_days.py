"""Days in the Netherlands: the arithmetic against the database of time zones, and both sides of midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from exchange.domain.days import day_of

HERE = ZoneInfo("Europe/Amsterdam")


def test_days_are_those_of_the_database_of_time_zones_around_every_midnight() -> None:
    for year in range(1997, 2038, 2):
        first = datetime(year, 1, 1, tzinfo=UTC)
        for day in range(366):
            for minutes in (-121, -120, -61, -60, 60):
                at = first + timedelta(days=day, minutes=minutes)
                if at.year >= 1997:
                    assert day_of(at) == at.astimezone(HERE).date(), at


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 1, 31, 22, 59, 59, tzinfo=UTC), date(2026, 1, 31)),
        (datetime(2026, 1, 31, 23, tzinfo=UTC), date(2026, 2, 1)),
        (datetime(2026, 7, 31, 21, 59, 59, tzinfo=UTC), date(2026, 7, 31)),
        (datetime(2026, 7, 31, 22, tzinfo=UTC), date(2026, 8, 1)),
        # The same moment told with another clock.
        (datetime(2026, 8, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))), date(2026, 8, 1)),
        # The nights on which the clock changes.
        (datetime(2026, 3, 28, 23, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 21, 59, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 22, tzinfo=UTC), date(2026, 3, 30)),
        (datetime(2026, 10, 24, 22, tzinfo=UTC), date(2026, 10, 25)),
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), date(2026, 10, 25)),
        (datetime(2026, 10, 25, 23, tzinfo=UTC), date(2026, 10, 26)),
    ],
)
def test_a_day_begins_at_midnight_here(moment: datetime, day: date) -> None:
    assert day_of(moment) == day
