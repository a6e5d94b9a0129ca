"""Consents that each stand by themselves: by category, by kind, and beside an objection; over mutual TLS."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.family import REUSE, Family, denied, stamp
from tests.server.town import CARE, CITY, DELIVER, INVESTIGATE, WORD, WORK, Town

if TYPE_CHECKING:
    from collections.abc import Callable

OF_A, OF_B = "goals.goal_id", "situations.description"
OBJECT = claim(pb.PURPOSE_KLACHT_BEZWAAR, "OBJECT-21-RESIDENT")
DECIDE = claim(pb.PURPOSE_WMO_ONDERZOEK, "OBJECT-21")
TO_THE_PARENT = [f"{CITY}/wettelijk-vertegenwoordiger"]


def two_choices(town: Town) -> tuple[Family, str, str, Callable[..., Any]]:
    """Return a resident who said yes to two choices of one form, and how the Wmo desk reads by them."""
    family = Family(town, 40)
    family.work.plan.describe_situation(
        claim=WORK,
        plan_id=family.plan_id,
        expected_version=town.state("plan", family.plan_id).version,
        life_domain=pb.LIFE_DOMAIN_WORK_AND_EDUCATION,
        description="Werkloos sinds mei",
        strengths="netwerk",
        score=1,
        judge_date="2026-03-02",
    )
    first, second = family.ask(categories=["WMO-PLAN"]), family.ask(categories=["ARBEID"])
    for one in (first, second):
        family.give(family.own(), one, "self")

    def read(*fields: str) -> Any:  # noqa: ANN401 -- the plan of a GetPlanResponse
        return family.wmo.plan.get_plan(claim=REUSE, plan_id=family.plan_id, fields=fields).plan

    return family, first, second, read


def test_withdrawing_one_choice_leaves_the_other(town: Town) -> None:
    family, _, second, read = two_choices(town)
    both = read(OF_A, OF_B)
    assert both.goals[0].goal_id
    assert both.situations[0].description == "Werkloos sinds mei"
    family.own().consent.withdraw_consent(claim=WORD, consent_id=second)
    assert denied(lambda: read(OF_B)) == ("R19",)
    assert read(OF_A).goals[0].goal_id
    again = family.ask(categories=["ARBEID"])
    family.give(family.own(), again, "self")
    assert read(OF_A, OF_B).situations[0].description == "Werkloos sinds mei"


def test_refusing_a_question_leaves_what_runs(town: Town) -> None:
    family, first, second, read = two_choices(town)
    family.own().consent.withdraw_consent(claim=WORD, consent_id=second)
    for asked in (["ARBEID"], ["WMO-PLAN", "ARBEID"]):
        no = family.ask(categories=asked)
        family.own().consent.refuse_consent(claim=WORD, consent_id=no, expected_version=1)
        assert read(OF_A).goals[0].goal_id
    family.own().consent.withdraw_consent(claim=WORD, consent_id=first)
    assert denied(lambda: read(OF_A)) == ("R19",)


# --- the leave of a youth -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ASSENT", "CARE", "SECRECY", "NO_OBJECTION"])
def test_only_a_word_about_this_lets_a_parent_see(town: Town, kind: str) -> None:
    family = Family(town, 16)
    family.record()
    parent = family.representative()
    other = family.ask(
        kind=consent_pb.ConsentKind.Value(f"CONSENT_KIND_{kind}"),
        consent_purpose=pb.PURPOSE_INZAGE,
        recipients=TO_THE_PARENT,
    )
    family.give(family.own(), other, "self")
    assert denied(lambda: family.look(parent)) == ("R21",)
    # Nor does its no take what another word gave.
    leave = family.ask(
        kind=consent_pb.CONSENT_KIND_GDPR, consent_purpose=pb.PURPOSE_INZAGE, recipients=TO_THE_PARENT
    )
    family.give(family.own(), leave, "self")
    family.own().consent.withdraw_consent(claim=WORD, consent_id=other)
    assert family.look(parent)


# --- an objection -----------------------------------------------------------------------------------------


def delivering(town: Town) -> tuple[Family, Callable[[], object]]:
    """Return a resident with a provider on his case, and how that provider reads."""
    provider = town.care()
    family = Family(town, 40)
    family.wmo.plan.set_goal(
        claim=INVESTIGATE,
        plan_id=family.plan_id,
        expected_version=town.state("plan", family.plan_id).version,
        own_words="Thuis blijven wonen",
        desired_effect="rust",
        life_domain=pb.LIFE_DOMAIN_HOUSING,
        target_date="2027-06-01",
    )
    family.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=family.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional="z-1",
        role="begeleider",
    )
    client = town.client(Person("z-1", "wmo-aanbieder", "begeleider"), provider)

    def read() -> object:
        return client.plan.get_plan(
            claim=DELIVER, plan_id=family.plan_id, fields=["goals.own_words"], allow_partial=True
        )

    return family, read


def ask(family: Family, kind: consent_pb.ConsentKind.ValueType) -> str:
    return family.ask(
        kind=kind,
        consent_purpose=pb.PURPOSE_WMO_LEVERING,
        recipients=[f"{CARE}/wmo-aanbieder"],
        categories=["WMO-PLAN", "WONEN"],
        start_time=stamp(family.town.now() - timedelta(minutes=1)),
    )


def yes(family: Family, kind: consent_pb.ConsentKind.ValueType) -> None:
    family.give(family.own(), ask(family, kind), "self")


def test_gdpr_consent_for_a_public_task_outweighs_no_objection(town: Town) -> None:
    family, read = delivering(town)
    yes(family, consent_pb.CONSENT_KIND_GDPR)
    assert read()
    family.own().rights.object(claim=OBJECT, case_id=family.case_id, reason="ik wil dit niet")
    assert "R24" in denied(read)


def test_an_upheld_objection_yields_to_nothing_said_before_it(town: Town) -> None:
    family, read = delivering(town)
    yes(family, consent_pb.CONSENT_KIND_STATUTORY)
    told = family.own().rights.object(claim=OBJECT, case_id=family.case_id, reason="ik wil dit niet")
    # While it is not decided the specific yes stands.
    assert read()
    family.wmo.rights.decide_objection(
        claim=DECIDE,
        case_id=family.case_id,
        objection_id=told.objection_id,
        outcome=rights_pb.OBJECTION_OUTCOME_UPHELD,
        reason="gegrond",
    )
    assert "R25" in denied(read)
    yes(family, consent_pb.CONSENT_KIND_GDPR)
    assert "R25" in denied(read)
    # What was weighed is said anew, by a word that this task can rest on.
    yes(family, consent_pb.CONSENT_KIND_STATUTORY)
    assert read()
