"""The plan: everything about one resident's support plan, as one aggregate.

Promises: this room only gathers; commands, events, state and rules each have their own.
Source: the domain's design sections 3 and 4.
"""

from typing import Final

from exchange.domain.kernel import Aggregate, aggregate, with_changes
from exchange.domain.plan import agreeing, folding, funding, goals, lenses, preferring, signals, trajectories
from exchange.domain.plan.agreeing import AgreementAnswered, AnswerAgreement
from exchange.domain.plan.commands import (
    AgreeToPlan,
    AssessLens,
    AssignSupport,
    DescribeSituation,
    ReceiveReport,
    RecordConversation,
    RequestSupport,
    SetGoal,
    StartSupport,
    StopSupport,
)
from exchange.domain.plan.corrections import (
    AddStatement,
    PlanCorrected,
    RectifyPlan,
    add_statement,
    corrected,
    rectify_plan,
)
from exchange.domain.plan.decide import (
    describe_situation,
    receive_report,
    record_conversation,
    set_goal,
)
from exchange.domain.plan.elements import (
    Agreement,
    Answer,
    Conversation,
    Evaluation,
    Funding,
    Goal,
    LensAssessment,
    Preference,
    Report,
    RuleConflict,
    Signal,
    Situation,
    Support,
    Trajectory,
)
from exchange.domain.plan.events import (
    ConversationRecorded,
    GoalSet,
    LensAssessed,
    PlanAgreed,
    PlanAgreedOnConditions,
    PlanDisagreed,
    PlanEvent,
    PlanOpened,
    ReportReceived,
    SituationDescribed,
    SupportAssigned,
    SupportRequested,
    SupportStarted,
    SupportStopped,
)
from exchange.domain.plan.funding import FundingSet, SetFunding
from exchange.domain.plan.goals import (
    EvaluationHeld,
    EvaluationPlanned,
    GoalMarked,
    HoldEvaluation,
    MarkGoal,
    PlanEvaluation,
)
from exchange.domain.plan.lenses import (
    RecordRuleConflict,
    ResolveRuleConflict,
    RuleConflictRecorded,
    RuleConflictResolved,
    lenses_missing,
)
from exchange.domain.plan.practice import PracticeCheck, practice_check
from exchange.domain.plan.preferring import (
    InviteProvider,
    PreferProvider,
    ProviderInvited,
    ProviderPreferred,
)
from exchange.domain.plan.received import ElementsReceived, elements_received
from exchange.domain.plan.recorded import stamped
from exchange.domain.plan.seen import as_seen
from exchange.domain.plan.signals import ReceiveSignal, SignalReceived
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.support import assign_support, request_support, start_support, stop_support
from exchange.domain.plan.trajectories import (
    MoveTrajectory,
    StartTrajectory,
    TrajectoryMoved,
    TrajectoryStarted,
)

PLAN: Final[Aggregate] = aggregate(
    "plan",
    deciders={
        ReceiveReport: receive_report,
        RecordConversation: record_conversation,
        DescribeSituation: describe_situation,
        SetGoal: set_goal,
        RequestSupport: request_support,
        AssignSupport: assign_support,
        StartSupport: start_support,
        StopSupport: stop_support,
        RectifyPlan: rectify_plan,
        AddStatement: add_statement,
        **lenses.DECIDERS,
        **funding.DECIDERS,
        **goals.DECIDERS,
        **trajectories.DECIDERS,
        **agreeing.DECIDERS,
        **preferring.DECIDERS,
        **signals.DECIDERS,
    },
    founders=folding.FOUNDERS,
    evolvers={
        **folding.EVOLVERS,
        **lenses.EVOLVERS,
        **funding.EVOLVERS,
        **goals.EVOLVERS,
        **trajectories.EVOLVERS,
        **agreeing.EVOLVERS,
        **preferring.EVOLVERS,
        **signals.EVOLVERS,
        PlanCorrected: corrected,
        ElementsReceived: elements_received,
    },
    stamp=stamped,
    # Versions are those of the stream: a yes is to what stood at one, also where what stood there is gone.
    counted=lambda plan: with_changes(plan, version=plan.version + 1),
)

__all__ = [
    "PLAN",
    "AddStatement",
    "AgreeToPlan",
    "Agreement",
    "AgreementAnswered",
    "Answer",
    "AnswerAgreement",
    "AssessLens",
    "AssignSupport",
    "Conversation",
    "ConversationRecorded",
    "DescribeSituation",
    "Evaluation",
    "EvaluationHeld",
    "EvaluationPlanned",
    "Funding",
    "FundingSet",
    "Goal",
    "GoalMarked",
    "GoalSet",
    "HoldEvaluation",
    "InviteProvider",
    "LensAssessed",
    "LensAssessment",
    "MarkGoal",
    "MoveTrajectory",
    "PlanAgreed",
    "PlanAgreedOnConditions",
    "PlanCorrected",
    "PlanDisagreed",
    "PlanEvaluation",
    "PlanEvent",
    "PlanOpened",
    "PlanState",
    "PracticeCheck",
    "PreferProvider",
    "Preference",
    "ProviderInvited",
    "ProviderPreferred",
    "ReceiveReport",
    "ReceiveSignal",
    "RecordConversation",
    "RecordRuleConflict",
    "RectifyPlan",
    "Report",
    "ReportReceived",
    "RequestSupport",
    "ResolveRuleConflict",
    "RuleConflict",
    "RuleConflictRecorded",
    "RuleConflictResolved",
    "SetFunding",
    "SetGoal",
    "Signal",
    "SignalReceived",
    "Situation",
    "SituationDescribed",
    "StartSupport",
    "StartTrajectory",
    "StopSupport",
    "Support",
    "SupportAssigned",
    "SupportRequested",
    "SupportStarted",
    "SupportStopped",
    "Trajectory",
    "TrajectoryMoved",
    "TrajectoryStarted",
    "as_seen",
    "lenses_missing",
    "practice_check",
]
