"""Who gives, refuses and withdraws: the kind decides whose word is asked, and a record shows who spoke."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from adapters.sdk import errors
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import representation_service_pb2 as people_pb
from tests.server.family import A_DAY, TODAY, WORDS, Family, born, broken, denied, stamp
from tests.server.town import CITY, INVESTIGATE, WORD, Town

READ = [WORDS]
STATUTORY, GDPR, CARE_KIND = (
    consent_pb.CONSENT_KIND_STATUTORY,
    consent_pb.CONSENT_KIND_GDPR,
    consent_pb.CONSENT_KIND_CARE,
)


# --- by age and kind ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "age", "child", "parent"),
    [
        (STATUTORY, 11, "NOT_TO_DECIDE", ""),
        (STATUTORY, 12, "", "NOT_TO_DECIDE"),
        (STATUTORY, 15, "", "NOT_TO_DECIDE"),
        (STATUTORY, 16, "", "R21"),
        (STATUTORY, 17, "", "R21"),
        (STATUTORY, 18, "", "R21"),
        (GDPR, 11, "NOT_TO_DECIDE", ""),
        (GDPR, 12, "NOT_TO_DECIDE", ""),
        (GDPR, 15, "NOT_TO_DECIDE", ""),
        (GDPR, 16, "", "R21"),
        (CARE_KIND, 11, "NOT_TO_DECIDE", ""),
        (CARE_KIND, 12, "", ""),
        (CARE_KIND, 15, "", ""),
        (CARE_KIND, 16, "", "R21"),
        (consent_pb.CONSENT_KIND_ASSENT, 10, "", ""),
    ],
)
def test_the_kind_decides_whose_word_is_taken(
    town: Town, kind: consent_pb.ConsentKind.ValueType, age: int, child: str, parent: str
) -> None:
    family = Family(town, age)
    family.record()
    for client, word, rule in [(family.own(), "self", child), (family.representative(), "parent", parent)]:
        consent_id = family.ask(kind=kind)
        if rule == "R21":
            assert denied(partial(family.give, client, consent_id, word)) == ("R21",)
        elif rule:
            assert broken(partial(family.give, client, consent_id, word)) == rule
        else:
            assert family.give(client, consent_id, word) == 2


def test_consent_to_care_of_a_child_of_twelve_is_given_by_both(town: Town) -> None:
    family = Family(town, 12)
    record = family.record()
    consent_id = family.ask(kind=CARE_KIND)
    assert family.give(family.own(), consent_id, "self") == 2
    assert family.give(family.representative(), consent_id, "parent") == 3
    state = town.state("consent", consent_id)
    assert (state.given_by, state.authority) == (("self", "parent"), (record,))
    # It says nothing about data.
    assert denied(family.read_with_consent) == ("R15",)


def test_a_parent_opens_what_the_child_of_eleven_cannot_and_only_with_authority(town: Town) -> None:
    family = Family(town, 11)
    record = family.record()
    consent_id = family.ask()
    family.give(family.representative(), consent_id, "parent")
    assert family.read_with_consent() == READ
    # A source that is too old supports nothing any more; a renewed one does again.
    old = (TODAY - timedelta(days=94)).isoformat()
    family.wmo.representation.end_representative(
        claim=INVESTIGATE, case_id=family.case_id, representative_id=record
    )
    family.record(source_date=old)
    assert denied(family.read_with_consent) == ("R21",)


def test_a_record_that_ends_takes_its_word_along_and_one_renewed_keeps_it(town: Town) -> None:
    family = Family(town, 11)
    record = family.record(source_date=(TODAY - 10 * A_DAY).isoformat())
    consent_id = family.ask()
    family.give(family.representative(), consent_id, "parent")
    assert family.record() == record
    assert family.read_with_consent() == READ
    family.wmo.representation.end_representative(
        claim=INVESTIGATE, case_id=family.case_id, representative_id=record
    )
    assert denied(family.read_with_consent) == ("R21",)


def test_at_sixteen_the_youths_own_word_takes_the_place_of_a_parents(aging_town: Town) -> None:
    family = Family(aging_town, 15, birth_date=born(16, TODAY + 31 * A_DAY))
    family.record()
    consent_id = family.ask(kind=CARE_KIND)
    family.give(family.representative(), consent_id, "parent")
    aging_town.skew = timedelta(days=35)
    withdrawn = family.own().consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert withdrawn.version == 3
    assert denied(lambda: family.give(family.representative(), family.ask(), "parent")) == ("R21",)


# --- shown by a record -------------------------------------------------------------------------------


def test_a_professional_writes_down_only_words_that_a_record_shows(town: Town) -> None:
    family = Family(town, 11)
    asked = family.ask(recipients=[f"{CITY}/college:PW"])

    def write_down(*words: str, authority: tuple[str, ...] = (), method: str = "spoken") -> int:
        return family.give(
            family.wmo, asked, *words, claim=INVESTIGATE, method=method, authority=list(authority)
        )

    assert broken(lambda: write_down("parent")) == "GIVER_NOT_RECORDED"
    mother = family.record(source_date=(TODAY - 94 * A_DAY).isoformat())
    assert broken(lambda: write_down("parent")) == "GIVER_NOT_RECORDED"
    assert family.record() == mother
    assert broken(lambda: write_down("parent", method="portal")) == "NOT_THE_PORTAL"
    father = family.record("ouder-2")
    assert broken(lambda: write_down("parent")) == "WHICH_REPRESENTATIVE"
    assert broken(lambda: write_down("curator", authority=(mother,))) == "GIVER_NOT_RECORDED"
    assert broken(lambda: write_down("self")) == "NOT_TO_DECIDE"
    assert write_down("parent", authority=(father,)) == 2
    assert town.state("consent", asked).authority == (father,)


def test_a_claim_in_the_message_makes_nobody_somebody_else(town: Town) -> None:
    family = Family(town, 14)
    family.record()
    asked = family.ask()
    assert broken(lambda: family.give(family.own(), asked, "self", "parent")) == "GIVER_NOT_RECORDED"
    assert broken(lambda: family.give(family.own(), asked, "curator")) == "GIVER_NOT_RECORDED"
    assert broken(lambda: family.give(family.representative(), asked, "self")) == "GIVER_NOT_RECORDED"
    assert broken(lambda: family.give(family.own(), asked, "neighbour")) == "GIVER_NOT_RECORDED"


def test_the_ladder_for_an_adult_who_cannot_decide(town: Town) -> None:
    family = Family(town, 40, capable=False)
    family.record(
        "partner-1",
        relation=people_pb.RELATION_PARTNER,
        gezag=people_pb.GEZAG_UNSPECIFIED,
        evidence_source=people_pb.EVIDENCE_SOURCE_STATEMENT,
    )
    consent_id = family.ask()
    family.give(family.representative("partner-1"), consent_id, "partner")
    assert family.read_with_consent() == READ
    # Once a curator is recorded the partner's word counts no more, also what he said before.
    family.record_curator()
    assert denied(family.read_with_consent) == ("R21",)
    second = family.ask()
    assert denied(lambda: family.give(family.representative("partner-1"), second, "partner")) == ("R21",)
    family.give(family.representative("curator-1"), second, "curator")
    assert family.read_with_consent() == READ


def test_capacity_is_judged_for_this_decision(aging_town: Town) -> None:
    family = Family(aging_town, 40)
    family.record_curator()
    consent_id = family.ask()
    family.give(family.own(), consent_id, "self")
    assert family.read_with_consent() == READ

    def judge(matter: str, *, capable: bool, days: int = 30) -> None:
        family.wmo.representation.judge_capacity(
            claim=INVESTIGATE,
            case_id=family.case_id,
            matter=matter,
            capable=capable,
            end_date=(TODAY + days * A_DAY).isoformat(),
            reason="Overziet de gevolgen nu niet.",
        )

    judge("wmo-onderzoek", capable=False)
    assert family.read_with_consent() == READ
    judge("wmo-afstemming", capable=False)
    assert denied(family.read_with_consent) == ("R21",)
    second = family.ask()
    assert broken(lambda: family.give(family.own(), second, "self")) == "NOT_TO_DECIDE"
    family.give(family.representative("curator-1"), second, "curator")
    assert family.read_with_consent() == READ
    # Able again, his own yes of before binds him again, and the curator's nobody.
    judge("consent", capable=True, days=1)
    assert family.read_with_consent() == READ
    family.own().consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert denied(family.read_with_consent) == ("R19",)
    aging_town.skew = timedelta(days=2)
    assert denied(family.read_with_consent) == ("R01",)
    assert broken(lambda: family.give(family.own(), family.ask(), "self")) == "CAPACITY_EXPIRED"


# --- two holders -------------------------------------------------------------------------------------


def two_parents(town: Town) -> tuple[Family, str]:
    """A child of ten, two parents with authority, and the mother's yes."""
    family = Family(town, 10)
    family.record()
    family.record("ouder-2")
    consent_id = family.ask()
    family.give(family.representative(), consent_id, "parent")
    assert family.read_with_consent() == READ
    return family, consent_id


