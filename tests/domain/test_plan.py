"""The plan: reports, conversations, situations, goals, two pairs of glasses and the resident's word."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from exchange.domain.plan import (
    PLAN,
    AgreeToPlan,
    AssessLens,
    ConversationRecorded,
    DescribeSituation,
    PlanDisagreed,
    ReceiveReport,
    RecordConversation,
    SetGoal,
)
from exchange.domain.plan.decide import ELEMENTS_MAX
from exchange.domain.plan.words import Attendee
from exchange.domain.values import Author, LifeDomain, category_of
from tests.domain.builders import (
    AGREE,
    ASSESS,
    CONSULENT,
    CONVERSE,
    DAY,
    DESCRIBE,
    DISAGREE,
    GOAL_SET,
    LATER,
    LENS_ASSESSED,
    MUNICIPALITY,
    PLAN_AGREED,
    PLAN_ID,
    PLAN_OPENED,
    PLANNER,
    PROVIDER,
    REPORT,
    REPORT_RECEIVED,
    REPRESENTATIVE,
    REQUEST_SUPPORT,
    RESIDENT_REF,
    SET_GOAL,
    SITUATION_DESCRIBED,
    SUPPORT_ASSIGNED,
    SUPPORT_CHOSEN,
    SUPPORT_STARTED,
    fold,
    given,
)

OPENED = (PLAN_OPENED, REPORT_RECEIVED)
CONVERSED = ConversationRecorded(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    conversation_id="g-1",
    kind="first",
    hold_date=DAY,
    outcome="continue",
    summary="Wil thuis blijven wonen.",
    present=(),
)
SOLVE = replace(CONVERSE, outcome="solved_in_general_services")
SOLVED = replace(CONVERSED, outcome="solved_in_general_services")
DISAGREED = PlanDisagreed(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="betrokkene",
    plan_version=2,
    remarks="Liever zonder hulp; besproken.",
    at=LATER,
)
WORK_GOAL = replace(GOAL_SET, goal_id="d-2", life_domain="work_and_education")
OTHER_LENS = replace(LENS_ASSESSED, law="participatiewet", finding="waived", reason="Is met pensioen.")


# --- reports ----------------------------------------------------------------------------------------


def test_the_first_report_opens_the_plan() -> None:
    given(PLAN).when(REPORT).then(PLAN_OPENED, REPORT_RECEIVED)


def test_a_second_report_is_added() -> None:
    second = replace(REPORT, report_id="m-2", desk="loket-werk")
    given(PLAN, *OPENED).when(second).then(replace(REPORT_RECEIVED, report_id="m-2", desk="loket-werk"))


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(REPORT, life_domains=()), "life_domains"),
        (replace(REPORT, life_domains=("basic_adl", "basic_adl")), "life_domains"),
        (replace(REPORT, life_domains=("basic_adl", "unspecified")), "life_domains"),
        (replace(REPORT, own_words="\n"), "own_words"),
        (replace(REPORT, own_words="x" * 4001), "own_words"),
        (replace(REPORT, desk=""), "desk"),
        (replace(REPORT, resident=""), "resident"),
    ],
)
def test_a_report_with_a_fault_names_the_field(command: ReceiveReport, path: str) -> None:
    given(PLAN).when(command).invalid(path)


def test_a_report_opens_a_closed_plan_again() -> None:
    assert fold(PLAN, *OPENED, SOLVED).closed
    given(PLAN, *OPENED, SOLVED).when(REPORT).then(REPORT_RECEIVED)
    assert not fold(PLAN, *OPENED, SOLVED, REPORT_RECEIVED).closed


def test_the_most_reports() -> None:
    reports = (REPORT_RECEIVED,) * (ELEMENTS_MAX - 1)
    given(PLAN, PLAN_OPENED, *reports).when(REPORT).then(REPORT_RECEIVED)
    given(PLAN, PLAN_OPENED, *reports, REPORT_RECEIVED).when(REPORT).refused("PLAN_FULL")


# --- conversations ----------------------------------------------------------------------------------


def test_a_conversation() -> None:
    given(PLAN, *OPENED).when(CONVERSE).then(CONVERSED)
    assert not fold(PLAN, *OPENED, CONVERSED).closed


def test_who_was_there_is_told_by_who_it_was_and_never_by_name() -> None:
    everybody = tuple(Attendee)
    for present in (everybody[:1], everybody):
        there = replace(CONVERSED, present=present)
        given(PLAN, *OPENED).when(replace(CONVERSE, present=present)).then(there)
        assert [one.present for one in fold(PLAN, *OPENED, there).conversations] == [present]
    for wrong in (("resident", "resident"), ("Mevrouw Jansen",), ("",)):
        given(PLAN, *OPENED).when(replace(CONVERSE, present=wrong)).invalid("present")


def test_solved_at_the_first_conversation_closes_the_plan() -> None:
    given(PLAN, *OPENED).when(SOLVE).then(SOLVED)
    given(PLAN, *OPENED, SOLVED).when(SET_GOAL).refused("PLAN_CLOSED")


@pytest.mark.parametrize("kind", ["with_provider", "evaluation"])
def test_only_the_first_conversation_closes(kind: str) -> None:
    later = replace(SOLVED, kind=kind)
    given(PLAN, *OPENED).when(replace(SOLVE, kind=kind)).then(later)
    assert not fold(PLAN, *OPENED, later).closed


def test_care_that_runs_keeps_the_plan_open() -> None:
    given(PLAN, *SUPPORT_CHOSEN).when(SOLVE).then(SOLVED)
    assigned = (*SUPPORT_CHOSEN, SUPPORT_ASSIGNED)
    given(PLAN, *assigned).when(SOLVE).refused("SUPPORT_RUNS")
    given(PLAN, *assigned, SUPPORT_STARTED).when(SOLVE).refused("SUPPORT_RUNS")
    given(PLAN, *assigned).when(CONVERSE).then(CONVERSED)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(CONVERSE, kind="phone"), "kind"),
        (replace(CONVERSE, outcome=""), "outcome"),
        (replace(CONVERSE, summary=""), "summary"),
        (replace(CONVERSE, hold_date=date(1899, 12, 31)), "hold_date"),
        (replace(CONVERSE, hold_date=date(2101, 1, 1)), "hold_date"),
    ],
)
def test_a_conversation_with_a_fault_names_the_field(command: RecordConversation, path: str) -> None:
    given(PLAN, *OPENED).when(command).invalid(path)


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(2100, 12, 31)])
def test_the_first_and_last_days_there_are(day: date) -> None:
    given(PLAN, *OPENED).when(replace(CONVERSE, hold_date=day)).then(replace(CONVERSED, hold_date=day))


# --- situations -------------------------------------------------------------------------------------


@pytest.mark.parametrize("life_domain", list(LifeDomain))
def test_every_life_domain_can_be_described(life_domain: str) -> None:
    described = replace(SITUATION_DESCRIBED, life_domain=life_domain)
    given(PLAN, *OPENED).when(replace(DESCRIBE, life_domain=life_domain)).then(described)
    (situation,) = fold(PLAN, *OPENED, described).situations
    assert situation.category == category_of(life_domain) != ""
    assert set(described.sealed_fields().values()) == {situation.category}


def test_the_newest_description_of_a_domain_counts() -> None:
    newer = replace(SITUATION_DESCRIBED, score=4)
    other = replace(SITUATION_DESCRIBED, life_domain="justice")
    state = fold(PLAN, *OPENED, SITUATION_DESCRIBED, other, newer)
    assert [(each.life_domain, each.score) for each in state.situations] == [("justice", 2), ("basic_adl", 4)]


@pytest.mark.parametrize("score", [1, 5])
def test_scores_at_the_ends(score: int) -> None:
    described = replace(SITUATION_DESCRIBED, score=score)
    given(PLAN, *OPENED).when(replace(DESCRIBE, score=score)).then(described)


@pytest.mark.parametrize("field", ["strengths", "own_network"])
@pytest.mark.parametrize("words", ["", "De buurvrouw doet de was.", "x" * 4000])
def test_what_goes_well_and_who_helps_may_be_left_out(field: str, words: str) -> None:
    said: dict[str, Any] = {field: words}
    described = replace(SITUATION_DESCRIBED, **said)
    given(PLAN, *OPENED).when(replace(DESCRIBE, **said)).then(described)
    (shown,) = fold(PLAN, *OPENED, described).situations
    assert getattr(shown, field) == words


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(DESCRIBE, life_domain="luck"), "life_domain"),
        (replace(DESCRIBE, description=" "), "description"),
        (replace(DESCRIBE, strengths="x" * 4001), "strengths"),
        (replace(DESCRIBE, own_network="x" * 4001), "own_network"),
        (replace(DESCRIBE, score=0), "score"),
        (replace(DESCRIBE, score=6), "score"),
        (replace(DESCRIBE, judge_date=date(2101, 1, 1)), "judge_date"),
    ],
)
def test_a_situation_with_a_fault_names_the_field(command: DescribeSituation, path: str) -> None:
    given(PLAN, *OPENED).when(command).invalid(path)


def test_nobody_replaces_what_another_described() -> None:
    others = tuple(
        replace(SITUATION_DESCRIBED, task=task, organisation=oin, score=score)
        for score, task, oin in ((5, "wmo-aanbieder", PROVIDER), (4, "college:PW", MUNICIPALITY))
    )
    again = replace(SITUATION_DESCRIBED, score=1)
    state = fold(PLAN, *OPENED, SITUATION_DESCRIBED, *others, again)
    assert [(each.origin, each.score) for each in state.situations] == [
        (f"wmo-aanbieder@{PROVIDER}", 5),
        (f"college:PW@{MUNICIPALITY}", 4),
        (f"college:WMO@{MUNICIPALITY}", 1),
    ]


def test_the_most_situations() -> None:
    others = tuple(replace(SITUATION_DESCRIBED, organisation=f"{n:020}") for n in range(ELEMENTS_MAX))
    given(PLAN, *OPENED, *others).when(DESCRIBE).refused("PLAN_FULL")
    given(PLAN, *OPENED, *others[1:], SITUATION_DESCRIBED).when(DESCRIBE).then(SITUATION_DESCRIBED)


# --- goals ----------------------------------------------------------------------------------------


def test_setting_a_goal() -> None:
    given(PLAN, *OPENED).when(SET_GOAL).then(GOAL_SET)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(SET_GOAL, goal_id=""), "goal_id"),
        (replace(SET_GOAL, own_words=""), "own_words"),
        (replace(SET_GOAL, desired_effect=" "), "desired_effect"),
        (replace(SET_GOAL, life_domain=""), "life_domain"),
        (replace(SET_GOAL, target_date=date(2101, 1, 1)), "target_date"),
    ],
)
def test_a_goal_with_a_fault_names_the_field(command: SetGoal, path: str) -> None:
    given(PLAN, *OPENED).when(command).invalid(path)


# --- the resident's word ----------------------------------------------------------------------------


def test_agreeing_names_the_version_agreed_with() -> None:
    given(PLAN, *OPENED, GOAL_SET).when(AGREE).then(replace(PLAN_AGREED, plan_version=3))
    given(PLAN, *SUPPORT_CHOSEN).when(AGREE).then(PLAN_AGREED)


def test_a_plan_without_a_goal_is_not_agreed_with() -> None:
    given(PLAN, *OPENED).when(AGREE).refused("NO_GOAL")


@pytest.mark.parametrize("author", [CONSULENT, PLANNER, replace(PLANNER, task="mantelzorger")])
def test_nobody_but_the_residents_side_agrees(author: Author) -> None:
    for command in (AGREE, DISAGREE):
        given(PLAN, *OPENED, GOAL_SET).when(replace(command, author=author)).refused("NOT_RESIDENTS_SIDE")


def test_who_represents_the_resident_agrees() -> None:
    agreed = replace(PLAN_AGREED, task=REPRESENTATIVE.task, plan_version=3)
    given(PLAN, *OPENED, GOAL_SET).when(replace(AGREE, author=REPRESENTATIVE)).then(agreed)


def test_disagreeing_says_how_it_was_handled() -> None:
    given(PLAN, *OPENED).when(DISAGREE).then(DISAGREED)
    given(PLAN, *OPENED).when(replace(DISAGREE, remarks=" ")).invalid("remarks")


@pytest.mark.parametrize("outcome", ["", "maybe"])
def test_the_word_is_yes_or_no(outcome: str) -> None:
    given(PLAN, *OPENED, GOAL_SET).when(replace(AGREE, outcome=outcome)).invalid("outcome")


def test_the_newest_word_counts() -> None:
    assert fold(PLAN, *SUPPORT_CHOSEN, PLAN_AGREED).agreed_version == 4
    state = fold(PLAN, *SUPPORT_CHOSEN, PLAN_AGREED, DISAGREED)
    assert state.agreed_version == 0
    assert [each.outcome for each in state.agreements] == ["agreed", "disagreed"]


# --- what holds for all -----------------------------------------------------------------------------

PlanCommand = SetGoal | RecordConversation | DescribeSituation | AssessLens | AgreeToPlan


@pytest.mark.parametrize("command", [SET_GOAL, CONVERSE, DESCRIBE, ASSESS, AGREE, REQUEST_SUPPORT])
def test_nothing_happens_to_a_plan_that_is_closed_or_not_there(command: PlanCommand) -> None:
    given(PLAN, *OPENED, SOLVED).when(command).refused("PLAN_CLOSED")
    given(PLAN).when(command).refused("NO_PLAN")


def test_elements_keep_the_task_and_organisation_that_brought_them() -> None:
    by_work = replace(WORK_GOAL, task="college:PW")
    state = fold(PLAN, *OPENED, GOAL_SET, by_work)
    assert [(goal.origin, goal.category) for goal in state.goals] == [
        (f"college:WMO@{GOAL_SET.organisation}", "WMO-PLAN"),
        (f"college:PW@{GOAL_SET.organisation}", "WMO-PLAN"),
    ]
    assert state.origin == f"college:WMO@{GOAL_SET.organisation}"


def test_the_version_counts_the_events() -> None:
    chosen = (*SUPPORT_CHOSEN, LENS_ASSESSED, CONVERSED, SITUATION_DESCRIBED, DISAGREED, PLAN_AGREED)
    events = (*chosen, SUPPORT_ASSIGNED, SUPPORT_STARTED)
    for count in range(1, len(events) + 1):
        assert fold(PLAN, *events[:count]).version == count
