"""What can be taken along (GDPR 20), and how a copy of it is known again.

Promises: portable is what the resident's side recorded itself, on consent or on a contract, and nothing else;
of everything else it is said why not. A copy that was taken through the portal is known by its SHA-256.
Source: GDPR 20(1), 20(3), 20(4); recital 68.
"""

from enum import StrEnum
from typing import Final

from exchange.domain.limits.restrictions import Told
from exchange.domain.rights.words import Right
from exchange.domain.shape import FINE, hash_fault
from exchange.domain.values import TASKS_OF_RESIDENTS_SIDE

# Consent, also for special data, or a contract with the resident (20(1)(a)).
PORTABLE_LEGAL_BASES: Final = frozenset({"6(1)(a)", "6(1)(b)"})
PORTABLE_SPECIAL: Final = "9(2)(a)"


class NotPortable(StrEnum):
    """Why an element does not go along."""

    RECORDED_BY_OTHERS = "recorded_by_others"  # 20(1): what the resident provided himself
    PUBLIC_TASK = "public_task"  # 20(1)(a), 20(3): not on consent or a contract


def why_not(task: str, gdpr6: str, gdpr9: tuple[str, ...]) -> NotPortable | None:
    """Return why what was recorded in a task on this entry is not portable; None where it is."""
    if task not in TASKS_OF_RESIDENTS_SIDE:
        return NotPortable.RECORDED_BY_OTHERS
    if gdpr6 in PORTABLE_LEGAL_BASES or PORTABLE_SPECIAL in gdpr9:
        return None
    return NotPortable.PUBLIC_TASK


def copy_fault(right: str, how: str, sha256: str) -> str:
    """Check what a copy is known by: asked of one that was taken through the portal, and of nothing else."""
    if right == Right.PORTABILITY and how == Told.PORTAL:
        return hash_fault(sha256)
    return "is for a copy that was taken along through the portal" if sha256 else FINE
