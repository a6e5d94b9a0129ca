"""Logboek Dataverwerkingen of a real run: a line for each resident and action, and no staff in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.pipeline.walk import Steps
from exchange.v1 import common_pb2 as pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.accountability.logs import SUBJECT, head, ldv, of_decision, processings
from tests.pipeline.shard import NOW, Shard
from tests.server.story import denied_read
from tests.server.town import AUDIT, CARE, CITY, DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.pipeline.walk import View
    from tests.accountability.conftest import Check
    from tests.server.story import Story
    from tests.server.town import Town

TRACE_ID, SPAN_ID = "28dbeec32e77635cc19bc3204ec56c41", "893e1b2ac52d712f"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


def attributes(line: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = line["attributes"]
    return found


# --- what stands in a line ---------------------------------------------------------------------------------


def test_every_line_is_of_the_standard_and_says_nothing_of_anybody(
    town: Town, story: Story, valid: Check, standards_dir: Path
) -> None:
    of_standard = fastjsonschema.compile(
        json.loads((standards_dir / "ldv/attributes.schema.json").read_text())
    )
    story.goal()
    denied_read(town, story)
    lines = ldv(town.core)
    for line in lines:
        valid(line)
        of_standard(line["attributes"])
    text = json.dumps(lines)
    known = {town.resident_of(story.pseudonym), story.plan_id, story.case_id, story.bsn}
    known |= {f"w-{story.bsn[-5:]}", "stranger", "beheerder-1", "Weer zelf koken"}
    assert [one for one in known if one in text] == []


def test_a_line_with_staff_in_it_is_seen(town: Town, story: Story, valid: Check) -> None:
    line = ldv(town.core)[-1]
    valid(line)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        valid(line | {"attributes": line["attributes"] | {"dpl.nen7513.users": []}})


def test_a_read_its_refusal_and_a_command_are_a_line_each(town: Town, story: Story) -> None:
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    refused, lines = denied_read(town, story), ldv(town.core)
    subject = town.core.log_pseudonym(f"{CITY}\n{town.resident_of(story.pseudonym)}")
    read_line, refusal, opening = (
        of_decision(lines, one)
        for one in (read.decision_id, refused.decision_id, story.opened.receipt.decision_id)
    )
    assert [line["status"] for line in (read_line, refusal, opening)] == ["Ok", "Unset", "Ok"]
    assert (read_line["name"], opening["name"]) == (
        "inzien voor wmo-onderzoek",
        "vastleggen voor wmo-onderzoek",
    )
    assert attributes(read_line) == {
        "dpl.core.processing_activity_id": "https://register.exchange.example/verwerkingen/wmo-onderzoek",
        SUBJECT: subject,
        "dpl.core.data_subject_id_type": "pseudoniem",
        "dpl.core.foreign_operation.processor": f"urn:oin:{CITY}",
        "exchange.position": attributes(read_line)["exchange.position"],
    }
    assert attributes(opening)[SUBJECT] == attributes(refusal)[SUBJECT] == subject


def test_what_concerns_no_resident_names_none(town: Town) -> None:
    since = head(town.core)
    town.worker("fg", "fg-1").audit.list_decisions(claim=AUDIT, fields=["decisions.disclosure.rules"])
    (line,) = ldv(town.core, since)
    assert SUBJECT not in attributes(line)


def test_a_claim_that_names_no_entry_is_no_activity_of_the_register(town: Town, story: Story) -> None:
    unknown = claim(pb.PURPOSE_WMO_ONDERZOEK, "NO-SUCH-BASIS", "nodig")
    with pytest.raises(errors.Denied) as refused:
        story.wmo.plan.get_plan(claim=unknown, plan_id=story.plan_id, fields=["version"])
    line = of_decision(ldv(town.core), refused.value.decision_id)
    assert attributes(line)["dpl.core.processing_activity_id"] == "urn:exchange:verwerking-zonder-grondslag"
    assert "NO-SUCH-BASIS" not in json.dumps(line)


def test_the_line_is_there_when_the_answer_is(town: Town, story: Story) -> None:
    before = head(town.core)
    answer = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    # Nothing between: what was answered was committed, and the line is read from the commit.
    assert len(ldv(town.core, before)) == 1
    assert of_decision(ldv(town.core, before), answer.decision_id)["status"] == "Ok"


# --- traces ------------------------------------------------------------------------------------------------


def test_the_callers_span_is_the_parent_and_who_names_no_trace_begins_one(town: Town, story: Story) -> None:
    traced = story.wmo.with_trace(TRACEPARENT)
    asked: dict[str, Any] = {"claim": INVESTIGATE, "plan_id": story.plan_id, "fields": ["version"]}
    mine, again = (traced.plan.get_plan(**asked).decision_id for _ in range(2))
    first, second = (of_decision(ldv(town.core), one) for one in (mine, again))
    for line in (first, second):
        assert (line["trace_id"], line["parent_span_id"]) == (TRACE_ID, SPAN_ID)
    assert first["span_id"] != second["span_id"]


def test_an_event_on_a_stream_names_the_span_of_the_call_that_caused_it(town: Town, story: Story) -> None:
    goal: dict[str, Any] = {
        "claim": INVESTIGATE,
        "plan_id": story.plan_id,
        "own_words": "Weer zelf koken.",
        "desired_effect": "zelfstandig eten",
        "life_domain": pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
        "target_date": "2027-06-01",
    }
    traced = story.wmo.with_trace(TRACEPARENT).plan.set_goal(**goal, expected_version=story.version)
    request = SubscribeRequest(claim=INVESTIGATE, fields=["goals.goal_id"], heartbeat_seconds=1)
    stream: Any = story.wmo.open_stream(request)
    (event,) = next(iter(stream)).events
    stream.cancel()
    line = of_decision(ldv(town.core), traced.receipt.decision_id)
    assert event.traceparent == f"00-{TRACE_ID}-{line['span_id']}-01"
    # Who goes on because of it is a child of the call that caused it.
    asked: dict[str, Any] = {"claim": INVESTIGATE, "plan_id": story.plan_id, "fields": ["version"]}
    next_one = story.wmo.with_trace(event.traceparent).plan.get_plan(**asked)
    child = of_decision(ldv(town.core), next_one.decision_id)
    assert (child["trace_id"], child["parent_span_id"]) == (TRACE_ID, line["span_id"])


# --- several residents -------------------------------------------------------------------------------------


def test_a_decision_about_several_residents_has_a_line_for_each(tmp_path: Path) -> None:
    shard = Shard(tmp_path)
    try:
        before = shard.head
        refs = [f"{number:032x}" for number in (1, 2, 3)]
        each = [shard.registration(ref) for ref in refs]

        def process(view: View) -> Steps:
            return Steps([append for one in each for append in one.process(view).appends])

        shard.done(
            shard.walk(process=process, relation=False, category="CONTACT", trace=f"{TRACE_ID}-{SPAN_ID}")
        )
        lines = ldv(shard.core, before)
        assert [attributes(line)[SUBJECT] for line in lines] == [
            shard.core.log_pseudonym(f"{shard.oin}\n{ref}") for ref in refs
        ]
        spans = [line["span_id"] for line in lines]
        assert len(set(spans)) == len(refs)
        assert [line["parent_span_id"] for line in lines] == [SPAN_ID, spans[0], spans[0]]
        # Wherever reading begins, what comes is the rest of the same.
        for since in range(before, shard.head + 1):
            rest = [line for line in lines if attributes(line)["exchange.position"] > since]
            assert ldv(shard.core, since) == rest
        assert lines[0]["start_time"] == NOW.timestamp() * 1000
    finally:
        shard.close()


def test_reading_can_begin_anywhere(town: Town, story: Story) -> None:
    story.goal()
    whole = ldv(town.core)
    for since in range(head(town.core) + 1):
        assert ldv(town.core, since) == [
            line for line in whole if attributes(line)["exchange.position"] > since
        ]


# --- the log of one organisation ---------------------------------------------------------------------------


def test_an_organisation_reads_of_its_own_calls_and_knows_residents_by_another_pseudonym(
    town: Town, story: Story
) -> None:
    credentials, since = town.care(), head(town.core)
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional="z-1",
        role="begeleider",
    )
    carer = town.client(Person("z-1", "wmo-aanbieder", "begeleider"), credentials)
    asked = carer.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["plan_id"], allow_partial=True)
    whole, own = ldv(town.core, since), ldv(town.core, since, CARE)
    assert [line["span_id"] for line in own] == [of_decision(whole, asked.decision_id)["span_id"]]
    resident = town.resident_of(story.pseudonym)
    assert attributes(own[0])[SUBJECT] == town.core.log_pseudonym(f"{CARE}\n{resident}")
    assert attributes(own[0])[SUBJECT] not in {
        attributes(line).get(SUBJECT) for line in ldv(town.core, organisation=CITY)
    }


def test_who_is_refused_does_not_learn_from_the_own_log_whether_there_was_anybody(
    town: Town, story: Story
) -> None:
    stranger, since = town.worker("college:WMO", "stranger"), head(town.core)
    for plan_id in (story.plan_id, "11111111-1111-4111-8111-111111111111"):
        with pytest.raises(errors.Denied):
            stranger.plan.get_plan(claim=INVESTIGATE, plan_id=plan_id, fields=["goals.own_words"])
    known, nobody = map(without_chance, ldv(town.core, since, CITY))
    assert known == nobody
    assert SUBJECT not in attributes(known)
    # The whole log, at the operator's, says whom it was about.
    assert [SUBJECT in attributes(line) for line in ldv(town.core, since)] == [True, False]


def test_registering_again_looks_in_the_log_like_registering(town: Town, story: Story) -> None:
    since = head(town.core)
    other = town.pseudonym(story.wmo, next(town.bsns))
    for pseudonym in (story.pseudonym, other):
        story.wmo.identity.register_resident(
            claim=INVESTIGATE, resident=pseudonym, birth_date="1980-02-29", capable=True
        )
    of_city = [line for line in ldv(town.core, since, CITY) if line["name"].startswith("vastleggen")]
    again, first = map(without_chance, of_city)
    assert again == first
    assert attributes(again)[SUBJECT] == "there"


def without_chance(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line without what is drawn or counted: ids, moments, positions."""
    told = {name: value for name, value in line.items() if not name.endswith(("_id", "_time"))}
    inside = {name: value for name, value in line["attributes"].items() if name != "exchange.position"}
    return told | {"attributes": inside | ({SUBJECT: "there"} if SUBJECT in inside else {})}


# --- after an erasure --------------------------------------------------------------------------------------


def test_an_erased_resident_stays_one_pseudonym_and_the_lines_stay_as_they_were(
    town: Town, story: Story
) -> None:
    story.goal()
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    before = ldv(town.core)
    town.core.keys.destroy(town.resident_of(story.pseudonym))
    assert ldv(town.core)[: len(before)] == before


def test_what_was_adopted_before_anybody_could_ask_has_no_line(town: Town) -> None:
    first = town.core.reader.page(0, 1)[0]
    _, meta, _ = town.core.codec.decode_clear(first.state, stream=first.stream, topic=first.topic)
    assert meta.decision_id == ""
    assert processings(town.core)[0].position > town.core.registers.first
