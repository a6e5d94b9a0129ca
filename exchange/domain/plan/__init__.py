"""The plan: everything about one resident's support plan, as one aggregate.

Promises: this room only gathers; commands, events, state and rules each have their own.
Source: the domain's design sections 3 and 4.
"""

from typing import Final

from exchange.domain.kernel import Aggregate, aggregate, with_changes
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
    agree_to_plan,
    assess_lens,
    describe_situation,
    lenses_missing,
    receive_report,
    record_conversation,
    set_goal,
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
from exchange.domain.plan.received import ElementsReceived, elements_received
from exchange.domain.plan.recorded import stamped
from exchange.domain.plan.seen import as_seen
from exchange.domain.plan.state import (
    EVOLVERS,
    FOUNDERS,
    Agreement,
    Conversation,
    Goal,
    LensAssessment,
    PlanState,
    Report,
    Situation,
    Support,
)
from exchange.domain.plan.support import assign_support, request_support, start_support, stop_support

PLAN: Final[Aggregate] = aggregate(
    "plan",
    deciders={
        ReceiveReport: receive_report,
        RecordConversation: record_conversation,
        DescribeSituation: describe_situation,
        SetGoal: set_goal,
        AssessLens: assess_lens,
        RequestSupport: request_support,
        AgreeToPlan: agree_to_plan,
        AssignSupport: assign_support,
        StartSupport: start_support,
        StopSupport: stop_support,
        RectifyPlan: rectify_plan,
        AddStatement: add_statement,
    },
    founders=FOUNDERS,
    evolvers={**EVOLVERS, PlanCorrected: corrected, ElementsReceived: elements_received},
    stamp=stamped,
    # Versions are those of the stream: a yes is to what stood at one, also where what stood there is gone.
    counted=lambda plan: with_changes(plan, version=plan.version + 1),
)

__all__ = [
    "PLAN",
    "AddStatement",
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
    "PlanCorrected",
    "PlanDisagreed",
    "PlanEvent",
    "PlanOpened",
    "PlanState",
    "ReceiveReport",
    "RecordConversation",
    "RectifyPlan",
    "Report",
    "ReportReceived",
    "RequestSupport",
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
