"""Reports, cases, plans and consents over mutual TLS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.proofs import verify_receipt
from adapters.sdk.tokens import Person
from exchange.server import walks
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from tests.server.town import CARE, CITY, DELIVER, INVESTIGATE, WORD, WORK, Town

if TYPE_CHECKING:
    from tests.server.story import Story


def test_a_report_opens_a_case_and_gives_a_receipt_that_proves_it(town: Town, story: Story) -> None:
    told = story.opened
    assert told.opened
    assert told.receipt.leaf_index == told.receipt.position - 1
    assert told.receipt.leaves == len(
        ("case.opened", "professional_joined", "plan.opened", "report_received")
    )
    proof = story.wmo.ledger.get_receipt(leaf_index=told.receipt.leaf_index).tlog_proof
    index = verify_receipt(told.receipt.leaf_entry, proof, town.core.signer.vkey)
    assert index == told.receipt.leaf_index


def test_a_second_desk_lands_in_the_same_case_and_gets_no_look_inside(town: Town, story: Story) -> None:
    work = town.worker("college:PW", "p-77")
    told = story.report(work, "Ik wil werken.")
    assert (told.case_id, told.plan_id, told.opened, told.version) == ("", "", False, 0)
    reports = story.town.state("plan", story.plan_id).reports
    assert [one.report_id for one in reports][1:] == [told.report_id]
    story.version += 1
    with pytest.raises(errors.Denied) as refused:
        work.plan.get_plan(claim=WORK, plan_id=story.plan_id, fields=["goals.own_words"])
    assert refused.value.rules == ("R03",)
    assert refused.value.localized.startswith("Geweigerd")


def test_the_same_request_id_gets_the_same_answer_and_other_content_is_refused(story: Story) -> None:
    request_id = str(uuid4())
    fields: dict[str, Any] = {
        "request_id": request_id,
        "claim": INVESTIGATE,
        "resident": story.pseudonym,
        "life_domains": [pb.LIFE_DOMAIN_HOUSING],
        "desk": "balie",
    }
    first = story.wmo.case.receive_report(own_words="Mijn huis is te klein.", **fields)
    again = story.wmo.case.receive_report(own_words="Mijn huis is te klein.", **fields)
    assert again == first
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.case.receive_report(own_words="Iets anders.", **fields)
    assert refused.value.reason == "REQUEST_ID_REUSED"
    story.version = first.version


def test_a_request_id_of_an_older_store_gets_its_answer_too(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields: dict[str, Any] = {
        "request_id": str(uuid4()),
        "claim": INVESTIGATE,
        "resident": story.pseudonym,
        "life_domains": [pb.LIFE_DOMAIN_HOUSING],
        "desk": "balie",
    }
    with monkeypatch.context() as before:
        before.setattr(walks, "content_of", walks.unsalted_content_of)
        first = story.wmo.case.receive_report(own_words="Mijn huis is te klein.", **fields)
    assert story.wmo.case.receive_report(own_words="Mijn huis is te klein.", **fields) == first
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.case.receive_report(own_words="Iets anders.", **fields)
    assert refused.value.reason == "REQUEST_ID_REUSED"
    story.version = first.version


def test_a_plan_is_read_by_asked_leaf_paths_only(story: Story) -> None:
    goal_id = story.goal()
    answer = story.wmo.plan.get_plan(
        claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words", "version"]
    )
    assert answer.plan.version == story.version
    assert [goal.own_words for goal in answer.plan.goals] == ["Weer zelf koken."]
    assert not any(goal.goal_id or goal.desired_effect for goal in answer.plan.goals)
    assert goal_id
    assert answer.decision_id


def test_a_wrong_version_is_refused_and_nothing_is_written(story: Story) -> None:
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.plan.assess_lens(
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version + 7,
            law=pb.LAW_WMO_2015,
            finding=plan_pb2.LENS_FINDING_FITS,
            reason="past",
        )
    assert refused.value.reason == "VERSION_CONFLICT"
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    assert read.plan.version == story.version


def test_an_unknown_plan_and_a_plan_of_others_are_refused_alike(town: Town, story: Story) -> None:
    stranger = town.worker("college:WMO", "stranger")
    told = []
    for plan_id in (story.plan_id, str(uuid4())):
        with pytest.raises(errors.Denied) as refused:
            stranger.plan.get_plan(claim=INVESTIGATE, plan_id=plan_id, fields=["goals.own_words"])
        told.append(
            (refused.value.rules, refused.value.localized, refused.value.remedies, refused.value.message)
        )
    assert told[0] == told[1]


def test_an_unknown_resident_and_a_case_of_others_are_refused_alike(town: Town, story: Story) -> None:
    stranger = town.worker("college:WMO", "stranger")
    told = []
    for pseudonym in (story.pseudonym, town.pseudonym(stranger, next(town.bsns))):
        with pytest.raises(errors.Denied) as refused:
            stranger.case.find_case(claim=INVESTIGATE, resident=pseudonym, fields=["case_id", "plan_id"])
        told.append((refused.value.rules, refused.value.localized, refused.value.remedies))
    assert told[0] == told[1]


def test_who_works_on_the_case_finds_it(story: Story) -> None:
    found = story.wmo.case.find_case(claim=INVESTIGATE, resident=story.pseudonym, fields=["case_id"])
    assert (found.case_id, found.plan_id) == (story.case_id, "")


def test_a_professional_joins_in_a_granted_task_only(town: Town, story: Story) -> None:
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=story.case_id,
            oin=CITY,
            task="uwv",
            professional="u-1",
            role="consulent",
        )
    assert refused.value.reason == "RULE_BROKEN"
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:PW",
        professional="p-1",
        role="consulent",
    )
    assert town.state("case", story.case_id).professionals[-1].professional == "p-1"
    story.wmo.case.leave_case(
        claim=INVESTIGATE, case_id=story.case_id, oin=CITY, task="college:PW", professional="p-1"
    )
    assert town.state("case", story.case_id).professionals[-1].end is not None


def test_situations_are_grouped_by_category_and_given_in_part(town: Town, story: Story) -> None:
    for life_domain in (pb.LIFE_DOMAIN_HOUSING, pb.LIFE_DOMAIN_PHYSICAL_HEALTH):
        described = story.wmo.plan.describe_situation(
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version,
            life_domain=life_domain,
            description="Het gaat niet goed.",
            score=2,
            judge_date="2026-11-01",
        )
        story.version = described.version
    joined = town.care()
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional="z-1",
        role="begeleider",
    )
    carer = town.client(Person("z-1", "wmo-aanbieder", "begeleider"), joined)
    whole = carer.plan.get_plan(
        claim=DELIVER, plan_id=story.plan_id, fields=["situations.description", "situations.life_domain"]
    )
    assert len(whole.plan.situations) == len(("housing", "health"))
    assert not whole.withheld_fields


def consent_of(story: Story, categories: list[str]) -> str:
    """Put a question to the resident; return the consent's id."""
    now = datetime.now(UTC)
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(now - timedelta(minutes=1))
    end.FromDatetime(now + timedelta(days=30))
    asked = story.wmo.consent.request_consent(
        claim=INVESTIGATE,
        case_id=story.case_id,
        kind=consent_pb.CONSENT_KIND_STATUTORY,
        consent_purpose=pb.PURPOSE_WMO_AFSTEMMING,
        recipients=[f"{CITY}/college:WMO"],
        categories=categories,
        start_time=start,
        end_time=end,
        notice_id="folder-1",
        notice_sha256=b"\1" * 32,
    )
    assert asked.version == 1
    return asked.consent_id


