"""A child of twelve to fifteen who can decide, and its parent: both say yes, or a college says why not."""

from __future__ import annotations

from dataclasses import replace

from exchange.domain.plan import PLAN
from exchange.domain.plan.events import PlanAgreed, PlanDisagreed
from exchange.domain.plan.goals import first_yes
from exchange.domain.plan.received import content_of, told
from exchange.store.upcasts import UPCASTS
from tests.domain.builders import (
    AGREE,
    ASSIGN,
    DISAGREE,
    PLAN_AGREED,
    REPRESENTATIVE,
    SUPPORT_ASSIGNED,
    SUPPORT_CHOSEN,
    fold,
    given,
)
from tests.domain.plan_builders import AGREE_IF, AGREED_IF, ANSWER, ANSWERED, LOOKED_AT
from tests.domain.test_received import received

CHILD_SAYS = replace(AGREE, asks_both=True)
PARENT_SAYS = replace(CHILD_SAYS, author=REPRESENTATIVE)
CHILD_WAITS = replace(PLAN_AGREED, waits=True)
PARENT_WAITS = replace(CHILD_WAITS, task="wettelijk-vertegenwoordiger")
PARENT_TOO = replace(PARENT_WAITS, plan_version=5, waits=False)
CHILD_TOO = replace(PLAN_AGREED, plan_version=5)
CHILD_NO = PlanDisagreed(
    resident=PLAN_AGREED.resident,
    plan_id=PLAN_AGREED.plan_id,
    organisation=PLAN_AGREED.organisation,
    task=PLAN_AGREED.task,
    plan_version=5,
    remarks="Liever niet.",
    at=PLAN_AGREED.at,
)
PARENT_NO = replace(CHILD_NO, task="wettelijk-vertegenwoordiger", plan_version=4)
ALONE = replace(ANSWER, met=False, without_parents="serious_disadvantage", answer="Het kan niet wachten.")
PERSISTS = replace(ALONE, plan_version=5, without_parents="child_persists")
COUNTS_ALONE = replace(
    ANSWERED, met=False, without_parents="serious_disadvantage", answer="Het kan niet wachten."
)


def agreed(*events: object) -> int:
    return int(fold(PLAN, *SUPPORT_CHOSEN, *events).agreed_version)  # type: ignore[arg-type] # events


def test_neither_alone_makes_a_plan_agreed() -> None:
    given(PLAN, *SUPPORT_CHOSEN).when(CHILD_SAYS).then(CHILD_WAITS)
    given(PLAN, *SUPPORT_CHOSEN).when(PARENT_SAYS).then(PARENT_WAITS)
    assert agreed(CHILD_WAITS) == agreed(PARENT_WAITS) == 0
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS, *LOOKED_AT).when(ASSIGN).refused("NOT_AGREED")
    # Twice the same one is still one.
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS).when(CHILD_SAYS).then(replace(CHILD_WAITS, plan_version=5))


def test_both_do_in_either_order() -> None:
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS).when(PARENT_SAYS).then(PARENT_TOO)
    given(PLAN, *SUPPORT_CHOSEN, PARENT_WAITS).when(CHILD_SAYS).then(CHILD_TOO)
    assert agreed(CHILD_WAITS, PARENT_TOO) == agreed(PARENT_WAITS, CHILD_TOO) == CHILD_TOO.plan_version
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS, PARENT_TOO, *LOOKED_AT).when(ASSIGN).then(SUPPORT_ASSIGNED)


def test_a_no_of_either_ends_it_and_asks_both_again() -> None:
    for no in (CHILD_NO, replace(PARENT_NO, plan_version=5)):
        assert agreed(CHILD_WAITS, PARENT_TOO, replace(no, plan_version=6)) == 0
    # After the child's no a parent's yes waits for the child; its own yes of before counts no more.
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS, CHILD_NO).when(PARENT_SAYS).then(
        replace(PARENT_WAITS, plan_version=6)
    )
    given(PLAN, *SUPPORT_CHOSEN, PARENT_NO).when(CHILD_SAYS).then(replace(CHILD_WAITS, plan_version=5))
    given(PLAN, *SUPPORT_CHOSEN).when(replace(DISAGREE, author=REPRESENTATIVE, asks_both=True)).then(
        replace(PARENT_NO, remarks=DISAGREE.remarks)
    )


