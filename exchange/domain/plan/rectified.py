"""What was corrected in a plan: noted beside it, so that nobody who looks back is handed what was wrong.

Promises: of what was corrected after a moment the newest value stands in the place of what stood there then,
and it is told that something else did; of words only what is right is kept here. Days and reasons of care are
set anew when it starts or stops again: a correction is of the value it took the place of, of no later one.
What the resident says beside an element completes it, and stands beside what it was before he said so.
Source: GDPR 5(1)(d), 16; exchange/decisions/0070-nobody-reads-what-was-corrected.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from exchange.domain.kernel import quickly_made, with_changes

# What names an element within its collection, beside who recorded it. What the resident said of the plan is
# no record of another about him: he says it anew.
NAMED_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reports": "report_id",
        "conversations": "conversation_id",
        "situations": "life_domain",
        "goals": "goal_id",
        "lens_assessments": "law",
        "supports": "support_id",
    }
)
# What can be corrected of them is days and a reason, which other events set anew; none of it is words.
SET_ANEW: Final = frozenset({"supports"})


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A field of an element says `value` from this version of the plan on.

    `element_recorded` is when the element was recorded, `recorded` when it was corrected, `by` the recipient
    that corrected it, as a seal names it. `stood` is what it took the place of, in what is set anew; else
    nothing.
    """

    version: int
    collection: str
    name: str
    origin: str
    element_recorded: datetime
    field: str
    value: Any
    stood: Any
    by: str
    recorded: datetime | None = None

    def finds(self, collection: str, element: Any) -> bool:  # noqa: ANN401 -- any element of a plan
        """Tell whether this is the element it is about."""
        if collection != self.collection or element.recorded != self.element_recorded:
            return False
        return (getattr(element, NAMED_BY[collection]), element.origin) == (self.name, self.origin)

    def replaces(self, value: Any) -> bool:  # noqa: ANN401 -- what a field of an element holds
        """Tell whether it took the place of this."""
        return self.collection not in SET_ANEW or bool(value == self.stood)


class Rectified(NamedTuple):
    """An element without what was wrong in it, and the corrections that took, oldest first."""

    element: Any
    by: tuple[Correction, ...]


class Noted:
    """The corrections of a plan by what they are of: an element looks at its own, however many there are."""

    def __init__(self, corrections: Iterable[Correction]) -> None:
        self._of: dict[tuple[str, str, str, datetime | None], list[Correction]] = {}
        for one in corrections:
            name = (one.collection, one.name, one.origin, one.element_recorded)
            self._of.setdefault(name, []).append(one)

    def since(self, version: int, collection: str, element: Any) -> Sequence[Correction]:  # noqa: ANN401 -- any element of a plan
        """Return those of an element of after a version of the plan, oldest first."""
        if collection not in NAMED_BY:
            return ()
        name = (collection, getattr(element, NAMED_BY[collection]), element.origin, element.recorded)
        return since(self._of.get(name, ()), version)


def since(corrections: Sequence[Correction], version: int) -> tuple[Correction, ...]:
    """Return those of after a version of the plan."""
    return tuple(one for one in corrections if one.version > version)


def rectified(collection: str, element: Any, corrections: Iterable[Correction]) -> Rectified:  # noqa: ANN401 -- any element of a plan
    """Return the element of a moment as it may be read, by all corrections of after it, oldest first."""
    taken = []
    for one in corrections:
        if one.finds(collection, element) and one.replaces(getattr(element, one.field)):
            element = with_changes(element, **{one.field: one.value})
            taken.append(one)
    return Rectified(element, tuple(taken))


def said_now(element: Any, field: str, value: Any, corrections: Iterable[Correction]) -> Any:  # noqa: ANN401 -- a support, and what a field of it held
    """Return what a field of a support that held this value says by now, by all corrections of after it."""
    for one in corrections:
        if one.field == field and one.finds(one.collection, element) and one.replaces(value):
            value = one.value
    return value
