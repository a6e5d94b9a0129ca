"""Standings found lately, so that a busy case is not looked through anew for each command on it.

Promises: one is found again only where the states it came from are the very same objects and nothing in it
depends on the moment within a day, as days are here: the relation has no end, and the resident spoke no word
of consent. What a walk changes makes new objects, so it is never found again after that. Bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.days import day_of
from exchange.domain.relations import relation_for
from exchange.domain.values import Author
from exchange.pipeline.facts import RESIDENT_PREFIX, standing_of

if TYPE_CHECKING:
    from datetime import date

    from exchange.pipeline.facts import Standing, Subject
    from exchange.pipeline.walk import CommandWalk, View

STANDINGS_KEPT_MAX: Final = 4_096


class Kept(NamedTuple):
    """A standing beside the states it was found from."""

    case: Any
    resident: Any
    scope: tuple[str, ...]
    day: date
    standing: Standing


class Standings:
    """Owned by the writer thread."""

    def __init__(self) -> None:
        self._kept: dict[object, Kept] = {}

    def of(self, walk: CommandWalk, view: View, subject: Subject) -> Standing:
        """Return what `standing_of` returns."""
        if not subject.resident or not subject.case_stream:
            return standing_of(walk, view, subject)
        caller, day = walk.caller, day_of(walk.now)
        name = (
            subject.case_stream,
            caller.professional,
            caller.task,
            caller.organisation,
            caller.resident,
            walk.claim.purpose,
            walk.relation,
        )
        case, resident = view.state(subject.case_stream), view.state(RESIDENT_PREFIX + subject.resident)
        scope = view.scope(subject.resident)
        kept = self._kept.get(name)
        if (
            kept is not None
            and kept.case is case
            and kept.resident is resident
            and kept.scope is scope
            and kept.day == day
        ):
            return kept.standing
        # Never the same again: left here, what changed last would show in how much of it is compared.
        self._kept.pop(name, None)
        standing = standing_of(walk, view, subject)
        who = Author(caller.organisation, caller.task, caller.professional)
        relation = relation_for(case, who, walk.now, walk.claim.purpose)
        if relation is not None and relation.end is None and not standing.consents:
            if len(self._kept) >= STANDINGS_KEPT_MAX:
                self._kept.clear()
            self._kept[name] = Kept(case, resident, scope, day, standing)
        return standing
