"""What was recorded wrongly in a plan, corrected; and what the resident says beside an element.

Promises: one field of one element changes and nothing else; what stood there stays in the events of the past,
sealed under the same key; who recorded an element corrects it, and a college corrects what a college or the
resident's side recorded once a request for it was granted; nobody replaces what he is not shown. What the
resident says beside an element is the resident's alone, and goes where the element goes.
Source: GDPR 5(1)(d), 16; Jeugdwet 7.3.8(2); BW 7:454(2); protos/exchange/v1/plan.proto (fields).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple

from exchange.domain.kernel import AuthoredCommand, Events, with_changes
from exchange.domain.plan.decide import existing
from exchange.domain.plan.events import PlanEvent
from exchange.domain.plan.rectified import NAMED_BY, SET_ANEW, Correction
from exchange.domain.plan.state import PlanState
from exchange.domain.shape import (
    FINE,
    day_fault,
    member_fault,
    members_fault,
    range_fault,
    refuse_faults,
    text_fault,
)
from exchange.domain.values import (
    COLLEGE_PREFIX,
    SCORE_MAX,
    SCORE_MIN,
    TASKS_OF_RESIDENTS_SIDE,
    Author,
    LensFinding,
    LifeDomain,
    StopReason,
    origin_of,
    task_of,
)
from exchange.errors import RuleBroken

STATEMENT: Final = "statement"
# The name decides under which key an element is sealed: a support has no words of its own to speak beside.
SPOKEN_BESIDE: Final = frozenset(NAMED_BY) - {"supports"}
_SEALED: Final = ("collection", "name", "origin", "recorded", "field", "values")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


class ElementName(NamedTuple):
    """An element as its reader names it; of several of one name, `before` counts from the newest."""

    collection: str
    name: str
    origin: str
    before: int = 0


# --- what can be corrected ---------------------------------------------------------------------------


class FieldKind(NamedTuple):
    """How one kind of field is checked, and read from the words it is stored as."""

    fault: Callable[[tuple[str, ...]], str]
    read: Callable[[tuple[str, ...]], Any]


def _one(values: tuple[str, ...], check: Callable[[str], str]) -> str:
    return check(values[0]) if len(values) == 1 else "must be one value"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _score_fault(text: str) -> str:
    return range_fault(int(text) if _NUMBER.fullmatch(text) else 0, SCORE_MIN, SCORE_MAX)


def _first(values: tuple[str, ...]) -> str:
    return values[0]


_TEXT: Final = FieldKind(lambda values: _one(values, text_fault), _first)
_EMPTIED: Final = FieldKind(lambda values: _TEXT.fault(values) if values else FINE, "".join)
_DAY: Final = FieldKind(
    lambda values: _one(values, lambda text: day_fault(_day(text))), lambda values: _day(values[0])
)
_SCORE: Final = FieldKind(lambda values: _one(values, _score_fault), lambda values: int(values[0]))
_DOMAIN: Final = FieldKind(lambda values: _one(values, lambda word: member_fault(LifeDomain, word)), _first)
_DOMAINS: Final = FieldKind(lambda values: members_fault(LifeDomain, values), tuple)
_FINDING: Final = FieldKind(lambda values: _one(values, lambda word: member_fault(LensFinding, word)), _first)
_REASON: Final = FieldKind(lambda values: _one(values, lambda word: member_fault(StopReason, word)), _first)

# How a conversation ended decides what may happen next: it is held and recorded anew. What a support is was
# agreed with as it is: another one is chosen.
FIELDS: Final[Mapping[str, FieldKind]] = MappingProxyType(
    {
        "reports.life_domains": _DOMAINS,
        "reports.own_words": _TEXT,
        "conversations.hold_date": _DAY,
        "conversations.summary": _TEXT,
        "situations.description": _TEXT,
        "situations.strengths": _EMPTIED,
        "situations.score": _SCORE,
        "situations.judge_date": _DAY,
        "goals.own_words": _TEXT,
        "goals.desired_effect": _TEXT,
        "goals.life_domain": _DOMAIN,
        "goals.target_date": _DAY,
        "lens_assessments.finding": _FINDING,
        "lens_assessments.reason": _TEXT,
        "supports.care_start_date": _DAY,
        "supports.care_end_date": _DAY,
        "supports.stop_reason": _REASON,
    }
)


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
    refuse_faults({"values": _care_fault(element, command.field, says)})
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


def _care_fault(element: Any, field: str, says: Any) -> str:  # noqa: ANN401 -- any element and value
    """Check that the days of care still follow each other."""
    if field == "care_start_date":
        if says < element.start_date:
            return "must not lie before the support's first day"
        if element.care_end_date is not None and says > element.care_end_date:
            return "must not lie after the last day of care"
        if any(says <= care.last_day for care in element.earlier_care):
            return "must lie after the last day of care before it"
    if field == "care_end_date" and says < element.care_start_date:
        return "must not lie before the first day of care"
    return FINE


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
    kind = _TEXT if event.field == STATEMENT else FIELDS.get(f"{event.collection}.{event.field}")
    elements = getattr(state, event.collection, ())
    place = next((place for place, one in enumerate(elements) if event.finds(one)), None)
    if kind is None or place is None:
        return with_changes(state, version=version)
    noted = Correction(
        version=version,
        collection=event.collection,
        name=event.name,
        origin=event.origin,
        element_recorded=event.recorded,
        field=event.field,
        value=kind.read(event.values),
        stood=getattr(elements[place], event.field) if event.collection in SET_ANEW else None,
        by=f"{event.organisation}/{event.task}",
    )
    changed = with_changes(elements[place], **{event.field: noted.value})
    replaced = (*elements[:place], changed, *elements[place + 1 :])
    corrections = (*state.corrections, noted)
    return with_changes(state, version=version, corrections=corrections, **{event.collection: replaced})
