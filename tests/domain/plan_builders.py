"""What a plan needs before a decision, and commands and events of its later parts."""

from __future__ import annotations

from dataclasses import replace

from exchange.domain.plan import (
    AgreementAnswered,
    AnswerAgreement,
    ChangeSupport,
    EvaluationHeld,
    EvaluationPlanned,
    FundingSet,
    GoalMarked,
    HoldEvaluation,
    InviteProvider,
    MarkGoal,
    MoveTrajectory,
    PlanAgreedOnConditions,
    PlanEvaluation,
    PreferProvider,
    ProviderInvited,
    ProviderPreferred,
    ReceiveSignal,
    RecordRuleConflict,
    RefuseSupport,
    ResolveRuleConflict,
    RuleConflictRecorded,
    RuleConflictResolved,
    SetFunding,
    SignalReceived,
    StartTrajectory,
    SupportChanged,
    SupportRefused,
    TrajectoryMoved,
    TrajectoryStarted,
)
from exchange.domain.values import Author
from tests.domain.builders import (
    A_DAY,
    AGREE,
    CASE_ID,
    CONSULENT,
    DAY,
    GOAL_SET,
    LATER,
    LENS_ASSESSED,
    MUNICIPALITY,
    NOON,
    PLAN_AGREED,
    PLAN_ID,
    PLAN_OPENED,
    PROVIDER,
    REPORT_RECEIVED,
    RESIDENT_REF,
    SITUATION_DESCRIBED,
    SUPPORT_ASSIGNED,
    SUPPORT_CHOSEN,
)

REFUSE = RefuseSupport(now=LATER, author=CONSULENT, support_id="v-1", reason="no_room")
REFUSED = SupportRefused(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    support_id="v-1",
    refuse_reason="no_room",
)
CHANGE = ChangeSupport(
    now=LATER,
    author=CONSULENT,
    support_id="v-1",
    end_date=DAY + 90 * A_DAY,
    volume=6,
    unit="04",
    frequency="2",
)
CHANGED = SupportChanged(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    support_id="v-1",
    changed=("volume",),
    end_date=DAY + 90 * A_DAY,
    volume=6,
    unit="04",
    frequency="2",
)
# What is going on, and what a law allows: the decision comes after them.
LOOKED_AT = (SITUATION_DESCRIBED, LENS_ASSESSED)
AIMED_AT = (PLAN_OPENED, REPORT_RECEIVED, GOAL_SET)

RULES = ("Wmo 2015 2.3.5(3)", "Participatiewet 9(1)")
RECORD_CONFLICT = RecordRuleConflict(
    now=NOON,
    author=CONSULENT,
    conflict_id="k-1",
    laws=("wmo_2015", "participatiewet"),
    rules=RULES,
    analysis="Dagbesteding helpt; solliciteren zou haar terugwerpen.",
)
CONFLICT_RECORDED = RuleConflictRecorded(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    conflict_id="k-1",
    laws=("wmo_2015", "participatiewet"),
    rules=RULES,
    analysis="Dagbesteding helpt; solliciteren zou haar terugwerpen.",
)
RESOLVE_CONFLICT = ResolveRuleConflict(
    now=NOON,
    author=CONSULENT,
    conflict_id="k-1",
    resolution="Een half jaar geen sollicitatieplicht.",
    resolve_reason="Anders bereikt geen van beide wetten haar doel.",
)
CONFLICT_RESOLVED = RuleConflictResolved(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    conflict_id="k-1",
    resolution="Een half jaar geen sollicitatieplicht.",
    resolve_reason="Anders bereikt geen van beide wetten haar doel.",
)

# --- money ------------------------------------------------------------------------------------------

DECIDED = (*SUPPORT_CHOSEN, PLAN_AGREED, *LOOKED_AT, SUPPORT_ASSIGNED)
SET_FUNDING = SetFunding(
    now=LATER,
    author=CONSULENT,
    funding_id="f-1",
    support_id="v-1",
    cost_cents=10_001,
    sources=("wmo_2015", "participatiewet"),
    amounts_cents=(6_000, 4_001),
    start_date=DAY,
    end_date=DAY + 90 * A_DAY,
)
FUNDING_SET = FundingSet(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    funding_id="f-1",
    support_id="v-1",
    cost_cents=10_001,
    sources=("wmo_2015", "participatiewet"),
    amounts_cents=("6000", "4001"),
    start_date=DAY,
    end_date=DAY + 90 * A_DAY,
    replaces="",
)

# --- goals over the years ---------------------------------------------------------------------------

