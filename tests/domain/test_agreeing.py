"""A yes on conditions, a no, what a college answers to them, and the provider the resident prefers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.domain.plan import PLAN, AnswerAgreement, PreferProvider, as_seen
from exchange.domain.plan.decide import ELEMENTS_MAX
from exchange.domain.values import TASKS_OF_RESIDENTS_SIDE
from tests.domain.builders import (
    AGREE,
    ASSIGN,
    DISAGREE,
    PLAN_AGREED,
    PLANNER,
    RESIDENT,
    SITUATION_DESCRIBED,
    STRANGER,
    SUPPORT_ASSIGNED,
    SUPPORT_CHOSEN,
    fold,
    given,
)
from tests.domain.plan_builders import (
    AGREE_IF,
    AGREED_IF,
    AIMED_AT,
    ANSWER,
    ANSWERED,
    INVITE,
    INVITED,
    LOOKED_AT,
    PREFER,
    PREFERRED,
)

if TYPE_CHECKING:
    from exchange.domain.plan import AgreeToPlan
    from exchange.domain.values import Author

ASKED = (*SUPPORT_CHOSEN, AGREED_IF)


# --- conditions -----------------------------------------------------------------------------------------


def test_a_yes_on_conditions_says_which() -> None:
    given(PLAN, *SUPPORT_CHOSEN).when(AGREE_IF).then(AGREED_IF)
    given(PLAN, *SUPPORT_CHOSEN).when(replace(AGREE_IF, remarks=" ")).invalid("remarks")
    # It waits for what a yes waits for.
    given(PLAN, *SUPPORT_CHOSEN[:2]).when(AGREE_IF).refused("NO_GOAL")
    given(PLAN, *SUPPORT_CHOSEN).when(replace(AGREE_IF, author=PLANNER)).refused("NOT_RESIDENTS_SIDE")


def test_it_is_a_yes_once_the_conditions_are_met_and_not_before() -> None:
    assert fold(PLAN, *ASKED).agreed_version == 0
    given(PLAN, *ASKED, *LOOKED_AT).when(ASSIGN).refused("NOT_AGREED")
    given(PLAN, *ASKED).when(ANSWER).then(ANSWERED)
    assert fold(PLAN, *ASKED, ANSWERED).agreed_version == AGREED_IF.plan_version
    given(PLAN, *ASKED, ANSWERED, *LOOKED_AT).when(ASSIGN).then(SUPPORT_ASSIGNED)
    unmet = replace(ANSWERED, met=False)
    given(PLAN, *ASKED, unmet, *LOOKED_AT).when(ASSIGN).refused("NOT_AGREED")


def test_a_yes_on_conditions_takes_back_no_yes_that_stands() -> None:
    state = fold(PLAN, *SUPPORT_CHOSEN, PLAN_AGREED, replace(AGREED_IF, plan_version=5))
    assert state.agreed_version == PLAN_AGREED.plan_version
    met = PLAN.evolve(state, replace(ANSWERED, plan_version=5))
    assert met.agreed_version == AGREED_IF.plan_version + 1


def test_a_yes_on_conditions_covers_no_support_that_was_not_shown() -> None:
    asked = fold(PLAN, *SUPPORT_CHOSEN)
    (blind,) = PLAN.decide(AGREE_IF, as_seen(asked, {"supports"}, frozenset()))
    assert blind == replace(AGREED_IF, supports_unseen=True)
    assert PLAN.evolve(PLAN.evolve(asked, blind), ANSWERED).agreed_version == 0


@pytest.mark.parametrize("word", [AGREE, AGREE_IF, DISAGREE])
def test_a_word_says_whether_the_resident_or_a_representative_spoke(word: AgreeToPlan) -> None:
    said = {}
    for task in sorted(TASKS_OF_RESIDENTS_SIDE):
        plan = fold(PLAN, *AIMED_AT)
        (event,) = PLAN.decide(replace(word, author=replace(RESIDENT, task=task)), plan)
        (agreement,) = PLAN.evolve(plan, event).agreements
        said[task] = agreement.spoken_by
    assert said == {"betrokkene": "resident", "wettelijk-vertegenwoordiger": "representative"}


def test_who_does_not_see_the_answer_decides_as_if_there_were_none() -> None:
    plan = fold(PLAN, *ASKED, *LOOKED_AT, ANSWERED)
    for hidden, leaves in ((frozenset({"answers"}), frozenset[str]()), ((), frozenset({"answers.met"}))):
        assert as_seen(plan, hidden, leaves).agreed_version == 0
    elsewhere = replace(ANSWERED, organisation=STRANGER, task="college:PW")
    seen = as_seen(fold(PLAN, *ASKED, elsewhere), (), frozenset(), frozenset({f"{STRANGER}/college:PW"}))
    assert (seen.answers, seen.agreed_version) == ((), 0)


# --- answers --------------------------------------------------------------------------------------------


def test_how_a_no_was_handled_is_told_by_who_handled_it() -> None:
    (no,) = PLAN.decide(DISAGREE, fold(PLAN, *AIMED_AT))
    handled = replace(ANSWER, plan_version=3, met=False, answer="Samen een ander doel gekozen.")
    given(PLAN, *AIMED_AT, no).when(handled).then(
        replace(ANSWERED, plan_version=3, met=False, answer="Samen een ander doel gekozen.")
    )
    given(PLAN, *AIMED_AT, no).when(replace(handled, met=True)).invalid("met")
    # Whatever was recorded: a no stays a no.
    assert fold(PLAN, *AIMED_AT, no, replace(ANSWERED, plan_version=3)).agreed_version == 0


def test_only_the_newest_word_is_answered_and_once() -> None:
    given(PLAN, *AIMED_AT).when(ANSWER).refused("WORD_UNKNOWN")
    given(PLAN, *ASKED).when(replace(ANSWER, plan_version=3)).refused("WORD_UNKNOWN")
    given(PLAN, *ASKED, ANSWERED).when(ANSWER).refused("ANSWERED")
    given(PLAN, *ASKED, replace(PLAN_AGREED, plan_version=5)).when(ANSWER).refused("WORD_UNKNOWN")
    given(PLAN, *SUPPORT_CHOSEN, PLAN_AGREED).when(ANSWER).refused("NOTHING_ASKED")


@pytest.mark.parametrize("command", [replace(ANSWER, answer=""), replace(ANSWER, answer="x" * 4001)])
def test_an_answer_says_something(command: AnswerAgreement) -> None:
    given(PLAN, *ASKED).when(command).invalid("answer")


@pytest.mark.parametrize("author", [PLANNER, RESIDENT])
def test_nobody_but_a_college_answers(author: Author) -> None:
    given(PLAN, *ASKED).when(replace(ANSWER, author=author)).refused("NOT_THE_COLLEGE")


@pytest.mark.parametrize("met", [True, False])
def test_a_body_under_a_mandate_makes_no_yes_to_all_of_the_plan(met: bool) -> None:  # noqa: FBT001 -- what is answered
    body = replace(ANSWER.author, oin=STRANGER, operator=False)
    given(PLAN, *ASKED).when(replace(ANSWER, author=body, met=met)).refused("BEYOND_MANDATE")


def test_the_most_answers() -> None:
    many = tuple(replace(ANSWERED, plan_version=100_000 + n) for n in range(ELEMENTS_MAX))
    given(PLAN, *ASKED, *many[1:]).when(ANSWER).then(ANSWERED)
    given(PLAN, *ASKED, *many).when(ANSWER).refused("PLAN_FULL")


# --- the provider the resident prefers --------------------------------------------------------------------


def test_a_preference_is_named_and_its_provider_asked_once() -> None:
    given(PLAN, *AIMED_AT).when(PREFER).then(PREFERRED)
    given(PLAN, *AIMED_AT, PREFERRED).when(INVITE).then(INVITED)
    (preference,) = fold(PLAN, *AIMED_AT, PREFERRED, INVITED).preferences
    assert preference.invited
    given(PLAN, *AIMED_AT, PREFERRED, INVITED).when(INVITE).refused("INVITED")


def test_the_resident_names_a_provider_too_and_nobody_else_does() -> None:
    own = replace(PREFERRED, task="betrokkene")
    given(PLAN, *AIMED_AT).when(replace(PREFER, author=RESIDENT)).then(own)
    # What a desk recorded is no reason for the resident not to say it.
    given(PLAN, *AIMED_AT, PREFERRED).when(replace(PREFER, author=RESIDENT)).then(own)
    given(PLAN, *AIMED_AT, PREFERRED).when(PREFER).refused("PREFERENCE_KNOWN")
    given(PLAN, *AIMED_AT).when(replace(PREFER, author=PLANNER)).refused("NOT_THE_COLLEGE")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(PREFER, provider_oin="7"), "provider_oin"),
        (replace(PREFER, provider_task="college:WMO"), "provider_task"),
        (replace(PREFER, provider_task=""), "provider_task"),
        (replace(PREFER, preference_id=""), "preference_id"),
    ],
)
def test_a_preference_with_a_fault_names_the_field(command: PreferProvider, path: str) -> None:
    given(PLAN, *AIMED_AT).when(command).invalid(path)


def test_nobody_is_asked_whom_the_resident_did_not_name() -> None:
    given(PLAN, *AIMED_AT).when(INVITE).refused("NOT_PREFERRED")
    for other in (
        replace(INVITE, provider_oin=STRANGER),
        replace(INVITE, provider_task="jeugdhulpaanbieder"),
    ):
        given(PLAN, *AIMED_AT, PREFERRED).when(other).refused("NOT_PREFERRED")
    for author in (PLANNER, RESIDENT):
        given(PLAN, *AIMED_AT, PREFERRED).when(replace(INVITE, author=author)).refused("NOT_THE_COLLEGE")


def test_who_may_not_know_of_a_provider_does_not_see_that_it_is_preferred() -> None:
    plan = fold(PLAN, *AIMED_AT, SITUATION_DESCRIBED, PREFERRED)
    assert (
        as_seen(plan, (), frozenset(), frozenset({f"{PREFERRED.provider_oin}/wmo-aanbieder"})).preferences
        == ()
    )


def test_the_most_preferences() -> None:
    many = tuple(replace(PREFERRED, provider_oin=f"{n:020}") for n in range(ELEMENTS_MAX))
    given(PLAN, *AIMED_AT, *many[1:]).when(PREFER).then(PREFERRED)
    given(PLAN, *AIMED_AT, *many).when(PREFER).refused("PLAN_FULL")
