"""A copy to take along: what the resident recorded on a contract, whole, named, schema-checked."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import fastjsonschema
import pytest

import adapters.sdk
from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.portable import take_along
from adapters.sdk.tokens import Person
from exchange.domain import stream_of
from exchange.domain.disclosure import DisclosureDecided
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.test_legal_bases import REGISTRY, administrator, officer
from tests.server.test_rights_requests import ANSWER, ask, listed
from tests.server.town import ACCESS, INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story
    from tests.server.town import Town

SCHEMA = json.loads(
    (Path(adapters.sdk.__file__).parent / "portable-copy.schema.json").read_text(encoding="utf-8")
)
check = fastjsonschema.compile(SCHEMA)
FIELDS = ("reports.own_words", "reports.life_domains", "reports.receive_time", "goals.own_words")
CONTRACT = claim(pb.PURPOSE_INFORMELE_HULP, "AVG-6.1.b-eigen", "nodig voor de afspraak over hulp")
ENTRY = """
id = "AVG-6.1.b-eigen"
version = 1
title = "De inwoner legt zelf vast wat hij afspreekt over informele hulp"
valid_from = 2026-01-01
enabled = true
gdpr6 = "6(1)(b)"
gdpr9 = []
mode = "MAY"
direction = "OBTAIN"
providers = ["betrokkene"]
recipients = ["betrokkene"]
purposes = ["informele-hulp"]
categories = ["WMO-PLAN", "CONTACT"]
acquired_for = ["*"]
regime = "GDPR"
secrecy = "LIFTS"
necessity_required = false
information_duty = "13"
retention_rule = "P2Y"
processing_activity_uri = "https://register.exchange.example/verwerkingen/eigen"
dpia_ref = "DPIA-TEST-01"
case_relation_required = false
fields_optional = true

