"""When each element of a plan was recorded: the term for which it is kept runs from then.

Promises: what was noted stays; an element is noted by the event that brought it.
Source: GDPR 5(1)(e); the gate's terms (`exchange.gate.retention`).
"""

from datetime import datetime
from typing import Final

from exchange.domain.kernel import with_changes
from exchange.domain.plan.state import PlanState

COLLECTIONS: Final = (
    "reports",
    "conversations",
    "situations",
    "goals",
    "lens_assessments",
    "supports",
    "agreements",
)


def stamped(before: PlanState | None, after: PlanState, at: datetime) -> PlanState:
    """Note in the elements an event brought when it was recorded: their term runs from then."""
    changes: dict[str, object] = {}
    for name in COLLECTIONS:
        elements = getattr(after, name)
        if elements and (before is None or elements is not getattr(before, name)):
            known = len(elements)
            while known and elements[known - 1].recorded is None:
                known -= 1
            if known < len(elements):
                new = (with_changes(one, recorded=at) for one in elements[known:])
                changes[name] = (*elements[:known], *new)
    return with_changes(after, **changes) if changes else after
