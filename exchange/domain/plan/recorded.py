"""When each element of a plan was recorded, and which version of the plan brought or changed it, and by whom.

Promises: the term for which an element is kept runs from when it was recorded, and that stays; a leaf that
says what it said before was not changed; nothing is noted by hand: whatever an event did is noted, and of a
correction when it was made.
Source: GDPR 5(1)(e); the gate's terms (`exchange.gate.retention`);
exchange/decisions/0080-versions-by-part.md.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from itertools import compress
from operator import attrgetter, is_not
from typing import Any, Final

from exchange.domain.kernel import Event, what_changed
from exchange.domain.plan.elements import Rewrite
from exchange.domain.plan.events import PlanEvent
from exchange.domain.plan.state import PlanState
from exchange.domain.values import origin_of

COLLECTIONS: Final = (
    "reports",
    "conversations",
    "situations",
    "goals",
    "lens_assessments",
    "rule_conflicts",
    "supports",
    "funding",
    "trajectories",
    "evaluations",
    "agreements",
    "answers",
    "preferences",
    "signals",
    "contributions",
    "wishes",
    "matches",
)

_of: Final = attrgetter(*COLLECTIONS)
_put: Final = object.__setattr__
_NO_LEAVES: Final = frozenset({"origin", "category", "recorded", "written", "rewritten"})
# For each event of a fold all of them are looked at, and most did not change.
_changed: Final = what_changed(COLLECTIONS)


def stamped(before: PlanState | None, after: PlanState, event: Event, at: datetime) -> PlanState:
    """Note in the elements an event brought or changed that it did so.

    They and the state were made by folding that event and nobody has seen them yet: they are written to.
    """
    if before is None:
        for elements in _of(after):
            _note((), elements, after.version, event, at)
        return after
    for was, elements in _changed(before, after):
        _note(was, elements, after.version, event, at)
    if after.corrections is not before.corrections:
        for correction in reversed(after.corrections):
            if correction.recorded is not None:
                break
            _put(correction, "recorded", at)
    return after


def _note(was: Sequence[Any], elements: Sequence[Any], version: int, event: Event, at: datetime) -> None:
    # What an event brings stands at the end, and no version is noted in it yet.
    end = len(elements)
    while end:
        element = elements[end - 1]
        if element.written:
            break
        end -= 1
        if element.recorded is None:
            _put(element, "recorded", at)
        _put(element, "written", version)
    if end == len(was):
        # Nothing went away: what was changed stands where it stood.
        for place in compress(range(end), map(is_not, elements, was)):
            _note_change(was[place], elements[place], version, event, at)
    elif not (end == len(was) - 1 and _one_went(was, elements, end)):
        _note_moved(was, elements[:end], version, event, at)


def _one_went(was: Sequence[Any], elements: Sequence[Any], end: int) -> bool:
    """Tell whether one element went away and those after it moved up, as when one is replaced."""
    place = 0
    for one, there in zip(was, elements, strict=False):
        if one is not there:
            break
        place += 1
    # The same are equal without being looked at; of one that only says the same there is nothing to note.
    return was[place + 1 :] == elements[place:end]


def _note_moved(
    was: Sequence[Any], elements: Sequence[Any], version: int, event: Event, at: datetime
) -> None:
    known = set(map(id, was))
    for element in elements:
        if id(element) not in known:
            # What was noted of the one it was made of came along.
            noted = (element.recorded, element.written, element.origin)
            same = (one for one in was if (one.recorded, one.written, one.origin) == noted)
            _note_change(next(same, None), element, version, event, at)


def _note_new(element: Any, version: int, at: datetime) -> None:  # noqa: ANN401 -- any element of a plan
    if element.recorded is None:
        _put(element, "recorded", at)
    _put(element, "written", version)


def _note_change(former: Any, element: Any, version: int, event: Event, at: datetime) -> None:  # noqa: ANN401 -- any element
    if former is None or not element.written:
        _note_new(element, version, at)
        return
    by = origin_of(event.task, event.organisation) if isinstance(event, PlanEvent) else ""
    leaves = _leaves_of(element.__class__)
    changed = [leaf for leaf in leaves if getattr(former, leaf) != getattr(element, leaf)]
    kept = (one for one in element.rewritten if one.leaf not in changed)
    _put(element, "rewritten", (*kept, *(Rewrite(leaf, version, by) for leaf in sorted(changed))))


@cache
def _leaves_of(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 -- any class of elements
    slots: tuple[str, ...] = kind.__slots__
    return tuple(leaf for leaf in slots if leaf not in _NO_LEAVES)
