"""When each element of a plan was recorded: the term for which it is kept runs from then.

Promises: what was noted stays; an element is noted by the event that brought it.
Source: GDPR 5(1)(e); the gate's terms (`exchange.gate.retention`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

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
    """Note in the elements an event brought when it was recorded: their term runs from then.

    They and the state were made by folding that event and nobody has seen them yet: they are written to.
    """
    # Written out: for each event of a fold all of them are looked at, and most did not change.
    if before is None or after.reports is not before.reports:
        _note(after.reports, at)
    if before is None or after.conversations is not before.conversations:
        _note(after.conversations, at)
    if before is None or after.situations is not before.situations:
        _note(after.situations, at)
    if before is None or after.goals is not before.goals:
        _note(after.goals, at)
    if before is None or after.lens_assessments is not before.lens_assessments:
        _note(after.lens_assessments, at)
    if before is None or after.supports is not before.supports:
        _note(after.supports, at)
    if before is None or after.agreements is not before.agreements:
        _note(after.agreements, at)
    return after


def _note(elements: Sequence[Any], at: datetime) -> None:
    for element in reversed(elements):
        if element.recorded is not None:
            break
        object.__setattr__(element, "recorded", at)
