"""How the scores of one resident changed around a support: before it started, and after.

Promises: pure; what one resident adds to a table follows from his own events and the question alone, is one
cell at most, and a change of two steps at most either way: so much and no more the noise has to hide.
Source: the domain's design section 2 (P7, P14, P15); Dwork and Roth 2014, section 3.3 (sensitivity).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from exchange.domain.insight.question import Question, Row
from exchange.domain.plan.events import (
    PlanEvent,
    SituationDescribed,
    SupportRequested,
    SupportStarted,
    SupportStopped,
)
from exchange.domain.values import SupportKind

CHANGE_MAX: Final = 2  # steps of the scale, either way: what is more counts as this
CELLS_PER_RESIDENT_MAX: Final = 1
# A score says how it was before a support only so long, and after it ended only so long.
BEFORE_DAYS_MAX: Final = 366
AFTER_DAYS_MAX: Final = 183


class Change(NamedTuple):
    """One support, one life domain, one year: from the score before to the last one of that year."""

    row: Row
    life_domain: str
    day: date  # of the later score
    steps: int


class Cell(NamedTuple):
    """What one resident adds to a table: to one cell, and how many steps."""

    row: Row
    life_domain: str
    steps: int


@dataclass(frozen=True, slots=True)
class _Care:
    row: Row
    custom: bool
    first_day: date | None
    last_day: date | None


class _Score(NamedTuple):
    day: date
    life_domain: str
    score: int


def changes_of(events: Iterable[PlanEvent], year: int) -> list[Change]:
    """Return what changed in a year; `events` are those of one resident, in the order they were recorded."""
    scores: list[_Score] = []
    care: dict[str, _Care] = {}
    for event in events:
        if isinstance(event, SituationDescribed):
            scores.append(_Score(event.judge_date, event.life_domain, event.score))
        else:
            _note(care, event)
    # Of one day the score that was recorded last counts: sorting keeps their order.
    scores.sort(key=lambda one: one.day)
    found = []
    for one in care.values():
        if one.first_day is not None:
            found += _around(one, one.first_day, scores, year)
    return found


def cell_of(resident: str, changes: Iterable[Change], question: Question) -> Cell | None:
    """Return the one cell that a resident adds to: of his earliest change that the question asks about."""
    asked = frozenset(question.cells())
    found = [one for one in changes if (one.row, one.life_domain) in asked]
    if not found:
        return None
    # Domains are judged on one day: among those the resident's own ref draws lots, whoever else is there.
    first = min(found, key=lambda one: (one.day, _lot(resident, one)))
    return Cell(first.row, first.life_domain, max(-CHANGE_MAX, min(CHANGE_MAX, first.steps)))


def _lot(resident: str, change: Change) -> str:
    return sha256(f"{resident}\n{change.row.name}\n{change.life_domain}".encode()).hexdigest()


def _note(care: dict[str, _Care], event: PlanEvent) -> None:
    if isinstance(event, SupportRequested):
        custom = event.kind == SupportKind.CUSTOM
        # Of help that is not assigned nobody reports a start: its days are those that were planned.
        days = (None, None) if custom else (event.start_date, event.end_date)
        care[event.support_id] = _Care(Row(event.kind, event.product_category), custom, *days)
        return
    known = care.get(getattr(event, "support_id", ""))
    if known is None:
        return
    if isinstance(event, SupportStarted):
        # Care that starts again after a stop for a while goes on: it began on its first day.
        care[event.support_id] = replace(
            known, first_day=known.first_day or event.care_start_date, last_day=None
        )
    elif isinstance(event, SupportStopped):
        care[event.support_id] = replace(known, last_day=event.care_end_date)


def _around(care: _Care, first_day: date, scores: list[_Score], year: int) -> list[Change]:
    earliest = first_day - timedelta(days=BEFORE_DAYS_MAX)
    latest = date.max if care.last_day is None else care.last_day + timedelta(days=AFTER_DAYS_MAX)
    before: dict[str, int] = {}
    after: dict[str, _Score] = {}
    for one in scores:
        if earliest <= one.day <= first_day:
            before[one.life_domain] = one.score
        elif first_day < one.day <= latest and one.day.year == year:
            after[one.life_domain] = one
    return [
        Change(care.row, domain, one.day, one.score - before[domain])
        for domain, one in after.items()
        if domain in before
    ]
