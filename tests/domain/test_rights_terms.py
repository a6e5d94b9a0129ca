"""How the terms of rights are counted: months by Regulation 1182/71, days by the Netherlands."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from exchange.domain.days import day_of
from exchange.domain.rights.terms import TERMS, due_day, months_after
from exchange.domain.rights.words import Right
from exchange.projections.workdays import end_of_day, is_workday


@pytest.mark.parametrize(
    ("received", "months", "ends"),
    [
        (date(2027, 3, 5), 1, date(2027, 4, 5)),
        (date(2027, 8, 31), 1, date(2027, 9, 30)),
        (date(2027, 1, 28), 1, date(2027, 2, 28)),
        (date(2027, 1, 29), 1, date(2027, 2, 28)),
        (date(2028, 1, 29), 1, date(2028, 2, 29)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2027, 2, 28), 1, date(2027, 3, 28)),
        (date(2027, 11, 30), 3, date(2028, 2, 29)),
        (date(2027, 12, 31), 1, date(2028, 1, 31)),
        (date(2027, 10, 31), 14, date(2028, 12, 31)),
    ],
)
def test_a_month_ends_on_the_day_of_the_same_number_or_on_the_last_one(
    received: date, months: int, ends: date
) -> None:
    assert months_after(received, months) == ends


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (date(2027, 3, 4), date(2027, 4, 5)),  # 4 April 2027 is a Sunday
        (date(2027, 3, 5), date(2027, 4, 5)),  # a Monday
        (date(2027, 2, 26), date(2027, 3, 30)),  # Good Friday, Saturday, Easter, Easter Monday
        (date(2027, 11, 25), date(2027, 12, 27)),  # both Christmas days, on Saturday and Sunday
        (date(2027, 4, 5), date(2027, 5, 7)),  # 5 May, and Ascension on the 6th
    ],
)
def test_a_term_that_ends_on_no_working_day_ends_on_the_next(received: date, due: date) -> None:
    assert due_day(Right.ACCESS, received, is_workday, extended=False) == due


def test_the_law_gives_one_month_and_two_or_three_at_once() -> None:
    for right in Right:
        destroys = right in {Right.DESTRUCTION_WMO, Right.DESTRUCTION_JEUGDWET}
        assert (TERMS[right].months, TERMS[right].extension_months) == ((3, 0) if destroys else (1, 2))
        assert TERMS[right].article
    # From receipt, not from the end of the first month: from 31 January to 30 April, not to the 28th.
    assert due_day(Right.ACCESS, date(2027, 1, 31), is_workday, extended=True) == date(2027, 4, 30)


def test_days_are_those_of_the_netherlands() -> None:
    # Half past eleven in the evening in London is the next day in Amsterdam.
    assert day_of(datetime(2027, 1, 4, 23, 30, tzinfo=UTC)) == date(2027, 1, 5)
    assert day_of(datetime(2027, 1, 4, 22, 59, tzinfo=UTC)) == date(2027, 1, 4)
    assert end_of_day(date(2027, 1, 5)) == datetime(2027, 1, 5, 23, tzinfo=UTC)
    assert end_of_day(date(2027, 7, 5)) == datetime(2027, 7, 5, 22, tzinfo=UTC)