[citation]
law = "AVG"
article = "6"
paragraph = "1"
part = "b"
wording = "25 May 2018"
"""


def provided(story: Story, words: str, claimed: pb.Claim) -> ExchangeClient:
    """Let the resident report himself."""
    resident = story.resident()
    answer = resident.case.receive_report(
        claim=claimed,
        resident=story.pseudonym,
        life_domains=[pb.LIFE_DOMAIN_SOCIAL_NETWORK],
        own_words=words,
        desk="portaal",
    )
    assert answer.receipt.leaves
    return resident


@pytest.fixture(scope="module")
def contract(town: Town) -> pb.Claim:
    """A ground of contract in the register: the one that is shipped has none to record on."""
    proposed = administrator(town).legal_basis.propose_legal_basis(claim=REGISTRY, text=ENTRY)
    for client in (administrator(town, "b-2"), officer(town)):
        client.legal_basis.approve_legal_basis(
            claim=REGISTRY, basis_id="AVG-6.1.b-eigen", basis_version=1, sha256=proposed.sha256
        )
    return CONTRACT


def copy(story: Story, **said: Any) -> Any:  # noqa: ANN401 -- PortableCopy
    return take_along(story.resident(), ACCESS, story.plan_id, FIELDS, **said)


def read(document: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document)
    check(found)
    return found


def test_what_he_provided_on_a_contract_goes_along_and_the_rest_is_named(
    story: Story, contract: pb.Claim
) -> None:
    story.goal()
    provided(story, "Ik kook op dinsdag voor de buren.", contract)
    told = read(copy(story).document)
    (report,) = told["plan"]["reports"]
    assert report["own_words"] == "Ik kook op dinsdag voor de buren."
    assert report["life_domains"] == ["LIFE_DOMAIN_SOCIAL_NETWORK"]
    assert set(told["plan"]) == {"reports"}
    assert {(one["collection"], one["reason"], one["elements"]) for one in told["not_portable"]} == {
        ("reports", "recorded_by_others", 1),
        ("goals", "recorded_by_others", 1),
    }


def test_what_he_said_for_a_public_task_stays_and_it_is_said_why(story: Story) -> None:
    provided(story, "Ik heb hulp nodig.", claim(pb.PURPOSE_WMO_ONDERZOEK, "RESIDENT-WORD"))
    told = read(copy(story).document)
    assert told["plan"] == {}
    (own,) = (one for one in told["not_portable"] if one["reason"] == "public_task")
    assert (own["collection"], own["article"], own["legal_basis"]) == (
        "reports",
        "AVG 20(1)(a), 20(3)",
        "RESIDENT-WORD@1",
    )


def test_it_comes_in_parts_and_the_same_plan_gives_the_same_bytes(story: Story, contract: pb.Claim) -> None:
    provided(story, "Ik kook op dinsdag.", contract)
    whole, parts = copy(story), copy(story, part_bytes=100)
    assert whole.document == parts.document
    assert whole.sha256 == parts.sha256 == sha256(whole.document).digest()
    assert whole.decision_id != parts.decision_id
    provided(story, "En op donderdag.", contract)
    assert copy(story).sha256 != whole.sha256


def test_a_plan_that_changed_between_two_parts_shows(story: Story, contract: pb.Claim) -> None:
    asked: dict[str, Any] = {"claim": ACCESS, "plan_id": story.plan_id, "fields": FIELDS, "page_size": 100}
    resident = provided(story, "Ik kook op dinsdag.", contract)
    first = resident.rights.get_portable_copy(**asked)
    provided(story, "En op donderdag.", contract)
    second = resident.rights.get_portable_copy(page_token=first.next_page_token, **asked)
    assert first.sha256 != second.sha256


def test_a_request_is_executed_by_the_copy_and_its_hash(story: Story) -> None:
    resident = story.resident()
    name = ask(resident, story, rights_pb.RIGHT_PORTABILITY)
    story.wmo.rights.decide_rights_request(
        claim=ANSWER, rights_request_id=name, outcome=rights_pb.RIGHTS_OUTCOME_GRANTED
    )
    taken = copy(story)
    done: dict[str, Any] = {"claim": ANSWER, "rights_request_id": name, "how": "portal"}
    # Without its hash nobody knows which copy it was.
    with pytest.raises(errors.ExchangeRefused) as unnamed:
        story.wmo.rights.execute_rights_request(reference=taken.decision_id, **done)
    assert set(unnamed.value.field_violations) == {"sha256"}
    with pytest.raises(errors.RuleBroken, match="the log holds no answer"):
        story.wmo.rights.execute_rights_request(reference="d-1", sha256=taken.sha256, **done)
    story.wmo.rights.execute_rights_request(reference=taken.decision_id, sha256=taken.sha256, **done)
    (row,) = listed(resident, story, ACCESS).requests
    assert (row.reference, row.sha256) == (taken.decision_id, taken.sha256)
    # The decision is a leaf of the log, and its receipt proves when the copy was given.
    assert resident.ledger.get_receipt(leaf_index=taken.leaf_index).tlog_proof


def test_a_hash_is_of_a_copy_and_of_nothing_else(story: Story) -> None:
    name = ask(story.resident(), story)
    story.wmo.rights.decide_rights_request(
        claim=ANSWER, rights_request_id=name, outcome=rights_pb.RIGHTS_OUTCOME_GRANTED
    )
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.rights.execute_rights_request(
            claim=ANSWER, rights_request_id=name, reference="b-1", how="letter", sha256=bytes(32)
        )
    assert set(refused.value.field_violations) == {"sha256"}


def test_nobody_else_takes_it_along(town: Town, story: Story) -> None:
    with pytest.raises(errors.Denied) as desk:
        take_along(story.wmo, ACCESS, story.plan_id, FIELDS)
    assert desk.value.rules
    # Who works on the case reads the plan; the copy is the resident's.
    with pytest.raises(errors.Denied) as at_work:
        take_along(story.wmo, INVESTIGATE, story.plan_id, FIELDS)
    assert at_work.value.rules == ("R09",)
    stranger = town.worker("college:WMO", "stranger")
    for plan_id in (story.plan_id, str(uuid4())):
        with pytest.raises(errors.Denied) as refused:
            take_along(stranger, INVESTIGATE, plan_id, FIELDS)
        assert refused.value.rules == ("R03", "R09")


def test_in_an_emergency_nothing_is_taken_along(town: Town, story: Story) -> None:
    story.goal()
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al dagen niets meer.")
    asked = claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", break_glass=glass)
    in_person = Person("nood-1", "college:WMO", "regisseur", authenticated_at=int(time.time()))
    with pytest.raises(errors.Denied) as refused:
        take_along(town.client(in_person), asked, story.plan_id, ("goals.own_words",))
    assert "R28" in refused.value.rules
    assert "NOTIFY-FG" in refused.value.refusal.obligations
    # What he may do in an emergency is look.
    looked = town.client(in_person).plan.get_plan(
        claim=asked, plan_id=story.plan_id, fields=["goals.own_words"]
    )
    assert looked.plan.goals


def test_a_copy_is_recorded_as_taken_along(town: Town, story: Story) -> None:
    taken = copy(story)
    resident = town.resident_of(story.pseudonym)
    (action,) = (one.action for one in decisions_of(town, resident) if one.decision_id == taken.decision_id)
    assert action == "EXPORT"


def decisions_of(town: Town, resident: str) -> list[DisclosureDecided]:
    codec, rows = town.core.codec, town.core.reader.tail(stream_of("disclosure", resident)).rows
    events = (
        codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic).event for row in rows
    )
    return [one for one in events if isinstance(one, DisclosureDecided)]


@pytest.mark.parametrize(
    "change",
    [
        {"plan": {"reports": []}},
        {"plan": {"reports": [{"own_words": {"deep": 1}}]}},
        {"form": "portable-copy-2"},
        {"more": 1},
        {
            "not_portable": [
                {"collection": "goals", "reason": "because", "article": "x", "legal_basis": "", "elements": 1}
            ]
        },
    ],
)
def test_the_schema_refuses_what_is_another_form(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "@context": {"@vocab": "https://exchange.example/ns/plan#"},
        "@type": "PortableCopy",
        "article": "AVG 20",
        "form": "portable-copy-1",
        "plan": {"reports": [{"own_words": "x", "life_domains": ["y"]}]},
        "not_portable": [],
    }
    check(good)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        check(good | change)
