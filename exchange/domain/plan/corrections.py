"""What was recorded wrongly in a plan, corrected; and what the resident says beside an element.

Promises: one field of one element changes and nothing else; what stood there stays in the events of the past,
sealed under the same key; who recorded an element corrects it, and a college corrects what a college or the
resident's side recorded once a request for it was granted; nobody replaces what he is not shown. What the
resident says beside an element is the resident's alone, and goes where the element goes.
Which fields, and what they must fit, stand in `correctable.py` and `fitting.py`.
Source: GDPR 5(1)(d), 16; Jeugdwet 7.3.8(2); BW 7:454(2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple

from exchange.domain.kernel import AuthoredCommand, Events, with_changes
from exchange.domain.plan.correctable import (
    FIELDS,
    SPOKEN_BESIDE,
    STATEMENT,
    TERMS_OF_SUPPORT,
    TEXT,
)
from exchange.domain.plan.decide import existing
from exchange.domain.plan.events import PlanEvent
from exchange.domain.plan.fitting import fit_fault, follows
from exchange.domain.plan.rectified import NAMED_BY, Correction, noted
from exchange.domain.plan.state import PlanState, closed_since
from exchange.domain.shape import FINE, refuse_faults, text_fault
from exchange.domain.values import COLLEGE_PREFIX, TASKS_OF_RESIDENTS_SIDE, Author, origin_of, task_of
from exchange.errors import RuleBroken

# How a conversation ended decides whether the plan is closed.
_WHAT_CLOSES: Final = frozenset({"conversations.kind", "conversations.outcome"})
_SEALED: Final = ("collection", "name", "origin", "recorded", "field", "values")


class ElementName(NamedTuple):
    """An element as its reader names it; of several of one name, `before` counts from the newest."""

    collection: str
    name: str
    origin: str
    before: int = 0


# --- commands and event ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RectifyPlan(AuthoredCommand):
    """Correct one field. `values` are stored words; `granted` tells whether a request for it was granted."""

    element: ElementName
    field: str
    values: tuple[str, ...]
    granted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddStatement(AuthoredCommand):
    """Put the resident's own words beside an element; a later statement takes the place of an earlier one."""

    element: ElementName
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCorrected(PlanEvent):
    """A field of an element says something else from here on; sealed as the element is.

    The element is the one of that name and origin that was recorded at that moment.
    """

    TOPIC: ClassVar[str] = "plan.corrected.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType(dict.fromkeys(_SEALED, "@category"))
    category: str
    collection: str
    name: str
    origin: str
    recorded: datetime
    field: str
    values: tuple[str, ...]

    def sealed_fields(self) -> Mapping[str, str]:
        """Return the fields to seal, each with the category of this event's element."""
        return dict.fromkeys(self.SEALED, self.category)

    def finds(self, element: Any) -> bool:  # noqa: ANN401 -- any element of a plan
        """Tell whether this is the element it is about."""
        named = getattr(element, NAMED_BY.get(self.collection, ""), None)
        return (named, element.origin, element.recorded) == (self.name, self.origin, self.recorded)


# --- decide ------------------------------------------------------------------------------------------


def rectify_plan(command: RectifyPlan, state: PlanState | None) -> Events:
    """Decide `RectifyPlan`; a closed plan can be wrong too."""
    plan = existing(state)
    path = f"{command.element.collection}.{command.field}"
    kind = FIELDS.get(path)
    refuse_faults({"field": FINE if kind is not None else "is no field that is corrected"})
    assert kind is not None
    refuse_faults({"values": kind.fault(command.values)})
    element = found(plan, command.element)
    if not _may_correct(command.author, element.origin, granted=command.granted):
        raise RuleBroken(
            "who recorded it corrects it; a college corrects what a college or the resident's side recorded, "
            "once a request for it was granted",
            rule="NOT_TO_RECTIFY",
        )
    stands = getattr(element, command.field)
    if not stands or stands == date.min:
        # Of what is kept from him nothing stands there for who corrects it.
        raise RuleBroken("nothing is recorded there that could be wrong", rule="NOTHING_RECORDED")
    says = kind.read(command.values)
    if says == stands:
        refuse_faults({"values": "is what it says already"})
    refuse_faults({"values": fit_fault(path, plan, element, says, command.now)})
    return (_corrected(command, plan, element, command.field, command.values),)


