"""The record of processing activities: every entry in force once, and who joined as recipient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.gathered import activities_file
from exchange.documents.activities import read_record
from exchange.gate.register import Register
from exchange.server.accountability.activities import activities_of
from exchange.v1 import common_pb2 as pb
from tests.server.town import AUDIT

if TYPE_CHECKING:
    from tests.server.town import Town

READING = claim(pb.PURPOSE_INZAGE, "REGISTER-12")
PROVIDER = "00000009998887774000"
URI = "https://register.exchange.example/verwerkingen/"


def test_every_entry_in_force_is_in_one_activity_with_all_that_the_law_asks(town: Town) -> None:
    found = read_record(activities_file(town.worker(), READING))
    told = [basis.partition(":")[0] for one in found.activities for basis in one.legal_bases]
    in_force = [f"{one.id}@{one.version}" for one in Register.load().entries() if one.in_force(town.now())]
    assert sorted(told) == sorted(in_force)
    uris = [one.activity_uri for one in found.activities]
    assert uris == sorted(set(uris))
    for one in found.activities:
        assert one.purposes
        assert one.data_subjects
        assert one.recipients
        assert one.retention
        assert one.security_measures
        assert one.third_countries == ()
    research = next(one for one in found.activities if one.activity_uri == f"{URI}wmo-onderzoek")
    assert "Wmo 2015 art. 5.3.4 lid 1: P15Y" in research.retention
    assert research.data_subjects[0] == "resident"
    assert found.policy_hash == town.core.registers.now.policy_hash


def test_pages_together_are_the_whole(town: Town) -> None:
    calls = town.worker().legal_basis
    whole = calls.list_processing_activities(claim=READING)
    pages, token = [], ""
    while True:
        page = calls.list_processing_activities(claim=READING, page_size=7, page_token=token)
        pages += [one.activity_uri for one in page.activities]
        token = page.next_page_token
        if not token:
            break
    assert pages == [
        one.activity_uri for one in read_record(activities_file(town.worker(), READING)).activities
    ]
    assert len(whole.activities) <= 50
    with pytest.raises(errors.Invalid):
        calls.list_processing_activities(claim=READING, page_size=201)


def test_who_joined_is_a_recipient_of_what_his_task_may_have_until_he_leaves(town: Town) -> None:
    def recipients() -> set[str]:
        found = read_record(activities_file(town.worker(), READING))
        return {one for some in found.activities for one in some.recipient_organisations}

    assert not [one for one in recipients() if one.startswith(PROVIDER)]
    town.join(PROVIDER, "wmo-aanbieder")
    assert [one for one in recipients() if one.startswith(f"{PROVIDER} ")]
    beheer = town.worker("beheer", "beheerder-1")
    beheer.organisation.leave_organisation(claim=claim(pb.PURPOSE_BEHEER, "ORG-ADMIN-24"), oin=PROVIDER)
    assert not [one for one in recipients() if one.startswith(PROVIDER)]


def test_it_is_judged_and_recorded_as_every_reading_of_the_register(town: Town) -> None:
    answer = town.worker().legal_basis.list_processing_activities(claim=READING)
    assert answer.decision_id
    head = town.core.reader.head()[0]
    (row,) = town.core.reader.page(head - 1, 1)
    assert answer.decision_id.encode() in row.state
    with pytest.raises(errors.Denied):
        town.worker().legal_basis.list_processing_activities(claim=AUDIT)


def test_where_the_settings_say_more_it_is_told(town: Town) -> None:
    (first, *_) = activities_of(Register.load(), (), town.now(), "https://gemeente.example/bio")
    assert first.security_measures == ("exchange: deploy/THREATS.md", "https://gemeente.example/bio")
    assert first.recipient_organisations == ()
