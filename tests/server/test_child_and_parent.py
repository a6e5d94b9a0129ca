"""Whether a plan of a child is agreed, over the wire: who must say yes follows from its age and ability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.domain.plan import AgreementAnswered
from exchange.server.contract.changed import CHANGED, changed_element
from exchange.v1 import plan_pb2
from tests.server.family import Family, broken
from tests.server.town import ACCESS, CITY, INVESTIGATE, WORD

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

YES, NO = plan_pb2.AGREEMENT_OUTCOME_AGREED, plan_pb2.AGREEMENT_OUTCOME_DISAGREED
CHILD, PARENT = plan_pb2.AGREEMENT_SPEAKER_RESIDENT, plan_pb2.AGREEMENT_SPEAKER_REPRESENTATIVE
PERSISTS = plan_pb2.WITHOUT_PARENTS_CHILD_PERSISTS


def agreed(family: Family) -> int:
    return int(family.town.state("plan", family.plan_id).agreed_version)


def version(family: Family) -> int:
    return int(family.town.state("plan", family.plan_id).version)


def says(family: Family, client: ExchangeClient, outcome: plan_pb2.AgreementOutcome.ValueType = YES) -> int:
    """Return the version that was spoken of."""
    spoken_of = version(family)
    client.plan.agree_to_plan(
        claim=WORD,
        plan_id=family.plan_id,
        expected_version=spoken_of,
        outcome=outcome,
        remarks="" if outcome == YES else "Zo niet.",
    )
    return spoken_of


def counts_alone(family: Family, plan_version: int, why: plan_pb2.WithoutParents.ValueType) -> None:
    family.wmo.plan.answer_agreement(
        claim=INVESTIGATE,
        plan_id=family.plan_id,
        expected_version=version(family),
        plan_version=plan_version,
        answer="Wij spraken er twee keer over. Zij weet wat zij wil.",
        without_parents=why,
    )


@pytest.mark.parametrize("age", [12, 15])
def test_a_child_of_twelve_to_fifteen_and_its_parent_both_say_yes(town: Town, age: int) -> None:
    family = Family(town, age)
    family.record()
    says(family, family.own())
    assert agreed(family) == 0
    fields = ["agreements.waits", "agreements.spoken_by"]
    plan = family.own().plan.get_plan(claim=ACCESS, plan_id=family.plan_id, fields=fields).plan
    assert [(one.waits, one.spoken_by) for one in plan.agreements] == [(True, CHILD)]
    spoken_of = says(family, family.representative())
    assert agreed(family) == spoken_of
    plan = family.representative().plan.get_plan(claim=ACCESS, plan_id=family.plan_id, fields=fields).plan
    assert [(one.waits, one.spoken_by) for one in plan.agreements] == [(True, CHILD), (False, PARENT)]


@pytest.mark.parametrize(("age", "capable"), [(11, True), (14, False)])
def test_a_parent_alone_agrees_for_who_cannot(town: Town, age: int, *, capable: bool) -> None:
    family = Family(town, age, capable=capable)
    family.record()
    assert agreed(family) == 0
    spoken_of = says(family, family.representative())
    assert agreed(family) == spoken_of


def test_from_sixteen_on_the_youth_alone_agrees(town: Town) -> None:
    family = Family(town, 16)
    spoken_of = says(family, family.own())
    assert agreed(family) == spoken_of


def test_after_a_parents_no_the_childs_yes_counts_where_a_college_says_why(town: Town) -> None:
    family = Family(town, 14)
    family.record()
    first = says(family, family.own())
    assert broken(lambda: counts_alone(family, first, PERSISTS)) == "NOT_REFUSED"
    says(family, family.representative(), NO)
    again = says(family, family.own())
    assert agreed(family) == 0
    counts_alone(family, again, PERSISTS)
    assert agreed(family) == again
    says(family, family.representative(), NO)
    assert agreed(family) == again
    fields = ["answers.without_parents"]
    plan = family.own().plan.get_plan(claim=ACCESS, plan_id=family.plan_id, fields=fields).plan
    assert [one.without_parents for one in plan.answers] == [PERSISTS]
    says(family, family.own(), NO)
    assert agreed(family) == 0


def test_each_answer_to_one_word_is_told_as_it_was_given(town: Town) -> None:
    family = Family(town, 14)
    family.record()
    spoken_of = says(family, family.own(), plan_pb2.AGREEMENT_OUTCOME_AGREED_ON_CONDITIONS)
    family.wmo.plan.answer_agreement(
        claim=INVESTIGATE,
        plan_id=family.plan_id,
        expected_version=version(family),
        plan_version=spoken_of,
        met=True,
        answer="Zo doen wij het.",
    )
    assert agreed(family) == 0
    counts_alone(family, spoken_of, plan_pb2.WITHOUT_PARENTS_SERIOUS_DISADVANTAGE)
    assert agreed(family) == spoken_of
    plan = town.state("plan", family.plan_id)
    met, alone = plan.answers
    answered = AgreementAnswered(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=CITY,
        task="college:WMO",
        plan_version=spoken_of,
        met=True,
        answer=met.answer,
        without_parents="",
        at=met.answer_time,
    )
    changed = CHANGED["plan.agreement_answered"]
    versions = (plan.version - 1, plan.version)
    assert [changed_element(changed, answered, one, plan) for one in versions] == [met, alone]
