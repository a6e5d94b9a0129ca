"""Mandates: by which decision another body acts in the name of the operator's college, and how far that goes.

Promises: a shard is one municipality, so a task `college:…` is a task of the operator's own college; whoever
else is to have one names the published decision. The college of another municipality is another recipient.
How far a mandate goes is said here and nowhere else: the task it is held for. Under one a body decides about
itself, about a provider of its own law, and in a purpose of its own law. What touches more than one body, or
the municipality as controller, the operator's own college decides. ADR 43 lists which command asks what.
Source: Awb 10:1 (who has a mandate acts in the name of the college), 10:3 (none where the nature of the power
is against it), 10:4-10:5 (given in writing), 10:7 (the college keeps the power); GDPR 4(7), 24.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.shape import day_fault, text_fault, token_fault
from exchange.domain.values import (
    COLLEGE_PREFIX,
    LAW_OF_TASK,
    TASKS_OF_PROVIDERS,
    Author,
    Purpose,
)
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from collections.abc import Mapping

# Which law a purpose is of. A purpose that serves several laws, or none of these, is no body's own.
LAW_OF_PURPOSE: "Final[Mapping[str, str]]" = MappingProxyType(
    {
        Purpose.WMO_ONDERZOEK: "wmo",
        Purpose.WMO_LEVERING: "wmo",
        Purpose.WMO_HEROVERWEGING: "wmo",
        Purpose.WMO_AFSTEMMING: "wmo",
        Purpose.JEUGD_TOEGANG: "jw",
        Purpose.JEUGDHULP_VERLENEN: "jw",
        Purpose.JEUGD_AFSTEMMING: "jw",
        Purpose.PW_RECHT_VASTSTELLEN: "pw",
        Purpose.PW_ARBEIDSINSCHAKELING: "pw",
        Purpose.WGS_PLAN: "wgs",
        Purpose.WGS_VROEGSIGNALERING: "wgs",
    }
)
_BEYOND: Final = "this is beyond a mandate: the operator's own college does this"


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


# --- how far it goes --------------------------------------------------------------------------------


def decides_about(author: Author, purpose: str, recipient: str) -> bool:
    """Tell whether somebody of a college decides about this scope; an empty word is every one.

    The operator's college about all; a body under a mandate about itself, and about a provider of its own law
    in that law's purposes.
    """
    if not author.is_college or author.operator:
        return author.is_college
    if recipient == f"{author.oin}/{author.task}":
        return True
    task = recipient.partition("/")[2]
    own_provider = task in TASKS_OF_PROVIDERS and LAW_OF_TASK.get(task) == LAW_OF_TASK.get(author.task)
    return own_provider and (not purpose or decides_in(author, purpose))


def decides_in(author: Author, purpose: str) -> bool:
    """Tell whether somebody of a college decides in this purpose: under a mandate in one of its own law."""
    if not author.is_college or author.operator:
        return author.is_college
    law = LAW_OF_PURPOSE.get(purpose)
    return law is not None and law == LAW_OF_TASK.get(author.task)


def refuse_but_college(author: Author) -> None:
    """Refuse what a college alone does, whichever body of it: the resident's side, a provider.

    A basis is claimed by the caller and may cover more than one command; who may give this one is said here.
    Raises RuleBroken.
    """
    if not author.is_college:
        raise RuleBroken("only a college does this", rule="NOT_THE_COLLEGE")


def refuse_unless_about(author: Author, purpose: str, recipient: str) -> None:
    """Refuse who does not decide about this scope. Raises RuleBroken."""
    refuse_but_college(author)
    if not decides_about(author, purpose, recipient):
        raise RuleBroken(_BEYOND, rule="BEYOND_MANDATE")


def refuse_unless_in(author: Author, purpose: str) -> None:
    """Refuse who does not decide in this purpose. Raises RuleBroken."""
    refuse_but_college(author)
    if not decides_in(author, purpose):
        raise RuleBroken(_BEYOND, rule="BEYOND_MANDATE")


def refuse_but_operators_college(author: Author) -> None:
    """Refuse who does not decide for the municipality as a whole. Raises RuleBroken."""
    refuse_but_college(author)
    if not author.is_operators_college:
        raise RuleBroken(_BEYOND, rule="BEYOND_MANDATE")
