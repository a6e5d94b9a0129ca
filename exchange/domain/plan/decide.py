"""What may happen to a plan: reports, conversations, situations and goals.

Promises: nothing is added to a closed plan but a report, which opens it again; whichever desk a report comes
to, nothing else follows from that.
Source: protos/exchange/v1/plan_service.proto; the domain's design section 2 (P1, P4).
"""

from typing import Final

from exchange.domain.kernel import Events
from exchange.domain.plan.commands import (
    DescribeSituation,
    ReceiveReport,
    RecordConversation,
    SetGoal,
)
from exchange.domain.plan.events import (
    ConversationRecorded,
    GoalSet,
    PlanOpened,
    ReportReceived,
    SituationDescribed,
)
from exchange.domain.plan.state import PlanState, closes
from exchange.domain.plan.words import Attendee
from exchange.domain.shape import (
    FINE,
    day_fault,
    member_fault,
    members_fault,
    range_fault,
    refuse_faults,
    text_fault,
    token_fault,
)
from exchange.domain.values import (
    SCORE_MAX,
    SCORE_MIN,
    ConversationKind,
    ConversationOutcome,
    LifeDomain,
    origin_of,
)
from exchange.errors import RuleBroken

# The contract's lists hold no more (plan.proto).
ELEMENTS_MAX: Final = 1000
# Of these an author is not shown, as many more fit: he is refused no sooner than if they were not there.
UNSEEN_TIMES_MAX: Final = 2


def existing(state: PlanState | None) -> PlanState:
    """Return the plan; refuse where there is none."""
    if state is None:
        raise RuleBroken("there is no such plan", rule="NO_PLAN")
    return state


def open_plan(state: PlanState | None) -> PlanState:
    """Return the plan; refuse where there is none or it is closed."""
    plan = existing(state)
    # Care that runs is not shut in: who did not see it may have closed the plan over it.
    if plan.closed and not plan.care_runs:
        raise RuleBroken("this plan is closed: a new report opens it again", rule="PLAN_CLOSED")
    return plan


def refuse_full(
    plan: PlanState, collection: str, *, elements_max: int = ELEMENTS_MAX, replaced: int = 0
) -> None:
    """Refuse one more element than the contract can show, of those that are seen."""
    seen = len(getattr(plan, collection)) - replaced
    held = plan.kept_from(collection) or 0
    if seen >= elements_max or held >= elements_max * UNSEEN_TIMES_MAX:
        raise RuleBroken("this plan has the most elements of this kind it can have", rule="PLAN_FULL")


def receive_report(command: ReceiveReport, state: PlanState | None) -> Events:
    """Decide on a report; opens the plan where there is none."""
    refuse_faults(
        {
            "resident": token_fault(command.resident),
            "life_domains": members_fault(LifeDomain, command.life_domains),
            "own_words": text_fault(command.own_words),
            "desk": token_fault(command.desk),
        }
    )
    author = command.author
    received = ReportReceived(
        resident=command.resident,
        plan_id=command.plan_id,
        organisation=author.oin,
        task=author.task,
        report_id=command.report_id,
        desk=command.desk,
        life_domains=command.life_domains,
        own_words=command.own_words,
        at=command.now,
    )
    if state is not None:
        refuse_full(state, "reports")
        return (received,)
    opened = PlanOpened(
        resident=command.resident,
        plan_id=command.plan_id,
        organisation=author.oin,
        task=author.task,
        case_id=command.case_id,
        at=command.now,
    )
    return (opened, received)


def record_conversation(command: RecordConversation, state: PlanState | None) -> Events:
    """Decide on a conversation; care that runs keeps the plan open."""
    plan = open_plan(state)
    refuse_faults(
        {
            "kind": member_fault(ConversationKind, command.kind),
            "hold_date": day_fault(command.hold_date),
            "outcome": member_fault(ConversationOutcome, command.outcome),
            "summary": text_fault(command.summary),
            "present": members_fault(Attendee, command.present) if command.present else FINE,
        }
    )
    if closes(command.kind, command.outcome) and plan.care_runs:
        raise RuleBroken("a plan with assigned or started support is not closed", rule="SUPPORT_RUNS")
    refuse_full(plan, "conversations")
    recorded = ConversationRecorded(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        conversation_id=command.conversation_id,
        kind=command.kind,
        hold_date=command.hold_date,
        outcome=command.outcome,
        summary=command.summary,
        present=command.present,
    )
    return (recorded,)


def describe_situation(command: DescribeSituation, state: PlanState | None) -> Events:
    """Decide on a description of one life domain."""
    plan = open_plan(state)
    refuse_faults(
        {
            "life_domain": member_fault(LifeDomain, command.life_domain),
            "description": text_fault(command.description),
            "strengths": text_fault(command.strengths, required=False),
            "own_network": text_fault(command.own_network, required=False),
            "score": range_fault(command.score, SCORE_MIN, SCORE_MAX),
            "judge_date": day_fault(command.judge_date),
            "source": token_fault(command.source) if command.source else FINE,
        }
    )
    origin = origin_of(command.author.task, command.author.oin)
    beside = plan.kept_from("situations") is not None
    replaced = sum(
        (each.life_domain, each.origin) == (command.life_domain, origin) for each in plan.situations
    )
    refuse_full(plan, "situations", replaced=0 if beside else replaced)
    described = SituationDescribed(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        life_domain=command.life_domain,
        description=command.description,
        strengths=command.strengths,
        score=command.score,
        judge_date=command.judge_date,
        beside=beside,
        source=command.source,
        own_network=command.own_network,
    )
    return (described,)


def set_goal(command: SetGoal, state: PlanState | None) -> Events:
    """Decide on a goal."""
    plan = open_plan(state)
    refuse_faults(
        {
            "goal_id": token_fault(command.goal_id),
            "own_words": text_fault(command.own_words),
            "desired_effect": text_fault(command.desired_effect),
            "life_domain": member_fault(LifeDomain, command.life_domain),
            "target_date": day_fault(command.target_date),
        }
    )
    # Whether the id is taken is not looked up: the exchange draws it at random, no caller chooses it.
    refuse_full(plan, "goals")
    goal = GoalSet(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        goal_id=command.goal_id,
        own_words=command.own_words,
        desired_effect=command.desired_effect,
        life_domain=command.life_domain,
        target_date=command.target_date,
    )
    return (goal,)
