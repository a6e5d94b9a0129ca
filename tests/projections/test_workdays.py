"""Working days as the Algemene termijnenwet counts them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from exchange.projections.workdays import end_of_next_workday, is_workday


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 1, 1), False),  # New Year
        (date(2026, 1, 2), True),
        (date(2026, 4, 3), False),  # Good Friday, article 3(2)
        (date(2026, 4, 6), False),  # Easter Monday
        (date(2026, 4, 7), True),
        (date(2026, 4, 27), False),  # the King's birthday
        (date(2025, 4, 26), False),  # a Saturday, and the birthday as it was celebrated
        (date(2025, 4, 28), True),
        (date(2026, 5, 5), False),  # every year, not only each fifth
        (date(2026, 5, 14), False),  # Ascension
        (date(2026, 5, 25), False),  # Whit Monday
        (date(2026, 12, 25), False),
        (date(2026, 12, 26), False),
        (date(2026, 11, 25), True),
        (date(2026, 11, 28), False),  # Saturday
        (date(2026, 11, 29), False),  # Sunday
    ],
)
def test_the_days_of_the_law(day: date, *, works: bool) -> None:
    assert is_workday(day) is works


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        # Wednesday morning: until Thursday is over, in winter at 23:00 UTC.
        (datetime(2026, 11, 25, 9, tzinfo=UTC), datetime(2026, 11, 26, 23, tzinfo=UTC)),
        # Friday: until Monday is over.
        (datetime(2026, 11, 27, 9, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC)),
        (datetime(2026, 11, 28, 9, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC)),
        # Thursday before Good Friday: until Tuesday after Easter is over, in summer at 22:00 UTC.
        (datetime(2026, 4, 2, 9, tzinfo=UTC), datetime(2026, 4, 7, 22, tzinfo=UTC)),
        # 22:59 UTC is still Wednesday in the Netherlands; 23:00 is Thursday.
        (datetime(2026, 11, 25, 22, 59, 59, tzinfo=UTC), datetime(2026, 11, 26, 23, tzinfo=UTC)),
        (datetime(2026, 11, 25, 23, tzinfo=UTC), datetime(2026, 11, 27, 23, tzinfo=UTC)),
        # The day the clocks go forward is a Sunday.
        (datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 3, 30, 22, tzinfo=UTC)),
    ],
)
def test_one_working_day_ends_with_the_next_day_that_is_one(moment: datetime, end: datetime) -> None:
    assert end_of_next_workday(moment) == end
