"""P9, what a resident notices: his own words, and nothing goes on before he agrees, on his own conditions.

Source: Participatieformule; Participatiefonds Utrecht; the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.town import WORK
from tests.stories.people import Desks

if TYPE_CHECKING:
    from tests.server.town import Town

ASSIGNING: dict[str, Any] = {"assignment_number": "7", "assign_date": "2026-12-01"}
IF: dict[str, Any] = {
    "outcome": plan_pb2.AGREEMENT_OUTCOME_AGREED_ON_CONDITIONS,
    "remarks": "Als mijn zus mee mag denken.",
}
NO: dict[str, Any] = {
    "outcome": plan_pb2.AGREEMENT_OUTCOME_DISAGREED,
    "remarks": "Ik wil eerst zelf proberen te koken.",
}


def with_support(town: Town) -> tuple[Desks, dict[str, Any]]:
    """Return desks whose resident is asked to agree, and what would assign the support."""
    desks = Desks(town)
    support_id = desks.choose(desks.story.goal())
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
    desks.look(desks.team, pb.LAW_WMO_2015)
    return desks, ASSIGNING | {"support_id": support_id}


def test_my_yes_on_conditions_is_a_yes_once_they_are_met(town: Town) -> None:
    desks, assigning = with_support(town)
    said = desks.version
    desks.does(desks.resident, "agree_to_plan", **IF)
    assert desks.broken(desks.team, "assign_support", **assigning) == "NOT_AGREED"
    met = {"plan_version": said, "met": True, "answer": "Zij komt bij elk gesprek."}
    assert desks.broken(desks.team, "answer_agreement", **(met | {"plan_version": 1})) == "WORD_UNKNOWN"
    desks.does(desks.team, "answer_agreement", **met)
    assert desks.broken(desks.team, "answer_agreement", **met) == "ANSWERED"
    desks.does(desks.team, "assign_support", **assigning)
    fields = ("agreements.remarks", "agreements.spoken_by", "answers.met", "answers.answer")
    plan = desks.plan(desks.resident, *fields)
    spoken = (IF["remarks"], plan_pb2.AGREEMENT_SPEAKER_RESIDENT)
    assert [(one.remarks, one.spoken_by) for one in plan.agreements] == [spoken]
    assert [(one.met, one.answer) for one in plan.answers] == [(True, met["answer"])]


def test_my_no_stops_it_and_what_was_done_with_it_is_told_beside_my_words(town: Town) -> None:
    desks, assigning = with_support(town)
    said = desks.version
    desks.does(desks.resident, "agree_to_plan", **NO)
    assert desks.broken(desks.team, "assign_support", **assigning) == "NOT_AGREED"
    handled = {"plan_version": said, "answer": "Een maand uitgesteld; daarna praten we weer."}
    assert desks.at_fault(desks.team, "answer_agreement", **(handled | {"met": True})) == {"met"}
    desks.does(desks.team, "answer_agreement", **handled)
    assert desks.broken(desks.team, "assign_support", **assigning) == "NOT_AGREED"
    plan = desks.plan(desks.resident, "agreements.outcome", "answers.answer")
    assert [one.outcome for one in plan.agreements] == [NO["outcome"]]
    assert [one.answer for one in plan.answers] == [handled["answer"]]


def test_nobody_agrees_or_answers_in_my_place(town: Town) -> None:
    desks, _ = with_support(town)
    assert desks.broken(desks.team, "agree_to_plan", **IF) == "NOT_RESIDENTS_SIDE"
    said = desks.version
    desks.does(desks.resident, "agree_to_plan", **IF)
    answer = {"plan_version": said, "met": True, "answer": "Ja."}
    assert desks.broken(desks.resident, "answer_agreement", **answer) == "NOT_THE_COLLEGE"
    assert desks.at_fault(desks.resident, "agree_to_plan", **(IF | {"remarks": ""})) == {"remarks"}
    words = {"remarks": f"Bel {desks.story.bsn}"}
    assert desks.at_fault(desks.resident, "agree_to_plan", **(IF | words)) == {"remarks"}


def test_my_goal_stands_in_my_own_words_and_i_see_who_looked(town: Town) -> None:
    desks, _ = with_support(town)
    (goal,) = desks.plan(desks.resident, "goals.own_words").goals
    assert goal.own_words == "Weer zelf koken."
    with pytest.raises(errors.Denied):
        desks.plan(desks.work, "goals.own_words", claim=WORK)
    seen = desks.resident.disclosure.list_disclosures(
        claim=pb.Claim(purpose=pb.PURPOSE_INZAGE, legal_basis="SUBJECT-15"),
        case_id=desks.story.case_id,
        fields=["disclosures.task", "disclosures.outcome"],
    )
    assert ("college:PW", "DENY") in {(one.task, one.outcome) for one in seen.disclosures}
