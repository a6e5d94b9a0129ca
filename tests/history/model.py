"""What stood at each position, folded a second time and by other means than the service's own.

Promises: knows plans (version, elements in order) and consents (asked, given, withdrawn, their period), and
nothing of the gate, its register or its folds. Made in one pass; each question costs a binary search.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from tests.history.entries import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tests.history.entries import Entry

NO_ELEMENTS: Final = ""
_Value = TypeVar("_Value")


def chained(before: str, mark: str) -> str:
    """Return the digest of elements that end with this one."""
    return sha256(f"{before}\n{mark}".encode()).hexdigest()[:32]


def chain_of(marks: Iterable[str]) -> str:
    """Return the digest of elements, in order."""
    chain = NO_ELEMENTS
    for mark in marks:
        chain = chained(chain, mark)
    return chain


@dataclass(slots=True)
class Steps(Generic[_Value]):
    """A value that changes at positions."""

    first: _Value
    positions: list[int] = field(default_factory=list)
    values: list[_Value] = field(default_factory=list)

    def add(self, position: int, value: _Value) -> None:
        self.positions.append(position)
        self.values.append(value)

    @property
    def last(self) -> _Value:
        return self.values[-1] if self.values else self.first

    def before(self, position: int) -> _Value:
        """Return the value that stands just before a position."""
        index = bisect_left(self.positions, position)
        return self.values[index - 1] if index else self.first


class Yes(NamedTuple):
    """A consent that stands, and from when to when it is for."""

    consent: str
    start: datetime
    end: datetime


class Model:
    """Folded from the whole log."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._versions: defaultdict[str, Steps[int]] = defaultdict(lambda: Steps(0))
        self._chains: defaultdict[tuple[str, str], Steps[str]] = defaultdict(lambda: Steps(NO_ELEMENTS))
        self._yeses: defaultdict[str, Steps[tuple[Yes, ...]]] = defaultdict(lambda: Steps(()))
        self._withdrawn: defaultdict[str, list[int]] = defaultdict(list)  # positions, by plan
        self._asked: dict[str, tuple[str, Yes]] = {}  # case and what would stand, by consent
        self._plan_of: dict[str, str] = {}  # by case
        for entry in entries:
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        if entry.version:
            self._versions[entry.plan].add(entry.position, entry.version)
        if entry.kind in ELEMENTS:
            chain = self._chains[entry.plan, ELEMENTS[entry.kind]]
            chain.add(entry.position, chained(chain.last, entry.mark))
        elif entry.kind == "plan.opened":
            self._plan_of[entry.case] = entry.plan
        elif entry.kind == "consent.requested" and entry.start is not None and entry.end is not None:
            self._asked[entry.consent] = (entry.case, Yes(entry.consent, entry.start, entry.end))
        elif entry.kind in {"consent.given", "consent.withdrawn"} and entry.consent in self._asked:
            case, yes = self._asked[entry.consent]
            plan = self._plan_of.get(case, "")
            standing = self._yeses[plan]
            others = tuple(one for one in standing.last if one.consent != entry.consent)
            if entry.kind == "consent.given":
                standing.add(entry.position, (*others, yes))
            else:
                standing.add(entry.position, others)
                self._withdrawn[plan].append(entry.position)

    def version(self, plan: str, position: int) -> int:
        """Return the version of a plan just before a position."""
        return self._versions[plan].before(position)

    def chain(self, plan: str, elements: str, position: int) -> str:
        """Return the digest of a plan's elements just before a position."""
        return self._chains[plan, elements].before(position)

    def allows(self, plan: str, position: int, at: datetime) -> bool:
        """Tell whether a consent stands for a plan just before a position, at the moment recorded there."""
        return any(yes.start <= at < yes.end for yes in self._yeses[plan].before(position))

    def withdrawn_before(self, plan: str, position: int) -> int:
        """Return where a consent for a plan was last withdrawn below a position, 0 where none was."""
        ends = self._withdrawn[plan]
        index = bisect_left(ends, position)
        return ends[index - 1] if index else 0

    def is_withdrawn_after(self, plan: str, position: int) -> bool:
        """Tell whether a consent for a plan is withdrawn beyond a position."""
        ends = self._withdrawn[plan]
        return bool(ends) and ends[-1] > position
