"""Looking through each law that a need falls under, and what is done where their rules conflict.

Promises: what the law allows is looked at after the effect that is wanted, never before; where needs fall
under more than one law nobody agrees before each of those laws was looked through, or waived with a reason; a
conflict of rules is analysed and resolved, with its reason, before anybody agrees; what one desk wrote is
resolved by that desk, so that each word stands under the task that said it.
Source: protos/exchange/v1/plan_service.proto; the domain's design section 2 (P2, P3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.commands import AssessLens
from exchange.domain.plan.decide import open_plan, refuse_full
from exchange.domain.plan.elements import LensAssessment, RuleConflict
from exchange.domain.plan.events import LensAssessed, PlanEvent, plan_words
from exchange.domain.plan.state import PlanState
from exchange.domain.shape import (
    FINE,
    member_fault,
    members_fault,
    refuse_faults,
    text_fault,
    token_fault,
)
from exchange.domain.values import (
    CARE_DOMAINS,
    DEBT_DOMAINS,
    SCORE_MIN,
    SCORE_OF_NEED_MAX,
    WORK_DOMAINS,
    Law,
    LensFinding,
    origin_of,
)
from exchange.errors import RuleBroken

# The contract's lists hold no more (plan.proto).
LENSES_MAX: Final = 100
RULE_CONFLICTS_MAX: Final = 100
RULES_MAX: Final = 10
RULE_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRuleConflict(AuthoredCommand):
    """Record rules that cannot both be followed here, and what that comes to for this resident."""

    conflict_id: str
    laws: tuple[str, ...]
    rules: tuple[str, ...]
    analysis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveRuleConflict(AuthoredCommand):
    """Record how the conflict is resolved, and why so."""

    conflict_id: str
    resolution: str
    resolve_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConflictRecorded(PlanEvent):
    """Rules conflict; which they are tells of the resident's situation, and is sealed."""

    TOPIC: ClassVar[str] = "plan.rule_conflict_recorded.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("rules", "analysis")
    conflict_id: str
    laws: tuple[str, ...]
    rules: tuple[str, ...]
    analysis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConflictResolved(PlanEvent):
    """A conflict of rules was resolved."""

    TOPIC: ClassVar[str] = "plan.rule_conflict_resolved.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("resolution", "resolve_reason")
    conflict_id: str
    resolution: str
    resolve_reason: str


def assess_lens(command: AssessLens, state: PlanState | None) -> Events:
    """Decide on what one law's lens shows; a waived lens has its reason too."""
    plan = open_plan(state)
    refuse_faults(
        {
            "law": member_fault(Law, command.law),
            "finding": member_fault(LensFinding, command.finding),
            "reason": text_fault(command.reason),
        }
    )
    if command.finding != LensFinding.WAIVED and not plan.pursued:
        raise RuleBroken("first the effect that is wanted, then what the law allows", rule="NO_GOAL")
    refuse_full(plan, "lens_assessments", elements_max=LENSES_MAX)
    assessed = LensAssessed(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        law=command.law,
        finding=command.finding,
        reason=command.reason,
    )
    return (assessed,)


def domains_of_need(plan: PlanState) -> frozenset[str]:
    """Return the life domains with a need: reported, aimed at, or scored not self-reliant."""
    reported = {domain for report in plan.reports for domain in report.life_domains}
    aimed_at = {goal.life_domain for goal in plan.pursued}
    scored = {each.life_domain for each in plan.situations if SCORE_MIN <= each.score <= SCORE_OF_NEED_MAX}
    return frozenset(reported | aimed_at | scored)


def laws_asked_for(plan: PlanState, *, minor: bool = False) -> tuple[Law, ...]:
    """Return the laws the needs fall under, in a fixed order; care of a minor falls under two."""
    needs = domains_of_need(plan)
    care = bool(needs & CARE_DOMAINS)
    asked = {
        Law.WMO_2015: care,
        Law.JEUGDWET: care and minor,
        Law.PARTICIPATIEWET: bool(needs & WORK_DOMAINS),
        Law.WGS: bool(needs & DEBT_DOMAINS),
    }
    return tuple(law for law, holds in asked.items() if holds)


def lenses_missing(plan: PlanState, *, minor: bool = False) -> tuple[Law, ...]:
    """Return the laws still to look through before the plan can be agreed with, in a fixed order."""
    asked = laws_asked_for(plan, minor=minor)
    if len(asked) == 1:
        return ()
    looked_through = {each.law for each in plan.lens_assessments}
    return tuple(law for law in asked if law not in looked_through)


def rules_fault(rules: tuple[str, ...]) -> Mapping[str, str]:
    """Check rules that are named, each by where it stands."""
    if not 1 <= len(rules) <= RULES_MAX:
        return {"rules": f"must name 1 to {RULES_MAX}"}
    if len(set(rules)) != len(rules):
        return {"rules": "must name each once"}
    shape = f"must be 1 to {RULE_CHARS_MAX} characters"
    return {
        f"rules[{index}]": FINE if rule.strip() and len(rule) <= RULE_CHARS_MAX else shape
        for index, rule in enumerate(rules)
    }