def decide(family: Family, consent_id: str, outcome: people_pb.DisputeOutcome.ValueType) -> None:
    family.wmo.representation.decide_dispute(
        claim=INVESTIGATE,
        consent_id=consent_id,
        arbiter=people_pb.ARBITER_RECHTBANK,
        reference="C/09/2026-11",
        outcome=outcome,
        reason="Beslissing van de rechtbank.",
    )


def test_two_holders_who_disagree_close_it_until_somebody_decides_for_the_yes(town: Town) -> None:
    family, consent_id = two_parents(town)
    father = family.representative("ouder-2")
    father.consent.refuse_consent(claim=WORD, consent_id=consent_id, expected_version=2)
    assert denied(family.read_with_consent) == ("R21",)
    with pytest.raises(errors.Denied) as refused:
        family.read_with_consent()
    assert "regisseur" in " ".join(refused.value.remedies)
    decide(family, consent_id, people_pb.DISPUTE_OUTCOME_YES_STANDS)
    assert family.read_with_consent() == READ
    # Whose word was put aside makes no second dispute of it.
    assert (
        broken(lambda: father.consent.refuse_consent(claim=WORD, consent_id=consent_id, expected_version=2))
        == "NOT_TO_DECIDE"
    )
    assert family.read_with_consent() == READ
    again = lambda: decide(family, consent_id, people_pb.DISPUTE_OUTCOME_NO_STANDS)  # noqa: E731 -- a call to be refused
    assert broken(again) == "NO_DISPUTE"


