"""Households: a membership on a consent of one's own, one director, goals that name others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain.consent import ConsentState
from exchange.domain.household import (
    HOUSEHOLD,
    MEMBERSHIP,
    AnswerDirector,
    AnswerGoal,
    BeginMembership,
    HouseholdState,
    LeaveHousehold,
    LeaveReason,
    MemberRole,
    MembershipState,
    NamedGoal,
    NameDirector,
    NameInGoal,
    begin_membership,
    carries,
    name_director,
)
from exchange.domain.household.events import DirectorNamed, DirectorProposed
from exchange.domain.household.words import (
    MEMBERS_EVER_MAX,
    MEMBERSHIPS_MAX,
    NAMED_GOALS_MAX,
    NAMED_MAX,
)
from exchange.domain.limits.compartments import MEMBERSHIP_LEAVES, Kept
from exchange.domain.limits.seals import Seal
from exchange.domain.values import Author, ConsentKind, ConsentStatus, Purpose
from exchange.errors import RequestInvalid, RuleBroken
from exchange.v1 import household_service_pb2

if TYPE_CHECKING:
    from exchange.domain.kernel import Command

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
CITY = "00000001003214345000"
DESK = f"{CITY}/college:WMO"
COLLEGE = Author(CITY, "college:WMO", "w-1", operator=True)
UNDER_MANDATE = Author("00000009003214345000", "college:WMO", "m-1")
PROVIDER = Author("00000003271543200000", "wmo-aanbieder", "z-1")
RESIDENT = Author(CITY, "betrokkene", "burger-1")
PARENT = Author(CITY, "wettelijk-vertegenwoordiger", "ouder-1")
BEGIN = BeginMembership(
    now=NOW,
    author=COLLEGE,
    membership_id="m1",
    household_id="h",
    resident="r1",
    case_id="c1",
    plan_id="p1",
    role=MemberRole.PARENT,
    consent_id="t1",
    opens=True,
)
NAME = NameDirector(
    now=NOW,
    author=COLLEGE,
    appointment_id="a1",
    oin=CITY,
    task="college:WMO",
    professional="regie-1",
    leads=True,
)
ANSWER = AnswerDirector(
    now=NOW,
    author=RESIDENT,
    appointment_id="a1",
    oin=CITY,
    task="college:WMO",
    professional="regie-1",
    accepted=True,
    on_case=True,
)
IN_GOAL = NameInGoal(now=NOW, author=COLLEGE, goal_id="g1", membership_ids=("m2", "m3"))
ANSWER_GOAL = AnswerGoal(
    now=NOW, author=RESIDENT, beside_membership_id="m2", goal_id="g2", accepted=True, named=True
)
LEAVE = LeaveHousehold(now=NOW, author=RESIDENT, reason=LeaveReason.OWN_WISH)
CONSENT = ConsentState(
    consent_id="t1",
    case_id="c1",
    resident="r1",
    origin=f"college:WMO@{CITY}",
    kind=ConsentKind.STATUTORY,
    purpose=Purpose.WMO_AFSTEMMING,
    recipients=(DESK,),
    categories=("NETWERK", "WMO-PLAN"),
    start_time=NOW,
    end_time=NOW + timedelta(days=30),
    notice_id="n",
    notice_sha256="00" * 32,
    state=ConsentStatus.GIVEN,
)


def after(kind: Any, state: Any, *orders: Command) -> Any:  # noqa: ANN401 -- an aggregate, and its state
    for order in orders:
        state = reduce(kind.evolve, kind.decide(order, state), state)
    return state


HOUSE: HouseholdState = after(HOUSEHOLD, None, BEGIN)
MEMBER: MembershipState = after(MEMBERSHIP, None, BEGIN)


def rule(kind: Any, order: Command, state: Any) -> str:  # noqa: ANN401 -- an aggregate, and its state
    with pytest.raises(RuleBroken) as refused:
        kind.decide(order, state)
    return refused.value.metadata["rule"]


def faults(order: Command, state: Any = MEMBER, kind: Any = MEMBERSHIP) -> set[str]:  # noqa: ANN401 -- as above
    with pytest.raises(RequestInvalid) as refused:
        kind.decide(order, state)
    return set(refused.value.fields)


# --- membership -------------------------------------------------------------------------------------


def test_a_membership_stands_on_the_members_own_stream_and_the_household_knows_an_id() -> None:
    (member, (begun,)), (house, (opened, added)) = begin_membership(BEGIN, None, consented=True)
    assert (house, member) == ("household-h", "membership-m1")
    assert (opened.resident, added.resident, begun.resident) == ("", "", "r1")
    assert HOUSE.membership_ids == ("m1",)
    assert (MEMBER.role, MEMBER.origin, MEMBER.ended) == ("parent", f"college:WMO@{CITY}", False)
    # Nothing a household stores names whom a membership is of.
    assert "r1" not in repr((opened, added))


@pytest.mark.parametrize(
    ("changes", "now", "carried"),
    [
        ({}, NOW, True),
        ({}, NOW - timedelta(microseconds=1), False),
        ({}, NOW + timedelta(days=30) - timedelta(microseconds=1), True),
        ({}, NOW + timedelta(days=30), False),
        *(({"state": state}, NOW, state == ConsentStatus.GIVEN) for state in ConsentStatus),
        *(({"kind": kind}, NOW, kind == ConsentKind.STATUTORY) for kind in ConsentKind),
        ({"purpose": Purpose.JEUGD_AFSTEMMING}, NOW, True),
        ({"purpose": Purpose.WMO_ONDERZOEK}, NOW, False),
        ({"categories": ("WMO-PLAN",)}, NOW, False),
        ({"recipients": (f"{CITY}/college:PW",)}, NOW, False),
        ({"resident": "r2"}, NOW, False),
    ],
)
def test_a_consent_carries_a_membership_or_does_not(
    changes: dict[str, Any],
    now: datetime,
    carried: bool,  # noqa: FBT001 -- what is expected
) -> None:
    assert carries(replace(CONSENT, **changes), "r1", DESK, now) is carried


def test_no_consent_carries_nothing_and_to_the_residents_side_it_carries_whomever_it_names() -> None:
    assert not carries(None, "r1", DESK, NOW)
    assert carries(replace(CONSENT, recipients=(f"{CITY}/college:JW",)), "r1", "", NOW)


def test_who_may_not_be_a_member_is_refused() -> None:
    def refused(order: BeginMembership, **changes: Any) -> str:  # noqa: ANN401 -- any argument
        told: dict[str, Any] = {"household": HOUSE, "consented": True}
        told |= changes
        with pytest.raises(RuleBroken) as error:
            begin_membership(order, told.pop("household"), **told)
        return error.value.metadata["rule"]

    joins = replace(BEGIN, opens=False, membership_id="m9")
    assert refused(joins, consented=False) == "NOT_CONSENTED"
    assert refused(joins, known=MEMBER) == "ALREADY_MEMBER"
    assert refused(joins, household=None) == "NO_MEMBERSHIP"
    assert refused(replace(joins, author=PROVIDER)) == "NOT_THE_COLLEGE"
    assert refused(replace(joins, author=RESIDENT)) == "NOT_THE_COLLEGE"
    elsewhere = [replace(MEMBER, household_id=f"h{number}") for number in range(MEMBERSHIPS_MAX)]
    assert refused(joins, others=elsewhere) == "MEMBERSHIPS_FULL"
    begin_membership(joins, HOUSE, consented=True, others=elsewhere[1:])
    full = replace(HOUSE, membership_ids=tuple(f"m{number}" for number in range(MEMBERS_EVER_MAX)))
    assert refused(joins, household=full) == "HOUSEHOLD_FULL"
    room = replace(full, membership_ids=full.membership_ids[1:])
    begin_membership(joins, room, consented=True)
    # A body under a mandate does this too: it is casework.
    begin_membership(replace(joins, author=UNDER_MANDATE), HOUSE, consented=True)
    with pytest.raises(RequestInvalid) as shapeless:
        begin_membership(replace(joins, role=""), HOUSE, consented=True)
    assert set(shapeless.value.fields) == {"role"}


def test_who_is_a_member_is_one_on_another_consent_and_is_asked_anew() -> None:
    said = after(MEMBERSHIP, MEMBER, ANSWER, IN_GOAL, ANSWER_GOAL)
    again = replace(BEGIN, opens=False, consent_id="t2", role=MemberRole.PARTNER)
    ((stream, (renewed,)),) = begin_membership(again, HOUSE, consented=True, known=said)
    assert stream == "membership-m1"
    state = MEMBERSHIP.evolve(said, renewed)
    assert (state.consent_id, state.role, state.membership_id) == ("t2", "partner", "m1")
    assert (state.director, state.agreed) == (None, frozenset())
    assert state.named_goals == said.named_goals
    # Who left comes back as somebody new in it.
    left = after(MEMBERSHIP, MEMBER, LEAVE)
    (begun,) = MEMBERSHIP.decide(replace(again, membership_id="m8"), left)
    assert MEMBERSHIP.evolve(None, begun).membership_id == "m8"


def test_who_left_has_left_and_says_nothing_more() -> None:
    left = after(MEMBERSHIP, MEMBER, LEAVE)
    assert left.ended
    # Again changes nothing, and never fails.
    assert MEMBERSHIP.decide(LEAVE, left) == ()
    assert rule(MEMBERSHIP, LEAVE, None) == "NO_MEMBERSHIP"
    for order in (ANSWER, IN_GOAL, ANSWER_GOAL):
        assert rule(MEMBERSHIP, order, left) == rule(MEMBERSHIP, order, None) == "NO_MEMBERSHIP"
    for author in (COLLEGE, UNDER_MANDATE, PARENT):
        assert after(MEMBERSHIP, MEMBER, replace(LEAVE, author=author)).ended
    assert rule(MEMBERSHIP, replace(LEAVE, author=PROVIDER), MEMBER) == "NOT_TO_SAY"
    assert faults(replace(LEAVE, reason="")) == {"reason"}


def test_a_seal_hides_a_membership_whole_and_a_plan_by_its_own_leaves() -> None:
    leaves = {
        f"{part}.{name}"
        for part, kind in (
            ("membership", household_service_pb2.Membership),
            ("household_goals", household_service_pb2.HouseholdGoal),
        )
        for name in kind.DESCRIPTOR.fields_by_name
    }
    assert leaves == MEMBERSHIP_LEAVES
    kept = Kept.of((Seal("s", ("membership",), (), ("x/y/z",)),), frozenset())
    assert kept.collections == {"membership"}
    assert kept.paths >= MEMBERSHIP_LEAVES
    assert Kept.of((Seal("s", ("goals.goal_id",), (), ("x/y/z",)),), frozenset()).paths.isdisjoint(leaves)


# --- the director -----------------------------------------------------------------------------------


def test_there_is_one_director_and_who_is_named_again_stays() -> None:
    named = after(HOUSEHOLD, HOUSE, NAME)
    # Recorded alike, so that nobody learns by it who was named before; and every yes to him stands.
    assert len(HOUSEHOLD.decide(replace(NAME, appointment_id="a2"), named)) == 1
    assert after(HOUSEHOLD, named, replace(NAME, appointment_id="a2")) == named
    other = after(HOUSEHOLD, named, replace(NAME, appointment_id="a2", professional="regie-2"))
    assert (other.director.appointment_id, other.director.professional) == ("a2", "regie-2")
    # Who comes back is named anew: whoever said yes to him before is asked again.
    again = after(HOUSEHOLD, other, replace(NAME, appointment_id="a3"))
    assert again.director.appointment_id == "a3"


def test_that_a_director_was_named_from_a_members_case_is_on_that_members_record() -> None:
    (member, (proposed,)), (house, (named,)) = name_director(NAME, MEMBER, HOUSE)
    assert (member, house) == ("membership-m1", "household-h")
    assert isinstance(proposed, DirectorProposed)
    assert isinstance(named, DirectorNamed)
    assert (proposed.resident, proposed.professional) == ("r1", named.professional)
    # It is no yes of the member.
    assert MEMBERSHIP.evolve(MEMBER, proposed) == MEMBER
    again = name_director(NAME, MEMBER, after(HOUSEHOLD, HOUSE, NAME))
    assert [len(events) for _, events in again] == [1, 1]


def test_who_names_and_who_is_named() -> None:
    assert rule(HOUSEHOLD, NAME, None) == "NO_MEMBERSHIP"
    assert rule(HOUSEHOLD, replace(NAME, leads=False), HOUSE) == "NOT_LEADING"
    assert rule(HOUSEHOLD, replace(NAME, author=PROVIDER), HOUSE) == "NOT_THE_COLLEGE"
    assert rule(HOUSEHOLD, replace(NAME, author=UNDER_MANDATE), HOUSE) == "BEYOND_MANDATE"
    shapeless = replace(NAME, oin="1", task="", professional="twee woorden")
    assert faults(shapeless, HOUSE, HOUSEHOLD) == {"director_oin", "director_task", "director_professional"}


def test_a_member_says_yes_to_the_very_appointment_and_takes_it_back() -> None:
    said = after(MEMBERSHIP, MEMBER, ANSWER)
    assert said.director.appointment_id == "a1"
    assert MEMBERSHIP.decide(ANSWER, said) == ()
    assert after(MEMBERSHIP, said, replace(ANSWER, accepted=False, on_case=False)).director is None
    assert MEMBERSHIP.decide(replace(ANSWER, accepted=False), MEMBER) == ()
    assert after(MEMBERSHIP, said, replace(ANSWER, appointment_id="a2")).director.appointment_id == "a2"
    assert after(MEMBERSHIP, MEMBER, replace(ANSWER, author=PARENT)) == said
    assert rule(MEMBERSHIP, replace(ANSWER, author=COLLEGE), MEMBER) == "NOT_RESIDENTS_SIDE"
    assert rule(MEMBERSHIP, replace(ANSWER, appointment_id=""), MEMBER) == "NO_SUCH_DIRECTOR"
    assert rule(MEMBERSHIP, replace(ANSWER, on_case=False), MEMBER) == "DIRECTOR_NOT_ON_CASE"
    assert faults(replace(ANSWER, oin="x")) == {"director_oin"}


# --- goals of the household -------------------------------------------------------------------------


def test_a_goal_names_others_and_again_names_others_instead() -> None:
    named = after(MEMBERSHIP, MEMBER, IN_GOAL)
    assert named.named_goals == (NamedGoal("g1", ("m2", "m3")),)
    assert MEMBERSHIP.decide(IN_GOAL, named) == ()
    two = after(MEMBERSHIP, named, replace(IN_GOAL, goal_id="g2"))
    fewer = after(MEMBERSHIP, two, replace(IN_GOAL, membership_ids=("m2",)))
    assert fewer.named_goals == (NamedGoal("g1", ("m2",)), NamedGoal("g2", ("m2", "m3")))
    assert rule(MEMBERSHIP, replace(IN_GOAL, author=RESIDENT), MEMBER) == "NOT_THE_COLLEGE"
    assert faults(replace(IN_GOAL, membership_ids=())) == {"membership_ids"}
    assert faults(replace(IN_GOAL, membership_ids=("m2", "m2"))) == {"membership_ids"}
    many = tuple(f"m{number}" for number in range(NAMED_MAX))
    after(MEMBERSHIP, MEMBER, replace(IN_GOAL, membership_ids=many))
    assert faults(replace(IN_GOAL, membership_ids=(*many, "one-more"))) == {"membership_ids"}
    full = replace(MEMBER, named_goals=tuple(NamedGoal(f"g{n}", ("m2",)) for n in range(NAMED_GOALS_MAX)))
    assert rule(MEMBERSHIP, replace(IN_GOAL, goal_id="one-more"), full) == "GOALS_FULL"
    after(MEMBERSHIP, full, IN_GOAL)


def test_who_is_named_says_yes_or_no_for_himself() -> None:
    agreed = after(MEMBERSHIP, MEMBER, ANSWER_GOAL)
    assert agreed.agreed == {("m2", "g2")}
    assert MEMBERSHIP.decide(ANSWER_GOAL, agreed) == ()
    assert after(MEMBERSHIP, agreed, replace(ANSWER_GOAL, accepted=False)) == MEMBER
    assert rule(MEMBERSHIP, replace(ANSWER_GOAL, author=COLLEGE), MEMBER) == "NOT_RESIDENTS_SIDE"
    assert rule(MEMBERSHIP, replace(ANSWER_GOAL, named=False), MEMBER) == "NO_SUCH_GOAL"


# --- laws -------------------------------------------------------------------------------------------

ORDERS = st.lists(
    st.sampled_from(
        (
            *(ANSWER, replace(ANSWER, appointment_id="a2"), replace(ANSWER, accepted=False)),
            *(IN_GOAL, replace(IN_GOAL, membership_ids=("m2",)), ANSWER_GOAL, LEAVE),
            *(replace(ANSWER_GOAL, accepted=False), replace(ANSWER, on_case=False)),
        )
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(orders=ORDERS)
def test_whatever_is_ordered_one_fold_is_the_same_as_step_by_step_and_who_left_stays_away(
    orders: list[Command],
) -> None:
    state, happened = MEMBER, list(MEMBERSHIP.decide(BEGIN, None))
    for order in orders:
        try:
            events = MEMBERSHIP.decide(order, state)
        except RuleBroken:
            continue
        assert not (state.ended and events)
        happened += events
        state = reduce(MEMBERSHIP.evolve, events, state)
    assert reduce(MEMBERSHIP.evolve, happened, None) == state
    # All of it is of this one member, and nobody else's key opens it.
    assert {event.resident for event in happened} == {"r1"}
