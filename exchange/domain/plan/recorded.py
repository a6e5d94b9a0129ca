"""When each element of a plan was recorded: the term for which it is kept runs from then.

Promises: what was noted stays; an element is noted by the event that brought it, a correction by its own.
Source: GDPR 5(1)(e); the gate's terms (`exchange.gate.retention`).
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from exchange.domain.plan.state import PlanState

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


def stamped(before: PlanState | None, after: PlanState, at: datetime) -> PlanState:
    """Note in the elements an event brought when it was recorded: their term runs from then.

    They and the state were made by folding that event and nobody has seen them yet: they are written to.
    """
    if before is None:
        for elements in _of(after):
            _note(elements, at)
        return after
    if before.corrections is not after.corrections:
        _note(after.corrections, at)
    # For each event of a fold all of them are looked at, and most did not change.
    for was, elements in zip(_of(before), _of(after), strict=True):
        if elements is not was:
            _note(elements, at)
    return after


def _note(elements: Sequence[Any], at: datetime) -> None:
    for element in reversed(elements):
        if element.recorded is not None:
            break
        object.__setattr__(element, "recorded", at)