def test_a_no_that_stands_withdraws_what_was_given(town: Town) -> None:
    family, consent_id = two_parents(town)
    father = family.representative("ouder-2")
    father.consent.refuse_consent(claim=WORD, consent_id=consent_id, expected_version=2)
    decide(family, consent_id, people_pb.DISPUTE_OUTCOME_NO_STANDS)
    assert denied(family.read_with_consent) == ("R19",)
    # The mother's word was put aside in this: asking anew does not get around the decision.
    second = family.ask()
    assert broken(lambda: family.give(family.representative(), second, "parent")) == "NOT_TO_DECIDE"


def test_withdrawing_against_the_other_withdraws_and_asking_anew_is_no_way_around(town: Town) -> None:
    family, consent_id = two_parents(town)
    family.representative("ouder-2").consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    second = family.ask()
    family.give(family.representative(), second, "parent")
    assert denied(family.read_with_consent) == ("R21",)


def test_only_a_college_decides_a_dispute(town: Town) -> None:
    family, consent_id = two_parents(town)
    father = family.representative("ouder-2")
    father.consent.refuse_consent(claim=WORD, consent_id=consent_id, expected_version=2)
    told: dict[str, Any] = {
        "claim": WORD,
        "consent_id": consent_id,
        "arbiter": people_pb.ARBITER_RECHTBANK,
        "reference": "zelf",
        "outcome": people_pb.DISPUTE_OUTCOME_NO_STANDS,
        "reason": "Wij zijn eruit.",
    }
    assert broken(lambda: father.representation.decide_dispute(**told)) == "NOT_TO_RECORD"


def test_a_childs_own_no_is_heard_and_a_parents_in_a_youths_matter_is_none(town: Town) -> None:
    family = Family(town, 10)
    family.record()
    asked = family.ask()
    no = family.own().consent.refuse_consent(claim=WORD, consent_id=asked, expected_version=1)
    assert no.version == 2
    # Who decides here may decide otherwise: that is no dispute between two holders.
    family.give(family.representative(), asked, "parent")
    assert family.read_with_consent() == READ
    youth = Family(town, 14)
    youth.record()
    refuse = partial(
        youth.representative().consent.refuse_consent,
        claim=WORD,
        consent_id=youth.ask(),
        expected_version=1,
    )
    assert broken(refuse) == "NOT_TO_DECIDE"


# --- withdrawing -------------------------------------------------------------------------------------


def test_withdrawing_asks_no_more_than_giving_did(aging_town: Town) -> None:
    family = Family(aging_town, 11)
    record = family.record(source_date=(TODAY - 90 * A_DAY).isoformat())
    consent_id = family.ask()
    parent = family.representative()
    family.give(parent, consent_id, "parent")
    aging_town.skew = timedelta(days=10)
    # The source has grown too old to give by; taking back still goes.
    assert denied(lambda: family.give(parent, family.ask(), "parent")) == ("R21",)
    parent.consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    state = aging_town.state("consent", consent_id)
    assert (state.state, state.refused_by) == ("withdrawn", record)


