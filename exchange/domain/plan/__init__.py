"""The plan: everything about one resident's support plan, as one aggregate.

Promises: this room only gathers; commands, events, state and rules each have their own.
Source: the domain's design sections 3 and 4.
"""

from typing import Final

from exchange.domain.kernel import Aggregate, aggregate
from exchange.domain.plan import agreeing, folding, lenses
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
from exchange.domain.plan.decide import (
    describe_situation,
    receive_report,
    record_conversation,
    set_goal,
)
from exchange.domain.plan.elements import (
    Agreement,
    Conversation,
    Goal,
    LensAssessment,
    Report,
    RuleConflict,
    Situation,
    Support,
)
from exchange.domain.plan.events import (
    ConversationRecorded,
    GoalSet,
    LensAssessed,
    PlanAgreed,
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
from exchange.domain.plan.lenses import (
    RecordRuleConflict,
    ResolveRuleConflict,
    RuleConflictRecorded,
    RuleConflictResolved,
    lenses_missing,
)
from exchange.domain.plan.recorded import stamped
from exchange.domain.plan.seen import as_seen
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.support import assign_support, request_support, start_support, stop_support

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
        **lenses.DECIDERS,
        **agreeing.DECIDERS,
    },
    founders=folding.FOUNDERS,
    evolvers={**folding.EVOLVERS, **lenses.EVOLVERS, **agreeing.EVOLVERS},
    stamp=stamped,
)

__all__ = [
    "PLAN",
    "AgreeToPlan",
    "Agreement",
    "AssessLens",
    "AssignSupport",
    "Conversation",
    "ConversationRecorded",
    "DescribeSituation",
    "Goal",
    "GoalSet",
    "LensAssessed",
    "LensAssessment",
    "PlanAgreed",
    "PlanDisagreed",
    "PlanEvent",
    "PlanOpened",
    "PlanState",
    "ReceiveReport",
    "RecordConversation",
    "RecordRuleConflict",
    "Report",
    "ReportReceived",
    "RequestSupport",
    "ResolveRuleConflict",
    "RuleConflict",
    "RuleConflictRecorded",
    "RuleConflictResolved",
    "SetGoal",
    "Situation",
    "SituationDescribed",
    "StartSupport",
    "StopSupport",
    "Support",
    "SupportAssigned",
    "SupportRequested",
    "SupportStarted",
    "SupportStopped",
    "as_seen",
    "lenses_missing",
]
