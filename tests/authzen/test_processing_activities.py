"""The log of processing over HTTPS, as its extension for reading asks: whole, for an officer, or refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import fastjsonschema
import pytest

from exchange.server.accountability import reading
from exchange.server.accountability.ldv import milliseconds
from tests.accountability.logs import SUBJECT, head, ldv, of_decision
from tests.authzen.test_questions import question, worker
from tests.authzen.web import CONFIGURATION, EVALUATION
from tests.server.story import denied_read
from tests.server.town import CITY, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.authzen.web import Web
    from tests.server.story import Story
    from tests.server.town import Town

    Open = Callable[..., Web]

ACTIVITIES = "/logboek-dataverwerkingen/v1/processing-activities"
ACTIVITY = "dpl.core.processing_activity_id"
INVESTIGATION = "https://register.exchange.example/verwerkingen/wmo-onderzoek"
OTHER_OIN = "00000009998887773000"
TRACE_ID = "28dbeec32e77635cc19bc3204ec56c41"
TRACEPARENT = f"00-{TRACE_ID}-893e1b2ac52d712f-01"


def found(officer: Web, **asked: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- any part of a query
    answer = officer.post(ACTIVITIES, asked)
    assert (answer.status, list(answer.body)) == (200, ["processingActivities"])
    lines: list[dict[str, Any]] = answer.body["processingActivities"]
    return lines


def spans(lines: list[dict[str, Any]]) -> list[str]:
    return [line["spanId" if "spanId" in line else "span_id"] for line in lines]


def subject_of(town: Town, story: Story, oin: str = CITY) -> str:
    return town.core.log_pseudonym(f"{oin}\n{town.resident_of(story.pseudonym)}")


def test_a_trace_is_found_in_the_form_of_the_extension(
    web: Open, town: Town, story: Story, standards_dir: Path
) -> None:
    read = story.wmo.with_trace(TRACEPARENT).plan.get_plan(
        claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"]
    )
    (line,) = found(web("fg-1", "fg"), traceId=str(UUID(TRACE_ID)), startTime=0)
    own = of_decision(ldv(town.core), read.decision_id)
    assert line == {
        "traceId": str(UUID(TRACE_ID)),
        "spanId": own["span_id"],
        "parentSpanId": "893e1b2ac52d712f",
        "status": "Ok",
        "name": "inzien voor wmo-onderzoek",
        "startTime": own["start_time"],
        "endTime": own["end_time"],
        "resource": own["resource"],
        "attributes": own["attributes"],
    }
    assert found(web("fg-1", "fg"), traceId=TRACE_ID) == [line]
    # As published it lacks a comma; its references lead to the schemas beside it.
    text = (standards_dir / "ldv/lezen-openapi.json").read_text("utf-8")
    told = json.loads(re.sub(r'"_comment": "[^"]*"\s*', "", text))["components"]["schemas"]
    told["Attributes"] = json.loads((standards_dir / "ldv/attributes.schema.json").read_text("utf-8"))
    whole = {"$ref": "#/components/schemas/ListProcessingActivities", "components": {"schemas": told}}
    fastjsonschema.compile(whole, formats={"int64": r"[\s\S]*"})({"processingActivities": [line]})


def test_a_resident_is_found_by_pseudonym_and_an_activity_by_its_uri(
    web: Open, town: Town, story: Story
) -> None:
    story.goal()
    denied_read(town, story)
    subject, lines = subject_of(town, story), ldv(town.core)
    officer = web("fg-1", "fg")
    of_subject = [line for line in lines if line["attributes"].get(SUBJECT) == subject]
    assert spans(found(officer, **{SUBJECT: subject})) == spans(of_subject)
    assert len(of_subject) > 3
    both = found(officer, **{SUBJECT: subject, ACTIVITY: INVESTIGATION})
    assert spans(both) == spans([one for one in of_subject if one["attributes"][ACTIVITY] == INVESTIGATION])
    assert found(officer, **{SUBJECT: "0" * 24}) == []
    assert found(officer, **{ACTIVITY: "https://register.exchange.example/other"}) == []
    # A value looks like any other text: what a line does not have, no text finds.
    assert found(officer, **{SUBJECT: "None"}) == []


def test_only_lines_within_the_time_are_told(web: Open, town: Town, story: Story) -> None:
    story.goal()
    subject, officer = subject_of(town, story), web("fg-1", "fg")
    lines = found(officer, **{SUBJECT: subject})
    first, last = lines[0]["startTime"], lines[-1]["startTime"]
    assert found(officer, **{SUBJECT: subject}, startTime=first, endTime=last) == lines
    assert found(officer, **{SUBJECT: subject}, startTime=last + 1) == []
    assert found(officer, **{SUBJECT: subject}, endTime=first - 1) == []
    # A number with nothing behind its point is a whole one.
    assert found(officer, **{SUBJECT: subject}, startTime=float(first), endTime=float(last)) == lines
    later = found(officer, **{SUBJECT: subject}, startTime=first + 1)
    assert later == [line for line in lines if line["startTime"] > first]


def test_nobody_but_an_officer_reads_it_and_reading_is_recorded(web: Open, town: Town, story: Story) -> None:
    answer = web(worker(story)).post(ACTIVITIES, {"traceId": TRACE_ID})
    assert (answer.status, answer.body["error"]) == (403, "ACCESS_DENIED")
    assert of_decision(ldv(town.core), answer.body["decision_id"])["status"] == "Unset"
    since = head(town.core)
    found(web("fg-1", "fg"), traceId=TRACE_ID)
    (own,) = ldv(town.core, since)
    assert own["name"] == "inzien voor audit"


def test_another_organisations_officer_reads_its_own_log(web: Open, town: Town, story: Story) -> None:
    town.join(OTHER_OIN, "fg", "wmo-aanbieder")
    folder = f"of-{OTHER_OIN}"
    web("z-1", "wmo-aanbieder", folder).post(EVALUATION, question(story, "z-1"))
    processor = {"dpl.core.foreign_operation.processor": f"urn:oin:{CITY}"}
    officer = web("fg-9", "fg", folder)
    uri = ldv(town.core, organisation=OTHER_OIN)[-1]["attributes"][ACTIVITY]
    lines = found(officer, **{ACTIVITY: uri})
    assert lines
    assert all(
        line["attributes"]["dpl.core.foreign_operation.processor"].endswith(OTHER_OIN) for line in lines
    )
    assert all(SUBJECT not in line["attributes"] for line in lines)
    assert found(officer, **{ACTIVITY: INVESTIGATION}, **processor) == []
    assert found(officer, **{SUBJECT: subject_of(town, story)}) == []


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({}, "traceId"),
        ({"startTime": 1}, "traceId"),
        ({"dpl.core.data_subject_id_type": "pseudoniem"}, "traceId"),
        ({"traceId": "nonsense"}, "traceId"),
        ({"traceId": TRACE_ID.upper()}, "traceId"),
        ({"traceId": 5}, "traceId"),
        ({SUBJECT: ""}, SUBJECT),
        ({SUBJECT: ["0" * 24]}, SUBJECT),
        ({ACTIVITY: "x" * 2_001}, ACTIVITY),
        ({"traceId": TRACE_ID, "startTime": "now"}, "startTime"),
        ({"traceId": TRACE_ID, "startTime": True}, "startTime"),
        ({"traceId": TRACE_ID, "startTime": 1.5}, "startTime"),
        ({"traceId": TRACE_ID, "endTime": -1}, "endTime"),
        ({"traceId": TRACE_ID, "endTime": 2**53 + 1}, "endTime"),
    ],
)
def test_a_question_that_cannot_be_is_refused(web: Open, asked: dict[str, Any], fault: str) -> None:
    answer = web("fg-1", "fg").post(ACTIVITIES, asked)
    assert (answer.status, list(answer.body["fields"])) == (400, [fault])


def test_more_than_one_answer_holds_is_refused_and_not_cut(
    web: Open, town: Town, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, officer = {SUBJECT: subject_of(town, story)}, web("fg-1", "fg")
    count = len(found(officer, **asked))
    monkeypatch.setattr(reading, "LINES_MAX", count)
    assert len(found(officer, **asked)) == count
    monkeypatch.setattr(reading, "LINES_MAX", count - 1)
    answer = officer.post(ACTIVITIES, asked)
    assert (answer.status, list(answer.body["fields"])) == (400, ["startTime"])


def test_further_back_than_it_looks_is_refused_with_the_moment_it_looks_from(
    web: Open, town: Town, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, officer = {SUBJECT: subject_of(town, story)}, web("fg-1", "fg")
    monkeypatch.setattr(reading, "EVENTS_LOOKED_AT_MAX", 2)
    answer = officer.post(ACTIVITIES, asked)
    assert (answer.status, list(answer.body["fields"])) == (400, ["startTime"])
    (moment,) = map(int, re.findall(r"[0-9]{13}", answer.body["fields"]["startTime"]))
    # No call waits a minute for its commit: what came in after that minute is among the newest.
    assert abs(moment - 60_000 - milliseconds(town.now())) < 60_000
    refused = officer.post(ACTIVITIES, asked | {"startTime": moment})
    assert refused.status == 400
    assert found(officer, **asked, startTime=moment + 60_000) == []


def test_the_metadata_of_authzen_name_its_own_endpoints_only(web: Open) -> None:
    told = web().get(CONFIGURATION).body
    assert set(told) == {
        "policy_decision_point",
        "access_evaluation_endpoint",
        "access_evaluations_endpoint",
        "search_subject_endpoint",
        "search_resource_endpoint",
        "search_action_endpoint",
    }
