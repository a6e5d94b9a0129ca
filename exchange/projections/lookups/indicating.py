"""Which indicators the accesses of a month meet: each over its window, against its threshold.

Promises: pure; accesses come in the order of their moments and are judged in it, so that of many the ones
from the threshold on stand out and those before it do not. Windows include both ends.
Source: the rules in `rules.py`; Algemene termijnenwet 3 (days).
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from datetime import UTC, datetime
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Final

from exchange.projections.lookups.accesses import DAY, MINUTE, SECOND
from exchange.projections.lookups.rules import (
    AFTER_END,
    AFTER_END_DAYS,
    CASE,
    FOLLOW_UP_DAYS,
    MANY_LOOKERS,
    MANY_LOOKERS_DAYS,
    MANY_RESIDENTS,
    MANY_RESIDENTS_MINUTES,
    NO_FOLLOW_UP,
    OFF_HOURS,
    OFFICE_FROM_HOUR,
    OFFICE_UNTIL_HOUR,
    PAIR,
    PAIR_DAYS_MIN,
    STAND_IN,
    THRESHOLDS,
)
from exchange.projections.workdays import ZONE, is_workday

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from exchange.projections.lookups.accesses import Access, Known, Person

_HOUR: Final = 60 * MINUTE
_HOURS_CACHED_MAX: Final = 20_000


class _Window:
    """How many different things one key met in the time that ends now."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._met: defaultdict[Hashable, deque[tuple[int, Hashable]]] = defaultdict(deque)
        self._counts: defaultdict[Hashable, Counter[Hashable]] = defaultdict(Counter)

    def meet(self, key: Hashable, thing: Hashable, at: int) -> int:
        """Note it and return the number."""
        met, counts = self._met[key], self._counts[key]
        met.append((at, thing))
        counts[thing] += 1
        while met[0][0] < at - self._length:
            _, gone = met.popleft()
            counts[gone] -= 1
            if not counts[gone]:
                del counts[gone]
        return len(counts)


def indicated(accesses: Sequence[Access], known: Known, start: int) -> list[tuple[str, ...]]:
    """Return the indicators of each access from `start` on; earlier ones only count along."""
    residents, lookers = _Window(MANY_RESIDENTS_MINUTES * MINUTE), _Window(MANY_LOOKERS_DAYS * DAY)
    month = [one for one in accesses if one.at >= start]
    pairs, after = _pairs(month), _after_end(month, known)
    found: list[tuple[str, ...]] = []
    for one in accesses:
        person = (one.organisation, one.task, one.professional)
        seen = residents.meet(person, one.resident, one.at)
        by = lookers.meet(one.resident, person, one.at)
        if one.at < start:
            continue
        met = []
        if is_off_hours(one.at):
            met.append(OFF_HOURS)
        if seen >= THRESHOLDS[MANY_RESIDENTS]:
            met.append(MANY_RESIDENTS)
        if by >= THRESHOLDS[MANY_LOOKERS]:
            met.append(MANY_LOOKERS)
        if one.position in after:
            met.append(AFTER_END)
        if (person, one.resident) in pairs:
            met.append(PAIR)
        if not known.somebody_worked(one, FOLLOW_UP_DAYS * DAY, FOLLOW_UP_DAYS * DAY):
            met.append(NO_FOLLOW_UP)
        found.append(tuple(met))
    return found


def is_off_hours(at: int) -> bool:
    """Tell whether a moment lies outside office hours in the Netherlands, or on no working day."""
    return _hour_is_off(at // _HOUR)


@lru_cache(maxsize=_HOURS_CACHED_MAX)
def _hour_is_off(hour: int) -> bool:
    # The zone lies whole hours from UTC, in summer and in winter: an hour is in or out as a whole.
    told = datetime.fromtimestamp(hour * _HOUR // SECOND, UTC).astimezone(ZONE)
    return not (OFFICE_FROM_HOUR <= told.hour < OFFICE_UNTIL_HOUR and is_workday(told.date()))


def _pairs(month: Sequence[Access]) -> frozenset[tuple[Person, str]]:
    """Return the pairs of person and resident that met on far more days than is usual in that task."""
    days: defaultdict[tuple[Person, str], set[int]] = defaultdict(set)
    for one in month:
        days[(one.organisation, one.task, one.professional), one.resident].add(one.at // DAY)
    of_task: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for (person, _), met in days.items():
        of_task[person[:2]].append(len(met))
    usual = {task: median(counts) for task, counts in of_task.items()}
    return frozenset(
        pair
        for pair, met in days.items()
        if len(met) >= PAIR_DAYS_MIN and len(met) >= THRESHOLDS[PAIR] * usual[pair[0][:2]]
    )


def _after_end(month: Sequence[Access], known: Known) -> frozenset[int]:
    """Return the positions of accesses by who had left the case, from the threshold on."""
    counts: Counter[tuple[Person, str]] = Counter()
    found = []
    for one in month:
        if _had_left(one, known):
            pair = ((one.organisation, one.task, one.professional), one.resident)
            counts[pair] += 1
            if counts[pair] >= THRESHOLDS[AFTER_END]:
                found.append(one.position)
    return frozenset(found)


def _had_left(access: Access, known: Known) -> bool:
    ends = [
        tie.end
        for tie in known.ties(access)
        if tie.kind in {CASE, STAND_IN} and tie.professional == access.professional and tie.start <= access.at
    ]
    if not ends or None in ends:
        return False
    since = access.at - max(end for end in ends if end is not None)
    return DAY <= since <= AFTER_END_DAYS * DAY
