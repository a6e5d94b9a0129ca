"""The authorization decision log of a real run: whole, valid, traceable, and without a resident in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import grpc
import pytest

from adapters.sdk.tokens import Person, PersonTokens
from exchange.server.authzen.records import DecisionLog
from exchange.v1 import common_pb2 as common_pb
from exchange.v1 import plan_service_pb2 as plan_pb
from tests.authzen.test_questions import question, worker
from tests.authzen.web import EVALUATION, RECORDS
from tests.server.story import denied_read
from tests.server.town import CARE, CITY, INVESTIGATE
from tests.signing import signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    from tests.authzen.web import Web
    from tests.server.story import Story
    from tests.server.town import Town

    Open = Callable[..., Web]

SCHEMA = json.loads((Path(__file__).parent / "decision-log.schema.json").read_text("utf-8"))
valid = fastjsonschema.compile(SCHEMA)
TRACE_ID, SPAN_ID = "28dbeec32e77635cc19bc3204ec56c41", "893e1b2ac52d712f"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
ALL = 100_000


def log_of(town: Town) -> DecisionLog:
    core = town.core
    return DecisionLog(core.reader, core.codec, core.registers, core.log_pseudonym)


def records(town: Town, since: int = 0) -> list[dict[str, Any]]:
    return log_of(town).page(since, ALL).records


def only(found: list[dict[str, Any]], decision_id: str) -> dict[str, Any]:
    (one,) = [record for record in found if record["id"] == decision_id]
    return one


# --- a record for each decision ---------------------------------------------------------------------------


def test_every_decision_of_a_run_has_one_valid_record_and_no_resident_in_it(
    web: Open, town: Town, story: Story
) -> None:
    story.goal()
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    refused = denied_read(town, story)
    asked = web(worker(story)).post(EVALUATION, question(story)).body["context"]["id"]
    found = records(town)
    for record in found:
        valid(record)
    ids = [record["id"] for record in found]
    assert len(ids) == len(set(ids))
    stored = {
        town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)[1].decision_id
        for row in town.core.reader.page(0, 10_000)
    }
    # The operator joined before there was anybody to ask.
    assert set(ids) == stored - {""}
    assert {read.decision_id, refused.decision_id, asked, story.opened.receipt.decision_id} <= set(ids)
    resident = town.resident_of(story.pseudonym)
    assert resident not in json.dumps(found)
    assert story.plan_id not in json.dumps(found)
    assert "Weer zelf koken" not in json.dumps(found)


def test_a_read_its_refusal_and_a_command_are_told_as_evaluations(town: Town, story: Story) -> None:
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    refused, found = denied_read(town, story), records(town)
    pseudonym = town.core.log_pseudonym(town.resident_of(story.pseudonym))
    whole = only(found, read.decision_id)
    assert whole["type"] == "access_evaluation"
    assert whole["request"] == {
        "subject": {
            "type": "professional",
            "id": worker(story),
            "properties": {"organisation": CITY, "task": "college:WMO"},
        },
        "action": {"name": "READ"},
        "resource": {"type": "resident", "id": pseudonym, "properties": {"fields": ["version"]}},
        "context": {"purpose": "wmo-onderzoek", "legal_basis": "WMO-2.3.2"},
    }
    assert whole["response"]["decision"] is True
    assert whole["policies"] == {"register": {"basis": "WMO-2.3.2@1", "rules": ["P-WMO-2.3.2"]}}
    assert whole["configuration"] == {"policy_hash": town.core.register.policy_hash}
    denied = only(found, refused.decision_id)
    assert (denied["response"]["decision"], denied["policies"]["register"]["rules"]) == (False, ["R03"])
    command = only(found, story.opened.receipt.decision_id)
    assert command["request"]["action"] == {"name": "COMMAND", "properties": {"event": "case.opened.v1"}}
    assert (command["response"]["decision"], command["request"]["resource"]["id"]) == (True, pseudonym)


def test_a_question_is_told_with_who_asked_it_and_what_was_answered(
    web: Open, town: Town, story: Story
) -> None:
    subject = {"type": "professional", "id": worker(story), "properties": {"task": "college:WMO"}}
    answer = web("fg-1", "fg").post(EVALUATION, question(story, subject=subject)).body
    record = only(records(town), answer["context"]["id"])
    assert record["request"]["subject"]["id"] == worker(story)
    assert record["request"]["context"]["asked_by"]["id"] == "fg-1"
    assert (record["response"]["decision"], record["request"]["action"]["name"]) == (True, "READ")


# --- traces -----------------------------------------------------------------------------------------------


def test_the_trace_of_the_caller_stands_with_the_decision(web: Open, town: Town, story: Story) -> None:
    mine = web(worker(story))
    traced = mine.post(EVALUATION, question(story), traceparent=TRACEPARENT).body["context"]["id"]
    untraced = mine.post(EVALUATION, question(story), traceparent="00-not-a-trace-01").body["context"]["id"]
    found = records(town)
    record = only(found, traced)
    assert (record["trace_id"], record["span_id"]) == (TRACE_ID, SPAN_ID)
    assert "trace_id" not in only(found, untraced)


def call(town: Town, method: str, request: Message, professional: str) -> bytes:
    credentials = town.credentials()
    secrets = grpc.ssl_channel_credentials(
        credentials.root_pem, credentials.key_pem, credentials.certificate_pem
    )
    token = PersonTokens(credentials, lambda: town.now().timestamp()).token_for(
        Person(professional, "college:WMO", "regisseur")
    )
    raw = request.SerializeToString()
    metadata = (*signed_headers(credentials, method, raw, token), ("traceparent", TRACEPARENT))
    with grpc.secure_channel(town.target, secrets) as channel:
        unary: Any = channel.unary_unary(method)
        answer: bytes = unary(raw, timeout=10, metadata=metadata)
        return answer


def test_a_trace_over_grpc_stands_with_reads_and_commands(town: Town, story: Story) -> None:
    service = "/exchange.v1.PlanService"
    asked = plan_pb.GetPlanRequest(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    read = plan_pb.GetPlanResponse.FromString(call(town, f"{service}/GetPlan", asked, worker(story)))
    order = plan_pb.SetGoalRequest(
        claim=INVESTIGATE,
        request_id="5f3c9d1e-6a52-4c0e-9b1f-0d8a7e6c5b4a",
        plan_id=story.plan_id,
        expected_version=story.version,
        own_words="Weer zelf koken.",
        desired_effect="zelfstandig eten",
        life_domain=common_pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
        target_date="2027-06-01",
    )
    written = plan_pb.SetGoalResponse.FromString(call(town, f"{service}/SetGoal", order, worker(story)))
    found = records(town)
    for decision_id in (read.decision_id, written.receipt.decision_id):
        assert only(found, decision_id)["trace_id"] == TRACE_ID


# --- erased words -----------------------------------------------------------------------------------------


def test_what_was_erased_is_named_as_left_out(town: Town, story: Story) -> None:
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    town.core.keys.destroy(town.resident_of(story.pseudonym))
    record = only(records(town), read.decision_id)
    valid(record)
    assert record["request"]["resource"]["properties"]["fields"] == []
    assert "request.resource.properties.fields" in record["omitted"]


def test_without_opening_only_the_asked_fields_are_left_out(web: Open, town: Town, story: Story) -> None:
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    web(worker(story)).post(EVALUATION, question(story))
    opened = [json.dumps(without_fields(record), sort_keys=True) for record in records(town)]
    unopened = replace(log_of(town), opens=False).page(0, ALL).records
    for record in unopened:
        valid(record)
    assert [json.dumps(without_fields(record), sort_keys=True) for record in unopened] == opened
    assert "goals.own_words" not in json.dumps(unopened)


def without_fields(record: dict[str, Any]) -> dict[str, Any]:
    request, response = dict(record["request"]), dict(record["response"])
    request["resource"] = {name: request["resource"][name] for name in ("type", "id")}
    context = response["context"].items()
    response["context"] = {name: told for name, told in context if not name.endswith("_fields")}
    return record | {"request": request, "response": response, "omitted": []}


# --- the officer's pages ----------------------------------------------------------------------------------


def test_the_officer_reads_all_of_it_page_by_page_and_reading_is_recorded(
    web: Open, town: Town, story: Story
) -> None:
    officer, found, since = web("fg-1", "fg"), [], 0
    expected = records(town)
    until = expected[-1]["position"]
    while since is not None and since < until:
        page = officer.get(f"{RECORDS}?since={since}&limit=7")
        assert page.status == 200
        assert len(page.body["records"]) <= 7
        found += page.body["records"]
        since = page.body["next"]
    assert found[: len(expected)] == expected
    after = records(town, until)
    assert {(one["request"]["subject"]["id"], one["response"]["decision"]) for one in after} == {
        ("fg-1", True)
    }
    assert {one["request"]["resource"]["type"] for one in after} == {"exchange"}


def test_a_page_that_begins_within_a_command_does_not_tell_it_twice(town: Town, story: Story) -> None:
    opened = only(records(town), story.opened.receipt.decision_id)
    told = [one["id"] for one in log_of(town).page(opened["position"], ALL).records]
    assert opened["id"] not in told


def test_another_organisations_officer_reads_what_his_own_organisation_asked(
    web: Open, town: Town, story: Story
) -> None:
    town.join("00000009998887773000", "fg", "wmo-aanbieder")
    folder = "of-00000009998887773000"
    web("z-1", "wmo-aanbieder", folder).post(EVALUATION, question(story, "z-1"))
    page = web("fg-9", "fg", folder).get(f"{RECORDS}?limit=200").body
    asked_by = [
        one["request"]["context"].get("asked_by", one["request"]["subject"]) for one in page["records"]
    ]
    assert asked_by
    assert {one["properties"]["organisation"] for one in asked_by} == {"00000009998887773000"}


def test_nobody_but_an_officer_reads_it(web: Open, town: Town, story: Story) -> None:
    answer = web(worker(story)).get(RECORDS)
    assert (answer.status, answer.body["error"]) == (403, "ACCESS_DENIED")
    assert "R08" in answer.body["rules"]
    assert only(records(town), answer.body["decision_id"])["response"]["decision"] is False


@pytest.mark.parametrize("query", ["limit=0", "limit=many", "since=-1", f"since={10**18}x", "limit="])
def test_a_page_that_cannot_be_is_refused(web: Open, query: str) -> None:
    answer = web("fg-1", "fg").get(f"{RECORDS}?{query}")
    assert (answer.status, list(answer.body["fields"])) == (400, [query.partition("=")[0]])


def test_a_record_that_says_more_is_seen() -> None:
    with pytest.raises(fastjsonschema.JsonSchemaException):
        valid({"name": CARE})
