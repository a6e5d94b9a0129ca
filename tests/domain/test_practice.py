"""The practice check: what it says of a plan, on both sides of each of its lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.plan import PLAN, as_seen, practice_check
from tests.domain.builders import (
    A_DAY,
    DAY,
    DESCRIBE,
    GOAL_SET,
    LENS_ASSESSED,
    PLAN_AGREED,
    PLAN_OPENED,
    REPORT_RECEIVED,
    SITUATION_DESCRIBED,
    SUPPORT_CHOSEN,
    SUPPORT_REQUESTED,
    fold,
    given,
)
from tests.domain.plan_builders import (
    AGREED_AIM,
    AIMED_AT,
    EVALUATION_HELD,
    EVALUATION_PLANNED,
    GOAL_MARKED,
    INVITED,
    PREFERRED,
)
from tests.domain.test_plan import CONVERSED

if TYPE_CHECKING:
    from exchange.domain.plan import PlanEvent

OPENED = (PLAN_OPENED, REPORT_RECEIVED)
WORK_GOAL = replace(GOAL_SET, goal_id="d-2", life_domain="work_and_education")
GENERAL = replace(SUPPORT_REQUESTED, support_id="v-0", kind="general_service", provider_oin="")
WITH_PROVIDER = replace(CONVERSED, kind="with_provider")
YES, NO, NOT_ASKED = "yes", "no", "does_not_apply"


def check(*events: PlanEvent, minor: bool = False) -> Any:  # noqa: ANN401 -- PracticeCheck
    return practice_check(fold(PLAN, *events), minor=minor, today=DAY)


def test_an_empty_plan_is_asked_nothing() -> None:
    empty = check(*OPENED)
    said = {getattr(empty, name) for name in type(empty).__slots__ if name != "asked_twice"}
    assert said == {NOT_ASKED}
    assert empty.asked_twice == 0


@pytest.mark.parametrize(
    ("own_words", "answer"),
    [
        ("Weer zelf naar de winkel.", YES),
        ("Doet zelf boodschappen.", NO),
        ("  doet ZELF  boodschappen. ", NO),
        ("", NO),
    ],
)
def test_the_residents_words_are_not_the_professionals(own_words: str, answer: str) -> None:
    assert check(*OPENED, replace(GOAL_SET, own_words=own_words)).own_words == answer
    # One goal in other words is enough to say no; one that was withdrawn is not looked at.
    second = replace(GOAL_SET, goal_id="d-2", own_words=own_words)
    assert check(*AIMED_AT, second).own_words == answer
    withdrawn = replace(GOAL_MARKED, goal_id="d-2", state="withdrawn")
    assert check(*AIMED_AT, second, withdrawn).own_words == YES


def test_general_services_come_first() -> None:
    assert check(*AIMED_AT, GENERAL).general_services_first == NOT_ASKED
    assert check(*SUPPORT_CHOSEN).general_services_first == NO
    assert check(*SUPPORT_CHOSEN, GENERAL).general_services_first == NO
    assert check(*AIMED_AT, GENERAL, SUPPORT_REQUESTED).general_services_first == YES
    assert check(*OPENED, CONVERSED, GOAL_SET, SUPPORT_REQUESTED).general_services_first == YES
    assert check(*OPENED, WITH_PROVIDER, GOAL_SET, SUPPORT_REQUESTED).general_services_first == NO


def test_both_lenses() -> None:
    both = (*AIMED_AT, WORK_GOAL)
    assert check(*both).lenses_used == NO
    assert check(*both, LENS_ASSESSED).lenses_used == NO
    assert check(*both, LENS_ASSESSED, replace(LENS_ASSESSED, law="participatiewet")).lenses_used == YES
    assert check(*AIMED_AT, minor=True).lenses_used == NO


def test_the_residents_yes() -> None:
    assert check(*AIMED_AT).resident_agreed == NO
    assert check(*AGREED_AIM).resident_agreed == YES


def test_the_preferred_provider() -> None:
    assert check(*AIMED_AT, PREFERRED, INVITED).preferred_provider_asked == NOT_ASKED
    assert check(*SUPPORT_CHOSEN).preferred_provider_asked == NO
    assert check(*SUPPORT_CHOSEN, PREFERRED).preferred_provider_asked == NO
    assert check(*SUPPORT_CHOSEN, PREFERRED, INVITED).preferred_provider_asked == YES
    assert check(*SUPPORT_CHOSEN, WITH_PROVIDER).preferred_provider_asked == YES


def test_a_looking_back_to_come() -> None:
    today = replace(EVALUATION_PLANNED, plan_date=DAY)
    assert check(*AIMED_AT, today).evaluation_planned == NOT_ASKED
    assert check(*AGREED_AIM).evaluation_planned == NO
    assert check(*AGREED_AIM, today).evaluation_planned == YES
    assert check(*AGREED_AIM, replace(today, plan_date=DAY - A_DAY)).evaluation_planned == NO
    assert check(*AGREED_AIM, today, EVALUATION_HELD).evaluation_planned == NO


def test_what_was_asked_twice_is_counted_and_what_was_filled_in_is_not() -> None:
    again = replace(SITUATION_DESCRIBED, task="college:PW")
    third = replace(SITUATION_DESCRIBED, task="college:JW")
    elsewhere = replace(again, life_domain="housing")
    assert check(*OPENED, SITUATION_DESCRIBED, SITUATION_DESCRIBED).nothing_asked_twice == YES
    assert check(*OPENED, SITUATION_DESCRIBED, elsewhere).asked_twice == 0
    asked = check(*OPENED, SITUATION_DESCRIBED, again, third)
    assert (asked.nothing_asked_twice, asked.asked_twice) == (NO, 2)
    filled_in = check(*OPENED, SITUATION_DESCRIBED, replace(again, source="brp"))
    assert (filled_in.nothing_asked_twice, filled_in.asked_twice) == (YES, 0)


def test_of_what_is_not_shown_the_check_says_nothing() -> None:
    plan = fold(PLAN, *SUPPORT_CHOSEN, replace(PLAN_AGREED, plan_version=4))
    seen = practice_check(as_seen(plan, {"supports"}, frozenset()), minor=False, today=DAY)
    assert seen.general_services_first == seen.preferred_provider_asked == NOT_ASKED
    unsaid = practice_check(as_seen(plan, (), frozenset({"agreements.outcome"})), minor=False, today=DAY)
    assert unsaid.resident_agreed == NO


def test_where_it_was_filled_in_from_is_a_name_for_machines() -> None:
    given(PLAN, *OPENED).when(replace(DESCRIBE, source="brp")).then(
        replace(SITUATION_DESCRIBED, source="brp")
    )
    for source in ("b r p", "x" * 61):
        given(PLAN, *OPENED).when(replace(DESCRIBE, source=source)).invalid("source")
