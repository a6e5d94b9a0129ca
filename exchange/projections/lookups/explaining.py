"""What explains one access: the first reason that holds, or none.

Promises: pure; a part in a case that somebody gave himself explains nothing until he does something on the
file, for it is how somebody would let himself in. Windows include both ends.
Source: Fabbri and LeFevre 2011; the rules in `rules.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.projections.lookups.accesses import DAY, JUSTIFIED
from exchange.projections.lookups.rules import (
    BREAK_GLASS,
    CASE,
    COVERED_MIN,
    EXPLANATIONS,
    OWN_PART_WORKED_DAYS,
    REFERRAL,
    RIGHTS,
    STAND_IN,
    TASK,
    WITHIN,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.projections.lookups.accesses import Access, Known, Tie

UNEXPLAINED: Final = ""


def explain(access: Access, known: Known) -> str:
    """Return the name of what explains an access, empty where nothing does."""
    for one in EXPLANATIONS:
        if _HOLDS[one.name](access, known):
            return one.name
    return UNEXPLAINED


def _in_window(tie: Tie, access: Access, name: str) -> bool:
    """Tell whether a tie covers the access: from so long before it began until so long after its end."""
    window = WITHIN[name]
    begins = tie.start - window.days_before * DAY <= access.at
    return begins and (tie.end is None or access.at <= tie.end + window.days_after * DAY)


def _case(access: Access, known: Known) -> bool:
    return any(
        tie.kind == CASE
        and tie.professional == access.professional
        and _in_window(tie, access, CASE)
        and (not tie.own or known.worked_between(access, tie.start, tie.start + OWN_PART_WORKED_DAYS * DAY))
        for tie in known.ties(access)
    )


def _stand_in(access: Access, known: Known) -> bool:
    appointed = any(
        tie.kind == STAND_IN
        and tie.professional == access.professional
        and not tie.own
        and _in_window(tie, access, STAND_IN)
        and known.has_part(access.resident, (access.organisation, access.task, tie.place_of), access.at)
        for tie in known.ties(access)
    )
    return appointed or _covers(access, known)


def _covers(access: Access, known: Known) -> bool:
    """Tell whether he worked that day on other files of a colleague who works on this one."""
    others = known.worked_that_day(access) - {access.resident}
    if len(others) < COVERED_MIN:
        return False
    for tie in known.ties(access):
        colleague = (access.organisation, access.task, tie.professional)
        if (
            tie.kind == CASE
            and tie.professional != access.professional
            and known.has_part(access.resident, colleague, access.at)
        ):
            # Not his own files: on those he works every day.
            person = (access.organisation, access.task, access.professional)
            covered = sum(
                known.has_part(one, colleague, access.at) and not known.has_part(one, person, access.at)
                for one in others
            )
            if covered >= COVERED_MIN:
                return True
    return False


def _referral(access: Access, known: Known) -> bool:
    return any(tie.kind == REFERRAL and _in_window(tie, access, REFERRAL) for tie in known.ties(access))


def _rights(access: Access, known: Known) -> bool:
    return any(
        tie.kind == RIGHTS and tie.professional == access.professional and _in_window(tie, access, RIGHTS)
        for tie in known.ties(access)
    )


def _break_glass(access: Access, _known: Known) -> bool:
    return access.emergency == JUSTIFIED


def _task(access: Access, known: Known) -> bool:
    window = WITHIN[TASK]
    return known.worked_himself(access, window.days_before * DAY, window.days_after * DAY)


_HOLDS: Final[Mapping[str, Callable[[Access, Known], bool]]] = {
    CASE: _case,
    STAND_IN: _stand_in,
    REFERRAL: _referral,
    RIGHTS: _rights,
    BREAK_GLASS: _break_glass,
    TASK: _task,
}
