"""When each element of a plan was recorded, and which version of the plan brought or changed it, and by whom.

Promises: the term for which an element is kept runs from when it was recorded, and that stays; a leaf that
says what it said before was not changed; nothing is noted by hand: whatever an event did is noted.
Source: GDPR 5(1)(e); the gate's terms (`exchange.gate.retention`);
exchange/decisions/0080-versions-by-part.md.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from exchange.domain.kernel import Event
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
)

_of: Final = attrgetter(*COLLECTIONS)
_NO_LEAVES: Final = frozenset({"origin", "category", "recorded", "written", "rewritten"})


class _Noted(NamedTuple):
    """What is noted of one event: when it was recorded, the version it made, and whose it is."""

    at: datetime
    version: int
    by: str


def stamped(before: PlanState | None, after: PlanState, event: Event, at: datetime) -> PlanState:
    """Note in the elements an event brought or changed that it did so.

    They and the state were made by folding that event and nobody has seen them yet: they are written to.
    """
    by = origin_of(event.task, event.organisation) if isinstance(event, PlanEvent) else ""
    noted = _Noted(at, after.version, by)
    if before is None:
        for elements in _of(after):
            _note((), elements, noted)
        return after
    # For each event of a fold all of them are looked at, and most did not change.
    for was, elements in zip(_of(before), _of(after), strict=True):
        if elements is not was:
            _note(was, elements, noted)
    return after


def _note(was: Sequence[Any], elements: Sequence[Any], noted: _Noted) -> None:
    count = len(was)
    if elements[:count] == was:
        # Only added to, as nearly always: nothing that was there is looked at one by one.
        for element in elements[count:]:
            _note_new(element, noted)
        return
    there, known = set(map(id, elements)), set(map(id, was))
    gone = [one for one in was if id(one) not in there]
    for element in elements:
        if id(element) in known:
            continue
        former = next((one for one in gone if _is_copy(element, one)), None)
        if former is None:
            _note_new(element, noted)
        else:
            gone.remove(former)
            _put(element, "rewritten", _rewritten(former, element, noted))


def _is_copy(element: Any, former: Any) -> bool:  # noqa: ANN401 -- any element of a plan
    """Tell whether an element was made of a former one: what was noted of that one came along."""
    return element.recorded is not None and (element.recorded, element.written, element.origin) == (
        former.recorded,
        former.written,
        former.origin,
    )


def _note_new(element: Any, noted: _Noted) -> None:  # noqa: ANN401 -- any element of a plan
    if element.recorded is None:
        _put(element, "recorded", noted.at)
    _put(element, "written", noted.version)


def _rewritten(former: Any, element: Any, noted: _Noted) -> tuple[Rewrite, ...]:  # noqa: ANN401 -- any element
    changed = frozenset(_changed(former, element))
    kept = (one for one in element.rewritten if one.leaf not in changed)
    return (*kept, *(Rewrite(leaf, noted.version, noted.by) for leaf in sorted(changed)))


def _changed(former: Any, element: Any) -> Iterator[str]:  # noqa: ANN401 -- any element of a plan
    for leaf in _leaves_of(element.__class__):
        if getattr(former, leaf) != getattr(element, leaf):
            yield leaf


@cache
def _leaves_of(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 -- any class of elements
    slots: tuple[str, ...] = kind.__slots__
    return tuple(leaf for leaf in slots if leaf not in _NO_LEAVES)


def _put(element: Any, name: str, value: object) -> None:  # noqa: ANN401 -- any element of a plan
    object.__setattr__(element, name, value)
