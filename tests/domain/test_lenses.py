"""Two pairs of glasses and the reversed test: which laws are looked at, when, and where rules conflict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange.domain.plan import (
    PLAN,
    AssessLens,
    PlanDisagreed,
    PlanEvent,
    RecordRuleConflict,
    ResolveRuleConflict,
    lenses_missing,
)
from exchange.domain.plan.lenses import LENSES_MAX, RULE_CONFLICTS_MAX, RULES_MAX
from exchange.domain.values import CARE_DOMAINS, DEBT_DOMAINS, WORK_DOMAINS, Author, LifeDomain
from tests.domain.builders import (
    AGREE,
    ASSESS,
    ASSIGN,
    DISAGREE,
    GOAL_SET,
    LATER,
    LENS_ASSESSED,
    MUNICIPALITY,
    PLAN_AGREED,
    PLAN_ID,
    PLAN_OPENED,
    PLANNER,
    REPORT_RECEIVED,
    RESIDENT,
    RESIDENT_REF,
    SITUATION_DESCRIBED,
    SUPPORT_ASSIGNED,
    SUPPORT_CHOSEN,
    fold,
    given,
)
from tests.domain.plan_builders import (
    AIMED_AT,
    CONFLICT_RECORDED,
    CONFLICT_RESOLVED,
    RECORD_CONFLICT,
    RESOLVE_CONFLICT,
)

OPENED = (PLAN_OPENED, REPORT_RECEIVED)
WORK_GOAL = replace(GOAL_SET, goal_id="d-2", life_domain="work_and_education")
OTHER_LENS = replace(LENS_ASSESSED, law="participatiewet", finding="waived", reason="Is met pensioen.")
DISAGREED = PlanDisagreed(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="betrokkene",
    plan_version=3,
    remarks="Liever zonder hulp; besproken.",
    at=LATER,
)


# --- one lens ---------------------------------------------------------------------------------------


def test_assessing_a_lens() -> None:
    given(PLAN, *AIMED_AT).when(ASSESS).then(LENS_ASSESSED)


def test_what_the_law_allows_is_looked_at_after_the_effect_that_is_wanted() -> None:
    given(PLAN, *OPENED).when(ASSESS).refused("NO_GOAL")
    given(PLAN, *OPENED).when(replace(ASSESS, finding="conflict")).refused("NO_GOAL")
    # Who does not look needs no effect to look for.
    waived = replace(ASSESS, finding="waived", reason="Is met pensioen.")
    given(PLAN, *OPENED).when(waived).then(
        replace(LENS_ASSESSED, finding="waived", reason="Is met pensioen.")
    )


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(ASSESS, law="awbz"), "law"),
        (replace(ASSESS, finding=""), "finding"),
        (replace(ASSESS, finding="waived", reason=" "), "reason"),
    ],
)
def test_a_lens_with_a_fault_names_the_field(command: AssessLens, path: str) -> None:
    given(PLAN, *OPENED).when(command).invalid(path)


def test_the_most_lenses() -> None:
    lenses = (LENS_ASSESSED,) * (LENSES_MAX - 1)
    given(PLAN, *AIMED_AT, *lenses).when(ASSESS).then(LENS_ASSESSED)
    given(PLAN, *AIMED_AT, *lenses, LENS_ASSESSED).when(ASSESS).refused("PLAN_FULL")


# --- the lenses that are asked ------------------------------------------------------------------------


def test_care_and_work_ask_for_both_lenses() -> None:
    both = (*OPENED, GOAL_SET, WORK_GOAL)
    given(PLAN, *both).when(AGREE).refused("TWO_LENSES")
    given(PLAN, *both, LENS_ASSESSED).when(AGREE).refused("TWO_LENSES")
    given(PLAN, *both, OTHER_LENS).when(AGREE).refused("TWO_LENSES")
    given(PLAN, *both, LENS_ASSESSED, OTHER_LENS).when(AGREE).then(replace(PLAN_AGREED, plan_version=6))


def test_other_lenses_do_not_stand_in() -> None:
    jeugdwet = replace(LENS_ASSESSED, law="jeugdwet")
    given(PLAN, *OPENED, GOAL_SET, WORK_GOAL, LENS_ASSESSED, jeugdwet).when(AGREE).refused("TWO_LENSES")


def test_disagreeing_waits_for_no_lens() -> None:
    given(PLAN, *OPENED, WORK_GOAL).when(DISAGREE).then(DISAGREED)


def test_one_kind_of_need_asks_for_no_lens() -> None:
    work_report = replace(REPORT_RECEIVED, life_domains=("work_and_education", "housing"))
    assert lenses_missing(fold(PLAN, PLAN_OPENED, work_report, WORK_GOAL)) == ()
    assert lenses_missing(fold(PLAN, *OPENED, GOAL_SET)) == ()


@pytest.mark.parametrize(
    "work",
    [
        replace(REPORT_RECEIVED, life_domains=("work_and_education",)),
        WORK_GOAL,
        replace(SITUATION_DESCRIBED, life_domain="work_and_education", score=3),
    ],
)
@pytest.mark.parametrize("care", sorted(CARE_DOMAINS))
def test_a_need_counts_wherever_it_is_named(work: PlanEvent, care: str) -> None:
    care_report = replace(REPORT_RECEIVED, life_domains=(care,))
    assert lenses_missing(fold(PLAN, PLAN_OPENED, care_report, work)) == ("wmo_2015", "participatiewet")


@pytest.mark.parametrize(("score", "missing"), [(1, 2), (3, 2), (4, 0), (5, 0)])
def test_a_situation_is_a_need_up_to_score_three(score: int, missing: int) -> None:
    work = replace(SITUATION_DESCRIBED, life_domain="work_and_education", score=score)
    assert len(lenses_missing(fold(PLAN, *OPENED, work))) == missing


def test_debts_ask_for_the_lens_of_the_wgs() -> None:
    debts = replace(SITUATION_DESCRIBED, life_domain="finance", score=2)
    assert lenses_missing(fold(PLAN, PLAN_OPENED, debts)) == ()
    assert lenses_missing(fold(PLAN, *OPENED, debts)) == ("wmo_2015", "wgs")
    assert lenses_missing(fold(PLAN, PLAN_OPENED, WORK_GOAL, debts)) == ("participatiewet", "wgs")
    given(PLAN, *AIMED_AT, debts, LENS_ASSESSED).when(AGREE).refused("TWO_LENSES")
    waived = replace(OTHER_LENS, law="wgs", reason="De regeling loopt al.")
    agreed = replace(PLAN_AGREED, plan_version=6)
    given(PLAN, *AIMED_AT, debts, LENS_ASSESSED, waived).when(AGREE).then(agreed)


def test_care_of_a_minor_asks_for_the_lens_of_the_jeugdwet() -> None:
    plan = fold(PLAN, *AIMED_AT)
    assert lenses_missing(plan, minor=True) == ("wmo_2015", "jeugdwet")
    assert lenses_missing(fold(PLAN, PLAN_OPENED, WORK_GOAL), minor=True) == ()
    young = replace(AGREE, minor=True)
    given(PLAN, *AIMED_AT).when(young).refused("TWO_LENSES")
    youth = replace(LENS_ASSESSED, law="jeugdwet")
    given(PLAN, *AIMED_AT, LENS_ASSESSED, youth).when(young).then(replace(PLAN_AGREED, plan_version=5))


def test_the_needs_of_two_laws_do_not_overlap() -> None:
    groups = (CARE_DOMAINS, WORK_DOMAINS, DEBT_DOMAINS)
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
    assert set(LifeDomain) >= frozenset().union(*groups)


# --- rules that conflict ------------------------------------------------------------------------------


def test_a_conflict_of_rules_is_recorded_and_resolved_with_its_reason() -> None:
    given(PLAN, *AIMED_AT).when(RECORD_CONFLICT).then(CONFLICT_RECORDED)
    given(PLAN, *AIMED_AT, CONFLICT_RECORDED).when(RESOLVE_CONFLICT).then(CONFLICT_RESOLVED)
    (conflict,) = fold(PLAN, *AIMED_AT, CONFLICT_RECORDED, CONFLICT_RESOLVED).rule_conflicts
    assert (conflict.rules, conflict.analysis) == (CONFLICT_RECORDED.rules, CONFLICT_RECORDED.analysis)
    assert conflict.resolve_reason == CONFLICT_RESOLVED.resolve_reason


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(RECORD_CONFLICT, laws=()), "laws"),
        (replace(RECORD_CONFLICT, laws=("awbz",)), "laws"),
        (replace(RECORD_CONFLICT, rules=()), "rules"),
        (replace(RECORD_CONFLICT, rules=("a",) * 2), "rules"),
        (replace(RECORD_CONFLICT, rules=tuple(map(str, range(RULES_MAX + 1)))), "rules"),
        (replace(RECORD_CONFLICT, rules=("a", " ")), "rules[1]"),
        (replace(RECORD_CONFLICT, rules=("a" * 201,)), "rules[0]"),
        (replace(RECORD_CONFLICT, analysis=" "), "analysis"),
        (replace(RECORD_CONFLICT, conflict_id=""), "conflict_id"),
        (replace(RESOLVE_CONFLICT, resolution=""), "resolution"),
        (replace(RESOLVE_CONFLICT, resolve_reason="\n"), "resolve_reason"),
    ],
)
def test_a_conflict_with_a_fault_names_the_field(
    command: RecordRuleConflict | ResolveRuleConflict, path: str
) -> None:
    given(PLAN, *AIMED_AT, CONFLICT_RECORDED).when(command).invalid(path)


@pytest.mark.parametrize("author", [PLANNER, RESIDENT])
def test_nobody_but_a_college_weighs_its_rules(author: Author) -> None:
    given(PLAN, *AIMED_AT).when(replace(RECORD_CONFLICT, author=author)).refused("NOT_THE_COLLEGE")


def test_a_conflict_is_of_rules_about_an_effect_that_is_wanted() -> None:
    given(PLAN, *OPENED).when(RECORD_CONFLICT).refused("NO_GOAL")


def test_a_conflict_is_resolved_once_and_by_the_desk_that_recorded_it() -> None:
    recorded = (*AIMED_AT, CONFLICT_RECORDED)
    given(PLAN, *AIMED_AT).when(RESOLVE_CONFLICT).refused("CONFLICT_UNKNOWN")
    at_work = Author(MUNICIPALITY, "college:PW", "w-1", operator=True)
    given(PLAN, *recorded).when(replace(RESOLVE_CONFLICT, author=at_work)).refused("NOT_THE_AUTHOR")
    given(PLAN, *recorded, CONFLICT_RESOLVED).when(RESOLVE_CONFLICT).refused("CONFLICT_RESOLVED")


def test_nobody_agrees_while_rules_conflict() -> None:
    at_odds = replace(LENS_ASSESSED, finding="conflict")
    given(PLAN, *AIMED_AT, CONFLICT_RECORDED).when(AGREE).refused("CONFLICT_OPEN")
    given(PLAN, *AIMED_AT, at_odds).when(AGREE).refused("CONFLICT_OPEN")
    given(PLAN, *AIMED_AT, at_odds, CONFLICT_RECORDED).when(AGREE).refused("CONFLICT_OPEN")
    resolved = (CONFLICT_RECORDED, CONFLICT_RESOLVED)
    given(PLAN, *AIMED_AT, at_odds, *resolved).when(AGREE).then(replace(PLAN_AGREED, plan_version=6))
    # A conflict with another law is not analysed by it.
    other = replace(at_odds, law="wgs")
    given(PLAN, *AIMED_AT, other, *resolved).when(AGREE).refused("CONFLICT_OPEN")
    # Who looks again and finds that it fits has no conflict any more.
    given(PLAN, *AIMED_AT, at_odds, LENS_ASSESSED).when(AGREE).then(replace(PLAN_AGREED, plan_version=5))


def test_the_most_conflicts() -> None:
    many = (CONFLICT_RECORDED,) * (RULE_CONFLICTS_MAX - 1)
    given(PLAN, *AIMED_AT, *many).when(RECORD_CONFLICT).then(CONFLICT_RECORDED)
    given(PLAN, *AIMED_AT, *many, CONFLICT_RECORDED).when(RECORD_CONFLICT).refused("PLAN_FULL")


# --- the decision comes after them ----------------------------------------------------------------------


def test_what_is_going_on_and_what_the_law_allows_come_before_the_decision() -> None:
    agreed = (*SUPPORT_CHOSEN, PLAN_AGREED)
    elsewhere = replace(SITUATION_DESCRIBED, life_domain="housing")
    waived = replace(LENS_ASSESSED, finding="waived")
    given(PLAN, *agreed, LENS_ASSESSED).when(ASSIGN).refused("NO_SITUATION")
    given(PLAN, *agreed, LENS_ASSESSED, elsewhere).when(ASSIGN).refused("NO_SITUATION")
    given(PLAN, *agreed, SITUATION_DESCRIBED).when(ASSIGN).refused("NO_LENS")
    given(PLAN, *agreed, SITUATION_DESCRIBED, waived).when(ASSIGN).refused("NO_LENS")
    given(PLAN, *agreed, SITUATION_DESCRIBED, waived, LENS_ASSESSED).when(ASSIGN).then(SUPPORT_ASSIGNED)
