"""Legal terms of rights, as data, and how a term in months is counted.

Promises: pure; the day of receipt is not counted; a term ends with the last moment in the Netherlands of the
day of the same number, of the last day of a shorter month, and of the next working day where that is none.
Source: GDPR 12(3); Wmo 2015 5.3.5(1); Jeugdwet 7.3.9(1); Regulation (EEC, Euratom) 1182/71, article 3(1),
3(2)(c) and 3(4); Algemene termijnenwet 1(1), for the terms of Dutch law.
"""

from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from exchange.domain.rights.words import Right

MONTHS_OF_A_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class RightsTerm:
    """Months from the day of receipt, months that may be added once, and the article that says so."""

    months: int
    extension_months: int
    article: str


_GDPR: Final = RightsTerm(1, 2, "AVG 12(3)")
# Three months at once, and no law that adds any.
TERMS: Final[Mapping[str, RightsTerm]] = MappingProxyType(
    dict.fromkeys(map(str, Right), _GDPR)
    | {
        Right.DESTRUCTION_WMO: RightsTerm(3, 0, "Wmo 2015 5.3.5(1)"),
        Right.DESTRUCTION_JEUGDWET: RightsTerm(3, 0, "Jeugdwet 7.3.9(1)"),
    }
)


def months_after(day: date, months: int) -> date:
    """Return the day of the same number so many months later; of a shorter month, its last day."""
    count = day.year * MONTHS_OF_A_YEAR + day.month - 1 + months
    year, month = divmod(count, MONTHS_OF_A_YEAR)
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def last_day(received: date, months: int, is_workday: Callable[[date], bool]) -> date:
    """Return the last day on which the answer is in time."""
    day = months_after(received, months)
    while not is_workday(day):
        day += timedelta(days=1)
    return day


def due_day(right: str, received: date, is_workday: Callable[[date], bool], *, extended: bool) -> date:
    """Return the last day for this right; an extension is counted from receipt too."""
    term = TERMS[right]
    months = term.months + (term.extension_months if extended else 0)
    return last_day(received, months, is_workday)
