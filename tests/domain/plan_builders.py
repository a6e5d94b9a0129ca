"""What a plan needs before a decision, and commands and events of its later parts."""

from __future__ import annotations

from exchange.domain.plan import (
    RecordRuleConflict,
    ResolveRuleConflict,
    RuleConflictRecorded,
    RuleConflictResolved,
)
from tests.domain.builders import (
    CONSULENT,
    GOAL_SET,
    LENS_ASSESSED,
    MUNICIPALITY,
    NOON,
    PLAN_ID,
    PLAN_OPENED,
    REPORT_RECEIVED,
    RESIDENT_REF,
    SITUATION_DESCRIBED,
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
