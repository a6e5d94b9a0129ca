"""What an officer takes along over the line: each log held to its standard, the pack, and what lists give."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.streams import STREAM_LOG, STREAM_PACK
from adapters.sdk.tokens import Person
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.note import parse_note
from exchange.ledger.verify import verify_pack
from exchange.server.accountability.reading import of_extension
from exchange.server.authzen.records import DecisionLog
from exchange.server.contract.names import set_time
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1 import common_pb2
from tests.accountability import logs
from tests.accountability.test_forms import carer_of
from tests.server.story import Story
from tests.server.subscribed import Named
from tests.server.test_erasure import TOLD, Erasure
from tests.server.town import AUDIT, DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

    Check = Callable[[Any], Any]

LDV = pb.LOG_FORM_LOGBOEK_DATAVERWERKINGEN
VERWERKINGEN = pb.LOG_FORM_VERWERKINGENLOGGING
NEN7513 = pb.LOG_FORM_NEN7513
ADL = pb.LOG_FORM_AUTHORIZATION_DECISION_LOG
RECORD = json.loads((Path(__file__).parents[1] / "authzen" / "decision-log.schema.json").read_text("utf-8"))
OTHER = "00000009998887775000"


def officer(town: Town) -> ExchangeClient:
    return town.worker("fg", "fg-1")


def export(
    client: ExchangeClient,
    form: pb.LogForm.ValueType,
    start: datetime | None = None,
    end: datetime | None = None,
    /,
    **changes: Any,  # noqa: ANN401 -- any field of the request
) -> tuple[list[Any], str]:
    """Return the lines of an export, and its decision."""
    asked: dict[str, Any] = {"claim": AUDIT, "fields": ["lines"], "form": form}
    request = pb.StreamLogRequest(**(asked | changes))
    for name, at in (("from_time", start), ("before_time", end)):
        if at is not None:
            set_time(getattr(request, name), at)
    found: list[Any] = []
    decision = ""
    for part in client.open_export(STREAM_LOG, request):
        found += map(json.loads, part.lines)
        decision = decision or part.decision_id
    return found, decision


@pytest.fixture(scope="module")
def told(town: Town) -> Story:
    """Return somebody of whom something was read and recorded."""
    story = Story(town, next(town.bsns))
    story.goal()
    asked: dict[str, Any] = {"plan_id": story.plan_id, "fields": ["version", "goals.own_words"]}
    story.wmo.plan.get_plan(claim=INVESTIGATE, **asked)
    carer_of(town, story).plan.get_plan(claim=DELIVER, **asked)
    return story


@pytest.mark.usefixtures("told")
def test_each_form_gives_the_very_lines_of_the_store_in_their_order(town: Town, valid: Check) -> None:
    client, core = officer(town), town.core
    before = logs.head(core)
    ldv, decision = export(client, LDV)
    own = logs.ldv(core)[: len(ldv)]
    assert ldv == [of_extension(line) for line in own]
    assert [line["attributes"]["exchange.position"] for line in ldv][-1] <= before
    for line in own:
        valid(line)
    actions, _ = export(client, VERWERKINGEN)
    assert actions == logs.verwerkingen(core)[: len(actions)]
    assert len(actions) == len(ldv) + 1  # the export before it
    care, _ = export(client, NEN7513)
    assert care
    assert care == logs.nen7513(core)[: len(care)]
    records, _ = export(client, ADL)
    log = DecisionLog(core.reader, core.codec, core.registers, core.log_pseudonym)
    assert records == log.page(0, len(records)).records
    check = fastjsonschema.compile(RECORD)
    for record in records:
        check(record)
    # The whole of each is one decision, taken along and not merely read.
    (taken,) = [record for record in records if record["id"] == decision]
    assert taken["request"]["action"]["name"] == "EXPORT"
    assert taken["request"]["context"]["purpose"] == "audit"


@pytest.mark.usefixtures("told")
def test_the_log_of_processing_has_the_shape_of_an_answer_of_its_standard(
    town: Town, standards_dir: Path
) -> None:
    found, _ = export(officer(town), LDV)
    # As published it lacks a comma; its references lead to the schemas beside it.
    text = (standards_dir / "ldv/lezen-openapi.json").read_text("utf-8")
    told = json.loads(re.sub(r'"_comment": "[^"]*"\s*', "", text))["components"]["schemas"]
    told["Attributes"] = json.loads((standards_dir / "ldv/attributes.schema.json").read_text("utf-8"))
    whole = {"$ref": "#/components/schemas/ListProcessingActivities", "components": {"schemas": told}}
    fastjsonschema.compile(whole, formats={"int64": r"[\s\S]*"})({"processingActivities": found})


@pytest.mark.usefixtures("told")
def test_the_actions_are_those_of_the_standard(town: Town, valid_action: Check) -> None:
    found, _ = export(officer(town), VERWERKINGEN)
    for one in found:
        valid_action(one)


@pytest.mark.usefixtures("told")
def test_the_lines_of_care_are_those_of_the_extension(town: Town, valid: Check, standards_dir: Path) -> None:
    found, _ = export(officer(town), NEN7513)
    text = (standards_dir / "ldv/nen7513-specificatie.md").read_text("utf-8")
    logs.require_extension(found, text, valid)


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("form", [LDV, ADL])
def test_a_span_begins_with_its_first_moment_and_ends_before_its_last(
    town: Town, form: pb.LogForm.ValueType
) -> None:
    client = officer(town)
    every, _ = export(client, ADL)
    moments = sorted({record["timestamp"] for record in every})
    first, last = (logs.moment_of(at) for at in (moments[1], moments[-1]))
    found, _ = export(client, form, first, last)
    at = [logs.moment_of(one["timestamp"]) if form is ADL else logs.at_of(one) for one in found]
    # A line tells milliseconds, of what was decided within them.
    assert min(at) >= first - timedelta(milliseconds=1)
    assert max(at) < last
    if form is ADL:
        assert [one["id"] for one in found] == [
            one["id"] for one in every if moments[1] <= one["timestamp"] < moments[-1]
        ]
    nothing, _ = export(client, form, last + timedelta(days=1), last + timedelta(days=2))
    assert nothing == []
    with pytest.raises(errors.Invalid) as refused:
        export(client, form, last, last)
    assert set(refused.value.field_violations) == {"before_time"}


@pytest.mark.usefixtures("told")
def test_another_organisations_officer_takes_his_own_log_and_no_more(town: Town) -> None:
    credentials = town.join(OTHER, "fg")
    client = town.client(Person("fg-9", "fg", "fg"), credentials)
    export(client, LDV)
    mine, _ = export(client, LDV)
    assert mine
    assert {one["attributes"]["dpl.core.foreign_operation.processor"] for one in mine} == {f"urn:oin:{OTHER}"}
    lines = logs.ldv(town.core, organisation=OTHER)[: len(mine)]
    assert mine == [of_extension(line) for line in lines]
    records, _ = export(client, ADL)
    assert {one["request"]["subject"]["properties"]["organisation"] for one in records} == {OTHER}
    for form in (VERWERKINGEN, NEN7513):
        with pytest.raises(errors.RuleBroken) as refused:
            export(client, form)
        assert refused.value.rule == "OTHER_ORGANISATION"
    with pytest.raises(errors.RuleBroken):
        b"".join(part.content for part in client.open_export(STREAM_PACK, pack_request()))


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"fields": []}, "fields"), ({"fields": ["decision_id"]}, "fields[0]"), ({"form": 0}, "form")],
)
def test_what_cannot_be_exported_says_which_field(town: Town, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        export(officer(town), LDV, **changes)
    assert set(refused.value.field_violations) == {field}


def test_a_professional_takes_no_log_along(town: Town) -> None:
    with pytest.raises(errors.Denied):
        export(town.worker(), LDV)


def pack_request(since: int = 0, **changes: Any) -> pb.StreamPackRequest:  # noqa: ANN401 -- any field of it
    asked: dict[str, Any] = {"claim": AUDIT, "fields": ["content"], "since_size": since}
    return pb.StreamPackRequest(**(asked | changes))


@pytest.mark.usefixtures("told")
def test_the_pack_that_comes_over_the_line_is_good_and_leaves_no_file(town: Town, tmp_path: Path) -> None:
    client = officer(town)
    parts = list(client.open_export(STREAM_PACK, pack_request(since=3)))
    assert parts[0].decision_id
    assert max(len(part.content) for part in parts) <= 256 * 1024
    pack = tmp_path / "pack.zip"
    pack.write_bytes(b"".join(part.content for part in parts))
    report = verify_pack(pack, f"log {town.log_vkey}\nquorum none\n")
    assert report.ok, report.problems
    assert (report.origin, report.since) == (town.core.origin, 3)
    assert [one.name for one in town.settings.data.iterdir() if one.name.startswith("pack-")] == []
    # The next one is let in: the first left its place.
    assert b"".join(part.content for part in client.open_export(STREAM_PACK, pack_request()))


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"since_size": 10**12}, "since_size"), ({"origin": "log.other.example/1999"}, "origin")],
)
def test_a_pack_of_what_is_not_there(town: Town, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        list(officer(town).open_export(STREAM_PACK, pack_request(**changes)))
    assert set(refused.value.field_violations) == {field}


def test_checkpoints_come_the_largest_first_and_by_key(town: Town, told: Story) -> None:
    ledger = officer(town).ledger
    ledger.get_receipt(leaf_index=told.opened.receipt.leaf_index)
    first = ledger.list_checkpoints(page_size=2)
    sizes = [one.size for one in first.checkpoints]
    assert sizes == sorted(sizes, reverse=True)
    assert (len(sizes), first.more) == (2, True)
    every = ledger.list_checkpoints(page_size=200)
    below = ledger.list_checkpoints(below_size=sizes[-1], page_size=200).checkpoints
    assert [one.size for one in below] == [one.size for one in every.checkpoints if one.size < sizes[-1]]
    assert not ledger.list_checkpoints(below_size=1).checkpoints
    key = next(iter(parse_policy(f"log {town.log_vkey}\nquorum none\n").logs))
    for one in every.checkpoints:
        note = parse_note(one.checkpoint.encode())
        assert note.signers([key])
        assert note.text.split("\n")[1] == str(one.size)
        assert one.claim_time.seconds
    with pytest.raises(errors.Invalid) as refused:
        ledger.list_checkpoints(origin="log.other.example/1999")
    assert set(refused.value.field_violations) == {"origin"}


def test_erasures_are_listed_to_the_operator_newest_first_and_by_key(town: Town) -> None:
    gone = [Erasure(town, Story(town, next(town.bsns))) for _ in range(2)]
    for one in gone:
        one.executed()
    rights = officer(town).rights
    first = rights.list_erasures(claim=TOLD, page_size=1)
    (newest,) = first.erasures
    assert newest.erasure_id == gone[1].erasure_id
    second = rights.list_erasures(claim=TOLD, page_size=1, page_token=first.next_page_token)
    assert [one.erasure_id for one in second.erasures] == [gone[0].erasure_id]
    assert newest.execute_time.seconds > second.erasures[0].execute_time.seconds - 1
    assert newest.open_recipients <= newest.recipients
    certificate = rights.get_erasure_certificate(claim=TOLD, erasure_id=newest.erasure_id)
    assert certificate.leaf_index == newest.leaf_index
    with pytest.raises(errors.Invalid) as refused:
        rights.list_erasures(claim=TOLD, page_size=1, page_token=f"{first.next_page_token[:-4]}AAAA")
    assert set(refused.value.field_violations) == {"page_token"}
    stranger = town.client(Person("fg-9", "wmo-aanbieder", "behandelaar"), town.care())
    assert not stranger.rights.list_erasures(claim=TOLD).erasures


def test_a_subscription_is_told_as_followed_only_while_a_stream_of_it_is_open(
    town: Town, told: Story
) -> None:
    named = Named(told.wmo, "vakapplicatie")
    named.create()
    client = officer(town)
    fields = [f"deliveries.{one.name}" for one in pb.Delivery.DESCRIPTOR.fields]

    def found() -> pb.Delivery:
        answer = client.audit.list_deliveries(claim=AUDIT, fields=fields, page_size=200)
        (one,) = [one for one in answer.deliveries if one.subscription_id == "vakapplicatie"]
        return one

    assert (found().followed, found().task, found().parked) == (False, "college:WMO", 0)
    stream = named.stream()
    next(iter(stream))  # the first beat: from here on it is open
    assert found().followed
    stream.cancel()
    other = town.client(Person("fg-8", "fg", "fg"), town.join("00000009998887776000", "fg"))
    assert not other.audit.list_deliveries(claim=AUDIT, fields=fields).deliveries
    with pytest.raises(errors.Denied):
        town.worker().audit.list_deliveries(
            claim=claim(common_pb2.PURPOSE_AUDIT, "FG-AUDIT-39"), fields=fields
        )
