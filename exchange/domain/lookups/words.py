"""Words of the review of lookups: a month, what a look found, and who takes part.

Promises: pure; a month is written one way, so that one month of one organisation is one stream.
Source: ISO 8601 (year and month); GDPR 39(1)(b).
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

from exchange.domain.shape import FINE, YEAR_MAX, YEAR_MIN

OFFICER: Final = "fg"
# The second person may be the one who keeps the exchange running: a small municipality has one officer.
APPROVING_TASKS: Final = frozenset({OFFICER, "beheer"})
MONTHS_IN_YEAR: Final = 12
_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")


class ReviewOutcome(StrEnum):
    """What a person found of one access that was drawn."""

    EXPLAINED = "explained"
    UNLAWFUL = "unlawful"
    UNKNOWN = "unknown"


class Month(NamedTuple):
    """A month of the calendar in the Netherlands."""

    year: int
    month: int

    @classmethod
    def told(cls, text: str) -> "Month | None":
        """Return what "2026-10" says; None for anything else."""
        if _MONTH.fullmatch(text) is None:
            return None
        year, month = map(int, text.split("-"))
        fits = YEAR_MIN <= year <= YEAR_MAX and 1 <= month <= MONTHS_IN_YEAR
        return cls(year, month) if fits else None

    @property
    def next(self) -> "Month":
        """The month after it."""
        last = self.month == MONTHS_IN_YEAR
        return Month(self.year + 1, 1) if last else Month(self.year, self.month + 1)

    @property
    def text(self) -> str:
        """As people and streams write it."""
        return f"{self.year:04}-{self.month:02}"


def month_fault(text: str) -> str:
    """Tell what is wrong with a month."""
    return FINE if Month.told(text) is not None else "is a year and a month, such as 2026-10"


def key_of(organisation: str, month: str) -> str:
    """Return the key of the stream on which one organisation's month is reviewed."""
    return f"{organisation}-{month}"
