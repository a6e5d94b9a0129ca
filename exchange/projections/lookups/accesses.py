"""What the review is made of: accesses, ties between a professional and a resident, and acts on his file.

Promises: times are microseconds since 1970 UTC; ids are opaque, a resident a random ref; no words of anybody.
Source: exchange/decisions/0133-what-explains-a-lookup.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.projections.lookups.rules import CASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND
# How an emergency ended: there was none, it waits, or what who reviewed it found.
NO_EMERGENCY: Final = ""
UNREVIEWED: Final = "unreviewed"
JUSTIFIED: Final = "justified"


class Access(NamedTuple):
    """One answer about one resident that was let through to one professional."""

    position: int
    decision_id: str
    at: int
    organisation: str
    task: str
    professional: str
    resident: str
    emergency: str = NO_EMERGENCY


class Tie(NamedTuple):
    """What binds somebody to a resident for a time; empty words bind everybody of the organisation or task.

    `kind` is the explanation it can give; `own` says that the person himself recorded it; `place_of` is whom
    a stand-in stands in for. `end` is None while it lasts.
    """

    kind: str
    resident: str
    organisation: str
    task: str
    professional: str
    start: int
    end: int | None = None
    own: bool = False
    place_of: str = ""


class Act(NamedTuple):
    """Somebody recorded something on a resident's file, beyond who works on it."""

    resident: str
    organisation: str
    task: str
    professional: str
    at: int


Person = tuple[str, str, str]


class Known:
    """Ties and acts, found by whom and of whom. Built once, then only read."""

    def __init__(self, ties: Iterable[Tie], acts: Iterable[Act]) -> None:
        self._ties: defaultdict[tuple[str, str, str], list[Tie]] = defaultdict(list)
        self._own: defaultdict[tuple[str, str, str, str], list[int]] = defaultdict(list)
        self._of_task: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
        self._worked: defaultdict[tuple[Person, int], set[str]] = defaultdict(set)
        for tie in ties:
            self._ties[tie.resident, tie.organisation, tie.task].append(tie)
        for one in sorted(acts, key=lambda act: act.at):
            person = (one.organisation, one.task, one.professional)
            self._own[one.resident, *person].append(one.at)
            self._of_task[one.resident, one.organisation, one.task].append(one.at)
            self._worked[person, one.at // DAY].add(one.resident)

    def ties(self, access: Access) -> Sequence[Tie]:
        """Return what binds anybody of the same organisation and task to the resident."""
        return self._ties.get((access.resident, access.organisation, access.task), ())

    def worked_himself(self, access: Access, before: int, after: int) -> bool:
        """Tell whether this person recorded something on this file so long around the access."""
        key = (access.resident, access.organisation, access.task, access.professional)
        return _within(self._own.get(key, ()), access.at, before, after)

    def worked_between(self, access: Access, start: int, end: int) -> bool:
        """Tell whether this person recorded something on this file between two moments, both included."""
        key = (access.resident, access.organisation, access.task, access.professional)
        return _within(self._own.get(key, ()), start, 0, end - start)

    def somebody_worked(self, access: Access, before: int, after: int) -> bool:
        """Tell the same of anybody of the same organisation and task."""
        key = (access.resident, access.organisation, access.task)
        return _within(self._of_task.get(key, ()), access.at, before, after)

    def worked_that_day(self, access: Access) -> set[str]:
        """Return on whose files this person recorded something on the day of the access."""
        person = (access.organisation, access.task, access.professional)
        return self._worked.get((person, access.at // DAY), set())

    def has_part(self, resident: str, person: Person, at: int) -> bool:
        """Tell whether somebody let this person in on the case of a resident, as of a moment."""
        organisation, task, professional = person
        return any(
            tie.kind == CASE and tie.professional == professional and not tie.own and _holds(tie, at)
            for tie in self._ties.get((resident, organisation, task), ())
        )


def _holds(tie: Tie, at: int) -> bool:
    return tie.start <= at and (tie.end is None or at < tie.end)


def _within(moments: Sequence[int], at: int, before: int, after: int) -> bool:
    """Tell whether a moment lies in [at - before, at + after]; moments are sorted."""
    place = bisect_left(moments, at - before)
    return place < len(moments) and moments[place] <= at + after
