"""Representatives, capacity, what was weighed, disputes: who records them, by what, and what changes none."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.domain.representation import (
    AuthorityDisputed,
    CapacityJudged,
    DecisionContradicted,
    DisputeAuthority,
    DisputeDecided,
    RepresentativeEnded,
    given_by,
)
from exchange.domain.representation.decide import (
    JUDGEMENT_DAYS_MAX,
    REPRESENTATIVES_MAX,
    SOURCES_OF,
)
from exchange.domain.representation.words import EvidenceSource, Gezag, Matter, Relation
from exchange.domain.resident import RESIDENT
from exchange.domain.values import Purpose
from tests.domain.builders import (
    A_DAY,
    CONSENT_ID,
    DAY,
    LATER,
    MUNICIPALITY,
    NOON,
    PLANNER,
    REPRESENTATIVE,
    RESIDENT_REF,
    RESIDENT_REGISTERED,
    fold,
    given,
)
from tests.domain.builders import RESIDENT as INWONER
from tests.domain.people import DECIDE, END, FATHER_ID, JUDGE, MOTHER_ID, RECORD, RECORDED

if TYPE_CHECKING:
    from exchange.domain.kernel import Command

ENDED = RepresentativeEnded(
    resident=RESIDENT_REF,
    representative_id=MOTHER_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    professional="p-1",
    reason="Gezag beëindigd.",
    at=NOON,
)
JUDGED = CapacityJudged(
    resident=RESIDENT_REF,
    matter="consent",
    capable=False,
    organisation=MUNICIPALITY,
    task="college:WMO",
    professional="p-1",
    until=DAY + timedelta(days=90),
    reason="Overziet de gevolgen nu niet.",
    at=NOON,
)
DISPUTE = DisputeAuthority(
    now=NOON,
    author=REPRESENTATIVE,
    dispute_id="t-1",
    consent_id=CONSENT_ID,
    purpose="wmo-afstemming",
    yes_by=MOTHER_ID,
    no_by=FATHER_ID,
)
DISPUTED = AuthorityDisputed(
    resident=RESIDENT_REF,
    dispute_id="t-1",
    consent_id=CONSENT_ID,
    purpose="wmo-afstemming",
    yes_by=MOTHER_ID,
    no_by=FATHER_ID,
    at=NOON,
)
DECIDED = DisputeDecided(
    resident=RESIDENT_REF,
    dispute_id="t-1",
    arbiter="rechtbank",
    reference="C/09/2026-11",
    outcome="yes_stands",
    organisation=MUNICIPALITY,
    task="college:WMO",
    professional="p-1",
    reason="Vervangende toestemming.",
    at=NOON,
)
CONTRADICTED = DecisionContradicted(
    resident=RESIDENT_REF,
    dispute_id="t-2",
    consent_id=CONSENT_ID,
    purpose="wmo-afstemming",
    yes_by=MOTHER_ID,
    no_by=FATHER_ID,
    at=NOON,
)
KNOWN = given(RESIDENT, RESIDENT_REGISTERED)


def test_recording_a_representative() -> None:
    KNOWN.when(RECORD).then(RECORDED)


def test_the_same_record_twice_changes_nothing() -> None:
    again = replace(RECORD, representative_id="e0000000-0000-4000-8000-00000000000f", now=LATER)
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED).when(again).then()


def test_a_later_source_renews_the_record_and_keeps_its_id() -> None:
    before = replace(RECORDED, source_date=DAY - A_DAY)
    drawn_anew = replace(RECORD, representative_id=FATHER_ID)
    given(RESIDENT, RESIDENT_REGISTERED, before).when(drawn_anew).then(RECORDED)
    state = fold(RESIDENT, RESIDENT_REGISTERED, before, RECORDED)
    assert [one.source_date for one in state.representation.representatives] == [DAY]


def test_an_older_source_does_not_undo_a_later_one() -> None:
    older = replace(RECORD, source_date=DAY - A_DAY)
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED).when(older).refused("SOURCE_OLDER")


def test_one_person_in_two_relations_has_two_records() -> None:
    proxy = replace(
        RECORD, representative_id=FATHER_ID, relation="proxy", gezag="", evidence_source="written_proxy"
    )
    recorded = replace(
        RECORDED,
        representative_id=FATHER_ID,
        relation="proxy",
        gezag="",
        evidence_source="written_proxy",
    )
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED).when(proxy).then(recorded)


@pytest.mark.parametrize("relation", list(Relation))
@pytest.mark.parametrize("source", list(EvidenceSource))
def test_a_relation_is_shown_by_the_sources_the_law_names(relation: str, source: str) -> None:
    gezag = {"parent": "eenhoofdig_ouderlijk", "guardian": "voogdij"}.get(relation, "")
    sentence = KNOWN.when(replace(RECORD, relation=relation, evidence_source=source, gezag=gezag))
    if source in SOURCES_OF[relation]:
        sentence.then(replace(RECORDED, relation=relation, evidence_source=source, gezag=gezag))
    else:
        sentence.invalid("evidence_source")


@pytest.mark.parametrize("relation", list(Relation))
@pytest.mark.parametrize("gezag", list(Gezag))
def test_gezag_is_said_of_parents_and_guardians_in_the_words_of_the_brp(relation: str, gezag: str) -> None:
    source = min(SOURCES_OF[relation])
    command = replace(RECORD, relation=relation, evidence_source=source, gezag=gezag)
    if relation == "parent":
        fits = gezag not in {"", "voogdij"}
    elif relation == "guardian":
        fits = gezag in {"voogdij", "gezamenlijk"}
    else:
        fits = gezag == ""
    if fits:
        KNOWN.when(command).then(replace(RECORDED, relation=relation, evidence_source=source, gezag=gezag))
    else:
        KNOWN.when(command).invalid("gezag")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(RECORD, representative_id=""), "representative_id"),
        (replace(RECORD, person_oin="1"), "person_oin"),
        (replace(RECORD, person="Jan Jansen"), "person"),
        (replace(RECORD, source_reference=""), "source_reference"),
        (replace(RECORD, source_date=DAY + A_DAY), "source_date"),
        (replace(RECORD, start_date=date(1899, 12, 31)), "start_date"),
        (replace(RECORD, end_date=RECORD.start_date), "end_date"),
        (replace(JUDGE, matter="everything"), "matter"),
        (replace(JUDGE, until=DAY), "until"),
        (replace(JUDGE, until=DAY + timedelta(days=JUDGEMENT_DAYS_MAX + 1)), "until"),
        (replace(JUDGE, reason=" "), "reason"),
        (replace(DECIDE, arbiter="buurman"), "arbiter"),
        (replace(DECIDE, reference=""), "reference"),
        (replace(DECIDE, outcome="maybe"), "outcome"),
        (replace(DECIDE, reason=""), "reason"),
        (replace(END, reason="x" * 4001), "reason"),
    ],
)
def test_a_fault_names_its_field(command: Command, path: str) -> None:
    given(RESIDENT, RESIDENT_REGISTERED, DISPUTED).when(command).invalid(path)


def test_an_unknown_relation_has_no_source() -> None:
    KNOWN.when(replace(RECORD, relation="neighbour", gezag="")).invalid("relation", "evidence_source")


def test_the_shortest_record_and_the_longest_judgement() -> None:
    end = RECORD.start_date + A_DAY
    KNOWN.when(replace(RECORD, end_date=end)).then(replace(RECORDED, end_date=end))
    for until in (DAY + A_DAY, DAY + timedelta(days=JUDGEMENT_DAYS_MAX)):
        KNOWN.when(replace(JUDGE, until=until)).then(replace(JUDGED, until=until))


@pytest.mark.parametrize("author", [INWONER, REPRESENTATIVE, PLANNER])
@pytest.mark.parametrize("command", [RECORD, END, DECIDE])
def test_nobody_but_a_college_records_who_represents(command: Command, author: object) -> None:
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED, DISPUTED).when(
        replace(command, author=author)  # type: ignore[arg-type] # an author
    ).refused("NOT_TO_RECORD")


@pytest.mark.parametrize("author", [INWONER, REPRESENTATIVE, replace(PLANNER, task="mantelzorger")])
def test_capacity_is_judged_by_who_knows_the_resident_by_profession(author: object) -> None:
    KNOWN.when(replace(JUDGE, author=author)).refused("NOT_TO_JUDGE")  # type: ignore[arg-type] # an author


def test_a_provider_of_care_judges_capacity_under_its_own_name() -> None:
    by_provider = replace(
        JUDGED, organisation=PLANNER.oin, task=PLANNER.task, professional=PLANNER.professional
    )
    KNOWN.when(replace(JUDGE, author=PLANNER)).then(by_provider)


@pytest.mark.parametrize("matter", [*Matter, *Purpose])
def test_capacity_is_judged_in_a_purpose_or_a_kind_of_decision(matter: str) -> None:
    KNOWN.when(replace(JUDGE, matter=matter)).then(replace(JUDGED, matter=matter))


def test_the_latest_judgement_in_a_matter_is_kept_and_others_stay() -> None:
    later = replace(JUDGED, capable=True, at=LATER)
    state = fold(RESIDENT, RESIDENT_REGISTERED, JUDGED, replace(JUDGED, matter="care"), later)
    assert {one.matter: one.capable for one in state.representation.judgements} == {
        "consent": True,
        "care": False,
    }


def test_ending_a_record_and_ending_it_twice() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED).when(END).then(ENDED)
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED, ENDED).when(END).then()
    KNOWN.when(END).then()


def test_who_was_ended_can_be_recorded_again() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED, ENDED).when(RECORD).then(RECORDED)


def test_nobody_is_recorded_for_who_is_not_registered() -> None:
    for command in (RECORD, END, JUDGE, DECIDE):
        given(RESIDENT).when(command).refused("NOT_REGISTERED")


def test_who_was_ended_is_known_still_for_what_he_gave() -> None:
    people = fold(RESIDENT, RESIDENT_REGISTERED, RECORDED, ENDED).representation
    assert (people.representatives, people.find(MOTHER_ID)) == ((), None)
    author = replace(REPRESENTATIVE, oin=RECORDED.person_oin, professional=RECORDED.person)
    found = given_by(people, author, (MOTHER_ID,))
    assert [one.representative_id for one in found] == [MOTHER_ID]
    assert given_by(people, author, ()) == ()
    assert given_by(people, author, (FATHER_ID,)) == ()
    assert given_by(people, replace(author, professional="ouder-9"), (MOTHER_ID,)) == ()
    assert given_by(people, replace(author, oin=PLANNER.oin), (MOTHER_ID,)) == ()
    assert fold(RESIDENT, RESIDENT_REGISTERED, RECORDED, ENDED, RECORDED).representation.former == ()


def test_there_is_a_most() -> None:
    full = tuple(
        replace(RECORDED, representative_id=f"r-{number}", person=f"p-{number}")
        for number in range(REPRESENTATIVES_MAX)
    )
    given(RESIDENT, RESIDENT_REGISTERED, *full).when(RECORD).refused("REPRESENTATIVES_FULL")
    given(RESIDENT, RESIDENT_REGISTERED, *full[1:]).when(RECORD).then(RECORDED)


def test_a_dispute_stands_until_it_is_decided() -> None:
    KNOWN.when(DISPUTE).then(DISPUTED)
    again = replace(DISPUTE, dispute_id="t-2")
    given(RESIDENT, RESIDENT_REGISTERED, DISPUTED).when(again).then()
    given(RESIDENT, RESIDENT_REGISTERED, DISPUTED).when(DECIDE).then(DECIDED)
    given(RESIDENT, RESIDENT_REGISTERED, DISPUTED, DECIDED).when(DECIDE).refused("NO_DISPUTE")
    given(RESIDENT, RESIDENT_REGISTERED, DISPUTED, DECIDED).when(again).then(
        replace(DISPUTED, dispute_id="t-2")
    )


def test_a_dispute_about_another_purpose_stands_beside_it() -> None:
    other = replace(DISPUTE, dispute_id="t-2", purpose="jeugd-afstemming")
    given(RESIDENT, RESIDENT_REGISTERED, DISPUTED).when(other).then(
        replace(DISPUTED, dispute_id="t-2", purpose="jeugd-afstemming")
    )


@pytest.mark.parametrize(("outcome", "put_aside"), [("yes_stands", FATHER_ID), ("no_stands", MOTHER_ID)])
def test_the_decision_puts_one_word_aside(outcome: str, put_aside: str) -> None:
    state = fold(RESIDENT, RESIDENT_REGISTERED, DISPUTED, replace(DECIDED, outcome=outcome))
    assert state.representation.disputes == ()
    assert state.representation.overruled == (("wmo-afstemming", put_aside),)


def test_who_represents_is_stored_sealed() -> None:
    shown = {"representative_id", "organisation", "task", "professional", "at", "resident"}
    for event in (RECORDED, ENDED, JUDGED, DISPUTED, DECIDED, CONTRADICTED):
        clear = {field.name for field in fields(event)} - set(event.SEALED)
        assert clear <= shown | {"until", "dispute_id", "consent_id"}, event