def give(story: Story, consent_id: str, expected_version: int = 1) -> int:
    answer = story.resident().consent.give_consent(
        claim=WORD,
        consent_id=consent_id,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        method="portal",
        expected_version=expected_version,
    )
    return answer.version


def test_a_withdrawal_never_fails_and_never_loses_a_race(story: Story) -> None:
    consent_id = consent_of(story, ["WMO-PLAN"])
    version = give(story, consent_id)
    resident = story.resident()
    gone = resident.consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert gone.version == version + 1
    again = resident.consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert (again.version, again.receipt.leaves) == (gone.version, 1)
    with pytest.raises(errors.ExchangeRefused) as refused:
        give(story, consent_id, again.version)
    assert refused.value.reason == "RULE_BROKEN"


def test_consents_are_listed_by_asked_fields_page_by_page(story: Story) -> None:
    given, no = consent_of(story, ["WMO-PLAN"]), consent_of(story, ["WONEN"])
    give(story, given)
    story.resident().consent.refuse_consent(claim=WORD, consent_id=no, expected_version=1)
    asked: dict[str, Any] = {
        "claim": INVESTIGATE,
        "case_id": story.case_id,
        "fields": ["consents.state", "consents.consent_id"],
        "page_size": 1,
    }
    first = story.wmo.consent.list_consents(**asked)
    second = story.wmo.consent.list_consents(**asked, page_token=first.next_page_token)
    assert second.next_page_token == ""
    listed = [*first.consents, *second.consents]
    assert {one.consent_id: one.state for one in listed} == {
        given: consent_pb.CONSENT_STATE_GIVEN,
        no: consent_pb.CONSENT_STATE_REFUSED,
    }
    assert {one.purpose for one in listed} == {pb.PURPOSE_UNSPECIFIED}


def test_an_unlabelled_or_unknown_field_can_never_be_asked(story: Story) -> None:
    with pytest.raises(errors.Invalid) as refused:
        story.wmo.plan.get_plan(
            claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals", "version", "supports.secret"]
        )
    assert sorted(refused.value.field_violations) == ["fields[0]", "fields[2]"]
