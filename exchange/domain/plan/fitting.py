"""What a corrected field must fit, beside the words it may say; and what follows from it.

Promises: pure; of what its author is not shown nothing is compared. An order of days, a sum or a place in a
period that held before a correction holds behind it.
Source: GDPR 16; the rules of the commands that record the same fields.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from exchange.domain.kernel import with_changes
from exchange.domain.plan.elements import Evaluation, Funding, Support, Trajectory
from exchange.domain.plan.funding import COST_CENTS_MAX, overlap
from exchange.domain.plan.goals import day_come_fault, first_yes
from exchange.domain.plan.state import PlanState, closes
from exchange.domain.shape import FINE

# The plan as its author sees it, the element, what it will say, and the moment.
Fit = Callable[[PlanState, Any, Any, datetime], str]
TOO_EARLY_FOR_SUPPORT: Final = "must not lie before the support's first day"


def fit_fault(path: str, plan: PlanState, element: Any, says: Any, now: datetime) -> str:  # noqa: ANN401 -- any element and value
    """Return what does not fit; empty where it does."""
    check = _FITS.get(path)
    return FINE if check is None else check(plan, element, says, now)


def follows(path: str, element: Any, says: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- any element and value
    """Return what else of the element changes with it, by field."""
    found = _FOLLOWS.get(path)
    return {} if found is None else found[1](element, says)


def leaves_changed(path: str) -> tuple[str, ...]:
    """Return the leaves a correction of this one can change, itself first."""
    found = _FOLLOWS.get(path)
    return (path,) if found is None else (path, *found[0])


# --- conversations -----------------------------------------------------------------------------------


def _kind_fits(plan: PlanState, element: Any, says: Any, _now: datetime) -> str:  # noqa: ANN401 -- Conversation
    return _closing_fault(plan, says, element.outcome)


def _outcome_fits(plan: PlanState, element: Any, says: Any, _now: datetime) -> str:  # noqa: ANN401 -- Conversation
    return _closing_fault(plan, element.kind, says)


def _closing_fault(plan: PlanState, kind: str, outcome: str) -> str:
    shut = closes(kind, outcome) and plan.care_runs
    return "must not close a plan with assigned or started support" if shut else FINE


# --- supports and money ------------------------------------------------------------------------------


def _care_starts_fit(_plan: PlanState, support: Support, says: date, _now: datetime) -> str:
    if says < support.start_date:
        return TOO_EARLY_FOR_SUPPORT
    if support.care_end_date is not None and says > support.care_end_date:
        return "must not lie after the last day of care"
    if any(says <= care.last_day for care in support.earlier_care):
        return "must lie after the last day of care before it"
    return FINE


def _care_ends_fit(_plan: PlanState, support: Support, says: date, _now: datetime) -> str:
    started = support.care_start_date
    return "must not lie before the first day of care" if started is not None and says < started else FINE


def _support_starts_fit(plan: PlanState, support: Support, says: date, _now: datetime) -> str:
    care = [one.first_day for one in support.earlier_care]
    care += [] if support.care_start_date is None else [support.care_start_date]
    if support.end_date is not None and says > support.end_date:
        return "must not lie after the last day"
    if any(says > day for day in care):
        return "must not lie after the first day of care"
    if any(says > one.start_date for one in _money_of(plan, support)):
        return "must not lie after the first day of its funding"
    return FINE


def _support_ends_fit(plan: PlanState, support: Support, says: date | None, _now: datetime) -> str:
    if says is None:
        return FINE
    if says < support.start_date:
        return "must not lie before the start"
    if any(one.end_date is None or one.end_date > says for one in _money_of(plan, support)):
        return "must not lie before the last day of its funding"
    return FINE


def _money_of(plan: PlanState, support: Support) -> Iterable[Funding]:
    return (one for one in plan.funding if one.support_id == support.support_id)


def _number_fits(plan: PlanState, support: Support, says: str, _now: datetime) -> str:
    others = (one for one in plan.supports if one.support_id != support.support_id)
    taken = any(one.assignment_number and int(one.assignment_number) == int(says) for one in others)
    return "must not be that of another support of this plan" if taken else FINE


def _sources_fit(_plan: PlanState, funding: Funding, says: tuple[str, ...], _now: datetime) -> str:
    return FINE if len(says) == len(funding.amounts_cents) else "must be as many as the amounts"


def _amounts_fit(_plan: PlanState, funding: Funding, says: tuple[int, ...], _now: datetime) -> str:
    if len(says) != len(funding.sources):
        return "must be as many as the sources"
    return FINE if sum(says) <= COST_CENTS_MAX else f"must add up to {COST_CENTS_MAX} at most"


def _money_starts_fit(plan: PlanState, funding: Funding, says: date, _now: datetime) -> str:
    return _period_fault(plan, funding, with_changes(funding, start_date=says))


def _money_ends_fit(plan: PlanState, funding: Funding, says: date | None, _now: datetime) -> str:
    return _period_fault(plan, funding, with_changes(funding, end_date=says))


def _period_fault(plan: PlanState, was: Funding, now: Funding) -> str:
    if now.end_date is not None and now.end_date < now.start_date:
        return "must leave the first day before the last one"
    support = plan.support(now.support_id)
    if support is not None and now.start_date < support.start_date:
        return TOO_EARLY_FOR_SUPPORT
    last = None if support is None else support.end_date
    if last is not None and (now.end_date is None or now.end_date > last):
        return "must not lie after the support's last day"
    others = (one for one in plan.funding if one.support_id == was.support_id and one is not was)
    return (
        "must not overlap another funding of this support"
        if any(overlap(now, one) for one in others)
        else FINE
    )


# --- over the years ----------------------------------------------------------------------------------


def _come(_plan: PlanState, _element: Any, says: date, now: datetime) -> str:  # noqa: ANN401 -- any element
    return day_come_fault(says, now)


def _held_fits(plan: PlanState, _evaluation: Evaluation, says: date, now: datetime) -> str:
    agreed = first_yes(plan)
    if agreed is not None and says < agreed:
        return "must not lie before the resident agreed"
    return day_come_fault(says, now)


def _as_many_as(other: str, why: str) -> Fit:
    return lambda _plan, element, says, _now: FINE if len(says) == len(getattr(element, other)) else why


def _trajectory_starts_fit(_plan: PlanState, one: Trajectory, says: date, _now: datetime) -> str:
    later = (
        [] if _never_moved(one) else [*_days(one.earlier_dates)[_begins_with_start(one) :], one.since_date]
    )
    return "must not lie after what came next" if any(says > day for day in later) else FINE


def _trajectory_since_fits(_plan: PlanState, one: Trajectory, says: date, _now: datetime) -> str:
    if _never_moved(one):
        return FINE if says == one.start_date else "is the first day: correct that"
    return "must not lie before what came before" if says < _days(one.earlier_dates)[-1] else FINE


def _earlier_dates_fit(_plan: PlanState, one: Trajectory, says: tuple[str, ...], _now: datetime) -> str:
    if len(says) != len(one.earlier_dates):
        return "must be as many as there are"
    if _begins_with_start(one) and says[0] != one.earlier_dates[0]:
        return "begins with the first day: correct that"
    days = [one.start_date, *_days(says), one.since_date]
    return FINE if all(first <= then for first, then in pairwise(days)) else "must follow each other"


def _never_moved(one: Trajectory) -> bool:
    return not one.earlier_dates


def _begins_with_start(one: Trajectory) -> bool:
    """Tell whether the earliest step that is kept is the first: of many, the oldest are let go."""
    return bool(one.earlier_dates) and one.earlier_dates[0] == one.start_date.isoformat()


def _days(written: Iterable[str]) -> list[date]:
    return [date.fromisoformat(day) for day in written]


def _with_start(one: Trajectory, says: date) -> Mapping[str, Any]:
    if _never_moved(one):
        return {"since_date": says}
    return {"earlier_dates": (says.isoformat(), *one.earlier_dates[1:])} if _begins_with_start(one) else {}


def _with_amounts(_funding: Funding, says: tuple[int, ...]) -> Mapping[str, Any]:
    return {"cost_cents": sum(says)}


_FITS: Final[Mapping[str, Fit]] = MappingProxyType(
    {
        "conversations.kind": _kind_fits,
        "conversations.outcome": _outcome_fits,
        "situations.earlier_scores": _as_many_as("earlier_scores", "must be as many as there are"),
        "situations.earlier_judge_dates": _as_many_as("earlier_judge_dates", "must be as many as there are"),
        "goals.state_date": _come,
        "supports.start_date": _support_starts_fit,
        "supports.end_date": _support_ends_fit,
        "supports.assignment_number": _number_fits,
        "supports.care_start_date": _care_starts_fit,
        "supports.care_end_date": _care_ends_fit,
        "funding.sources": _sources_fit,
        "funding.amounts_cents": _amounts_fit,
        "funding.start_date": _money_starts_fit,
        "funding.end_date": _money_ends_fit,
        "trajectories.start_date": _trajectory_starts_fit,
        "trajectories.since_date": _trajectory_since_fits,
        "trajectories.earlier_steps": _as_many_as("earlier_steps", "must be as many as there are"),
        "trajectories.earlier_dates": _earlier_dates_fit,
        "evaluations.hold_date": _held_fits,
        "evaluations.scores": _as_many_as("goal_ids", "must be as many as the goals"),
        "signals.since_date": _come,
    }
)
# By leaf: the others that it can change, and to what.
_FOLLOWS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Any, Any], Mapping[str, Any]]]]] = (
    MappingProxyType(
        {
            "funding.amounts_cents": (("funding.cost_cents",), _with_amounts),
            "trajectories.start_date": (
                ("trajectories.since_date", "trajectories.earlier_dates"),
                _with_start,
            ),
        }
    )
)
