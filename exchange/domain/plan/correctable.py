"""Which fields of a plan are corrected, to what; and which on purpose are not.

Promises: every leaf the contract shows of a plan is in `FIELDS`, or has its reason in `NOT_CORRECTED`
(tests/house/test_correctable.py). What a corrected field must fit beside that stands in `fitting.py`.
Source: GDPR 5(1)(d), 16; exchange/decisions/0074-what-is-corrected.md; protos/exchange/v1/plan.proto.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from exchange.domain.plan.funding import COST_CENTS_MAX
from exchange.domain.plan.lenses import rules_fault
from exchange.domain.plan.rectified import NAMED_BY
from exchange.domain.plan.signals import ARREARS_CENTS_MAX
from exchange.domain.plan.support import (
    ASSIGNMENT_NUMBER,
    FREQUENCY,
    PRODUCT_CATEGORY,
    PRODUCT_CODE,
    UNIT,
    VOLUME_MAX,
)
from exchange.domain.plan.trajectories import HOURS_A_WEEK_MAX
from exchange.domain.plan.words import (
    GOAL_SCORE_MAX,
    GOAL_SCORE_MIN,
    STEP_MAX,
    STEP_MIN,
    Attendee,
    FundingSource,
    GoalCarrier,
    RefuseReason,
    SignalPartner,
)
from exchange.domain.shape import (
    FINE,
    day_fault,
    member_fault,
    members_fault,
    range_fault,
    text_fault,
    token_fault,
)
from exchange.domain.values import (
    SCORE_MAX,
    SCORE_MIN,
    ConversationKind,
    ConversationOutcome,
    Law,
    LensFinding,
    LifeDomain,
    StopReason,
)

STATEMENT: Final = "statement"
# The name decides under which key an element is sealed: what the later parts of a plan hold has no words of
# its own to speak beside.
SPOKEN_BESIDE: Final = frozenset({"reports", "conversations", "situations", "goals", "lens_assessments"})
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_VALUES_MAX: Final = 100
Values = tuple[str, ...]


class FieldKind(NamedTuple):
    """How one kind of field is checked, and read from the words it is stored as."""

    fault: Callable[[Values], str]
    read: Callable[[Values], Any]


def _one(values: Values, check: Callable[[str], str]) -> str:
    return check(values[0]) if len(values) == 1 else "must be one value"


def _each(values: Values, check: Callable[[str], str]) -> str:
    if not 1 <= len(values) <= _VALUES_MAX:
        return f"must be 1 to {_VALUES_MAX} values"
    return next((fault for fault in map(check, values) if fault), FINE)


def _first(values: Values) -> str:
    return values[0]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _day_text_fault(text: str) -> str:
    return day_fault(_day(text))


def _within(least: int, most: int) -> Callable[[str], str]:
    # What is no number lies outside every range.
    return lambda text: range_fault(int(text) if _NUMBER.fullmatch(text) else least - 1, least, most)


def _number(least: int, most: int) -> FieldKind:
    check = _within(least, most)
    return FieldKind(lambda values: _one(values, check), lambda values: int(values[0]))


def _numbers(least: int, most: int) -> FieldKind:
    check = _within(least, most)
    return FieldKind(lambda values: _each(values, check), lambda values: tuple(map(int, values)))


def _member(kind: type[StrEnum]) -> FieldKind:
    return FieldKind(lambda values: _one(values, lambda word: member_fault(kind, word)), _first)


def _members(kind: type[StrEnum]) -> FieldKind:
    return FieldKind(lambda values: members_fault(kind, values), tuple)


def _code(shape: re.Pattern[str], why: str) -> FieldKind:
    # Where there was a code there is one: what may be left out is left out when it is chosen.
    return FieldKind(
        lambda values: _one(values, lambda text: FINE if text and shape.fullmatch(text) else why), _first
    )


TEXT: Final = FieldKind(lambda values: _one(values, text_fault), _first)
_EMPTIED: Final = FieldKind(lambda values: TEXT.fault(values) if values else FINE, "".join)
_TOKEN: Final = FieldKind(lambda values: _one(values, token_fault), _first)
_SOURCE: Final = FieldKind(lambda values: _TOKEN.fault(values) if values else FINE, "".join)
_DAY: Final = FieldKind(lambda values: _one(values, _day_text_fault), lambda values: _day(values[0]))
# Emptied, it is open.
_LAST_DAY: Final = FieldKind(
    lambda values: _DAY.fault(values) if values else FINE,
    lambda values: _day(values[0]) if values else None,
)
# Kept as they were written.
_DAYS: Final = FieldKind(lambda values: _each(values, _day_text_fault), tuple)
_RULES: Final = FieldKind(
    lambda values: next((why for why in rules_fault(values).values() if why), FINE), tuple
)

FIELDS: Final[Mapping[str, FieldKind]] = MappingProxyType(
    {
        "reports.desk": _TOKEN,
        "reports.life_domains": _members(LifeDomain),
        "reports.own_words": TEXT,
        "conversations.kind": _member(ConversationKind),
        "conversations.hold_date": _DAY,
        "conversations.outcome": _member(ConversationOutcome),
        "conversations.summary": TEXT,
        "conversations.present": _members(Attendee),
        "situations.description": TEXT,
        "situations.strengths": _EMPTIED,
        "situations.score": _number(SCORE_MIN, SCORE_MAX),
        "situations.judge_date": _DAY,
        "situations.earlier_scores": _numbers(SCORE_MIN, SCORE_MAX),
        "situations.earlier_judge_dates": _DAYS,
        "situations.source": _SOURCE,
        "situations.own_network": _EMPTIED,
        "goals.own_words": TEXT,
        "goals.desired_effect": TEXT,
        "goals.life_domain": _member(LifeDomain),
        "goals.target_date": _DAY,
        "goals.state_date": _DAY,
        "goals.carried_by": _member(GoalCarrier),
        "lens_assessments.finding": _member(LensFinding),
        "lens_assessments.reason": TEXT,
        "rule_conflicts.laws": _members(Law),
        "rule_conflicts.rules": _RULES,
        "rule_conflicts.analysis": TEXT,
        "rule_conflicts.resolution": TEXT,
        "rule_conflicts.resolve_reason": TEXT,
        "supports.product_category": _code(PRODUCT_CATEGORY, "must be two digits"),
        "supports.product_code": _code(PRODUCT_CODE, "must be 1 to 5 characters"),
        "supports.start_date": _DAY,
        "supports.end_date": _LAST_DAY,
        "supports.volume": _number(1, VOLUME_MAX),
        "supports.unit": _code(UNIT, "must be 1 or 2 characters"),
        "supports.frequency": _code(FREQUENCY, "must be 1 character"),
        "supports.assignment_number": _code(ASSIGNMENT_NUMBER, "must be 1 to 9 digits"),
        "supports.care_start_date": _DAY,
        "supports.care_end_date": _DAY,
        "supports.stop_reason": _member(StopReason),
        "supports.refuse_reason": _member(RefuseReason),
        "funding.sources": _members(FundingSource),
        "funding.amounts_cents": _numbers(1, COST_CENTS_MAX),
        "funding.start_date": _DAY,
        "funding.end_date": _LAST_DAY,
        "trajectories.activity": TEXT,
        "trajectories.step": _number(STEP_MIN, STEP_MAX),
        "trajectories.hours_a_week": _number(0, HOURS_A_WEEK_MAX),
        "trajectories.place": _EMPTIED,
        "trajectories.facility": _EMPTIED,
        "trajectories.start_date": _DAY,
        "trajectories.since_date": _DAY,
        "trajectories.earlier_steps": _numbers(STEP_MIN, STEP_MAX),
        "trajectories.earlier_dates": _DAYS,
        "evaluations.plan_date": _DAY,
        "evaluations.hold_date": _DAY,
        "evaluations.scores": _numbers(GOAL_SCORE_MIN, GOAL_SCORE_MAX),
        "evaluations.what_to_change": _EMPTIED,
        "signals.partner": _member(SignalPartner),
        "signals.arrears_cents": _number(1, ARREARS_CENTS_MAX),
        "signals.since_date": _DAY,
    }
)
# What a support is: a yes is to this as it was written then.
TERMS_OF_SUPPORT: Final = frozenset(
    f"supports.{name}"
    for name in ("product_category", "product_code", "start_date", "end_date", "volume", "unit", "frequency")
)


class NotCorrected(StrEnum):
    """Why a leaf is not corrected, and what is done instead."""

    NAMES = "names the element: everything else finds it by this"
    LEADS = "leads to another element of the plan: what it is for is chosen anew"
    CHOSEN = "decides who does what, and who may see it: another support is chosen"
    FOLLOWS = (
        "follows from what was done, whose days are corrected; it is marked or moved anew, or begun anew"
    )
    SUM = "is what the amounts add up to, and follows their correction"
    OFFERED = "is what the resident offers or asks in his own words: he takes it back and says it anew"
    CLOCK = "is the moment at which the exchange recorded it"
    ACT = "is somebody's word and no fact: it is said anew, and the newest counts"
    UNSHOWN = "is shown to nobody: the exchange keeps it beside what it shows"


NOT_CORRECTED: Final[Mapping[str, NotCorrected]] = MappingProxyType(
    {f"{collection}.{leaf}": NotCorrected.NAMES for collection, leaf in NAMED_BY.items()}
    | {f"{collection}.{STATEMENT}": NotCorrected.ACT for collection in SPOKEN_BESIDE}
    | {
        "reports.receive_time": NotCorrected.CLOCK,
        "situations.beside": NotCorrected.UNSHOWN,
        "goals.state": NotCorrected.FOLLOWS,
        "supports.kind": NotCorrected.CHOSEN,
        "supports.provider_oin": NotCorrected.CHOSEN,
        "supports.goal_ids": NotCorrected.LEADS,
        "supports.state": NotCorrected.FOLLOWS,
        "supports.assign_date": NotCorrected.UNSHOWN,
        "supports.changed": NotCorrected.UNSHOWN,
        "funding.support_id": NotCorrected.LEADS,
        "funding.cost_cents": NotCorrected.SUM,
        "trajectories.goal_ids": NotCorrected.LEADS,
        "trajectories.state": NotCorrected.FOLLOWS,
        "evaluations.goal_ids": NotCorrected.LEADS,
        "agreements.outcome": NotCorrected.ACT,
        "agreements.remarks": NotCorrected.ACT,
        "agreements.plan_version": NotCorrected.ACT,
        "agreements.say_time": NotCorrected.CLOCK,
        "agreements.spoken_by": NotCorrected.ACT,
        "agreements.supports_unseen": NotCorrected.UNSHOWN,
        "agreements.waits": NotCorrected.ACT,
        "answers.plan_version": NotCorrected.ACT,
        "answers.met": NotCorrected.ACT,
        "answers.answer": NotCorrected.ACT,
        "answers.without_parents": NotCorrected.ACT,
        "answers.answer_time": NotCorrected.CLOCK,
        "preferences.preference_id": NotCorrected.ACT,
        "preferences.provider_oin": NotCorrected.ACT,
        "preferences.provider_task": NotCorrected.ACT,
        "preferences.invited": NotCorrected.ACT,
        "signals.report_id": NotCorrected.LEADS,
        "signals.receive_time": NotCorrected.CLOCK,
        "matches.match_id": NotCorrected.NAMES,
        "matches.about_id": NotCorrected.LEADS,
        "matches.propose_time": NotCorrected.CLOCK,
        "matches.said": NotCorrected.ACT,
        "matches.contact": NotCorrected.ACT,
        "matches.ended": NotCorrected.ACT,
        "matches.other_plan": NotCorrected.UNSHOWN,
        "matches.other_match": NotCorrected.UNSHOWN,
    }
    # A match was found on these words: another match is found on others.
    | {
        f"{collection}.{leaf}": NotCorrected.OFFERED
        for collection, name in (("contributions", "contribution_id"), ("wishes", "wish_id"))
        for leaf in (
            name,
            "kind",
            "neighbourhood",
            "hours_a_week",
            "start_date",
            "end_date",
            "own_words",
            "ended",
        )
    }
)