@pytest.mark.parametrize("age", [10, 14, 17, 40])
def test_the_resident_takes_back_what_he_could_not_give(town: Town, age: int) -> None:
    family = Family(town, age, capable=False)
    family.record()
    family.record_curator()
    consent_id = family.ask()
    speaker, word = ("curator-1", "curator") if age >= 18 else ("ouder-1", "parent")
    family.give(family.representative(speaker), consent_id, word)
    assert family.own().consent.withdraw_consent(claim=WORD, consent_id=consent_id).version == 3
    assert denied(family.read_with_consent) == ("R19",)


# --- one consent is one purpose ----------------------------------------------------------------------


def test_three_choices_are_three_consents(town: Town) -> None:
    family = Family(town, 40)
    categories = ["WMO-PLAN", "ARBEID", "WONEN"]
    asked = [family.ask(categories=[category]) for category in categories]
    for consent_id in asked:
        family.give(family.own(), consent_id, "self")
    family.own().consent.withdraw_consent(claim=WORD, consent_id=asked[2])
    assert [town.state("consent", one).state for one in asked] == ["given", "given", "withdrawn"]


@pytest.mark.parametrize(
    ("kind", "changes", "rule"),
    [
        (consent_pb.CONSENT_KIND_NO_OBJECTION, {"method": "spoken"}, "NOT_IN_WRITING"),
        (consent_pb.CONSENT_KIND_NO_OBJECTION, {"method": "letter"}, ""),
        (consent_pb.CONSENT_KIND_SECRECY, {"explicit": False}, "NOT_EXPLICIT"),
        (consent_pb.CONSENT_KIND_SECRECY, {"explicit": True}, ""),
        (GDPR, {"explicit": False}, "NOT_EXPLICIT"),
        (STATUTORY, {"explicit": False}, ""),
    ],
)
def test_the_form_that_the_law_asks(
    town: Town, kind: consent_pb.ConsentKind.ValueType, changes: dict[str, object], rule: str
) -> None:
    family = Family(town, 40)
    asked = family.ask(kind=kind, categories=["GEZONDHEID-FUNCTIONEEL"])
    if rule:
        assert broken(lambda: family.give(family.own(), asked, "self", **changes)) == rule
    else:
        assert family.give(family.own(), asked, "self", **changes) == 2


def test_a_consent_is_asked_on_a_notice_that_is_registered_and_valid(aging_town: Town) -> None:
    family = Family(aging_town, 40)
    assert broken(lambda: family.ask(notice_id="folder-2")) == "NOTICE_UNKNOWN"
    assert broken(lambda: family.ask(notice_sha256=b"\2" * 32)) == "NOTICE_UNKNOWN"
    now = aging_town.now()
    later, end = stamp(now + timedelta(hours=1)), stamp(now + timedelta(days=1))
    aging_town.register_notice("folder-3", b"\3" * 32, start_time=later, end_time=end)
    assert broken(lambda: family.ask(notice_id="folder-3", notice_sha256=b"\3" * 32)) == "NOTICE_NOT_YET"
    aging_town.skew = timedelta(days=2)
    asking = lambda: family.ask(notice_id="folder-3", notice_sha256=b"\3" * 32)  # noqa: E731 -- a call to be refused
    assert broken(asking) == "NOTICE_EXPIRED"
    known = aging_town.state("consent", family.ask())
    assert (known.notice_id, known.purpose) == ("folder-1", "wmo-afstemming")


def test_a_yes_to_a_notice_that_expired_after_it_was_put_is_none(aging_town: Town) -> None:
    family = Family(aging_town, 40)
    now = aging_town.now()
    aging_town.register_notice(
        "folder-4", b"\4" * 32, start_time=stamp(now), end_time=stamp(now + timedelta(days=1))
    )
    in_time, too_late = (family.ask(notice_id="folder-4", notice_sha256=b"\4" * 32) for _ in range(2))
    assert family.give(family.own(), in_time, "self") == 2
    aging_town.skew = timedelta(days=2)
    assert broken(lambda: family.give(family.own(), too_late, "self")) == "NOTICE_EXPIRED"
    assert aging_town.state("consent", too_late).state == "requested"
    # Taking back never asks for a notice.
    family.own().consent.withdraw_consent(claim=WORD, consent_id=in_time)
