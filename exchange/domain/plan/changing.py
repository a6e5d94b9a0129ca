"""A support that runs and is changed: how much of it, and until when.

Promises: only the college that requested it changes it, from when it is assigned until care has ended; its
product, its provider and its first day stay, for those make another support. What its author is not shown he
does not replace. A yes was to the support as it was written then: the change asks one anew. What stood there
before stays in the events of the past, where it is read as of a day.
Source: iWmo and iJw 3.2 (301, 317); Wmo 2015 2.3.5, 2.3.9; exchange/decisions/0155-a-change-of-what-runs.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.decide import open_plan
from exchange.domain.plan.elements import Support
from exchange.domain.plan.events import PlanEvent, plan_words
from exchange.domain.plan.fitting import fit_fault
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.support import FREQUENCY, UNIT, VOLUME_MAX, support_moved
from exchange.domain.shape import FINE, day_fault, range_fault, refuse_faults
from exchange.domain.values import SupportStatus
from exchange.errors import RuleBroken

# The leaves a change can write, in the order the event names them.
TERMS: Final = ("end_date", "volume", "unit", "frequency")
_RUNS: Final = frozenset({SupportStatus.ASSIGNED, SupportStatus.STARTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSupport(AuthoredCommand):
    """Change a support that runs: all of what it says from here on; no last day where it is open."""

    support_id: str
    end_date: date | None = None
    volume: int = 0
    unit: str = ""
    frequency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportChanged(PlanEvent):
    """A support that runs says something else from here on, in the leaves that `changed` names."""

    TOPIC: ClassVar[str] = "plan.support_changed.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("changed", "end_date", "volume", "unit", "frequency")
    COMMITTED: ClassVar[tuple[str, ...]] = ("volume", "end_date")
    support_id: str
    changed: tuple[str, ...]
    end_date: date | None
    volume: int
    unit: str
    frequency: str


def change_support(command: ChangeSupport, state: PlanState | None) -> Events:
    """Decide on a change of a support that runs."""
    plan = open_plan(state)
    author = command.author
    if not author.is_college:
        raise RuleBroken("only a college changes what it assigned", rule="NOT_THE_COLLEGE")
    support = support_moved(plan, command.support_id, command)
    if support.state not in _RUNS and not support.paused:
        raise RuleBroken(
            "the support does not stand where this step begins",
            rule="SUPPORT_STATE",
            expected=",".join(sorted(_RUNS)),
            found=support.state,
        )
    refuse_faults(
        {
            "end_date": day_fault(command.end_date, required=False) or _end_fault(command, support, plan),
            "volume": _volume_fault(command),
            "unit": FINE if UNIT.fullmatch(command.unit) else "must be 2 characters at most",
            "frequency": FINE if FREQUENCY.fullmatch(command.frequency) else "must be 1 character at most",
        }
    )
    changed = tuple(leaf for leaf in TERMS if getattr(command, leaf) != getattr(support, leaf))
    if not changed:
        raise RuleBroken("the support says this already", rule="NOTHING_CHANGED")
    event = SupportChanged(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        support_id=support.support_id,
        changed=changed,
        end_date=command.end_date,
        volume=command.volume,
        unit=command.unit,
        frequency=command.frequency,
    )
    return (event,)


def _volume_fault(command: ChangeSupport) -> str:
    if len({bool(command.volume), bool(command.unit), bool(command.frequency)}) > 1:
        return "must come with unit and frequency, or none of the three"
    return range_fault(command.volume, 0, VOLUME_MAX)


def _end_fault(command: ChangeSupport, support: Support, plan: PlanState) -> str:
    last = command.end_date
    if last is None:
        return FINE
    if any(last < day for day in _days_of_care(support)):
        return "must not lie before a day of care"
    # As where a last day is corrected: not before the first day, nor before the end of what is paid for.
    return fit_fault("supports.end_date", plan, support, last, command.now)


def _days_of_care(support: Support) -> tuple[date, ...]:
    days = (support.care_start_date, support.care_end_date)
    return (*(day for day in days if day is not None), *(care.last_day for care in support.earlier_care))


def _changed(state: PlanState, event: SupportChanged) -> PlanState:
    version = state.version + 1
    says = {leaf: getattr(event, leaf) for leaf in TERMS if leaf in event.changed}
    supports = tuple(
        # A yes was to what was written then.
        with_changes(one, corrected_version=version, **says) if one.support_id == event.support_id else one
        for one in state.supports
    )
    return with_changes(state, version=version, supports=supports)


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType({ChangeSupport: change_support})
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType({SupportChanged: _changed})
