"""The terms of the standard, in working days. Public holidays are not known here.

Source: iWmo and iJw 3.2: OP090 (a retour within three, the answer to a declaration within ten), OP346 (the
answer to a request for a change within five).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

RETOUR_WORKING_DAYS: Final = 3
DECLARATION_WORKING_DAYS: Final = 10
CHANGE_WORKING_DAYS: Final = 5
DECLARATION: Final = "323"
_SATURDAY: Final = 5


def working_days_on(day: date, count: int) -> date:
    """Return the day so many working days later."""
    left = count
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < _SATURDAY
    return day


def retour_due(kind: str, received: date) -> date:
    """Return the last day for the answer to a message such as WMO301 that came on a day."""
    declared = kind.endswith(DECLARATION)
    return working_days_on(received, DECLARATION_WORKING_DAYS if declared else RETOUR_WORKING_DAYS)
