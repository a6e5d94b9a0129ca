"""What organisations had evaluated, from the store's files: who, on which day, for how many cases and why.

Promises: reads events only and opens nothing: a count holds nothing of a resident, so no key is asked.
Source: LEDGER design section 6 (each blind call is quota-bound and logged with its case); GDPR 39(1)(b).
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exchange.domain.evaluation import EvaluationCounted
from exchange.store.ports import look
from exchange.wiring.stores import open_reader, refuse_no_events

if TYPE_CHECKING:
    from exchange.settings import Settings

ROWS_PER_PAGE: Final = 500


@dataclass(slots=True)
class DayOfOrganisation:
    """One organisation's day. `share` is the part of the day's share that is used, 1.0 is all of it."""

    organisation: str
    day: str
    elements: int = 0
    calls: int = 0
    cases: set[str] = field(default_factory=set)
    without_case: Counter[str] = field(default_factory=Counter)  # elements by reason
    share: float = 0.0


def evaluations(settings: Settings, day: str = "") -> list[DayOfOrganisation]:
    """Return every organisation's days, or those of one UTC day; the greatest use first within a day.

    Raises SettingsInvalid where no service ran.
    """
    refuse_no_events(settings)
    found: dict[tuple[str, str], DayOfOrganisation] = {}
    with closing(open_reader(settings)) as reader:
        after, (head, _) = 0, reader.head()
        while after < head:
            rows, after = look(reader, after, head, ROWS_PER_PAGE, (EvaluationCounted.TOPIC,))
            for row in rows:
                told = json.loads(row.state)["d"]
                if day in {"", told["day"]}:
                    name = (told["organisation"], told["day"])
                    _count(found.setdefault(name, DayOfOrganisation(*name)), told)
    for one in found.values():
        one.share = one.elements / settings.evaluations_per_day
    return sorted(found.values(), key=lambda one: (one.day, -one.elements, one.organisation))


def _count(one: DayOfOrganisation, told: dict[str, str | int]) -> None:
    elements = int(told["elements"])
    one.elements += elements
    one.calls += 1
    if told["case_id"]:
        one.cases.add(str(told["case_id"]))
    else:
        one.without_case[str(told["reason"])] += elements
