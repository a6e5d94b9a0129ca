"""The practice check: is this plan made in the new way? Computed from what was recorded, never from opinions.

Promises: pure; nobody fills it in; of what somebody is not shown it says what it would say if that had never
been recorded. What does not apply to a plan is told so and not as a no.
Source: De Kantellat; the domain's design section 2 (P5, P10).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from exchange.domain.plan.elements import Situation
from exchange.domain.plan.lenses import laws_asked_for, lenses_missing
from exchange.domain.plan.state import PlanState
from exchange.domain.values import ConversationKind, SupportKind


class PracticeAnswer(StrEnum):
    """What the check says of one question."""

    YES = "yes"
    NO = "no"
    DOES_NOT_APPLY = "does_not_apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeCheck:
    """What was done the new way; `asked_twice` counts what was asked again instead of filled in."""

    own_words: str
    general_services_first: str
    lenses_used: str
    resident_agreed: str
    preferred_provider_asked: str
    evaluation_planned: str
    nothing_asked_twice: str
    asked_twice: int


def practice_check(plan: PlanState, *, minor: bool, today: date) -> PracticeCheck:
    """Return the check of a plan as somebody sees it."""
    twice = asked_twice(plan.situations)
    return PracticeCheck(
        own_words=_own_words(plan),
        general_services_first=_general_services_first(plan),
        lenses_used=_lenses_used(plan, minor=minor),
        resident_agreed=_answer(holds=plan.agreed_version > 0, applies=bool(plan.pursued)),
        preferred_provider_asked=_preferred_provider_asked(plan),
        evaluation_planned=_evaluation_planned(plan, today),
        nothing_asked_twice=_answer(holds=not twice, applies=bool(plan.situations)),
        asked_twice=twice,
    )


def asked_twice(situations: Iterable[Situation]) -> int:
    """Return how often a life domain that one desk had asked about was asked about by another.

    What was filled in from a source was not asked, and a desk that looks again later does not ask twice.
    """
    desks: dict[str, set[str]] = defaultdict(set)
    for one in situations:
        if not one.source:
            desks[one.life_domain].add(one.origin)
    return sum(len(asking) - 1 for asking in desks.values())


def _answer(*, holds: bool, applies: bool) -> PracticeAnswer:
    if not applies:
        return PracticeAnswer.DOES_NOT_APPLY
    return PracticeAnswer.YES if holds else PracticeAnswer.NO


def _own_words(plan: PlanState) -> PracticeAnswer:
    """Tell whether no goal has the professional's words for the resident's."""
    own = all(_bare(one.own_words) not in {"", _bare(one.desired_effect)} for one in plan.pursued)
    return _answer(holds=own, applies=bool(plan.pursued))


def _bare(words: str) -> str:
    return " ".join(words.casefold().split())


def _general_services_first(plan: PlanState) -> PracticeAnswer:
    """Tell whether there was a first conversation, or something general, before custom support was chosen."""
    custom = [one.requested_version for one in plan.supports if one.kind == SupportKind.CUSTOM]
    general = [one.requested_version for one in plan.supports if one.kind != SupportKind.CUSTOM]
    talked = any(one.kind == ConversationKind.FIRST for one in plan.conversations)
    first = bool(custom) and any(version < min(custom) for version in general)
    return _answer(holds=talked or first, applies=bool(custom))


def _lenses_used(plan: PlanState, *, minor: bool) -> PracticeAnswer:
    applies = len(laws_asked_for(plan, minor=minor)) > 1
    return _answer(holds=not lenses_missing(plan, minor=minor), applies=applies)


def _preferred_provider_asked(plan: PlanState) -> PracticeAnswer:
    custom = [one for one in plan.supports if one.kind == SupportKind.CUSTOM]
    talked = any(one.kind == ConversationKind.WITH_PROVIDER for one in plan.conversations)
    asked = talked or any(one.invited for one in plan.preferences)
    return _answer(holds=asked, applies=bool(custom))


def _evaluation_planned(plan: PlanState, today: date) -> PracticeAnswer:
    """Tell whether there is a looking back to come, once the resident agreed."""
    coming = any(one.hold_date is None and one.plan_date >= today for one in plan.evaluations)
    return _answer(holds=coming, applies=plan.agreed_version > 0)
