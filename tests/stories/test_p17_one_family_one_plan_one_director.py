"""P17, what a resident notices: one family, one plan, one director, and each has a part of his own in it.

Source: 1 gezin 1 plan 1 regisseur; the domain's design sections 2 and 3; Jeugdwet 1.1 and 4.1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.v1 import household_service_pb2 as household_pb
from tests.server.household import FamilyMember
from tests.server.town import CITY, INVESTIGATE, WORD

if TYPE_CHECKING:
    from tests.server.town import Town

PARENT, PARTNER, CHILD = (
    household_pb.MEMBER_ROLE_PARENT,
    household_pb.MEMBER_ROLE_PARTNER,
    household_pb.MEMBER_ROLE_CHILD,
)


class House:
    """A mother, a father, Sem of fourteen and Noor of nine."""

    def __init__(self, town: Town) -> None:
        self.mother, self.father = FamilyMember(town, 41), FamilyMember(town, 43)
        self.sem, self.noor = FamilyMember(town, 14), FamilyMember(town, 9)
        self.sem.record_parent()
        self.noor.record_parent()
        self.noor_asked = self.noor.ask()
        self.noor.give(self.noor_asked, self.noor.parent(), "parent")
        self.mother.opens(PARENT)
        self.father.joins(self.mother, PARTNER)
        self.noor.joins(self.mother, CHILD, self.noor_asked)


@pytest.fixture(scope="module")
def house(town: Town) -> House:
    return House(town)


def test_my_family_has_one_plan_that_is_everybody_s_own(house: House) -> None:
    house.mother.goal("Ik wil rust in huis.")
    house.noor.goal("Ik wil weer naar turnen.")
    members = house.mother.members()
    assert [one.membership.role for one in members] == [PARENT, PARTNER, CHILD]
    assert [goal.own_words for one in members for goal in one.plan.goals] == [
        "Ik wil rust in huis.",
        "Ik wil weer naar turnen.",
    ]
