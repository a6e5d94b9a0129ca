"""When each element of a plan was recorded: the term for which it is kept runs from then.

Promises: what was noted stays; an element is noted by the event that brought it, a correction by its own.
Source: GDPR 5(1)(e); the gate's terms (`exchange.gate.retention`).
"""

from datetime import datetime
from operator import attrgetter
from typing import Final

from exchange.domain.kernel import what_changed
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


def stamped(before: PlanState | None, after: PlanState, at: datetime) -> PlanState:
    """Note in the elements an event brought when it was recorded: their term runs from then.

    They and the state were made by folding that event and nobody has seen them yet: they are written to.
    """
    for elements in _of(after) if before is None else _changed(before, after):
        for element in reversed(elements):
            if element.recorded is not None:
                break
            object.__setattr__(element, "recorded", at)
    return after


_NOTED: Final = (*COLLECTIONS, "corrections")
_of: Final = attrgetter(*_NOTED)
# For each event of a fold all of them are looked at, and most did not change.
_changed: Final = what_changed(_NOTED)
