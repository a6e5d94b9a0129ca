"""Scores and days of care as they stand: what was corrected since says what it was corrected to.

Promises: pure; a correction changes the one event its element was recorded by, and is none itself; of what is
not there (erased, past its term) nothing is corrected.
Source: GDPR 5(1)(d), 16; exchange/decisions/0052-corrections.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from exchange.domain.plan.correctable import FIELDS
from exchange.domain.plan.corrections import PlanCorrected
from exchange.domain.plan.events import (
    PlanEvent,
    SituationDescribed,
    SupportRequested,
    SupportStarted,
    SupportStopped,
)
from exchange.domain.values import origin_of

# Which events hold the fields that a table is made of.
_HELD_BY: Final[Mapping[str, type[PlanEvent]]] = MappingProxyType(
    {
        "situations.score": SituationDescribed,
        "situations.judge_date": SituationDescribed,
        "supports.product_category": SupportRequested,
        "supports.care_start_date": SupportStarted,
        "supports.care_end_date": SupportStopped,
    }
)


class Dated(NamedTuple):
    """One event, and when it was recorded."""

    event: PlanEvent
    at: datetime


def corrected(dated: Iterable[Dated]) -> list[PlanEvent]:
    """Return the events of one resident without the corrections, in their order; these are carried out."""
    found: list[Dated] = []
    for one in dated:
        if isinstance(one.event, PlanCorrected):
            _correct(found, one.event)
        else:
            found.append(one)
    return [one.event for one in found]


def _correct(found: list[Dated], correction: PlanCorrected) -> None:
    path = f"{correction.collection}.{correction.field}"
    held_by = _HELD_BY.get(path)
    if held_by is None:
        return
    # Of care that started or stopped more than once, the last time is what the support says.
    for place in range(len(found) - 1, -1, -1):
        event, at = found[place]
        if isinstance(event, held_by) and _is_of(event, at, correction):
            says = FIELDS[path].read(correction.values)
            found[place] = Dated(replace(event, **{correction.field: says}), at)
            return


def _is_of(event: PlanEvent, at: datetime, correction: PlanCorrected) -> bool:
    if isinstance(event, SituationDescribed):
        origin = origin_of(event.task, event.organisation)
        return (event.life_domain, origin, at) == (correction.name, correction.origin, correction.recorded)
    same_plan = event.plan_id == correction.plan_id
    return same_plan and getattr(event, "support_id", "") == correction.name