AGREED_AIM = (*AIMED_AT, PLAN_AGREED)
MARK_GOAL = MarkGoal(now=LATER, author=CONSULENT, goal_id="d-1", state="reached", state_date=DAY)
GOAL_MARKED = GoalMarked(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    goal_id="d-1",
    state="reached",
    carried_by="",
    state_date=DAY,
)
PLAN_LOOKING_BACK = PlanEvaluation(now=LATER, author=CONSULENT, evaluation_id="e-1", plan_date=DAY + A_DAY)
EVALUATION_PLANNED = EvaluationPlanned(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    evaluation_id="e-1",
    plan_date=DAY + A_DAY,
)
LOOK_BACK = HoldEvaluation(
    now=LATER + 90 * A_DAY,
    author=CONSULENT,
    evaluation_id="e-1",
    hold_date=DAY + 90 * A_DAY,
    goal_ids=("d-1",),
    scores=(4,),
    what_to_change="Een dag erbij.",
)
EVALUATION_HELD = EvaluationHeld(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    evaluation_id="e-1",
    hold_date=DAY + 90 * A_DAY,
    goal_ids=("d-1",),
    scores=("4",),
    what_to_change="Een dag erbij.",
)

# --- trajectories -----------------------------------------------------------------------------------

START_TRAJECTORY = StartTrajectory(
    now=LATER,
    author=CONSULENT,
    trajectory_id="t-1",
    activity="Koken in het buurthuis",
    step=3,
    hours_a_week=8,
    place="Buurthuis De Linde",
    goal_ids=("d-1",),
    start_date=DAY,
)
TRAJECTORY_STARTED = TrajectoryStarted(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    trajectory_id="t-1",
    activity="Koken in het buurthuis",
    step=3,
    hours_a_week=8,
    place="Buurthuis De Linde",
    facility="",
    goal_ids=("d-1",),
    start_date=DAY,
)
MOVE_TRAJECTORY = MoveTrajectory(
    now=LATER,
    author=CONSULENT,
    trajectory_id="t-1",
    state="started",
    step=4,
    hours_a_week=16,
    since_date=DAY + 30 * A_DAY,
)
TRAJECTORY_MOVED = TrajectoryMoved(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    trajectory_id="t-1",
    state="started",
    step=4,
    hours_a_week=16,
    since_date=DAY + 30 * A_DAY,
)

# --- the resident's word, and what is answered --------------------------------------------------------

CONDITIONS = "Als mijn zus mee mag denken."
AGREE_IF = replace(AGREE, outcome="agreed_on_conditions", remarks=CONDITIONS)
AGREED_IF = PlanAgreedOnConditions(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="betrokkene",
    plan_version=4,
    remarks=CONDITIONS,
    at=LATER,
    supports_unseen=False,
    waits=False,
)
ANSWER = AnswerAgreement(
    now=LATER, author=CONSULENT, plan_version=4, met=True, answer="Zij komt bij elk gesprek."
)
ANSWERED = AgreementAnswered(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    plan_version=4,
    met=True,
    answer="Zij komt bij elk gesprek.",
    without_parents="",
    at=LATER,
)
PREFER = PreferProvider(
    now=NOON,
    author=CONSULENT,
    preference_id="w-1",
    provider_oin=PROVIDER,
    provider_task="wmo-aanbieder",
)
PREFERRED = ProviderPreferred(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    preference_id="w-1",
    provider_oin=PROVIDER,
    provider_task="wmo-aanbieder",
)
INVITE = InviteProvider(
    now=NOON,
    author=CONSULENT,
    preference_id="w-1",
    provider_oin=PROVIDER,
    provider_task="wmo-aanbieder",
)
INVITED = ProviderInvited(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    preference_id="w-1",
)

# --- early signals ------------------------------------------------------------------------------------

DEBT_HELP = Author(MUNICIPALITY, "college:WGS", "s-1", operator=True)
RECEIVE_SIGNAL = ReceiveSignal(
    now=LATER,
    author=DEBT_HELP,
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    plan_id=PLAN_ID,
    report_id="m-2",
    life_domains=("finance",),
    own_words="Er is een achterstand bij de huur.",
    desk="vroegsignalering",
    signal_id="s-1",
    partner="landlord",
    arrears_cents=84_050,
    since_date=DAY,
)
SIGNAL_RECEIVED = SignalReceived(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WGS",
    signal_id="s-1",
    report_id="m-2",
    partner="landlord",
    arrears_cents=84_050,
    since_date=DAY,
    at=LATER,
)
SIGNAL_REPORTED = replace(
    REPORT_RECEIVED,
    task="college:WGS",
    report_id="m-2",
    life_domains=("finance",),
    own_words="Er is een achterstand bij de huur.",
    desk="vroegsignalering",
    at=LATER,
)
