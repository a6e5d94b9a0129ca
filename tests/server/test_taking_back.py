"""Withdrawing after somebody decided whose word counts, and after the giver's own record has ended."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import representation_service_pb2 as people_pb
from tests.server.family import A_DAY, TODAY, Family, broken, denied
from tests.server.test_consent_givers import READ, decide, two_parents
from tests.server.town import INVESTIGATE, WORD, Town

YES, NO = people_pb.DISPUTE_OUTCOME_YES_STANDS, people_pb.DISPUTE_OUTCOME_NO_STANDS


def decided_for_the_mother(town: Town) -> tuple[Family, str]:
    family, consent_id = two_parents(town)
    family.representative("ouder-2").consent.refuse_consent(
        claim=WORD, consent_id=consent_id, expected_version=2
    )
    decide(family, consent_id, YES)
    assert family.read_with_consent() == READ
    return family, consent_id


def end(family: Family, record: str) -> None:
    family.wmo.representation.end_representative(
        claim=INVESTIGATE, case_id=family.case_id, representative_id=record
    )


def test_whose_word_was_put_aside_does_not_undo_the_decision_by_withdrawing(town: Town) -> None:
    family, consent_id = decided_for_the_mother(town)
    father = family.representative("ouder-2").consent
    said = father.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert (said.put_aside, said.version) == (True, 2)
    assert family.read_with_consent() == READ
    # That he said so is kept, and may be decided anew; saying it twice adds nothing.
    assert father.withdraw_consent(claim=WORD, consent_id=consent_id).put_aside
    people = town.state("resident", town.resident_of(family.pseudonym)).representation
    assert [one.consent_id for one in people.contradictions] == [consent_id]
    assert family.read_with_consent() == READ
    decide(family, consent_id, NO)
    assert denied(family.read_with_consent) == ("R19",)


def test_a_desk_that_writes_it_down_for_him_does_not_undo_it_either(town: Town) -> None:
    family, consent_id = decided_for_the_mother(town)
    state = town.state("resident", town.resident_of(family.pseudonym))
    ((_, father),) = state.representation.overruled
    for ended in (False, True):
        if ended:
            end(family, father)
        said = family.wmo.consent.withdraw_consent(claim=INVESTIGATE, consent_id=consent_id, authority=father)
        assert said.put_aside
        assert family.read_with_consent() == READ


def test_who_gave_it_withdraws_it_after_a_decision(town: Town) -> None:
    family, consent_id = decided_for_the_mother(town)
    said = family.representative().consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert (said.put_aside, said.version) == (False, 3)
    assert denied(family.read_with_consent) == ("R19",)


def test_who_gave_it_withdraws_it_after_his_record_has_ended(town: Town) -> None:
    family = Family(town, 10)
    record = family.record()
    family.record("ouder-2")
    consent_id, other = family.ask(), family.ask()
    family.give(family.representative(), consent_id, "parent")
    family.give(family.representative("ouder-2"), other, "parent")
    end(family, record)
    mother = family.representative().consent
    # What she did not give she does not take back any more, nor does she give anything.
    assert denied(lambda: mother.withdraw_consent(claim=WORD, consent_id=other)) == ("R21",)
    assert denied(lambda: family.give(family.representative(), family.ask(), "parent")) == ("R21",)
    assert mother.withdraw_consent(claim=WORD, consent_id=consent_id).version == 3
    state = town.state("consent", consent_id)
    assert (state.state, state.refused_by) == ("withdrawn", record)
    assert mother.withdraw_consent(claim=WORD, consent_id=consent_id).version == 3


def test_who_gave_it_withdraws_it_after_the_period_of_his_record(aging_town: Town) -> None:
    family = Family(aging_town, 10)
    record = family.record(end_date=(TODAY + 5 * A_DAY).isoformat())
    consent_id = family.ask()
    family.give(family.representative(), consent_id, "parent")
    aging_town.skew = 6 * A_DAY
    assert denied(lambda: family.give(family.representative(), family.ask(), "parent")) == ("R21",)
    family.representative().consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert aging_town.state("consent", consent_id).refused_by == record


def test_a_parent_does_not_take_back_what_a_youth_of_fourteen_gave_and_the_youth_does(town: Town) -> None:
    family = Family(town, 14)
    record = family.record()
    consent_id = family.ask()
    family.give(family.own(), consent_id, "self")
    parent = family.representative().consent
    assert broken(lambda: parent.withdraw_consent(claim=WORD, consent_id=consent_id)) == "NOT_TO_DECIDE"
    # Nor does a college that writes it down for the parent.
    write = partial(family.wmo.consent.withdraw_consent, claim=INVESTIGATE, consent_id=consent_id)
    assert broken(partial(write, authority=record)) == "NOT_TO_DECIDE"
    assert family.read_with_consent() == READ
    assert town.state("consent", consent_id).state == "given"
    assert family.own().consent.withdraw_consent(claim=WORD, consent_id=consent_id).version == 3
    assert denied(family.read_with_consent) == ("R19",)
    # Of what is withdrawn nobody else withdraws anything either; the youth may say it twice.
    assert broken(lambda: parent.withdraw_consent(claim=WORD, consent_id=consent_id)) == "NOT_TO_DECIDE"
    assert family.own().consent.withdraw_consent(claim=WORD, consent_id=consent_id).version == 3


def test_a_college_writes_down_that_the_youth_takes_it_back(town: Town) -> None:
    family = Family(town, 14)
    consent_id = family.ask()
    family.give(family.own(), consent_id, "self")
    assert family.wmo.consent.withdraw_consent(claim=INVESTIGATE, consent_id=consent_id).version == 3


def test_who_decides_takes_back_also_what_he_did_not_give(aging_town: Town) -> None:
    # Under sixteen a GDPR consent is the parents' to give and to withdraw (UAVG 5), of either of them.
    family = Family(aging_town, 14)
    family.record()
    family.record("ouder-2", source_date=(TODAY - 90 * A_DAY).isoformat())
    consent_id = family.ask(kind=consent_pb.CONSENT_KIND_GDPR)
    family.give(family.representative(), consent_id, "parent")
    # Of a no no recent source is asked.
    aging_town.skew = timedelta(days=10)
    other = family.representative("ouder-2").consent
    assert other.withdraw_consent(claim=WORD, consent_id=consent_id).version == 3


def test_what_a_parent_gave_he_takes_back_also_after_the_child_decides_and_the_other_parent_not(
    aging_town: Town,
) -> None:
    turns_twelve = TODAY + 5 * A_DAY
    family = Family(aging_town, 11, birth_date=turns_twelve.replace(year=turns_twelve.year - 12))
    family.record()
    family.record("ouder-2")
    consent_id = family.ask()
    family.give(family.representative(), consent_id, "parent")
    aging_town.skew = 6 * A_DAY
    other = family.representative("ouder-2").consent
    assert broken(lambda: other.withdraw_consent(claim=WORD, consent_id=consent_id)) == "NOT_TO_DECIDE"
    assert family.representative().consent.withdraw_consent(claim=WORD, consent_id=consent_id).version == 3


def test_where_the_judgement_of_capacity_is_over_whoever_may_decide_is_heard(aging_town: Town) -> None:
    family = Family(aging_town, 14)
    family.record()
    family.record("ouder-2")
    family.wmo.representation.judge_capacity(
        claim=INVESTIGATE,
        case_id=family.case_id,
        matter="wmo-afstemming",
        capable=False,
        end_date=(TODAY + 5 * A_DAY).isoformat(),
        reason="Overziet de gevolgen nu niet.",
    )
    consent_id = family.ask()
    family.give(family.representative(), consent_id, "parent")
    aging_town.skew = 6 * A_DAY
    other = family.representative("ouder-2").consent
    assert other.withdraw_consent(claim=WORD, consent_id=consent_id).version == 3
