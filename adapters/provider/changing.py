"""A change of an assignment that runs, on the municipality's side: what is told of it, and why.

Promises: what is told was agreed with, and stands on the plan; it keeps its number and its first day, and was
decided later than what was told before (IV013), so that whichever file is read last the newest counts. Told
beside something else, an assignment is told as it was told last, as long as its change was not told.
Source: iWmo and iJw 3.2: 301 (RedenWijziging), 317; IV013, OP087, TR379.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import ChangeReason
from adapters.provider.plan_seen import Stage
from adapters.provider.requests import Changed

if TYPE_CHECKING:
    from adapters.provider.desk import Desk
    from adapters.provider.plan_seen import Support
    from adapters.provider.records import Assignment
    from adapters.provider.requests import Wanted

_RUNS: Final = frozenset({Stage.ASSIGNED, Stage.STARTED})


def runs(support: Support) -> bool:
    """Tell whether an assignment runs: also while care stopped for a while."""
    return support.paused or support.stage in _RUNS


class Changing:
    """Tells changes of what was assigned."""

    def __init__(self, desk: Desk, kind: str) -> None:
        self._desk: Final = desk
        self._kind: Final = kind

    def told_already(self, line: Assignment) -> bool:
        """Tell whether the terms of an assignment are those told last: it was changed, and changed back."""
        told = self._desk.terms.of(line.number)
        return told is not None and _terms(told.assignment) == _terms(line)

    def decide(self, support_id: str, pseudonym: str, number: int, wanted: Wanted) -> ChangeReason | None:
        """Note the moment of a change and the request it honours; return why it is.

        All in the caller's transaction. None where the code list has no word for it: another size alone, that
        nobody asked for.
        """
        self._desk.care.decide_again(support_id, self._desk.local_now)
        if self._desk.requests.honour_change(support_id, pseudonym, Changed(number, wanted)):
            return ChangeReason.ASKED_BY_PROVIDER
        told = self._desk.terms.of(number)
        before = None if told is None else told.assignment.ends_on
        if told is None or before == wanted.ends_on:
            return None
        later = (wanted.ends_on or date.max) > (before or date.max)
        return ChangeReason.PROLONGED if later else ChangeReason.SHORTENED

    def beside(self, support_id: str, line: Assignment) -> Assignment:
        """Return a line of a 301 that is about something else, as it may be told."""
        told = self._desk.terms.of(line.number)
        if told is None:
            return line
        if self._desk.errands.change_untold(support_id, self._kind):
            return replace(told.assignment, provider_reference=line.provider_reference)
        return replace(line, change_reason=told.assignment.change_reason)


def _terms(one: Assignment) -> tuple[object, ...]:
    return one.ends_on, one.volume, one.unit, one.frequency
