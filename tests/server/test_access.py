"""Who sees a resident's data for him: own access and a representative's, by age, capacity and records."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import representation_service_pb2 as people_pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.family import TODAY, WORDS, Family, broken, denied
from tests.server.town import ACCESS, CARE, CITY, INVESTIGATE, WORD, WORK, Town

SEEN = [WORDS]
NOBODY = ("R21",)
CONTRARY = rights_pb.DETERMINATION_KIND_CONTRARY_TO_CHILD_INTEREST
STAFF = rights_pb.DETERMINATION_KIND_STAFF_IDENTITY_NEEDED
WEIGH = claim(pb.PURPOSE_WMO_ONDERZOEK, "WEIGH-24", "nodig om af te wegen")


@pytest.mark.parametrize(
    ("age", "capable", "own", "parent"),
    [
        (11, True, False, True),
        (12, True, True, True),
        (12, False, False, True),
        (15, True, True, True),
        (16, True, True, False),
        (16, False, False, True),
        (17, True, True, False),
        (18, True, True, False),
        (18, False, False, False),
    ],
)
def test_a_minors_own_access_and_a_parents(
    town: Town, age: int, *, capable: bool, own: bool, parent: bool
) -> None:
    family = Family(town, age, capable=capable)
    family.record()
    for client, sees in [(family.own(), own), (family.representative(), parent)]:
        if sees:
            assert family.look(client) == SEEN
        else:
            assert denied(partial(family.look, client)) == ("R21",)


def test_an_adult_who_cannot_decide_sees_through_the_highest_rung(town: Town) -> None:
    family = Family(town, 40, capable=False)
    family.record(
        "broer-1",
        relation=people_pb.RELATION_FAMILY,
        gezag=people_pb.GEZAG_UNSPECIFIED,
        evidence_source=people_pb.EVIDENCE_SOURCE_STATEMENT,
    )
    assert family.look(family.representative("broer-1")) == SEEN
    family.record_curator()
    assert denied(lambda: family.look(family.representative("broer-1"))) == ("R21",)
    assert family.look(family.representative("curator-1")) == SEEN
    assert denied(lambda: family.look(family.own())) == ("R21",)


def test_a_youth_of_sixteen_lets_a_parent_see_what_he_chooses_and_stops_it(town: Town) -> None:
    family = Family(town, 16)
    family.record()
    parent = family.representative()
    leave = family.ask(consent_purpose=pb.PURPOSE_INZAGE, recipients=[f"{CITY}/wettelijk-vertegenwoordiger"])
    assert denied(lambda: family.look(parent)) == ("R21",)
    family.give(family.own(), leave, "self")
    assert family.look(parent) == SEEN
    # What he did not choose stays his: who asked about him is of another category.
    asking = partial(parent.disclosure.list_disclosures, claim=ACCESS, case_id=family.case_id)
    assert denied(partial(asking, fields=["disclosures.task"])) == ("R17",)
    family.own().consent.withdraw_consent(claim=WORD, consent_id=leave)
    assert denied(lambda: family.look(parent)) == ("R21",)


@pytest.mark.parametrize("gezag", [people_pb.GEZAG_TIJDELIJK_GEEN, people_pb.GEZAG_NIET_TE_BEPALEN])
def test_a_youths_leave_gives_nobody_the_authority_he_lacks(
    town: Town, gezag: people_pb.Gezag.ValueType
) -> None:
    family = Family(town, 17)
    family.record(gezag=gezag)
    leave = family.ask(consent_purpose=pb.PURPOSE_INZAGE, recipients=[f"{CITY}/wettelijk-vertegenwoordiger"])
    family.give(family.own(), leave, "self")
    assert denied(lambda: family.look(family.representative())) == ("R21",)


def test_a_token_alone_makes_nobody_a_representative(town: Town) -> None:
    family = Family(town, 10)
    # Who is not recorded is told what he would be told about nobody.
    assert denied(lambda: family.look(family.representative())) == NOBODY
    family.record(person_oin=CARE)
    assert denied(lambda: family.look(family.representative())) == NOBODY
    family.record()
    assert denied(lambda: family.look(family.representative("ouder-2"))) == NOBODY
    assert family.look(family.representative()) == SEEN
    assert denied(lambda: Family(town, 10).look(family.representative())) == NOBODY


@pytest.mark.parametrize("task", ["wettelijk-vertegenwoordiger", "betrokkene"])
def test_the_wrong_person_is_told_alike_of_who_is_known_and_of_nobody(town: Town, task: str) -> None:
    family = Family(town, 10)
    family.record()
    other = Family(town, 40)
    asker = town.signed_in(Person("niemand-1", task, "vertegenwoordiger", resident=other.pseudonym))
    told = []
    for plan_id in (family.plan_id, str(uuid4())):
        with pytest.raises(errors.Denied) as refused:
            asker.plan.get_plan(claim=ACCESS, plan_id=plan_id, fields=["goals.own_words"])
        told.append(
            (refused.value.rules, refused.value.message, refused.value.remedies, refused.value.localized)
        )
    assert told[0] == told[1]
    assert tuple(told[0][0]) == NOBODY


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"gezag": people_pb.GEZAG_EENHOOFDIG_OUDERLIJK}, ()),
        ({"gezag": people_pb.GEZAG_GEZAMENLIJK}, ()),
        ({"gezag": people_pb.GEZAG_TIJDELIJK_GEEN}, ("R21",)),
        ({"gezag": people_pb.GEZAG_NIET_TE_BEPALEN}, ("R21",)),
        ({"relation": people_pb.RELATION_GUARDIAN, "gezag": people_pb.GEZAG_VOOGDIJ}, ()),
        ({"source_date": (TODAY - timedelta(days=90)).isoformat()}, ()),
        ({"source_date": (TODAY - timedelta(days=94)).isoformat()}, ("R21",)),
        ({"start_date": (TODAY + timedelta(days=2)).isoformat()}, NOBODY),
        ({"end_date": (TODAY - timedelta(days=1)).isoformat()}, NOBODY),
        ({"end_date": (TODAY + timedelta(days=2)).isoformat()}, ()),
    ],
)
def test_authority_counts_by_a_dated_source_in_its_period(
    town: Town, changes: dict[str, Any], rules: tuple[str, ...]
) -> None:
    family = Family(town, 10)
    family.record(**changes)
    parent = family.representative()
    if rules:
        assert denied(lambda: family.look(parent)) == rules
    else:
        assert family.look(parent) == SEEN


def test_an_old_source_is_renewed_and_a_record_ends_at_once(town: Town) -> None:
    family = Family(town, 10)
    first = family.record(source_date=(TODAY - timedelta(days=120)).isoformat())
    parent = family.representative()
    assert denied(lambda: family.look(parent)) == ("R21",)
    assert family.record() == first
    assert family.look(parent) == SEEN
    family.wmo.representation.end_representative(
        claim=INVESTIGATE, case_id=family.case_id, representative_id=first, reason="Gezag beëindigd."
    )
    assert denied(lambda: family.look(parent)) == NOBODY


def test_capacity_is_judged_in_this_matter(town: Town) -> None:
    family = Family(town, 14)
    family.record()

    def judge(matter: str, *, capable: bool) -> None:
        family.wmo.representation.judge_capacity(
            claim=INVESTIGATE,
            case_id=family.case_id,
            matter=matter,
            capable=capable,
            end_date=(TODAY + timedelta(days=30)).isoformat(),
            reason="Besproken met het kind.",
        )

    judge("care", capable=False)
    assert family.look(family.own()) == SEEN
    judge("access", capable=False)
    assert denied(lambda: family.look(family.own())) == ("R21",)
    judge("inzage", capable=True)
    assert family.look(family.own()) == SEEN


def test_a_judgement_that_expired_establishes_nothing(aging_town: Town) -> None:
    family = Family(aging_town, 14)
    family.wmo.representation.judge_capacity(
        claim=INVESTIGATE,
        case_id=family.case_id,
        matter="access",
        capable=True,
        end_date=(TODAY + timedelta(days=1)).isoformat(),
        reason="Tot het volgende gesprek.",
    )
    assert family.look(family.own()) == SEEN
    aging_town.skew = timedelta(days=2)
    assert denied(lambda: family.look(family.own())) == ("R01",)


def test_a_childs_interest_closes_the_access_of_whom_it_is_about(town: Town) -> None:
    family = Family(town, 10)
    mother, father = family.record(), family.record("ouder-2")

    def weigh(about: str, *, holds: bool) -> None:
        family.wmo.rights.record_determination(
            claim=WEIGH,
            case_id=family.case_id,
            kind=CONTRARY,
            holds=holds,
            representative_id=about,
            reason="Het kind vertelde dit in vertrouwen.",
        )

    weigh(father, holds=True)
    assert denied(lambda: family.look(family.representative("ouder-2"))) == ("R31",)
    assert family.look(family.representative()) == SEEN
    weigh("", holds=True)
    assert denied(lambda: family.look(family.representative())) == ("R31",)
    weigh(mother, holds=False)
    assert family.look(family.representative()) == SEEN
    weigh(father, holds=False)
    assert family.look(family.representative("ouder-2")) == SEEN


def test_a_childs_interest_against_a_parent_does_not_close_the_childs_own_access(town: Town) -> None:
    family = Family(town, 13)
    family.wmo.rights.record_determination(
        claim=WEIGH,
        case_id=family.case_id,
        kind=CONTRARY,
        holds=True,
        reason="Veiligheid van het kind.",
    )
    assert family.look(family.own()) == SEEN


def test_a_professionals_name_is_told_once_it_was_weighed(town: Town) -> None:
    family = Family(town, 40)
    family.look(family.own())
    ask: dict[str, Any] = {
        "claim": ACCESS,
        "case_id": family.case_id,
        "fields": ["disclosures.professional", "disclosures.task"],
        "allow_partial": True,
    }
    before = family.own().disclosure.list_disclosures(**ask)
    assert list(before.withheld_fields) == ["disclosures.professional"]
    family.wmo.rights.record_determination(
        claim=WEIGH, case_id=family.case_id, kind=STAFF, holds=True, reason="Nodig voor een klacht."
    )
    after = family.own().disclosure.list_disclosures(**ask)
    assert list(after.withheld_fields) == []
    assert {one.professional for one in after.disclosures} == {"kind-1"}


def test_the_officer_writes_down_that_a_name_was_weighed(town: Town) -> None:
    family = Family(town, 40)
    family.look(family.own())
    watch = claim(pb.PURPOSE_TOEZICHT, "FG-WATCH-39")
    told: dict[str, Any] = {"case_id": family.case_id, "holds": True, "reason": "Besluit college C-12."}
    officer = town.worker("fg", "fg-1").rights
    assert (
        broken(partial(officer.record_determination, claim=watch, kind=CONTRARY, **told)) == "NOT_THE_COLLEGE"
    )
    # On the college's own basis he is no recipient.
    refused = denied(partial(officer.record_determination, claim=WEIGH, kind=STAFF, **told))
    assert "R08" in refused
    officer.record_determination(claim=watch, kind=STAFF, **told)
    state = town.state("resident", town.resident_of(family.pseudonym))
    assert [(one.kind, one.holds) for one in state.determinations] == [("staff_identity_needed", True)]


def test_the_residents_side_and_strangers_record_nothing_of_this(town: Town) -> None:
    family = Family(town, 10)
    record = family.record()
    told: dict[str, Any] = {
        "case_id": family.case_id,
        "person_oin": CITY,
        "person_id": "oom-1",
        "relation": people_pb.RELATION_PARENT,
        "gezag": people_pb.GEZAG_EENHOOFDIG_OUDERLIJK,
        "evidence_source": people_pb.EVIDENCE_SOURCE_BRP,
        "source_reference": "zelf",
        "source_date": TODAY.isoformat(),
        "start_date": "2020-01-01",
    }
    for client in (family.own(), family.representative()):
        people = client.representation
        assert broken(partial(people.record_representative, claim=WORD, **told)) == "NOT_TO_RECORD"
        end = partial(people.end_representative, claim=WORD, case_id=family.case_id, representative_id=record)
        assert broken(end) == "NOT_TO_RECORD"
        judge = partial(
            people.judge_capacity,
            claim=WORD,
            case_id=family.case_id,
            matter="access",
            capable=True,
            end_date=(TODAY + timedelta(days=30)).isoformat(),
            reason="Zelf gevonden.",
        )
        assert broken(judge) == "NOT_TO_JUDGE"
    with pytest.raises(errors.Invalid) as refused:
        family.record("999993653")
    assert refused.value.reason == "BSN_REFUSED"
    stranger = town.worker("college:WMO", "stranger")
    assert "R03" in denied(lambda: stranger.representation.record_representative(claim=INVESTIGATE, **told))


FIELDS = [f"representatives.{name}" for name in ("representative_id", "relation", "source_date", "person")]


def test_who_represents_is_listed_for_the_desk_that_recorded_it_and_for_the_resident(town: Town) -> None:
    family = Family(town, 14)
    mother, father = family.record(), family.record("ouder-2")
    family.wmo.representation.end_representative(
        claim=INVESTIGATE, case_id=family.case_id, representative_id=father
    )
    seen = family.wmo.representation.list_representatives(
        claim=INVESTIGATE, case_id=family.case_id, fields=FIELDS
    )
    (told,) = seen.representatives
    assert (told.representative_id, told.person, told.source_date) == (mother, "ouder-1", TODAY.isoformat())
    assert told.relation == people_pb.RELATION_PARENT
    assert told.gezag == people_pb.GEZAG_UNSPECIFIED
    own = family.own().representation.list_representatives(
        claim=ACCESS, case_id=family.case_id, fields=FIELDS, allow_partial=True
    )
    assert [one.representative_id for one in own.representatives] == [mother]
    # A parent's portal name is the parent's (GDPR 15(4)).
    assert list(own.withheld_fields) == ["representatives.person"]
    assert own.representatives[0].person == ""


def test_one_parent_does_not_learn_by_whose_portal_another_signs_in(town: Town) -> None:
    family = Family(town, 8)
    family.record()
    elsewhere = family.record("ouder-2", person_oin=CARE)
    fields = ["representatives.representative_id", "representatives.person_oin"]
    told = family.representative().representation.list_representatives(
        claim=ACCESS, case_id=family.case_id, fields=fields, allow_partial=True
    )
    assert elsewhere in [one.representative_id for one in told.representatives]
    assert list(told.withheld_fields) == ["representatives.person_oin"]
    assert {one.person_oin for one in told.representatives} == {""}
    desk = family.wmo.representation.list_representatives(
        claim=INVESTIGATE, case_id=family.case_id, fields=fields
    )
    assert [one.person_oin for one in desk.representatives] == [CITY, CARE]


def test_another_desk_and_strangers_are_not_told_who_represents(town: Town) -> None:
    family = Family(town, 10)
    family.record()
    listing = partial(family.work.representation.list_representatives, case_id=family.case_id, fields=FIELDS)
    assert "R09" in denied(partial(listing, claim=WORK))
    stranger = town.worker("college:WMO", "stranger").representation.list_representatives
    known = denied(partial(stranger, claim=INVESTIGATE, case_id=family.case_id, fields=FIELDS))
    nobody = "a0000000-0000-4000-8000-000000000009"
    assert denied(partial(stranger, claim=INVESTIGATE, case_id=nobody, fields=FIELDS)) == known
