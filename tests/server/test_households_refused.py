"""Households over the door: what is refused, each with the path or the rule of what is wrong."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from exchange.v1 import common_pb2 as pb
from tests.server.family import broken, denied
from tests.server.household import PARENT, PARTNER, FamilyMember, House, names, refused, seal
from tests.server.town import ACCESS, INVESTIGATE

if TYPE_CHECKING:
    from tests.server.town import Town

GLASS = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al dagen niets meer.")


@pytest.fixture(scope="module")
def house(town: Town) -> House:
    return House(town)


def test_a_goal_for_somebody_outside_the_household_is_refused_by_its_place(house: House, town: Town) -> None:
    mother, outsider = house.mother, FamilyMember(town, 50)
    outsider.opens(PARENT)
    goal_id = mother.goal("Rust.")
    named = [house.father.membership_id, outsider.membership_id, mother.membership_id]
    with pytest.raises(errors.Invalid) as fault:
        names(mother, mother.desk, goal_id, *named)
    assert fault.value.field_violations == {
        "membership_ids[1]": "is no other member of this household",
        "membership_ids[2]": "is no other member of this household",
    }
    assert broken(partial(names, mother, mother.desk, str(uuid4()), named[0])) == "GOAL_UNKNOWN"


def test_what_is_not_whole_is_refused_with_the_path_of_what_is_wrong(house: House) -> None:
    mother, said = house.mother, house.mother.desk.household
    with pytest.raises(errors.Invalid) as fault:
        said.open_household(claim=INVESTIGATE, plan_id=mother.plan_id, consent_id="no-uuid")
    assert set(fault.value.field_violations) == {"role", "consent_id"}
    with pytest.raises(errors.Invalid) as fault:
        mother.household(fields=["membership.role", "membership.household_id", "goals"])
    assert set(fault.value.field_violations) == {"fields[1]", "fields[2]"}
    with pytest.raises(errors.Invalid) as fault:
        mother.household(fields=[])
    assert set(fault.value.field_violations) == {"fields"}
    with pytest.raises(errors.Invalid) as fault:
        seal(mother, "membership.role")
    assert set(fault.value.field_violations) == {"paths[0]"}


def test_no_emergency_opens_a_family_and_no_basis_that_names_no_consent_of_each(house: House) -> None:
    mother = house.mother
    acute = claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", break_glass=GLASS)
    assert "R28" in denied(partial(mother.household, claim=acute))
    # Of her own plan the desk reads what it recorded; of the father nothing is opened by that.
    for one in mother.members(claim=INVESTIGATE, fields=["membership.role"]):
        assert one.membership.role in {PARENT, PARTNER}
    stranger = house.town.worker("college:WMO", "stranger")
    assert refused(partial(mother.household, stranger)) == refused(
        partial(mother.household, stranger, plan_id=str(uuid4()))
    )


def test_a_repeat_opens_no_second_household(town: Town) -> None:
    alone = FamilyMember(town, 33)
    request: dict[str, Any] = {
        "request_id": str(uuid4()),
        "claim": INVESTIGATE,
        "plan_id": alone.plan_id,
        "role": PARENT,
        "consent_id": alone.consented(),
    }
    first, again = (alone.intake.household.open_household(**request) for _ in range(2))
    assert (first.membership_id, first.receipt) == (again.membership_id, again.receipt)
    alone.membership_id = first.membership_id
    assert [one.membership.membership_id for one in alone.members()] == [first.membership_id]
    # The resident sees it too, and who looked: each member's decision is on his own record.
    (told,) = alone.household(alone.own(), claim=ACCESS, fields=["membership.role"]).households
    assert [one.membership.role for one in told.members] == [PARENT]
