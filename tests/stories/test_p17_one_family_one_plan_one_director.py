"""P17, what a resident notices: one family, one plan, one director, and each has a part of his own in it.

Source: 1 gezin 1 plan 1 regisseur; the domain's design sections 2 and 3; Jeugdwet 1.1 and 4.1.2; Wmo 2015
5.1.1(4) and 5.3.3.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from exchange.v1 import household_service_pb2 as household_pb
from tests.server.family import broken, denied
from tests.server.household import CHILD, PARENT, PARTNER, FamilyMember, seal
from tests.server.town import ACCESS, CITY, INVESTIGATE, WORD

if TYPE_CHECKING:
    from tests.server.town import Town


def parents(town: Town) -> tuple[FamilyMember, FamilyMember]:
    """Return two who live together, in one household."""
    mother, father = FamilyMember(town, 41), FamilyMember(town, 43)
    mother.opens(PARENT)
    father.joins(mother, PARTNER)
    return mother, father


def plans_at_home(member: FamilyMember) -> list[str]:
    """Return whose plans the desk sees in the household of somebody."""
    return [one.membership.plan_id for one in member.members()]


def director(of: str = "regie-1") -> dict[str, Any]:
    return {"director_oin": CITY, "director_task": "college:WMO", "director_professional": of}


def said_yes(member: FamilyMember, of: str = "regie-1", *, accepted: bool = True) -> None:
    member.own().household.answer_director(
        claim=WORD, membership_id=member.membership_id, accepted=accepted, **director(of)
    )


def directors(member: FamilyMember) -> list[str]:
    return [one.membership.director_professional for one in member.members()]


def test_my_family_has_one_plan_and_each_of_us_a_plan_in_it(town: Town) -> None:
    mother, father = parents(town)
    mother.goal("Ik wil rust in huis.")
    father.goal("Ik wil weer slapen.")
    found = mother.members()
    assert [one.membership.role for one in found] == [PARENT, PARTNER]
    assert [[goal.own_words for goal in one.plan.goals] for one in found] == [
        ["Ik wil rust in huis."],
        ["Ik wil weer slapen."],
    ]
    # Whoever of us is asked about, it is the same household; nothing of it is kept twice.
    assert father.members()[0].plan == found[0].plan
    mother.goal("En tijd voor elkaar.")
    assert len(father.members()[0].plan.goals) == len(found[0].plan.goals) + 1


def test_at_fourteen_i_decide_myself_whether_my_part_is_in_it(town: Town) -> None:
    mother, _ = parents(town)
    sem = FamilyMember(town, 14)
    sem.record_parent()
    asked = sem.ask()
    # Not my mother for me, and not the desk without me.
    assert broken(partial(sem.give, asked, sem.parent(), "parent")) == "NOT_TO_DECIDE"
    assert broken(partial(sem.joins, mother, CHILD, asked)) == "NOT_CONSENTED"
    sem.give(asked)
    sem.joins(mother, CHILD, asked)
    assert sem.plan_id in plans_at_home(mother)
    # What I take back is gone when I am told so; the others stay as they were.
    sem.own().consent.withdraw_consent(claim=WORD, consent_id=asked)
    assert plans_at_home(mother) == [mother.plan_id, mother.members()[1].membership.plan_id]
    assert denied(sem.household) == ("R19",)


def test_when_my_yes_was_for_a_while_i_am_asked_again_and_stay_who_i_am(town: Town) -> None:
    mother, father = parents(town)
    goal_id = mother.goal("Samen eten.")
    mother.desk.household.name_in_goal(
        claim=INVESTIGATE,
        membership_id=mother.membership_id,
        goal_id=goal_id,
        membership_ids=[father.membership_id],
    )
    mother.desk.household.name_director(claim=INVESTIGATE, membership_id=mother.membership_id, **director())
    said_yes(father)
    before = father.membership_id
    lapses = town.state("membership", before).consent_id
    assert broken(partial(father.joins, mother, PARTNER, lapses)) == "ALREADY_MEMBER"
    father.own().consent.withdraw_consent(claim=WORD, consent_id=lapses)
    assert plans_at_home(mother) == [mother.plan_id]
    # By way of himself, as nobody else may have a yes that stands.
    assert father.joins(father, PARTNER) == before
    assert plans_at_home(mother) == [mother.plan_id, father.plan_id]
    assert list(mother.members()[0].household_goals[0].membership_ids) == [before]
    assert directors(mother) == ["", ""]


def test_what_i_keep_to_myself_my_parents_do_not_see_nor_end(town: Town) -> None:
    mother, _ = parents(town)
    sem = FamilyMember(town, 14)
    sem.record_parent()
    sem.joins(mother, CHILD)
    mine = {"claim": ACCESS, "fields": ["membership.role"]}
    assert [one.membership.role for one in sem.members(sem.parent(), **mine)] == [CHILD]
    leaves = partial(
        sem.parent().household.leave_household,
        claim=WORD,
        membership_id=sem.membership_id,
        reason=household_pb.LEAVE_REASON_OWN_WISH,
    )
    assert broken(leaves) == "NOT_TO_DECIDE"
    seal(sem, "membership", readers=(f"{CITY}/betrokkene/burger-1",))
    assert not sem.household(sem.parent(), **mine).households
    assert [one.membership.role for one in sem.members(sem.own(), **mine)] == [CHILD]


def test_of_a_child_of_nine_the_parent_decides_and_not_the_child(town: Town) -> None:
    mother, _ = parents(town)
    noor = FamilyMember(town, 9)
    noor.record_parent()
    asked = noor.ask()
    assert broken(partial(noor.give, asked)) == "NOT_TO_DECIDE"
    noor.give(asked, noor.parent(), "parent")
    noor.joins(mother, CHILD, asked)
    assert noor.plan_id in plans_at_home(mother)
    noor.parent().household.leave_household(
        claim=WORD, membership_id=noor.membership_id, reason=household_pb.LEAVE_REASON_OWN_WISH
    )
    assert noor.plan_id not in plans_at_home(mother)


def test_we_have_one_director_and_each_of_us_said_yes_to_him(town: Town) -> None:
    mother, father = parents(town)
    mother.desk.household.name_director(claim=INVESTIGATE, membership_id=mother.membership_id, **director())
    assert directors(mother) == ["", ""]
    said_yes(mother)
    assert directors(mother) == ["regie-1", ""]
    said_yes(father)
    assert directors(mother) == ["regie-1", "regie-1"]
    # Another one comes: the first directs nobody any more, and the second whoever said yes to him.
    father.join("regie-2", role="regisseur")
    father.desk.household.name_director(
        claim=INVESTIGATE, membership_id=father.membership_id, **director("regie-2")
    )
    assert directors(mother) == ["", ""]
    said_yes(father, "regie-2")
    assert directors(mother) == ["", "regie-2"]
    # Who does not work with me directs me not, whoever he directs.
    assert broken(partial(said_yes, mother, "regie-2")) == "DIRECTOR_NOT_ON_CASE"
    assert broken(partial(said_yes, mother, "regie-1")) == "NO_SUCH_DIRECTOR"
    said_yes(father, "regie-2", accepted=False)
    assert directors(mother) == ["", ""]


def test_a_goal_of_us_both_stays_my_goal_and_is_his_when_he_says_so(town: Town) -> None:
    mother, father = parents(town)
    goal_id = mother.goal("Samen eten, zonder ruzie.")
    mother.desk.household.name_in_goal(
        claim=INVESTIGATE,
        membership_id=mother.membership_id,
        goal_id=goal_id,
        membership_ids=[father.membership_id],
    )
    (shared,) = father.members()[0].household_goals
    assert (shared.goal_id, list(shared.membership_ids)) == (goal_id, [father.membership_id])
    assert not shared.agreed_membership_ids
    father.own().household.answer_goal(
        claim=WORD,
        membership_id=father.membership_id,
        beside_membership_id=mother.membership_id,
        goal_id=goal_id,
        accepted=True,
    )
    (shared,) = father.members()[0].household_goals
    assert list(shared.agreed_membership_ids) == [father.membership_id]
    # The words stand in one plan, hers.
    assert [len(one.plan.goals) for one in mother.members()] == [1, 0]


def test_when_we_live_apart_each_keeps_the_own_plan_and_the_child_is_in_two_households(town: Town) -> None:
    mother, father = parents(town)
    sem = FamilyMember(town, 14)
    at_mothers = sem.joins(mother, CHILD)
    father.goal("Ik zoek een huis.")
    father.own().household.leave_household(
        claim=WORD, membership_id=father.membership_id, reason=household_pb.LEAVE_REASON_SEPARATED
    )
    assert plans_at_home(mother) == [mother.plan_id, sem.plan_id]
    assert not father.household().households
    # His plan is what it was, and the child is at home with both.
    (goal,) = father.intake.plan.get_plan(
        claim=INVESTIGATE, plan_id=father.plan_id, fields=["goals.own_words"]
    ).plan.goals
    assert goal.own_words == "Ik zoek een huis."
    father.opens(PARENT)
    sem.joins(father, CHILD)
    at_home = [[one.membership.plan_id for one in found.members] for found in sem.household().households]
    assert at_home == [[mother.plan_id, sem.plan_id], [father.plan_id, sem.plan_id]]
    assert sem.membership_id != at_mothers
