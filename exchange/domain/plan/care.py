"""Days of care under a support.

Promises: a record without rules; both days are included.
Source: iWmo 3.2 (305, 307).
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Care:
    """Days of care under a support, both included, that were followed by more after a stop for a while."""

    first_day: date
    last_day: date
