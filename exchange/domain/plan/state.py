"""A plan as it stands, and how each event changes it.

Promises: `evolve` refuses nothing; elements have the contract's field names, beside `origin` (the
task and organisation that brought them), `category` (under which the gate judges them) and `recorded`. A
`statement` is what the resident says beside an element (`corrections`).
Source: protos/exchange/v1/plan.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

from exchange.domain.kernel import Event, Evolver, quickly_made, with_changes
from exchange.domain.plan.care import Care, Support
from exchange.domain.plan.events import (
    ConversationRecorded,
    GoalSet,
    LensAssessed,
    PlanAgreed,
    PlanDisagreed,
    PlanOpened,
    ReportReceived,
    SituationDescribed,
    SupportAssigned,
    SupportRequested,
    SupportStarted,
    SupportStopped,
)
from exchange.domain.values import (
    AgreementOutcome,
    ConversationKind,
    ConversationOutcome,
    DataCategory,
    SupportStatus,
    category_of,
    origin_of,
)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report (melding)."""

    report_id: str
    desk: str
    life_domains: tuple[str, ...]
    own_words: str
    receive_time: datetime
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    statement: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation."""

    conversation_id: str
    kind: str
    hold_date: date
    outcome: str
    summary: str
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    statement: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The newest description of one life domain by one origin; its category follows the domain."""

    life_domain: str
    description: str
    strengths: str
    score: int
    judge_date: date
    origin: str
    category: str
    recorded: datetime | None = None
    statement: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A goal."""

    goal_id: str
    own_words: str
    desired_effect: str
    life_domain: str
    target_date: date
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    statement: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class LensAssessment:
    """What one law's lens shows."""

    law: str
    finding: str
    reason: str
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    statement: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What the resident said of the plan at one version."""

    outcome: str
    remarks: str
    plan_version: int
    say_time: datetime
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanState:
    """A plan. `version` counts its events; `agreed_version` is 0 unless the resident's newest word is yes.

    `origin` is the task and organisation that opened it. `closed` says that nothing was reported since the
    matter was solved: care that runs keeps it open all the same. `unseen` is of a plan as somebody sees it:
    the collections of which something is kept from him, each with how many elements it holds.
    """

    plan_id: str
    case_id: str
    resident: str
    origin: str
    version: int = 1
    agreed_version: int = 0
    closed: bool = False
    reports: tuple[Report, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    situations: tuple[Situation, ...] = ()
    goals: tuple[Goal, ...] = ()
    lens_assessments: tuple[LensAssessment, ...] = ()
    supports: tuple[Support, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    unseen: tuple[tuple[str, int], ...] = ()

    @property
    def care_runs(self) -> bool:
        """Tell whether a support is assigned or started."""
        return any(each.state in _CARE_THAT_RUNS for each in self.supports)

    def kept_from(self, collection: str) -> int | None:
        """Return how many elements a collection holds of which something is kept; None where all is seen."""
        return next((held for name, held in self.unseen if name == collection), None)

    def support(self, support_id: str) -> Support | None:
        """Return the support with this id."""
        return next((each for each in self.supports if each.support_id == support_id), None)


_CARE_THAT_RUNS: Final = frozenset({SupportStatus.ASSIGNED, SupportStatus.STARTED})


def closes(kind: str, outcome: str) -> bool:
    """Tell whether a conversation ends the matter."""
    return kind == ConversationKind.FIRST and outcome == ConversationOutcome.SOLVED_IN_GENERAL_SERVICES


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
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(
        state,
        version=state.version + 1,
        closed=state.closed or closes(event.kind, event.outcome),
        conversations=(*state.conversations, conversation),
    )


def _situation_described(state: PlanState, event: SituationDescribed) -> PlanState:
    situation = Situation(
        life_domain=event.life_domain,
        description=event.description,
        strengths=event.strengths,
        score=event.score,
        judge_date=event.judge_date,
        origin=origin_of(event.task, event.organisation),
        category=category_of(event.life_domain),
    )
    # What another desk described stays, and what was kept from the author: nobody replaces words unseen.
    domain, origin = situation.life_domain, situation.origin
    others = [
        each
        for each in state.situations
        if each.life_domain != domain or each.origin != origin or event.beside
    ]
    return with_changes(state, version=state.version + 1, situations=(*others, situation))


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


def _lens_assessed(state: PlanState, event: LensAssessed) -> PlanState:
    assessment = LensAssessment(
        law=event.law,
        finding=event.finding,
        reason=event.reason,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(
        state, version=state.version + 1, lens_assessments=(*state.lens_assessments, assessment)
    )


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


def _agreed_version(state: PlanState, event: PlanAgreed | PlanDisagreed) -> int:
    # The resident's newest word counts: a no ends what an earlier yes allowed, also of what was not shown.
    if not isinstance(event, PlanAgreed):
        return 0
    # A yes is to what was shown: it neither covers a support that was not, nor undoes a yes that did.
    return state.agreed_version if event.supports_unseen else event.plan_version


def _said(state: PlanState, event: PlanAgreed | PlanDisagreed) -> PlanState:
    agreed = isinstance(event, PlanAgreed)
    agreement = Agreement(
        outcome=AgreementOutcome.AGREED if agreed else AgreementOutcome.DISAGREED,
        remarks=event.remarks,
        plan_version=event.plan_version,
        say_time=event.at,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(
        state,
        version=state.version + 1,
        agreed_version=_agreed_version(state, event),
        agreements=(*state.agreements, agreement),
    )


FOUNDERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType({PlanOpened: _opened})
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType(
    {
        ReportReceived: _report_received,
        ConversationRecorded: _conversation_recorded,
        SituationDescribed: _situation_described,
        GoalSet: _goal_set,
        LensAssessed: _lens_assessed,
        SupportRequested: _support_requested,
        SupportAssigned: _support_assigned,
        SupportStarted: _support_started,
        SupportStopped: _support_stopped,
        PlanAgreed: _said,
        PlanDisagreed: _said,
    }
)
