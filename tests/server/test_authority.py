"""In what the word of who asks counts: told to him alone, and no more than is then taken from him."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from exchange.v1 import representation_service_pb2 as people_pb
from tests.server.family import TODAY, Family, broken, denied
from tests.server.test_access import NOBODY
from tests.server.town import ACCESS, CITY, WORD

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

FIELDS = ["relations", "last_day", "speaks", "consent_kinds", "takes_back_objections"]
PARENT = [people_pb.RELATION_PARENT]
ASSENT = consent_pb.CONSENT_KIND_ASSENT
CARE, GDPR = consent_pb.CONSENT_KIND_CARE, consent_pb.CONSENT_KIND_GDPR
OTHERS = {
    consent_pb.CONSENT_KIND_STATUTORY,
    consent_pb.CONSENT_KIND_SECRECY,
    consent_pb.CONSENT_KIND_NO_OBJECTION,
}
ADULT = 18
ALL = {ASSENT, CARE, GDPR, *OTHERS}


def authority(family: Family, client: ExchangeClient) -> people_pb.GetAuthorityResponse:
    return client.representation.get_authority(claim=ACCESS, case_id=family.case_id, fields=FIELDS)


def say_no(family: Family, client: ExchangeClient) -> None:
    say(family, client, plan_pb2.AGREEMENT_OUTCOME_DISAGREED)


def say(family: Family, client: ExchangeClient, outcome: plan_pb2.AgreementOutcome.ValueType) -> None:
    client.plan.agree_to_plan(
        claim=WORD,
        plan_id=family.plan_id,
        expected_version=family.town.state("plan", family.plan_id).version,
        outcome=outcome,
        remarks="Zo niet.",
    )


def appointed(family: Family, person: str, relation: people_pb.Relation.ValueType) -> None:
    family.record(
        person,
        relation=relation,
        gezag=people_pb.GEZAG_UNSPECIFIED,
        evidence_source=people_pb.EVIDENCE_SOURCE_COURT_ORDER,
    )


@pytest.mark.parametrize(
    ("age", "capable", "parents", "own"),
    [
        (11, True, ALL, None),
        (12, True, {ASSENT, CARE, GDPR}, {ASSENT, CARE, *OTHERS}),
        (15, True, {ASSENT, CARE, GDPR}, {ASSENT, CARE, *OTHERS}),
        (15, False, ALL, None),
        (16, False, ALL, None),
    ],
)
def test_a_parent_is_told_what_he_decides_and_the_child_what_is_his_own(
    town: Town, age: int, *, capable: bool, parents: set[int], own: set[int] | None
) -> None:
    family = Family(town, age, capable=capable)
    family.record()
    told = authority(family, family.representative())
    assert (list(told.relations), told.speaks) == (PARENT, True)
    # Whose objection it is takes it back: from twelve on the child, where he is able.
    assert told.takes_back_objections == (own is None)
    assert told.last_day == (TODAY + timedelta(days=92)).isoformat()
    assert set(told.consent_kinds) == parents
    if own is None:
        assert denied(partial(authority, family, family.own())) == NOBODY
    else:
        mine = authority(family, family.own())
        assert (list(mine.relations), mine.last_day, mine.speaks) == ([], "", True)
        assert set(mine.consent_kinds) == own
    say_no(family, family.representative())


def test_who_sees_by_a_youths_leave_speaks_for_nobody(town: Town) -> None:
    family = Family(town, 16)
    family.record(end_date=(TODAY + timedelta(days=30)).isoformat())
    parent = family.representative()
    assert denied(partial(authority, family, parent)) == NOBODY
    leave = family.ask(
        consent_purpose=pb.PURPOSE_INZAGE,
        recipients=[f"{CITY}/wettelijk-vertegenwoordiger"],
        categories=["WMO-PLAN", "CONTACT"],
    )
    family.give(family.own(), leave, "self")
    told = authority(family, parent)
    assert (told.speaks, list(told.consent_kinds)) == (False, [])
    # The day before his record ends is the last one, whatever the age of its source.
    assert told.last_day == (TODAY + timedelta(days=29)).isoformat()
    assert denied(partial(say_no, family, parent)) == NOBODY


def test_a_mentor_speaks_and_who_keeps_the_money_sees_and_says_what_is_about_money(town: Town) -> None:
    """BW 1:431, 1:441: a bewindvoerder never stands for the person, whatever else nobody decides."""
    family = Family(town, 40, capable=False)
    appointed(family, "bewind-1", people_pb.RELATION_BEWINDVOERDER)
    keeper = family.representative("bewind-1")
    for act in (
        partial(authority, family, keeper),
        partial(family.look, keeper),
        partial(say_no, family, keeper),
    ):
        assert denied(act) == NOBODY
    money = partial(keeper.plan.get_plan, claim=ACCESS, plan_id=family.plan_id)
    assert money(fields=["signals.arrears_cents"]).plan.signals == []
    assert denied(partial(money, fields=["signals.arrears_cents", "goals.own_words"])) == NOBODY
    appointed(family, "mentor-1", people_pb.RELATION_MENTOR)
    told = authority(family, family.representative("mentor-1"))
    assert (list(told.relations), told.speaks) == ([people_pb.RELATION_MENTOR], True)
    assert set(told.consent_kinds) == ALL
    assert told.last_day == (TODAY + timedelta(days=366)).isoformat()
    # Appointed in both, he speaks for the person as well.
    appointed(family, "bewind-1", people_pb.RELATION_CURATOR)
    both = authority(family, keeper)
    assert set(both.relations) == {people_pb.RELATION_BEWINDVOERDER, people_pb.RELATION_CURATOR}
    assert (both.speaks, family.look(keeper)) == (True, family.look(family.representative("mentor-1")))


def test_nobody_else_is_told_of_anybodys_authority(town: Town) -> None:
    family, other = Family(town, 10), Family(town, 10)
    family.record()
    for case_id in (other.case_id, "a0000000-0000-4000-8000-000000000009"):
        ask = family.representative().representation.get_authority
        stranger = partial(ask, claim=ACCESS, case_id=case_id, fields=FIELDS)
        assert denied(stranger) == NOBODY
    assert denied(partial(authority, family, family.representative("ouder-2"))) == NOBODY
    assert "R08" in denied(partial(authority, family, family.wmo))
    grown = Family(town, 40)
    grown.record()
    assert denied(partial(authority, grown, grown.representative())) == NOBODY
    assert set(authority(grown, grown.own()).consent_kinds) == ALL


@pytest.mark.parametrize(("age", "capable", "own"), [(11, True, False), (12, True, True), (40, False, False)])
def test_whose_yes_to_a_plan_is_the_residents_own(town: Town, age: int, *, capable: bool, own: bool) -> None:
    """Jeugdwet 7.3.4 and 7.3.15: who sees nothing of a plan says no yes to it."""
    family = Family(town, age, capable=capable)
    if age < ADULT:
        family.record("mentor-1")
    else:
        appointed(family, "mentor-1", people_pb.RELATION_MENTOR)
    yes = partial(say, outcome=plan_pb2.AGREEMENT_OUTCOME_AGREED)
    conditions = partial(say, outcome=plan_pb2.AGREEMENT_OUTCOME_AGREED_ON_CONDITIONS)
    for word in (yes, conditions):
        if own:
            word(family, family.own())
        else:
            assert broken(partial(word, family, family.own())) == "NOT_TO_DECIDE"
        word(family, family.representative("mentor-1"))
    say_no(family, family.own())
