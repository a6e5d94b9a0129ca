"""Mandates: by which decision another body acts in the name of the operator's college.

Promises: a shard is one municipality, so a task `college:…` is a task of the operator's own college; whoever
else is to have one names the published decision. The college of another municipality is another recipient.
Source: Awb 10:1 (who has a mandate acts in the name of the college), 10:4-10:5 (given in writing).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from exchange.domain.shape import day_fault, text_fault, token_fault
from exchange.domain.values import COLLEGE_PREFIX
from exchange.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class Mandate:
    """By which published decision, of which day, for what."""

    reference: str
    day: date
    text: str

    @classmethod
    def read(cls, event: Any) -> "Mandate | None":  # noqa: ANN401 -- an event that `as_fields` filled
        """Return what an event says; no day is no mandate."""
        if event.mandate_day is None:
            return None
        return cls(event.mandate_reference, event.mandate_day, event.mandate_text)


def as_fields(mandate: Mandate | None) -> dict[str, Any]:
    """Return the fields of an event."""
    if mandate is None:
        return {"mandate_reference": "", "mandate_day": None, "mandate_text": ""}
    return {
        "mandate_reference": mandate.reference,
        "mandate_day": mandate.day,
        "mandate_text": mandate.text,
    }


def under_mandate(tasks: Iterable[str], *, operator: bool) -> frozenset[str]:
    """Return the tasks that are held under a mandate only: to the operator its college is its own."""
    return frozenset() if operator else frozenset(task for task in tasks if task.startswith(COLLEGE_PREFIX))


def mandate_faults(mandate: Mandate | None, needing: frozenset[str], today: date) -> dict[str, str]:
    """Return what is wrong, by field: one that covers nothing is a mistake about who somebody is."""
    if mandate is None:
        return {}
    if not needing:
        return {"mandate": "is for a task of the college that another than the operator gets"}
    future = mandate.day > today
    return {
        "mandate.reference": token_fault(mandate.reference),
        "mandate.decision_date": "must not lie in the future" if future else day_fault(mandate.day),
        "mandate.text": text_fault(mandate.text),
    }


def refuse_unmandated(mandate: Mandate | None, needing: frozenset[str]) -> None:
    """Refuse to make somebody else the operator's college. Raises RuleBroken."""
    if needing and mandate is None:
        raise RuleBroken(
            "this is a task of the operator's own college: name the mandate by which this body acts for it; "
            "another municipality's college is granted college-andere-gemeente:<law>",
            rule="MANDATE_NEEDED",
        )
