"""A refusal that is heard as an objection, and whose list of duties it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.tokens import Person
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from tests.server.story import Story, denied_read
from tests.server.test_duties import FIELDS, end, of_decision, officer
from tests.server.town import AUDIT, CITY, INVESTIGATE, WORD, Town


def refused_consent(story: Story) -> None:
    """Let the resident refuse what is asked of a basis that needs no consent."""
    now = datetime.now(UTC)
    start, end_time = Timestamp(), Timestamp()
    start.FromDatetime(now - timedelta(minutes=1))
    end_time.FromDatetime(now + timedelta(days=30))
    asked = story.wmo.consent.request_consent(
        claim=INVESTIGATE,
        case_id=story.case_id,
        kind=consent_pb.CONSENT_KIND_STATUTORY,
        consent_purpose=pb.PURPOSE_WMO_ONDERZOEK,
        recipients=[f"{CITY}/college:WMO"],
        categories=["WMO-PLAN"],
        start_time=start,
        end_time=end_time,
        notice_id="folder-1",
        notice_sha256=b"\1" * 32,
    )
    story.resident().consent.refuse_consent(
        claim=WORD, consent_id=asked.consent_id, expected_version=asked.version
    )


def test_a_refusal_is_a_task_that_recording_the_objection_ends(town: Town, story: Story) -> None:
    refused_consent(story)
    reads = [
        story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["plan_id"])
        for _ in range(2)
    ]
    first, second = (of_decision(town, one.decision_id) for one in reads)
    assert set(first) == {"INFORM-RESIDENT", "TREAT-AS-OBJECTION"}
    assert set(second) == {"INFORM-RESIDENT"}, "one open task is enough"
    with pytest.raises(errors.RuleBroken):
        end(town, reads[0].decision_id, "TREAT-AS-OBJECTION", audit_pb.DUTY_OUTCOME_OBJECTION_RECORDED)
    story.wmo.rights.object(
        claim=claim(pb.PURPOSE_WMO_ONDERZOEK, "OBJECT-21"),
        case_id=story.case_id,
        objected_purpose=pb.PURPOSE_WMO_ONDERZOEK,
        reason="De inwoner zei nee.",
        because_decision_id=reads[0].decision_id,
    )
    task = of_decision(town, reads[0].decision_id)["TREAT-AS-OBJECTION"]
    assert task.outcome == audit_pb.DUTY_OUTCOME_OBJECTION_RECORDED
    with pytest.raises(errors.Denied) as denied:
        story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["plan_id"])
    assert denied.value.rules == ("R24",)


def test_or_telling_why_it_was_none(town: Town, story: Story) -> None:
    refused_consent(story)
    answer = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["plan_id"])
    told: dict[str, Any] = {"outcome": audit_pb.DUTY_OUTCOME_NOT_AN_OBJECTION}
    with pytest.raises(errors.Invalid):
        end(town, answer.decision_id, "TREAT-AS-OBJECTION", **told)
    end(town, answer.decision_id, "TREAT-AS-OBJECTION", remark="Gebeld: alleen dit formulier.", **told)
    task = of_decision(town, answer.decision_id)["TREAT-AS-OBJECTION"]
    assert task.outcome == audit_pb.DUTY_OUTCOME_NOT_AN_OBJECTION


def test_an_objection_about_another_resident_ends_nothing_here(town: Town, story: Story) -> None:
    refused_consent(story)
    answer = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["plan_id"])
    other = Story(town, next(town.bsns))
    with pytest.raises(errors.RuleBroken) as refused:
        other.wmo.rights.object(
            claim=claim(pb.PURPOSE_WMO_ONDERZOEK, "OBJECT-21"),
            case_id=other.case_id,
            because_decision_id=answer.decision_id,
        )
    assert refused.value.message == "this decision brought no such duty"


def test_a_snoop_is_looked_into(town: Town, story: Story) -> None:
    denied = denied_read(town, story)
    found = of_decision(town, denied.decision_id, duties=["ALERT-SNOOP"])
    assert set(found) == {"ALERT-SNOOP"}
    end(town, denied.decision_id, "ALERT-SNOOP", audit_pb.DUTY_OUTCOME_NOT_NEEDED, remark="Verkeerd geklikt.")
    open_ones = of_decision(town, denied.decision_id, state=audit_pb.OBLIGATION_STATE_OPEN)
    assert open_ones == {}


def test_an_officer_of_another_organisation_sees_and_ends_only_what_its_own_people_brought(
    town: Town, story: Story
) -> None:
    oin = "00000004003214345000"
    credentials = town.join(oin, "fg")
    denied = denied_read(town, story)
    with ExchangeClient(town.target, credentials, Person("fg-9", "fg", "fg")) as other:
        listed = other.audit.list_obligations(claim=AUDIT, fields=FIELDS)
        assert list(listed.obligations) == []
        for decision_id in (denied.decision_id, "f" * 32):
            with pytest.raises(errors.RuleBroken) as refused:
                end(town, decision_id, "ALERT-SNOOP", audit_pb.DUTY_OUTCOME_EXECUTED, who=other)
            assert refused.value.message == "this decision brought no such duty"


@pytest.mark.parametrize("task", ["college:WMO", "betrokkene"])
def test_the_list_is_the_officers(town: Town, task: str) -> None:
    with pytest.raises(errors.Denied):
        town.worker(task, "w-1").audit.list_obligations(claim=AUDIT, fields=FIELDS)


def test_a_duty_that_does_not_exist_is_named(town: Town) -> None:
    with pytest.raises(errors.Invalid) as refused:
        officer(town).audit.list_obligations(claim=AUDIT, fields=FIELDS, duties=["LOG"])
    assert set(refused.value.field_violations) == {"duties[0]"}
