"""How each event changes a plan.

Promises: `evolve` refuses nothing, whatever the event says and whatever the plan holds.
Source: the domain's design section 4.
"""

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from exchange.domain.kernel import Event, Evolver, Fold, changer, maker, with_changes
from exchange.domain.plan.earlier import chained
from exchange.domain.plan.elements import (
    Care,
    Conversation,
    Goal,
    Report,
    Situation,
    Support,
)
from exchange.domain.plan.events import (
    ConversationRecorded,
    GoalSet,
    PlanOpened,
    ReportReceived,
    SituationDescribed,
    SupportAssigned,
    SupportRequested,
    SupportStarted,
    SupportStopped,
)
from exchange.domain.plan.state import PlanState, closes
from exchange.domain.plan.words import EARLIER_MAX
from exchange.domain.values import SupportStatus, category_of, origin_of


def _opened(_state: PlanState | None, event: PlanOpened) -> PlanState:
    return PlanState(
        plan_id=event.plan_id,
        case_id=event.case_id,
        resident=event.resident,
        origin=origin_of(event.task, event.organisation),
    )


def _report_received(state: PlanState, event: ReportReceived) -> PlanState:
    report = Report(
        report_id=event.report_id,
        desk=event.desk,
        life_domains=event.life_domains,
        own_words=event.own_words,
        receive_time=event.at,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(state, version=state.version + 1, closed=False, reports=(*state.reports, report))


def _conversation_recorded(state: PlanState, event: ConversationRecorded) -> PlanState:
    conversation = Conversation(
        conversation_id=event.conversation_id,
        kind=event.kind,
        hold_date=event.hold_date,
        outcome=event.outcome,
        summary=event.summary,
        present=event.present,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(
        state,
        version=state.version + 1,
        closed=state.closed or closes(event.kind, event.outcome),
        conversations=(*state.conversations, conversation),
    )


# A plan of many years holds more of these than of all else.
_situations_changed: Final = changer(PlanState, "version", "situations")
_put_version: Final = PlanState.version.__set__  # type: ignore[attr-defined,misc] # of a slot
_put_situations: Final = PlanState.situations.__set__  # type: ignore[attr-defined,misc] # of a slot
_chain: Final = chained(Situation)
_domain: Final = attrgetter("life_domain")
_situation: Final = maker(
    Situation,
    *("life_domain", "description", "strengths", "score", "judge_date", "earlier_scores"),
    *("earlier_judge_dates", "source", "own_network", "origin", "category", "recorded", "written"),
)


def _situation_described(state: PlanState, event: SituationDescribed) -> PlanState:
    after: PlanState = _situations_changed(state, state.version + 1, _described(state, event, None, 0))
    return after


def _situation_recorded(state: PlanState, event: SituationDescribed, at: datetime, own: bool) -> PlanState:  # noqa: FBT001 -- as the kernel asks
    """Fold a description recorded at a moment: as `evolve`, and then `stamped`, would.

    What it brings is all that is noted: what else stays is the same object, and what went is gone.
    """
    version = state.version + 1
    situations = _described(state, event, at, version)
    if own:
        _put_version(state, version)
        _put_situations(state, situations)
        return state
    after: PlanState = _situations_changed(state, version, situations)
    return after


def _described(
    state: PlanState, event: SituationDescribed, at: datetime | None, written: int
) -> tuple[Situation, ...]:
    origin, life_domain, was = origin_of(event.task, event.organisation), event.life_domain, state.situations
    # What another desk described stays, and what was kept from the author: nobody replaces words unseen.
    domains = [] if event.beside else [*map(_domain, was)]
    found = domains.count(life_domain)
    scores: Any = ()
    days: Any = ()
    others = was
    if found == 1:
        place = domains.index(life_domain)
        one = was[place]
        if one.origin == origin:
            others = was[:place] + was[place + 1 :]
            scores = days = _chain(one, one.score, one.judge_date)
    elif found:
        others, scores, days = _replaced(was, life_domain, origin)
    situation = _situation(
        life_domain,
        event.description,
        event.strengths,
        event.score,
        event.judge_date,
        scores,
        days,
        event.source,
        event.own_network,
        origin,
        category_of(life_domain),
        at,
        written,
    )
    return (*others, situation)


def _replaced(
    was: tuple[Situation, ...], life_domain: str, origin: str
) -> tuple[tuple[Situation, ...], Any, Any]:
    """Return what stays where several describe a domain, and the scores and days of what goes."""
    others: list[Situation] = []
    replaced: list[Situation] = []
    for each in was:
        (replaced if each.life_domain == life_domain and each.origin == origin else others).append(each)
    if len(replaced) == 1:
        (one,) = replaced
        chain = _chain(one, one.score, one.judge_date)
        return (*others,), chain, chain
    scores: tuple[int, ...] = ()
    days: tuple[str, ...] = ()
    # Two, where one was described beside the other.
    for one in replaced:
        scores += (*one.earlier_scores, one.score)
        days += (*one.earlier_judge_dates, one.judge_date.isoformat())
    return (*others,), scores[-EARLIER_MAX:], days[-EARLIER_MAX:]


def _goal_set(state: PlanState, event: GoalSet) -> PlanState:
    goal = Goal(
        goal_id=event.goal_id,
        own_words=event.own_words,
        desired_effect=event.desired_effect,
        life_domain=event.life_domain,
        target_date=event.target_date,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(state, version=state.version + 1, goals=(*state.goals, goal))


def _support_requested(state: PlanState, event: SupportRequested) -> PlanState:
    support = Support(
        support_id=event.support_id,
        kind=event.kind,
        provider_oin=event.provider_oin,
        product_category=event.product_category,
        product_code=event.product_code,
        start_date=event.start_date,
        end_date=event.end_date,
        volume=event.volume,
        unit=event.unit,
        frequency=event.frequency,
        goal_ids=event.goal_ids,
        requested_version=state.version + 1,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(state, version=state.version + 1, supports=(*state.supports, support))


def _with_support(state: PlanState, changed: Support | None) -> PlanState:
    supports = tuple(
        changed if changed is not None and each.support_id == changed.support_id else each
        for each in state.supports
    )
    return with_changes(state, version=state.version + 1, supports=supports)


def _support_assigned(state: PlanState, event: SupportAssigned) -> PlanState:
    support = state.support(event.support_id)
    assigned = support and with_changes(
        support,
        state=SupportStatus.ASSIGNED,
        assignment_number=event.assignment_number,
        assign_date=event.assign_date,
    )
    return _with_support(state, assigned)


def _support_started(state: PlanState, event: SupportStarted) -> PlanState:
    support = state.support(event.support_id)
    if support is not None and support.care_start_date is not None and support.care_end_date is not None:
        care = Care(support.care_start_date, support.care_end_date)
        support = with_changes(support, earlier_care=(*support.earlier_care, care))
    return _with_support(state, support and support.as_started(event.care_start_date))


def _support_stopped(state: PlanState, event: SupportStopped) -> PlanState:
    support = state.support(event.support_id)
    return _with_support(state, support and support.as_stopped(event.care_end_date, event.stop_reason))


FOUNDERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType({PlanOpened: _opened})
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType(
    {
        ReportReceived: _report_received,
        ConversationRecorded: _conversation_recorded,
        SituationDescribed: _situation_described,
        GoalSet: _goal_set,
        SupportRequested: _support_requested,
        SupportAssigned: _support_assigned,
        SupportStarted: _support_started,
        SupportStopped: _support_stopped,
    }
)
# Of what there is most of: folded and stamped in one step.
FOLDS: Final[Mapping[type[Event], Fold]] = MappingProxyType({SituationDescribed: _situation_recorded})
