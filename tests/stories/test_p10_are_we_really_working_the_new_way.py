"""P10, what a team notices: a mirror that nobody fills in, and that tells no more than it may see.

Source: De Kantellat; the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.town import CARE, CITY, INVESTIGATE
from tests.stories.people import A_DAY, Desks

if TYPE_CHECKING:
    from tests.server.town import Town

EVERYTHING = tuple(field.name for field in plan_pb2.PracticeCheck.DESCRIPTOR.fields)
YES, NO = plan_pb2.PRACTICE_ANSWER_YES, plan_pb2.PRACTICE_ANSWER_NO
NOT_ASKED = plan_pb2.PRACTICE_ANSWER_DOES_NOT_APPLY
SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "nodig voor de veiligheid")


def worked_the_new_way(town: Town) -> Desks:
    desks = Desks(town)
    town.care()
    desks.does(
        desks.team,
        "record_conversation",
        kind=plan_pb2.CONVERSATION_KIND_FIRST,
        hold_date=A_DAY,
        outcome=plan_pb2.CONVERSATION_OUTCOME_CONTINUE,
        summary="Wat de buren doen is niet genoeg.",
    )
    goal_id = desks.story.goal()
    desks.describe(pb.LIFE_DOMAIN_WORK_AND_EDUCATION)
    desks.look(desks.team, pb.LAW_WMO_2015)
    desks.look(desks.work, pb.LAW_PARTICIPATIEWET)
    preferred = {"provider_oin": CARE, "provider_task": "wmo-aanbieder"}
    named = desks.does(desks.resident, "prefer_provider", **preferred)
    asking = preferred | {"preference_id": named.preference_id, "professional": "z-1"}
    desks.does(desks.team, "invite_provider", **asking)
    desks.choose(goal_id)
    desks.agree()
    desks.does(desks.team, "plan_evaluation", plan_date="2099-01-01")
    return desks


def test_a_plan_made_the_new_way_says_yes_to_everything(town: Town) -> None:
    desks = worked_the_new_way(town)
    answers = {name: YES for name in EVERYTHING if name != "asked_twice"}
    for client in (desks.team, desks.work, desks.resident):
        assert desks.check(client, *EVERYTHING) == plan_pb2.PracticeCheck(**answers)


def test_a_plan_made_the_old_way_shows(town: Town) -> None:
    desks = Desks(town)
    goal = {
        "own_words": "Zelfstandig functioneren",
        "desired_effect": "zelfstandig functioneren",
        "life_domain": pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
        "target_date": "2027-06-01",
    }
    desks.choose(desks.does(desks.team, "set_goal", **goal).goal_id)
    assert desks.check(desks.team, *EVERYTHING) == plan_pb2.PracticeCheck(
        own_words=NO,
        general_services_first=NO,
        lenses_used=NOT_ASKED,
        resident_agreed=NO,
        preferred_provider_asked=NO,
        evaluation_planned=NOT_ASKED,
        nothing_asked_twice=NOT_ASKED,
    )


def test_the_mirror_shows_nobody_what_is_sealed(town: Town) -> None:
    desks, other = worked_the_new_way(town), worked_the_new_way(town)
    for one in (desks, other):
        one.join(CITY, Person("w-mirror", "college:WMO", "consulent"))
    colleague = town.worker("college:WMO", "w-mirror")
    asked = desks.team.rights.seal_compartment(
        claim=SEAL,
        case_id=desks.story.case_id,
        paths=["supports", "agreements.outcome"],
        readers=[f"{CITY}/college:WMO/w-nobody"],
        reason="Adres van de opvang.",
    )
    colleague.rights.confirm_seal(claim=SEAL, case_id=desks.story.case_id, proposal_id=asked.proposal_id)

    def mirror(of: Desks) -> plan_pb2.PracticeCheck:
        answer = colleague.plan.get_practice_check(
            claim=INVESTIGATE, plan_id=of.story.plan_id, fields=EVERYTHING
        )
        return answer.check

    assert (mirror(other).general_services_first, mirror(other).resident_agreed) == (YES, YES)
    kept = mirror(desks)
    assert (kept.general_services_first, kept.preferred_provider_asked) == (NOT_ASKED, NOT_ASKED)
    assert kept.resident_agreed == NO


def test_a_stranger_is_refused_as_for_a_plan_that_is_not_there(town: Town) -> None:
    desks = worked_the_new_way(town)
    stranger = town.worker("college:WMO", "stranger")
    told = []
    for plan_id in (desks.story.plan_id, desks.story.case_id):
        with pytest.raises(errors.Denied) as refused:
            stranger.plan.get_practice_check(claim=INVESTIGATE, plan_id=plan_id, fields=["own_words"])
        told.append((refused.value.rules, refused.value.message))
    assert told[0] == told[1]
    with pytest.raises(errors.Invalid):
        desks.check(desks.team, "goals.own_words")