def test_a_yes_of_the_other_to_less_than_there_is_now_is_waited_for() -> None:
    before = SUPPORT_CHOSEN[:-1]
    early = replace(CHILD_WAITS, plan_version=len(before))
    later = (*before, early, SUPPORT_CHOSEN[-1])
    (said,) = PLAN.decide(PARENT_SAYS, fold(PLAN, *later))
    assert isinstance(said, PlanAgreed)
    assert said.waits
    assert fold(PLAN, *later, said).agreed_version == 0


def test_a_yes_on_conditions_of_the_other_counts_once_they_are_met() -> None:
    asked = replace(AGREED_IF, waits=True)
    given(PLAN, *SUPPORT_CHOSEN).when(replace(AGREE_IF, asks_both=True)).then(asked)
    given(PLAN, *SUPPORT_CHOSEN, asked).when(PARENT_SAYS).then(replace(PARENT_TOO, waits=True))
    given(PLAN, *SUPPORT_CHOSEN, asked, ANSWERED).when(PARENT_SAYS).then(replace(PARENT_TOO, plan_version=6))
    assert agreed(asked, ANSWERED) == 0, "met, and still the child's alone"


def test_a_college_says_why_the_childs_yes_is_enough() -> None:
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS).when(ALONE).then(COUNTS_ALONE)
    assert agreed(CHILD_WAITS, COUNTS_ALONE) == CHILD_WAITS.plan_version
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS).when(replace(ALONE, answer=" ")).invalid("answer")
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS).when(replace(ALONE, without_parents="x")).invalid(
        "without_parents"
    )
    # What the law lets go on without a parent no parent stops; the child does.
    no = replace(PARENT_NO, plan_version=6)
    assert agreed(CHILD_WAITS, COUNTS_ALONE, no) == CHILD_WAITS.plan_version
    assert agreed(CHILD_WAITS, COUNTS_ALONE, replace(CHILD_NO, plan_version=6)) == 0


def test_a_child_persists_after_a_parents_no_only() -> None:
    again = replace(CHILD_WAITS, plan_version=5)
    given(PLAN, *SUPPORT_CHOSEN, PARENT_NO, again).when(PERSISTS).then(
        replace(COUNTS_ALONE, plan_version=5, without_parents="child_persists")
    )
    first = replace(PERSISTS, plan_version=4)
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS).when(first).refused("NOT_REFUSED")
    # The no came after: the child has not said it again.
    given(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS, replace(PARENT_NO, plan_version=5)).when(first).refused(
        "NOT_REFUSED"
    )
    after = (CHILD_WAITS, replace(PARENT_NO, plan_version=5))
    given(PLAN, *SUPPORT_CHOSEN, *after).when(ALONE).then(COUNTS_ALONE)


def test_after_a_no_of_the_parent_who_had_said_yes_the_childs_yes_still_counts_alone() -> None:
    said = (CHILD_WAITS, COUNTS_ALONE, replace(PARENT_TOO, plan_version=6))
    assert agreed(*said) == 6
    assert agreed(*said, replace(PARENT_NO, plan_version=7)) == CHILD_WAITS.plan_version
    assert agreed(*said, replace(CHILD_NO, plan_version=7), replace(PARENT_NO, plan_version=8)) == 0


def test_conditions_are_answered_also_once_the_other_one_said_yes() -> None:
    said = (replace(AGREED_IF, waits=True), replace(PARENT_TOO, waits=True))
    given(PLAN, *SUPPORT_CHOSEN, *said).when(ANSWER).then(ANSWERED)
    assert agreed(*said, ANSWERED) == 0
    given(PLAN, *SUPPORT_CHOSEN, *said, ANSWERED).when(PARENT_SAYS).then(replace(PARENT_TOO, plan_version=7))
    # Where the newest word waits for nobody, what was said before it is not answered any more.
    for last in (PARENT_TOO, replace(PARENT_NO, plan_version=5)):
        met = replace(ANSWER, met=last is PARENT_TOO)
        given(PLAN, *SUPPORT_CHOSEN, said[0], last).when(met).refused("WORD_UNKNOWN")


