"""How far a limit reaches: everything, one purpose, one recipient, or one purpose of one recipient.

Promises: an empty word is "every"; a recipient is an organisation and a task, as a consent names it.
Who decides about a scope is said in `mandate.py`.
Source: GDPR 21(1) (an objection on grounds of the resident's own situation), 18(1).
"""

from datetime import date
from typing import Final

from exchange.domain.mandate import refuse_but_operators_college, refuse_unless_about
from exchange.domain.shape import FINE, YEAR_MAX, member_fault, oin_fault, token_fault
from exchange.domain.values import Author, Purpose
from exchange.errors import RuleBroken

RECIPIENT_SEPARATOR: Final = "/"
OFFICER_TASK: Final = "fg"
TASKS_THAT_PROTECT: Final = frozenset({"veilig-thuis", "crisisdienst"})


def refuse_but_weighers(author: Author, purpose: str, recipient: str, *, names_staff: bool) -> None:
    """Refuse who does not weigh in this scope. Raises RuleBroken.

    A college decides, as the controller. Whether the resident is told a staff member's name is about the very
    people who work on the case: there the operator's officer may write down what the college decided, for the
    resident turns to him (GDPR 38(4)). In all else he advises and decides nothing (38(6), 39).
    """
    if names_staff and author.operator and author.task == OFFICER_TASK:
        return
    refuse_unless_about(author, purpose, recipient)


def refuse_but_sides(author: Author) -> None:
    """Refuse who is neither the resident's side nor a college that heard it. Raises RuleBroken."""
    if not (author.is_college or author.is_residents_side):
        raise RuleBroken("only the resident's side, or a college that heard it, does this", rule="NOT_TO_SAY")


def refuse_but_protectors(author: Author) -> None:
    """Refuse who does not answer for somebody's safety. Raises RuleBroken.

    A seal hides from every body at once, so a body under a mandate asks the municipality for one.
    """
    if author.task in TASKS_THAT_PROTECT:
        return
    if not author.is_college:
        raise RuleBroken("only a college, Veilig Thuis or the crisis service seals", rule="NOT_TO_SEAL")
    refuse_but_operators_college(author)


def purpose_fault(purpose: str) -> str:
    """Check a purpose; empty is every purpose."""
    return member_fault(Purpose, purpose) if purpose else FINE


def recipient_fault(recipient: str) -> str:
    """Check `<oin>/<task>`; empty is every recipient."""
    if not recipient:
        return FINE
    oin, separator, task = recipient.partition(RECIPIENT_SEPARATOR)
    if not separator or oin_fault(oin) or token_fault(task):
        return "must be an OIN, a slash and a task"
    return FINE


def review_fault(review_date: date | None, today: date) -> str:
    """Check the day on which somebody looks again: after today."""
    if review_date is None:
        return FINE
    return FINE if today < review_date and review_date.year <= YEAR_MAX else "must lie after today"


def in_scope(limit_purpose: str, limit_recipient: str, purpose: str, recipient_id: str) -> bool:
    """Tell whether a limit of this scope reaches a request for this purpose by this recipient."""
    return limit_purpose in {"", purpose} and limit_recipient in {"", recipient_id}
