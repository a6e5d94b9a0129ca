"""Households over the door: what could be concluded of one member from another's part, or from a receipt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from exchange.v1 import common_pb2 as pb
from tests.server.family import broken
from tests.server.household import CHILD, DESK, PARTNER, YOUTH_DESK, FamilyMember, House, names, seal
from tests.server.town import INVESTIGATE, WORD

if TYPE_CHECKING:
    from exchange.v1 import household_service_pb2 as household_pb
    from tests.server.town import Town

YOUTH_PLAN = claim(pb.PURPOSE_JEUGD_AFSTEMMING, "JW-2.3", "nodig voor het gezinsplan")
ASKED = ["membership.role", "goals.own_words", "household_goals.membership_ids"]


@pytest.fixture(scope="module")
def house(town: Town) -> House:
    return House(town)


def seen_by(house: House) -> household_pb.HouseholdGoal:
    """Return the newest goal of the mother that names others, as the director is told it."""
    goal: household_pb.HouseholdGoal = house.mother.members()[0].household_goals[-1]
    return goal


def answers(member: FamilyMember, beside: FamilyMember, goal_id: str, *, accepted: bool) -> None:
    member.own().household.answer_goal(
        claim=WORD,
        membership_id=member.membership_id,
        beside_membership_id=beside.membership_id,
        goal_id=goal_id,
        accepted=accepted,
    )


def test_that_two_belong_together_is_not_told_to_who_asks_for_their_goals_alone(house: House) -> None:
    with pytest.raises(errors.Invalid) as fault:
        house.mother.household(fields=["goals.own_words", "household_goals.goal_id"])
    assert set(fault.value.field_violations) == {"fields"}


def test_nor_to_who_is_released_the_goals_of_one_and_not_that_he_is_a_member(town: Town) -> None:
    house = House(town)
    mother, noor = house.mother, FamilyMember(house.town, 30)
    consent_id = noor.consented(recipients=[DESK, YOUTH_DESK])
    # Another law's desk lets her in: what that one recorded is not for this one's investigation.
    mother.join("jeugd-1", "college:JW", "regisseur")
    youth = noor.join("jeugd-1", "college:JW", "regisseur")
    mother_consent = mother.consented(recipients=[DESK, YOUTH_DESK])
    mother.joins(mother, PARTNER, mother_consent)
    noor.membership_id = youth.household.join_household(
        claim=YOUTH_PLAN,
        plan_id=noor.plan_id,
        role=PARTNER,
        consent_id=consent_id,
        beside_membership_id=mother.membership_id,
    ).membership_id
    words = "Een eigen plek."
    noor.goal(words)
    names(mother, mother.desk, mother.goal("Samen."), house.father.membership_id, noor.membership_id)
    together = mother.members(fields=ASKED, allow_partial=True)
    assert words in {goal.own_words for one in together for goal in one.plan.goals}
    apart = mother.household(claim=INVESTIGATE, fields=ASKED, allow_partial=True)
    assert [len(found.members) for found in apart.households] == [2]
    said = apart.SerializeToString()
    assert words.encode() not in said
    assert noor.membership_id.encode() not in said


def test_who_cannot_see_a_member_neither_takes_him_out_of_a_goal_nor_finds_him_by_it(house: House) -> None:
    mother, sem, other = house.mother, house.sem, house.other
    father_alone = (house.father.membership_id,)
    goal_id = mother.goal("Op tijd naar bed.")
    sem.joins(mother, CHILD)
    seal(sem, "membership")
    stream = f"membership-{mother.membership_id}"
    written = []
    for named in (father_alone, (*father_alone, sem.membership_id), (sem.membership_id, *father_alone)):
        names(mother, mother.desk, goal_id, *named)
        before = len(mother.town.core.reader.tail(stream).rows)
        names(mother, other, goal_id, *father_alone)
        written.append(len(mother.town.core.reader.tail(stream).rows) - before)
        assert set(seen_by(house).membership_ids) == set(named)
    assert written == [0, 0, 0]
    # Who does see him takes him out.
    names(mother, mother.desk, goal_id, *father_alone)
    assert tuple(seen_by(house).membership_ids) == father_alone


def test_to_a_goal_that_is_sealed_to_me_i_say_no_yes_and_my_own_yes_i_take_back(town: Town) -> None:
    house = House(town)
    mother, father = house.mother, house.father
    before, after = mother.goal("Minder ruzie."), mother.goal("Nooit meer ruzie.")
    for goal_id in (before, after):
        names(mother, mother.desk, goal_id, father.membership_id)
    answers(father, mother, before, accepted=True)
    seal(mother, "goals")
    for accepted in (True, False):
        assert broken(partial(answers, father, mother, after, accepted=accepted)) == "NO_SUCH_GOAL"
    answers(father, mother, before, accepted=False)
    assert broken(partial(answers, father, mother, before, accepted=False)) == "NO_SUCH_GOAL"
    assert broken(partial(answers, father, mother, before, accepted=True)) == "NO_SUCH_GOAL"