def record_rule_conflict(command: RecordRuleConflict, state: PlanState | None) -> Events:
    """Decide on a conflict of rules."""
    plan = open_plan(state)
    author = command.author
    refuse_faults(
        {
            "conflict_id": token_fault(command.conflict_id),
            "laws": members_fault(Law, command.laws),
            "analysis": text_fault(command.analysis),
            **rules_fault(command.rules),
        }
    )
    if not author.is_college:
        raise RuleBroken("only a college weighs the rules it is bound by", rule="NOT_THE_COLLEGE")
    if not plan.pursued:
        raise RuleBroken("first the effect that is wanted, then what the law allows", rule="NO_GOAL")
    refuse_full(plan, "rule_conflicts", elements_max=RULE_CONFLICTS_MAX)
    recorded = RuleConflictRecorded(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        conflict_id=command.conflict_id,
        laws=command.laws,
        rules=command.rules,
        analysis=command.analysis,
    )
    return (recorded,)


def resolve_rule_conflict(command: ResolveRuleConflict, state: PlanState | None) -> Events:
    """Decide on how a conflict of rules is resolved."""
    plan = open_plan(state)
    author = command.author
    refuse_faults(
        {
            "resolution": text_fault(command.resolution),
            "resolve_reason": text_fault(command.resolve_reason),
        }
    )
    conflict = next((one for one in plan.rule_conflicts if one.conflict_id == command.conflict_id), None)
    if conflict is None:
        raise RuleBroken("this plan has no such conflict of rules", rule="CONFLICT_UNKNOWN")
    if conflict.origin != origin_of(author.task, author.oin):
        raise RuleBroken("only the desk that recorded a conflict resolves it", rule="NOT_THE_AUTHOR")
    if conflict.resolution:
        raise RuleBroken("this conflict is resolved already", rule="CONFLICT_RESOLVED")
    resolved = RuleConflictResolved(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        conflict_id=command.conflict_id,
        resolution=command.resolution,
        resolve_reason=command.resolve_reason,
    )
    return (resolved,)


def refuse_open_conflicts(plan: PlanState) -> None:
    """Refuse where rules conflict and nobody analysed that, or it is not resolved yet."""
    newest = {each.law: each.finding for each in plan.lens_assessments}
    analysed = {law for one in plan.rule_conflicts if one.resolution for law in one.laws}
    found = {law for law, finding in newest.items() if finding == LensFinding.CONFLICT}
    unresolved = {law for one in plan.rule_conflicts if not one.resolution for law in one.laws}
    if missing := sorted(unresolved | (found - analysed)):
        raise RuleBroken(
            "rules that conflict are analysed and resolved first",
            rule="CONFLICT_OPEN",
            missing=",".join(missing),
        )


def refuse_before_its_turn(plan: PlanState, goal_ids: tuple[str, ...]) -> None:
    """Refuse a decision on support before what is going on, and what the law allows, are there.

    The reversed test: situation, desired effects, options, the law, the decision, and the money last.
    """
    domains = {goal.life_domain for goal in plan.goals if goal.goal_id in goal_ids}
    if not any(one.life_domain in domains for one in plan.situations):
        raise RuleBroken("first what is going on, in a life domain it is for", rule="NO_SITUATION")
    if all(one.finding == LensFinding.WAIVED for one in plan.lens_assessments):
        raise RuleBroken("first what a law allows, then the decision", rule="NO_LENS")


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


def _rule_conflict_recorded(state: PlanState, event: RuleConflictRecorded) -> PlanState:
    conflict = RuleConflict(
        conflict_id=event.conflict_id,
        laws=event.laws,
        rules=event.rules,
        analysis=event.analysis,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(state, version=state.version + 1, rule_conflicts=(*state.rule_conflicts, conflict))


def _rule_conflict_resolved(state: PlanState, event: RuleConflictResolved) -> PlanState:
    conflicts = tuple(
        with_changes(one, resolution=event.resolution, resolve_reason=event.resolve_reason)
        # Resolved once: nobody replaces words unseen.
        if one.conflict_id == event.conflict_id and not one.resolution
        else one
        for one in state.rule_conflicts
    )
    return with_changes(state, version=state.version + 1, rule_conflicts=conflicts)


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType(
    {
        AssessLens: assess_lens,
        RecordRuleConflict: record_rule_conflict,
        ResolveRuleConflict: resolve_rule_conflict,
    }
)
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType(
    {
        LensAssessed: _lens_assessed,
        RuleConflictRecorded: _rule_conflict_recorded,
        RuleConflictResolved: _rule_conflict_resolved,
    }
)
