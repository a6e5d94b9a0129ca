"""When each element of a plan was recorded: the term for which it is kept runs from then.

Promises: what was noted stays; an element is noted by the event that brought it.
Source: GDPR 5(1)(e); the gate's terms (`exchange.gate.retention`).
"""

from datetime import datetime
from typing import Final

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
    for name in COLLECTIONS:
        elements = getattr(after, name)
        if elements and (before is None or elements is not getattr(before, name)):
            for element in reversed(elements):
                if element.recorded is not None:
                    break
                object.__setattr__(element, "recorded", at)
    return after
