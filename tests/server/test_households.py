"""Households over the door: who is not there leaves nothing, and all that is seen is seen of each member."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from exchange.errors import KeyDestroyed
from exchange.v1 import common_pb2 as pb
from exchange.v1 import household_service_pb2 as household_pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.server.family import broken
from tests.server.household import (
    CHILD,
    DESK,
    FIELDS,
    PARENT,
    TOGETHER,
    YOUTH_DESK,
    FamilyMember,
    House,
    names,
    refused,
    seal,
)
from tests.server.test_erasure import ERASE
from tests.server.test_replay import replayed
from tests.server.town import ACCESS, CITY, INVESTIGATE, WORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

YOUTH = claim(pb.PURPOSE_JEUGD_AFSTEMMING, "JW-4.1.2-gezin", "nodig voor het gezinsplan")
PLAN_FIELDS = [path for path in FIELDS if path.startswith("goals.")]
ACTS = 14


@pytest.fixture(scope="module")
def house(town: Town) -> House:
    """Return a household that no test changes, but for who is let in and goes again."""
    return House(town)


def bare(answer: household_pb.GetHouseholdResponse) -> bytes:
    """Return the bytes of an answer without the ids of decisions, which are drawn."""
    copied = household_pb.GetHouseholdResponse()
    copied.CopyFrom(answer)
    copied.decision_id = ""
    for found in copied.households:
        for one in found.members:
            one.decision_id = ""
    return copied.SerializeToString(deterministic=True)


# --- who is not there -------------------------------------------------------------------------------


def test_a_sealed_membership_is_byte_for_byte_one_that_never_was(house: House) -> None:
    mother, sem, other = house.mother, house.sem, house.other
    sem_goal, goal_id = sem.goal("Niet steeds ruzie."), mother.goal("Op tijd naar bed.")
    names(mother, mother.desk, goal_id, house.father.membership_id)
    consent_id = sem.consented()
    before = [bare(one.household(other)) for one in house.all]
    sem.joins(mother, CHILD, consent_id)
    assert [bare(one.household(other)) for one in house.all] != before
    seal(sem, "membership")
    # Named beside the father, by who may know: to the other the goal names the father alone.
    names(mother, mother.desk, goal_id, house.father.membership_id, sem.membership_id)
    names(sem, sem.desk, sem_goal, mother.membership_id)
    assert [bare(one.household(other)) for one in house.all] == before
    assert len(mother.members()) == 3
    # Not to the resident's own side either, as long as no seal names it.
    told = sem.household(sem.own(), claim=ACCESS, fields=["membership.role", "goals.own_words"])
    assert not told.households
    # What is ordered about it is refused like what is ordered about nobody's.
    for orders in (_leaves, _directs, _agrees):
        assert refused(partial(orders, other, sem.membership_id)) == refused(
            partial(orders, other, str(uuid4()))
        )
    for act in (_names_in_goal, _lets_join):
        assert refused(partial(act, house, sem.membership_id)) == refused(partial(act, house, str(uuid4())))
    sem.desk.household.leave_household(
        claim=INVESTIGATE, membership_id=sem.membership_id, reason=household_pb.LEAVE_REASON_MISTAKE
    )


def _leaves(client: ExchangeClient, membership_id: str) -> None:
    client.household.leave_household(
        claim=INVESTIGATE, membership_id=membership_id, reason=household_pb.LEAVE_REASON_OWN_WISH
    )


def _directs(client: ExchangeClient, membership_id: str) -> None:
    client.household.name_director(
        claim=INVESTIGATE,
        membership_id=membership_id,
        director_oin=CITY,
        director_task="college:WMO",
        director_professional="regie-1",
    )


def _agrees(client: ExchangeClient, membership_id: str) -> None:
    client.household.answer_goal(
        claim=INVESTIGATE,
        membership_id=membership_id,
        beside_membership_id=str(uuid4()),
        goal_id=str(uuid4()),
        accepted=True,
    )


def _names_in_goal(house: House, membership_id: str) -> None:
    names(house.mother, house.other, str(uuid4()), house.father.membership_id, membership_id)


def _lets_join(house: House, membership_id: str) -> None:
    house.other.household.join_household(
        claim=INVESTIGATE,
        plan_id=house.sem.plan_id,
        role=CHILD,
        consent_id=str(uuid4()),
        beside_membership_id=membership_id,
    )


def test_who_sees_one_member_learns_no_id_of_another(house: House, town: Town) -> None:
    sem, mother = FamilyMember(town, 14), house.mother
    sem.joins(mother, CHILD, sem.consented(recipients=[DESK, YOUTH_DESK]))
    sem.consented(recipients=[YOUTH_DESK], consent_purpose=pb.PURPOSE_JEUGD_AFSTEMMING)
    goal_id = sem.goal("Een eigen kamer.")
    names(sem, sem.desk, goal_id, mother.membership_id)
    sem.desk.household.name_director(
        claim=INVESTIGATE,
        membership_id=sem.membership_id,
        director_oin=CITY,
        director_task="college:WMO",
        director_professional="regie-1",
    )
    youth_desk = sem.join("j-1", "college:JW")
    answer = sem.household(youth_desk, claim=YOUTH)
    (found,) = answer.households
    (alone,) = found.members
    assert alone.membership.membership_id == sem.membership_id
    assert [(goal.goal_id, list(goal.membership_ids)) for goal in alone.household_goals] == [(goal_id, [])]
    said = answer.SerializeToString()
    for one in (mother, house.father):
        for secret in (one.membership_id, one.case_id, one.plan_id):
            assert secret.encode() not in said
    # Of the mother it is refused as a plan of nobody.
    assert refused(partial(mother.household, youth_desk, claim=YOUTH)) == refused(
        partial(mother.household, youth_desk, claim=YOUTH, plan_id=str(uuid4()))
    )
    # Neither does a colleague see who did not name the desk, whoever works on both cases.
    third = FamilyMember(town, 30)
    third.join("w-2")
    sem.join("w-2")
    assert broken(partial(third.joins, mother, PARENT, third.consented(recipients=[YOUTH_DESK]))) == (
        "NOT_CONSENTED"
    )
    _leaves(sem.desk, sem.membership_id)


def test_what_is_seen_of_a_household_is_what_is_seen_of_each_member(town: Town) -> None:
    """Whatever is sealed, taken back or ended: the union, and nothing beside."""
    house = House(town)
    house.sem.joins(house.mother, CHILD)
    for number, one in enumerate(house.all):
        one.goal(f"Doel {number}.")
    drawn = random.Random("one family")  # noqa: S311 -- the same acts in every run
    acts: list[Callable[[FamilyMember], object]] = [
        lambda one: seal(one, "goals"),
        lambda one: seal(one, "membership"),
        lambda one: one.intake.case.leave_case(
            claim=INVESTIGATE, case_id=one.case_id, oin=CITY, task="college:WMO", professional="w-2"
        ),
        lambda one: one.own().consent.withdraw_consent(
            claim=WORD, consent_id=town.state("membership", one.membership_id).consent_id
        ),
        lambda one: one.joins(house.mother, CHILD) if one is not house.mother else None,
        lambda one: one.join("w-2"),
        lambda one: one.goal("Nog een doel."),
    ]
    seen = set()
    for _ in range(ACTS):
        try:
            drawn.choice(acts)(drawn.choice(house.all))
        except (errors.RuleBroken, errors.Denied):
            continue
        for client in (house.mother.desk, house.other):
            seen.add(_holds_for(house, client))
    assert len(seen) > 3, "the acts changed nothing that is seen"
    # All of it is judged again by what was recorded, each decision of each member, and comes out the same.
    counts = [page.counts for page in replayed(town.worker("fg", "fg-1"))]
    assert sum(one.differs for one in counts) == 0
    assert sum(one.commands for one in counts) > ACTS


def _holds_for(house: House, client: ExchangeClient) -> tuple[int, ...]:
    """Compare what is seen by way of each member with what is seen of each; return how many."""
    alone = {one.plan_id: _alone(one, client) for one in house.all}
    counts = []
    for way in house.all:
        if alone[way.plan_id] is None:
            assert refused(partial(way.household, client))
            counts.append(-1)
            continue
        households = way.household(client).households
        # Who is himself no member to the caller leads to nobody.
        members = [one for found in households for one in found.members]
        assert {one.membership.plan_id for one in members} <= {
            plan_id for plan_id, told in alone.items() if told is not None
        }
        for one in members:
            own = alone[one.membership.plan_id]
            assert own is not None
            plan, parts = own
            assert one.plan == plan
            assert one.membership in parts
        if members:
            of_each = [part for own in alone.values() if own is not None for part in own[1]]
            assert len(members) == len(of_each)
        counts.append(len(members))
    return tuple(counts)


def _alone(member: FamilyMember, client: ExchangeClient) -> tuple[Any, list[household_pb.Membership]] | None:
    """Return what somebody is told of one member: his plan by GetPlan, and the own part; None if refused."""
    try:
        plan = client.plan.get_plan(claim=TOGETHER, plan_id=member.plan_id, fields=PLAN_FIELDS).plan
    except errors.Denied:
        return None
    found = member.household(client).households
    own = [
        one.membership for each in found for one in each.members if one.membership.plan_id == member.plan_id
    ]
    return plan, own


def test_who_was_erased_was_never_there_and_the_others_stay_as_they_are(house: House, town: Town) -> None:
    mother, father = house.mother, house.father
    mother_goal = mother.goal("Samen eten.")
    before = bare(mother.household())
    sem = FamilyMember(town, 14)
    sem.joins(mother, CHILD)
    names(mother, mother.desk, mother_goal, sem.membership_id, father.membership_id)
    assert len(mother.members()) == 3
    erasure_id = sem.intake.rights.propose_erasure(
        claim=ERASE,
        case_id=sem.case_id,
        article=rights_pb.ERASURE_ARTICLE_WMO_5_3_5,
        reason=rights_pb.ERASURE_REASON_RESIDENT_ASKED,
        motivation="Gevraagd in een brief.",
    ).erasure_id
    for task, person in (("college:JW", "w-jeugd"), ("fg", "fg-1")):
        executed = town.worker(task, person).rights.approve_erasure(
            claim=ERASE, case_id=sem.case_id, erasure_id=erasure_id
        )
    assert executed.executed
    names(mother, mother.desk, mother_goal, father.membership_id)
    after = mother.household()
    assert [one.membership.plan_id for one in after.households[0].members] == [mother.plan_id, father.plan_id]
    assert bare(after) != before
    names_father = after.households[0].members[0].household_goals[-1]
    assert list(names_father.membership_ids) == [father.membership_id]
    # Refused alike: who was erased, who left, who is of another family, and who never was.
    stranger = FamilyMember(town, 40)
    stranger.opens(PARENT)
    told = {
        refused(partial(names, mother, mother.desk, mother_goal, father.membership_id, one))[1:3]
        for one in (sem.membership_id, stranger.membership_id, str(uuid4()))
    }
    assert len(told) == 1
    assert refused(partial(_leaves, mother.desk, sem.membership_id)) == refused(
        partial(_leaves, mother.desk, str(uuid4()))
    )
    # What he was in the family opens with no key any more.
    (row, *_) = town.core.reader.tail(f"membership-{sem.membership_id}").rows
    with pytest.raises(KeyDestroyed):
        town.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)


# --- what is followed -------------------------------------------------------------------------------


def heard(
    client: ExchangeClient, plan_id: str, cursor: int, *more: str
) -> tuple[set[str], list[tuple[str, str]]]:
    """Follow a household until the first beat; return the goals told, and kinds and plans of the events."""
    request = SubscribeRequest(
        claim=TOGETHER,
        fields=["goals.goal_id", *more],
        cursor=cursor,
        heartbeat_seconds=1,
        household_plan_id=plan_id,
    )
    stream: Any = client.open_stream(request)
    goals: set[str] = set()
    kinds: list[tuple[str, str]] = []
    for answer in stream:
        if not answer.events:
            break
        kinds += [(event.kind, event.plan_id) for event in answer.events]
        goals |= {goal.goal_id for event in answer.events for goal in event.change.goals}
    stream.cancel()
    return goals, kinds


@pytest.mark.slow
def test_who_follows_a_household_hears_of_its_members_while_they_are(town: Town) -> None:
    house = House(town)
    mother, father, other = house.mother, house.father, house.other
    names(father, father.desk, father.goal("Slapen."), mother.membership_id)
    start = town.core.hot.as_of
    house.sem.joins(mother, CHILD)
    _leaves(house.sem.desk, house.sem.membership_id)
    names(father, father.desk, father.goal("Vrede."), mother.membership_id)
    later = town.core.hot.as_of
    goals = {one.goal("Rust.") for one in (mother, father)}
    house.sem.goal("Een eigen kamer.")
    for client in (mother.desk, other):
        assert heard(client, mother.plan_id, later)[0] == goals
    # Of memberships what is asked: that a goal names somebody; of who left since, nothing.
    named = ("membership.goal_named", father.plan_id)
    _, kinds = heard(other, mother.plan_id, start, "membership.role")
    assert [one for one in kinds if one[0].startswith("membership.")] == [named]
    seal(father, "membership")
    # Thinned as the household itself is, to whom it is: and of a plan of nobody nothing is told.
    assert heard(mother.desk, mother.plan_id, later)[0] == goals
    assert len(heard(other, mother.plan_id, later)[0]) == 1
    assert named not in heard(other, mother.plan_id, start, "membership.role")[1]
    assert named in heard(mother.desk, mother.plan_id, start, "membership.role")[1]
    for plan_id in (str(uuid4()), house.sem.plan_id):
        assert heard(other, plan_id, start) == (set(), [])
