"""Receipts of a consent: what the resident's side keeps is valid by the shapes, whole, and in the ledger."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyshacl
import pytest
from rdflib import RDF, Graph, Namespace, URIRef

from adapters.sdk.fields import show_field, verify_field
from adapters.sdk.proofs import ProofRefused
from exchange.domain.consent_events import ConsentGiven, ConsentRefused, ConsentRequested, ConsentWithdrawn
from exchange.server.contract.consent_receipts import CONTEXT, WITHDRAW_RPC, Recorded, Telling, receipt_text
from exchange.store.shown import Committed
from exchange.v1 import consent_service_pb2 as consent_pb
from tests.server.family import Family, denied
from tests.server.town import ACCESS, CITY, INVESTIGATE, WORD, Town

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DPV = Namespace("https://w3id.org/dpv#")
OWN = Namespace("urn:exchange:terms#")
# rdflib's own JSON-LD reader still uses what it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ASKED = ConsentRequested(
    resident="r-7f3a",
    consent_id="a0000000-0000-4000-8000-000000000001",
    case_id="c0000000-0000-4000-8000-000000000001",
    organisation=CITY,
    task="college:WMO",
    kind="statutory",
    purpose="wmo-afstemming",
    recipients=(f"{CITY}/college:WMO", f"{CITY}/college:PW"),
    categories=("WMO-PLAN", "GEZONDHEID-FUNCTIONEEL"),
    start_time=NOON,
    end_time=NOON.replace(year=2027),
    notice_id="folder-1",
    notice_version=3,
    notice_sha256="ab" * 32,
    notice_language="nl",
    notice_level="B1",
    withdrawal_channels=("https://mijn.voorbeeld.nl/toestemming",),
    sources=(),
    regime="",
)
GIVEN = ConsentGiven(
    resident="r-7f3a",
    consent_id=ASKED.consent_id,
    given_by=("self", "parent"),
    authority=("m",),
    explicit=True,
    free_assessed=True,
    alternatives=False,
    no_detriment=False,
    assessed_by="",
    method="portal",
    at=NOON,
)
REFUSED = ConsentRefused(
    resident="r-7f3a", consent_id=ASKED.consent_id, said_by="self", authority="", at=NOON
)
WITHDRAWN = ConsentWithdrawn(
    resident="r-7f3a", consent_id=ASKED.consent_id, said_by="parent", authority="m", at=NOON
)
TELLING = Telling("0d9a0000-0000-4000-8000-000000000001", NOON, "Gemeente Voorbeeldstad")


def receipt(*events: Any) -> dict[str, Any]:  # noqa: ANN401 -- events of a consent
    history = [Recorded(event, NOON, 7 + number) for number, event in enumerate(events)]
    read: dict[str, Any] = json.loads(receipt_text(history, TELLING))
    return read


def graph_of(told: dict[str, Any]) -> Graph:
    return Graph().parse(data=json.dumps(told), format="json-ld")


@pytest.fixture(scope="module")
def shapes(standards_dir: Path) -> Graph:
    return Graph().parse(standards_dir / "dpv" / "shapes.ttl", format="turtle")


def conforms(told: dict[str, Any], shapes: Graph) -> bool:
    """Tell whether this is one receipt and the shapes hold: to an empty graph they would hold too."""
    graph = graph_of(told)
    if len(set(graph.subjects(RDF.type, DPV.ConsentReceipt))) != 1:
        return False
    if len(set(graph.subjects(RDF.type, DPV.ConsentRecord))) != 1:
        return False
    holds, _, _ = pyshacl.validate(graph, shacl_graph=shapes, inference="none", advanced=False)
    return bool(holds)


@pytest.mark.parametrize(
    "events",
    [
        (ASKED,),
        (ASKED, GIVEN),
        (ASKED, REFUSED),
        (ASKED, REFUSED, GIVEN, WITHDRAWN),
    ],
    ids=["asked", "given", "refused", "withdrawn"],
)
def test_every_history_of_a_consent_is_a_valid_receipt(events: tuple[Any, ...], shapes: Graph) -> None:
    assert conforms(receipt(*events), shapes)


def test_a_consent_of_before_notices_were_registered_has_a_valid_receipt(shapes: Graph) -> None:
    told = receipt(replace(ASKED, notice_language="", notice_level="", withdrawal_channels=()))
    assert conforms(told, shapes)
    assert told["dpv:hasRecordOfActivity"]["dpv:hasConsentControl"]["dpv:isExercisedAt"] == [WITHDRAW_RPC]


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def tamper(told: dict[str, Any]) -> None:
        inner = told
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]

    return tamper


def with_value(value: object, *path: str) -> Callable[[dict[str, Any]], None]:
    def tamper(told: dict[str, Any]) -> None:
        inner: Any = told
        for name in path[:-1]:
            inner = inner[int(name) if isinstance(inner, list) else name]
        inner[path[-1]] = value

    return tamper


RECORD = "dpv:hasRecordOfActivity"
TAMPERED = {
    "no receipt": with_value("dpv:Notice", "@type"),
    "two receipts": lambda told: told.update(
        {"dct:hasPart": {"@id": "urn:x:1", "@type": "dpv:ConsentReceipt"}}
    ),
    "no identifier": without("dct:identifier"),
    "no created": without("dct:created"),
    "created is no time": with_value({"@value": "gisteren"}, "dct:created"),
    "of another profile": with_value("dpv-27560:notice", "dct:conformsTo"),
    "no record": without(RECORD),
    "no data subject": without(RECORD, "dpv:hasDataSubject"),
    "no controller": without(RECORD, "dpv:hasDataController"),
    "no jurisdiction": without(RECORD, "dpv:hasJurisdiction"),
    "no notice": without(RECORD, "dpv:hasNotice"),
    "notice without language": without(RECORD, "dpv:hasNotice", "dct:language"),
    "no process": without(RECORD, "dpv:hasProcess"),
    "no purpose": without(RECORD, "dpv:hasProcess", "dpv:hasPurpose"),
    "no data": without(RECORD, "dpv:hasProcess", "dpv:hasPersonalData"),
    "no recipient": without(RECORD, "dpv:hasProcess", "dpv:hasRecipient"),
    "no storage": without(RECORD, "dpv:hasProcess", "dpv:hasStorageCondition"),
    "no way to withdraw": without(RECORD, "dpv:hasConsentControl"),
    "nowhere to withdraw": without(RECORD, "dpv:hasConsentControl", "dpv:isExercisedAt"),
    "no right": without(RECORD, "dpv:hasRight"),
    "no status": with_value([], RECORD, "dpv:hasConsentStatus"),
    "status of no kind": with_value("dpv:Consent", RECORD, "dpv:hasConsentStatus", "1", "@type"),
    "status by nobody": with_value([], RECORD, "dpv:hasConsentStatus", "1", "dpv:isIndicatedBy"),
    "status without a time": with_value(
        {"@value": "eens"}, RECORD, "dpv:hasConsentStatus", "1", "dpv:isIndicatedAtTime"
    ),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_a_receipt_that_was_tampered_with_is_none(
    tamper: Callable[[dict[str, Any]], None], shapes: Graph
) -> None:
    told = receipt(ASKED, GIVEN)
    assert conforms(told, shapes)
    tamper(told)
    assert not conforms(told, shapes)


def test_a_receipt_fetches_nothing_and_names_no_reference_of_ours() -> None:
    told = receipt(ASKED, GIVEN, WITHDRAWN)
    assert told["@context"] == json.loads(json.dumps(CONTEXT))
    assert all(isinstance(one, str | dict | float) for one in told["@context"].values())
    assert "r-7f3a" not in json.dumps(told)
    assert ASKED.case_id not in json.dumps(told)


def test_every_term_is_defined_by_the_context() -> None:
    graph = graph_of(receipt(ASKED, REFUSED, GIVEN, WITHDRAWN))
    names = {str(one) for triple in graph for one in triple if isinstance(one, URIRef)}
    known = ("https://", "http://", "urn:oin:", "urn:uuid:", "urn:exchange:")
    assert [name for name in names if not name.startswith(known)] == []
    assert len(graph) > 40


def test_salts_are_told_with_their_field_and_stay_json(shapes: Graph) -> None:
    committed = (Committed("recipients", ["a/b", "c/d"], b"s" * 32), Committed("purpose", "wmo", b"t" * 32))
    told: dict[str, Any] = json.loads(receipt_text([Recorded(ASKED, NOON, 7, committed, b"leaf")], TELLING))
    assert conforms(told, shapes)
    graph = graph_of(told)
    salts = {
        str(name): str(salt)
        for one, name in graph.subject_objects(OWN.name)
        for salt in graph.objects(one, OWN.salt)
    }
    (entry,) = graph.objects(None, OWN.leafEntry)
    assert b64decode(str(entry)) == b"leaf"
    assert salts == {"recipients": "73" * 32, "purpose": "74" * 32}
    values = {
        json.loads(str(value)) if str(value).startswith('"') else str(value)
        for value in graph.objects(None, OWN.value)
    }
    assert "wmo" in values
    assert len(values) == 2


def test_a_receipt_tells_the_whole_history_with_its_leaves() -> None:
    graph = graph_of(receipt(ASKED, REFUSED, GIVEN, WITHDRAWN))
    leaves = {
        int(str(leaf)): {str(one).rpartition("#")[2] for one in graph.objects(status, RDF.type)}
        for status, leaf in graph.subject_objects(OWN.leafIndex)
    }
    assert leaves == {
        7: {"ConsentRequested"},
        8: {"ConsentRefused"},
        9: {"ConsentGiven", "ExplicitlyExpressedConsent"},
        10: {"ConsentWithdrawn"},
    }


@pytest.mark.parametrize(("kind", "basis"), [("gdpr", "A6-1-a"), ("statutory", "A6-1-e"), ("care", "A6-1-e")])
def test_only_one_kind_is_itself_the_legal_basis(kind: str, basis: str) -> None:
    graph = graph_of(receipt(replace(ASKED, kind=kind)))
    found = {str(one).rpartition("#")[2] for one in graph.objects(None, DPV.hasLegalBasis)}
    assert found == {basis}


# --- over the wire -----------------------------------------------------------------------------------


def asked_for(client: Any, consent_id: str, claim: Any = ACCESS) -> Any:  # noqa: ANN401 -- a client; an answer
    return client.consent.get_consent_receipt(claim=claim, consent_id=consent_id, fields=["json_ld"])


def test_the_resident_keeps_a_receipt_that_the_ledger_proves(town: Town, shapes: Graph) -> None:
    family = Family(town, 40)
    consent_id = family.ask()
    given = family.own().consent.give_consent(
        claim=WORD,
        consent_id=consent_id,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        method="portal",
        expected_version=1,
    )
    withdrawn = family.own().consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    answer = asked_for(family.own(), consent_id)
    told = json.loads(answer.json_ld)
    assert conforms(told, shapes)
    record = told["dpv:hasRecordOfActivity"]
    leaves = [int(one["exchange:leafIndex"]) for one in record["dpv:hasConsentStatus"]]
    assert leaves[1:] == [given.receipt.leaf_index, withdrawn.receipt.leaf_index]
    proof = family.own().ledger.get_receipt(leaf_index=leaves[1]).tlog_proof
    assert f"index {leaves[1]}" in proof.splitlines()
    assert record["dpv:hasNotice"]["exchange:sha256"] == "01" * 32
    assert record["dpv:hasDataController"]["dpv:hasName"] == town.state("organisation", CITY).name
    # The reading itself was recorded and is told to the resident.
    listed = family.own().disclosure.list_disclosures(
        claim=ACCESS, case_id=family.case_id, fields=["disclosures.decision_id"]
    )
    assert answer.decision_id in {one.decision_id for one in listed.disclosures}


def test_the_resident_shows_one_field_of_it_to_somebody_who_has_the_logs_key_alone(town: Town) -> None:
    family = Family(town, 40)
    consent_id = family.ask()
    told = json.loads(asked_for(family.own(), consent_id).json_ld)
    (status,) = told["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]
    found = {one["exchange:name"]: one for one in status["exchange:committed"]}
    assert set(found) == set(ConsentRequested.COMMITTED)
    entry = b64decode(status["exchange:leafEntry"])
    proof = family.own().ledger.get_receipt(leaf_index=int(status["exchange:leafIndex"])).tlog_proof
    for name, one in found.items():
        salt = bytes.fromhex(one["exchange:salt"])
        proven = verify_field(
            show_field(name, one["exchange:value"], salt, entry, proof), town.core.signer.vkey
        )
        assert (proven.topic, proven.name) == (ConsentRequested.TOPIC, name)
        with pytest.raises(ProofRefused):
            verify_field(show_field(name, "else", salt, entry, proof), town.core.signer.vkey)
    assert found["consent_id"]["exchange:value"] == consent_id


def test_a_receipt_is_for_the_residents_side(town: Town) -> None:
    family = Family(town, 10)
    family.record()
    consent_id = family.ask(kind=consent_pb.CONSENT_KIND_ASSENT)
    family.give(family.representative(), consent_id, "parent")
    told = json.loads(asked_for(family.representative(), consent_id).json_ld)
    given = told["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"][1]
    assert given["dpv:isIndicatedBy"] == ["urn:exchange:speaker:parent"]
    assert denied(lambda: asked_for(family.own(), consent_id)) == ("R21",)
    assert "R09" in denied(lambda: asked_for(family.wmo, consent_id, INVESTIGATE))
    stranger = Family(town, 40).own()
    unknown = denied(lambda: asked_for(stranger, "a0000000-0000-4000-8000-000000000009"))
    assert denied(lambda: asked_for(stranger, consent_id)) == unknown