def test_a_yes_of_which_the_conditions_were_met_may_count_alone() -> None:
    said = (replace(AGREED_IF, waits=True), ANSWERED)
    given(PLAN, *SUPPORT_CHOSEN, *said).when(ALONE).then(COUNTS_ALONE)
    assert agreed(*said, COUNTS_ALONE) == AGREED_IF.plan_version
    for again in (ALONE, replace(ALONE, met=True), ANSWER):
        given(PLAN, *SUPPORT_CHOSEN, *said, COUNTS_ALONE).when(again).refused("ANSWERED")


def test_a_yes_to_a_plan_without_its_supports_undoes_none_of_the_other() -> None:
    unseen = replace(PARENT_WAITS, plan_version=5, supports_unseen=True)
    given(PLAN, *SUPPORT_CHOSEN, PARENT_WAITS, unseen).when(CHILD_SAYS).then(
        replace(CHILD_TOO, plan_version=6)
    )


def test_what_was_said_of_another_municipalitys_plan_is_no_word_on_this_one() -> None:
    of_there = replace(fold(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS).agreements[0], waits=False)
    told_of = [told(replace(of_there, plan_version=40), {"outcome", "plan_version", "say_time", "spoken_by"})]
    came = replace(received("agreements", content_of(told_of)), plan_id=PLAN_AGREED.plan_id)
    answered = fold(PLAN, *SUPPORT_CHOSEN, CHILD_WAITS, COUNTS_ALONE).answers[0]
    why = [told(replace(answered, plan_version=6), {"plan_version", "met", "without_parents"})]
    came_too = replace(came, collection="answers", content=content_of(why))
    parent = replace(PARENT_WAITS, plan_version=6)
    # Neither does it stand for the child's yes here, nor does a yes that waits bring it back.
    given(PLAN, *SUPPORT_CHOSEN, came, came_too).when(PARENT_SAYS).then(parent)
    assert agreed(came, came_too, parent) == 0
    assert agreed(came, came_too, replace(CHILD_WAITS, plan_version=6)) == 0
    for version in (0, 40):
        given(PLAN, *SUPPORT_CHOSEN, came).when(replace(ANSWER, plan_version=version)).refused("WORD_UNKNOWN")
    # It came behind a yes to this plan, which it leaves as it is.
    assert agreed(PLAN_AGREED, came, replace(AGREED_IF, plan_version=6)) == PLAN_AGREED.plan_version


def test_nobody_looks_back_on_a_plan_that_waits() -> None:
    def first(*events: object) -> object:
        return first_yes(fold(PLAN, *SUPPORT_CHOSEN, *events))  # type: ignore[arg-type] # events

    assert first(CHILD_WAITS) is None
    assert first(CHILD_WAITS, PARENT_TOO) == PARENT_TOO.at.date()
    assert first(CHILD_WAITS, COUNTS_ALONE) == CHILD_WAITS.at.date()


def test_nothing_else_counts_alone() -> None:
    for word in (PARENT_WAITS, PLAN_AGREED, replace(CHILD_NO, plan_version=4)):
        refused = "WORD_UNKNOWN" if word is PARENT_WAITS else "NOTHING_WAITS"
        given(PLAN, *SUPPORT_CHOSEN, word).when(ALONE).refused(refused)
    asked = replace(AGREED_IF, waits=True)
    given(PLAN, *SUPPORT_CHOSEN, asked).when(ALONE).refused("NOT_MET")
    given(PLAN, *SUPPORT_CHOSEN, asked).when(replace(ALONE, met=True)).then(replace(COUNTS_ALONE, met=True))
    assert agreed(asked, replace(COUNTS_ALONE, met=True)) == asked.plan_version


def test_what_was_said_before_keeps_its_meaning() -> None:
    for old, new in (
        ("plan.agreed.v2", {"waits": False}),
        ("plan.agreed_on_conditions.v1", {"waits": False}),
        ("plan.agreement_answered.v1", {"without_parents": ""}),
    ):
        topic, data = UPCASTS[old]({"plan_version": 4})
        assert data == {"plan_version": 4, **new}
        assert topic.rpartition(".v")[0] == old.rpartition(".v")[0]
    # A parent's yes of when the child was eleven: a plan to which no support came asks the child alone now.
    parents = replace(PLAN_AGREED, task="wettelijk-vertegenwoordiger")
    assert agreed(parents) == parents.plan_version
    given(PLAN, *SUPPORT_CHOSEN, parents).when(CHILD_SAYS).then(CHILD_TOO)