def add_statement(command: AddStatement, state: PlanState | None) -> Events:
    """Decide `AddStatement`."""
    plan = existing(state)
    if not command.author.is_residents_side:
        raise RuleBroken(
            "only the resident's side speaks beside what others record", rule="NOT_RESIDENTS_SIDE"
        )
    refuse_faults(
        {
            "statement": text_fault(command.statement),
            "element.collection": FINE
            if command.element.collection in SPOKEN_BESIDE
            else "holds nothing to speak beside",
        }
    )
    return (_corrected(command, plan, found(plan, command.element), STATEMENT, (command.statement,)),)


def found(plan: PlanState, element: ElementName) -> Any:  # noqa: ANN401 -- any element of a plan
    """Return the element of this name. Raises RequestInvalid, RuleBroken."""
    named_by = NAMED_BY.get(element.collection, "")
    refuse_faults(
        {"element.collection": FINE if named_by else "is no collection whose elements are corrected"}
    )
    same = [
        one
        for one in getattr(plan, element.collection)
        if (getattr(one, named_by), one.origin) == (element.name, element.origin) and one.recorded is not None
    ]
    if not 0 <= element.before < len(same):
        raise RuleBroken("this plan has no such element", rule="ELEMENT_UNKNOWN")
    return same[-1 - element.before]


def _may_correct(author: Author, origin: str, *, granted: bool) -> bool:
    if origin == origin_of(author.task, author.oin):
        return True
    task = task_of(origin)
    # What another organisation recorded is that organisation's file: it answers for what stands in it.
    of_the_town = task.startswith(COLLEGE_PREFIX) or task in TASKS_OF_RESIDENTS_SIDE
    return granted and author.is_operators_college and of_the_town


def _corrected(
    command: RectifyPlan | AddStatement,
    plan: PlanState,
    element: Any,  # noqa: ANN401 -- any element of a plan
    field: str,
    values: tuple[str, ...],
) -> PlanCorrected:
    return PlanCorrected(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        category=element.category,
        collection=command.element.collection,
        name=command.element.name,
        origin=element.origin,
        recorded=element.recorded,
        field=field,
        values=values,
    )


# --- evolve ------------------------------------------------------------------------------------------


def corrected(state: PlanState, event: PlanCorrected) -> PlanState:
    """Fold `PlanCorrected`: the first element it is about says it from here on, which is noted beside it."""
    version = state.version + 1
    path = f"{event.collection}.{event.field}"
    kind = TEXT if event.field == STATEMENT else FIELDS.get(path)
    elements = getattr(state, event.collection, ())
    place = next((place for place, one in enumerate(elements) if event.finds(one)), None)
    if kind is None or place is None:
        return with_changes(state, version=version)
    says = kind.read(event.values)
    changes = {event.field: says, **follows(path, elements[place], says)}
    notes = noted(state.corrections, _note(event, version), elements[place], changes)
    corrections = (*state.corrections, *notes)
    if path in TERMS_OF_SUPPORT:
        # A yes was to what was written then.
        changes["corrected_version"] = version
    changed = with_changes(elements[place], **changes)
    replaced = (*elements[:place], changed, *elements[place + 1 :])
    after = with_changes(state, version=version, corrections=corrections, **{event.collection: replaced})
    if path in _WHAT_CLOSES:
        return with_changes(after, closed=closed_since(after.reports, after.conversations))
    return after


def _note(event: PlanCorrected, version: int) -> Correction:
    """Return what is noted of every leaf it changes; which they are, and what they say, is said of each."""
    return Correction(
        version=version,
        collection=event.collection,
        name=event.name,
        origin=event.origin,
        element_recorded=event.recorded,
        field="",
        value=None,
        since=0,
        by=f"{event.organisation}/{event.task}",
    )
