"""Which indicators the accesses of a month meet: each over its window, against its threshold.

Promises: pure; accesses come in the order of their moments and are judged in it, so that of many the ones
from the threshold on stand out and those before it do not. Windows include both ends. Nothing of an access is
kept beyond its window, but on which days a pair met.
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
    from collections.abc import Hashable, Iterable, Iterator

    from exchange.projections.lookups.accesses import Access, Known, Person

_HOUR: Final = 60 * MINUTE
_HOURS_CACHED_MAX: Final = 20_000


class _Window:
    """How many different things each key met in the time that ends now; what is past is kept of none."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._met: deque[tuple[int, Hashable, Hashable]] = deque()
        self._counts: dict[Hashable, dict[Hashable, int]] = {}

    def meet(self, key: Hashable, thing: Hashable, at: int) -> int:
        """Note it and return the number; moments come in order."""
        met = self._met
        met.append((at, key, thing))
        counts = self._counts.setdefault(key, {})
        counts[thing] = counts.get(thing, 0) + 1
        while met[0][0] < at - self._length:
            self._forget(*met.popleft()[1:])
        return len(counts)

    def _forget(self, key: Hashable, thing: Hashable) -> None:
        counts = self._counts[key]
        if counts[thing] > 1:
            counts[thing] -= 1
            return
        del counts[thing]
        if not counts:
            del self._counts[key]


def indicated(
    accesses: Iterable[Access], known: Known, start: int
) -> Iterator[tuple[Access, tuple[str, ...]]]:
    """Yield each access from `start` on with its indicators; earlier ones only count along.

    They are gone through twice: once for what is usual in the month.
    """
    residents, lookers = _Window(MANY_RESIDENTS_MINUTES * MINUTE), _Window(MANY_LOOKERS_DAYS * DAY)
    pairs = _pairs(accesses, start)
    left: Counter[tuple[Person, str]] = Counter()
    for one in accesses:
        person = (one.organisation, one.task, one.professional)
        seen = residents.meet(person, one.resident, one.at)
        by = lookers.meet(one.resident, person, one.at)
        if one.at < start:
            continue
        pair = (person, one.resident)
        met = []
        if is_off_hours(one.at):
            met.append(OFF_HOURS)
        if seen >= THRESHOLDS[MANY_RESIDENTS]:
            met.append(MANY_RESIDENTS)
        if by >= THRESHOLDS[MANY_LOOKERS]:
            met.append(MANY_LOOKERS)
        if _had_left(one, known):
            left[pair] += 1
            if left[pair] >= THRESHOLDS[AFTER_END]:
                met.append(AFTER_END)
        if pair in pairs:
            met.append(PAIR)
        if not known.somebody_worked(one, FOLLOW_UP_DAYS * DAY, FOLLOW_UP_DAYS * DAY):
            met.append(NO_FOLLOW_UP)
        yield one, tuple(met)


def is_off_hours(at: int) -> bool:
    """Tell whether a moment lies outside office hours in the Netherlands, or on no working day."""
    return _hour_is_off(at // _HOUR)


@lru_cache(maxsize=_HOURS_CACHED_MAX)
def _hour_is_off(hour: int) -> bool:
    # The zone lies whole hours from UTC, in summer and in winter: an hour is in or out as a whole.
    told = datetime.fromtimestamp(hour * _HOUR // SECOND, UTC).astimezone(ZONE)
    return not (OFFICE_FROM_HOUR <= told.hour < OFFICE_UNTIL_HOUR and is_workday(told.date()))


def _pairs(accesses: Iterable[Access], start: int) -> frozenset[tuple[Person, str]]:
    """Return the pairs of person and resident that met on far more days than is usual in that task."""
    # Of each pair its days, a bit each.
    days: defaultdict[tuple[Person, str], int] = defaultdict(int)
    first = start // DAY
    for one in accesses:
        if one.at >= start:
            pair = ((one.organisation, one.task, one.professional), one.resident)
            days[pair] |= 1 << (one.at // DAY - first)
    of_task: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for (person, _), met in days.items():
        of_task[person[:2]].append(met.bit_count())
    usual = {task: median(counts) for task, counts in of_task.items()}
    return frozenset(
        pair
        for pair, met in days.items()
        if (count := met.bit_count()) >= PAIR_DAYS_MIN and count >= THRESHOLDS[PAIR] * usual[pair[0][:2]]
    )


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
