"""What one collection of a plan holds: kinds of elements, who brought them, when their terms end.

Promises: looked through once for the very tuple a plan has; of a plan that changed since it was looked at,
nothing of before is held, for each element keeps all that was told of it.
Source: GDPR 5(1)(e); exchange/decisions/0206-memory-keeps-no-past-state-and-no-month.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.values import task_of
from exchange.gate.retention import retention_end
from exchange.pipeline.facts import law_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

HELD_MAX: Final = 4

Key = tuple[str, str]  # (data category, origin: task and organisation that brought the element)


class Held(NamedTuple):
    """What a collection holds: the very tuple, its keys, and when the first of its elements ends its term.

    `version` is that of the plan it was first seen in.
    """

    elements: tuple[Any, ...]
    keys: tuple[Key, ...]
    earliest: datetime | None
    version: int

    @classmethod
    def of(cls, elements: tuple[Any, ...], version: int) -> Held:
        """Look through a collection once."""
        ends = [end for element in elements if (end := end_of(element)) is not None]
        return cls(elements, _keys_of(elements), min(ends, default=None), version)

    def at(self, now: datetime) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        """Return the keys of what is within its term, and of what is not any more."""
        if self.earliest is None or now < self.earliest:
            return self.keys, ()
        kept = [element for element in self.elements if not has_ended(element, now)]
        ended = [element for element in self.elements if has_ended(element, now)]
        return _keys_of(kept), _keys_of(ended)


def held_in(known: dict[int, Held], elements: tuple[Any, ...], version: int) -> Held:
    """Return what a collection of a plan of this version holds; `known` is what is held, newest last."""
    # The same tuple holds the same elements; a version number would not survive a dropped group. What is held
    # keeps its tuple, so that no other one gets its id.
    held = known.get(id(elements))
    if held is None:
        # Not asked again: whoever sees the same as before the change looks through it once more.
        for place in [place for place, one in known.items() if one.version < version]:
            del known[place]
        held = known[id(elements)] = Held.of(elements, version)
        # Who sees all of it and who does not look in turns: neither makes the other wait.
        if len(known) > HELD_MAX:
            del known[next(iter(known))]
    return held


def end_of(element: Any) -> datetime | None:  # noqa: ANN401 -- any element of a plan
    """Return when an element's term ends; None where nobody noted when it was recorded."""
    recorded: datetime | None = element.recorded
    return None if recorded is None else retention_end(recorded, law_of(task_of(element.origin)))


def has_ended(element: Any, now: datetime) -> bool:  # noqa: ANN401 -- any element of a plan
    """Tell whether an element's term has ended: nothing of it leaves any more."""
    end = end_of(element)
    return end is not None and end <= now


def _keys_of(elements: Sequence[Any]) -> tuple[Key, ...]:
    return tuple(dict.fromkeys((element.category, element.origin) for element in elements))
