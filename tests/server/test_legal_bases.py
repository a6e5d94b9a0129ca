"""The register over gRPC: read by everybody, changed by the operator's people with four eyes."""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.gate.register import Register
from exchange.server.contract.formats import FINE, text_fault
from exchange.v1 import common_pb2, legal_basis_service_pb2
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.pipeline.legal_bases import entry_text
from tests.registers import GENESIS_EVENTS
from tests.server.town import ADMIN, AUDIT, INVESTIGATE, Town

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story

REGISTRY = claim(common_pb2.PURPOSE_BEHEER, "REGISTER-24")
READING = claim(common_pb2.PURPOSE_INZAGE, "REGISTER-12")
APPROVED = legal_basis_service_pb2.LEGAL_BASIS_STATE_APPROVED
PROPOSED = legal_basis_service_pb2.LEGAL_BASIS_STATE_PROPOSED
DISABLED = legal_basis_service_pb2.LEGAL_BASIS_STATE_DISABLED
NUMBERS = itertools.count(1)


def fresh_id() -> str:
    return f"WMO-DOOR-{next(NUMBERS)}"


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


# The SDK tells the sentence of a broken rule, not its name.
SENTENCES = {
    "PROPOSER_APPROVES": "who proposed it does not approve it",
    "OTHER_CONTENT": "has another text than the one approved",
    "APPROVED_TWICE": "this person approved it before",
    "NOT_TO_PROPOSE": "it does not propose",
    "VERSION_USED": "this version number was used before",
    "VALIDITY_OVERLAPS": "would be valid on one day",
}


def rule_of(refused: errors.RuleBroken) -> str:
    return next(rule for rule, sentence in SENTENCES.items() if sentence in refused.message)


def administrator(town: Town, name: str = "b-1") -> ExchangeClient:
    return town.worker("beheer", name)


def officer(town: Town) -> ExchangeClient:
    return town.worker("fg", "fg-1")


def listed(town: Town, basis_id: str) -> list[legal_basis_service_pb2.LegalBasisVersion]:
    return list(town.worker().legal_basis.list_legal_bases(claim=READING, basis_id=basis_id).legal_bases)


def enable(town: Town, text: str, basis_id: str, version: int = 1) -> None:
    proposed = administrator(town).legal_basis.propose_legal_basis(claim=REGISTRY, text=text)
    assert proposed.sha256 == sha256(text)
    for client in (administrator(town, "b-2"), officer(town)):
        client.legal_basis.approve_legal_basis(
            claim=REGISTRY, basis_id=basis_id, basis_version=version, sha256=proposed.sha256
        )


# --- the way into force --------------------------------------------------------------------------------


def test_a_basis_opens_after_two_others_approved_it_and_closes_at_once(town: Town, story: Story) -> None:
    basis_id = fresh_id()
    text = entry_text(basis_id)
    under = claim(common_pb2.PURPOSE_WMO_ONDERZOEK, basis_id, "nodig voor het onderzoek")

    def ask() -> str:
        try:
            story.wmo.plan.get_plan(claim=under, plan_id=story.plan_id, fields=["reports.own_words"])
        except errors.Denied as refused:
            return ",".join(refused.rules)
        return "given"

    told = administrator(town).legal_basis.propose_legal_basis(claim=REGISTRY, text=text)
    assert (told.basis_id, told.basis_version, told.sha256) == (basis_id, 1, sha256(text))
    assert ask() == "R04"
    first = administrator(town, "b-2").legal_basis.approve_legal_basis(
        claim=REGISTRY, basis_id=basis_id, basis_version=1, sha256=told.sha256
    )
    assert (first.enabled, ask()) == (False, "R04")
    before = town.worker().legal_basis.list_legal_bases(claim=READING, page_size=1).policy_hash
    second = officer(town).legal_basis.approve_legal_basis(
        claim=REGISTRY, basis_id=basis_id, basis_version=1, sha256=told.sha256
    )
    assert (second.enabled, ask()) == (True, "given")
    after = town.worker().legal_basis.list_legal_bases(claim=READING, page_size=1).policy_hash
    assert before != after
    (version,) = listed(town, basis_id)
    assert (version.state, version.proposer, list(version.approvers)) == (APPROVED, "b-1", ["b-2", "fg-1"])
    assert version.text == text
    assert version.wording
    officer(town).legal_basis.disable_legal_basis(
        claim=REGISTRY, basis_id=basis_id, basis_version=1, reason="het artikel verviel"
    )
    assert ask() == "R05"
    (version,) = listed(town, basis_id)
    assert (version.state, version.disabled_by, version.reason) == (DISABLED, "fg-1", "het artikel verviel")


def test_a_decision_is_explained_by_the_register_it_was_taken_by(town: Town, story: Story) -> None:
    basis_id = fresh_id()
    enable(town, entry_text(basis_id), basis_id)
    under = claim(common_pb2.PURPOSE_WMO_ONDERZOEK, basis_id, "nodig voor het onderzoek")
    read = story.wmo.plan.get_plan(claim=under, plan_id=story.plan_id, fields=["reports.own_words"])
    officer(town).legal_basis.disable_legal_basis(
        claim=REGISTRY, basis_id=basis_id, basis_version=1, reason="het artikel verviel"
    )
    decisions = officer(town).audit.list_decisions(
        claim=AUDIT,
        fields=["decisions.disclosure.decision_id", "decisions.officer_explanation"],
        page_size=200,
    )
    (told,) = (
        one.officer_explanation
        for one in decisions.decisions
        if one.disclosure.decision_id == read.decision_id
    )
    assert f"Grondslag {basis_id} (Wmo 2015 art. 2.3.2, lid 4), versie 1." in told
    assert "reports.own_words: gegeven." in told


# --- four eyes ------------------------------------------------------------------------------------------


def test_who_proposed_never_approves_and_nobody_twice(town: Town) -> None:
    basis_id = fresh_id()
    text = entry_text(basis_id)
    administrator(town).legal_basis.propose_legal_basis(claim=REGISTRY, text=text)

    def approve(client: ExchangeClient, content: bytes = sha256(text)) -> str:
        try:
            client.legal_basis.approve_legal_basis(
                claim=REGISTRY, basis_id=basis_id, basis_version=1, sha256=content
            )
        except errors.RuleBroken as refused:
            return rule_of(refused)
        return ""

    assert approve(administrator(town)) == "PROPOSER_APPROVES"
    assert approve(town.worker("fg", "b-1")) == "PROPOSER_APPROVES"
    assert approve(officer(town), sha256("another text")) == "OTHER_CONTENT"
    assert approve(officer(town)) == ""
    assert approve(officer(town)) == "APPROVED_TWICE"
    (version,) = listed(town, basis_id)
    assert (version.state, list(version.approvers)) == (PROPOSED, ["fg-1"])


def test_the_privacy_officer_does_not_propose(town: Town) -> None:
    with pytest.raises(errors.RuleBroken) as refused:
        officer(town).legal_basis.propose_legal_basis(claim=REGISTRY, text=entry_text(fresh_id()))
    assert rule_of(refused.value) == "NOT_TO_PROPOSE"


def test_only_the_operator_keeps_the_register(town: Town) -> None:
    credentials = town.join("00000004000000055000", "beheer", "fg")
    for task in ("beheer", "fg"):
        other = town.client(Person("z-9", task, "beheerder"), credentials)
        with pytest.raises(errors.Denied) as refused:
            other.legal_basis.disable_legal_basis(
                claim=REGISTRY, basis_id="WGS-8", basis_version=1, reason="weg ermee"
            )
        assert "beheerder" in refused.value.localized


@pytest.mark.parametrize("basis", [ADMIN, INVESTIGATE, READING, AUDIT])
def test_no_other_basis_opens_the_register_to_change(town: Town, basis: common_pb2.Claim) -> None:
    with pytest.raises(errors.Denied):
        officer(town).legal_basis.disable_legal_basis(
            claim=basis, basis_id="WGS-8", basis_version=1, reason="weg ermee"
        )


def test_the_basis_for_the_register_opens_no_log_and_no_plan(town: Town, story: Story) -> None:
    for client in (administrator(town), officer(town)):
        with pytest.raises(errors.Denied) as refused:
            client.audit.list_decisions(claim=REGISTRY, fields=["decisions.disclosure.outcome"])
        assert "R10" in refused.value.rules
        with pytest.raises(errors.Denied) as refused:
            client.plan.get_plan(claim=REGISTRY, plan_id=story.plan_id, fields=["reports.own_words"])
        assert "R03" in refused.value.rules
        with pytest.raises(errors.Denied) as refused:
            client.case.leave_case(
                claim=REGISTRY,
                case_id=story.case_id,
                oin="00000001003214345000",
                task="college:WMO",
                professional="w-1",
            )
        assert "R03" in refused.value.rules


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (r"\Z", 'colour = "red"\n', "text.colour"),
        (r"(?m)^dpia_ref = .*\n", "", "text.dpia_ref"),
        (r"(?m)^citation = .*\n", "", "text.citation"),
        (r"(?m)^purposes = .*$", 'purposes = ["alles"]', "text.purposes"),
        (r"(?m)^valid_from = .*$", "valid_from = 2015-01-01\nvalid_to = 2014-01-01", "text.valid_to"),
        (r"\Z", 'approved_by = ["een", "twee"]\n', "text.approved_by"),
        (r"\A", "= nothing\n", "text"),
        (r"\A", "[[basis]]\nid = 'A1'\n[[basis]]\n", "text.basis"),
    ],
)
def test_a_bad_entry_is_refused_by_its_key_and_nothing_is_recorded(
    town: Town, old: str, new: str, key: str
) -> None:
    basis_id = fresh_id()
    text = re.sub(old, lambda _: new, entry_text(basis_id), count=1)
    with pytest.raises(errors.Invalid) as refused:
        administrator(town).legal_basis.propose_legal_basis(claim=REGISTRY, text=text)
    assert list(refused.value.field_violations) == [key]
    assert refused.value.remedies
    assert listed(town, basis_id) == []


def test_a_used_number_and_an_overlap_are_refused_with_their_place(town: Town) -> None:
    basis_id = fresh_id()
    propose = administrator(town).legal_basis.propose_legal_basis
    propose(claim=REGISTRY, text=entry_text(basis_id))
    for text, rule in (
        (entry_text(basis_id), "VERSION_USED"),
        (entry_text(basis_id, 2), "VALIDITY_OVERLAPS"),
        (entry_text(basis_id, 2, succeeds="1"), "VALIDITY_OVERLAPS"),
    ):
        with pytest.raises(errors.RuleBroken) as refused:
            propose(claim=REGISTRY, text=text)
        assert rule_of(refused.value) == rule
    assert [one.basis_version for one in listed(town, basis_id)] == [1]


def test_the_same_request_id_gets_the_same_answer(town: Town) -> None:
    text, request_id = entry_text(fresh_id()), str(uuid4())
    propose = administrator(town).legal_basis.propose_legal_basis
    first = propose(claim=REGISTRY, text=text, request_id=request_id)
    assert propose(claim=REGISTRY, text=text, request_id=request_id) == first


# --- reading ---------------------------------------------------------------------------------------------


def test_every_organisation_reads_the_register_page_by_page(town: Town) -> None:
    client = town.client(Person("z-1", "wmo-aanbieder", "begeleider"), town.care())
    found: list[legal_basis_service_pb2.LegalBasisVersion] = []
    token = ""
    while True:
        page = client.legal_basis.list_legal_bases(claim=READING, page_size=7, page_token=token)
        found += page.legal_bases
        token = page.next_page_token
        if not token:
            break
    names = [(one.basis_id, one.basis_version) for one in found]
    assert len(names) == len(set(names)) >= GENESIS_EVENTS - 1
    shipped = [one for one in found if one.adopted]
    assert {one.basis_id for one in shipped} == {entry.id for entry in Register.load().entries()}
    assert all(one.sha256 == sha256(one.text) for one in found)
    assert all(one.state == APPROVED and one.wording and not one.proposer for one in shipped)
    with pytest.raises(errors.Invalid):
        client.legal_basis.list_legal_bases(
            claim=READING, basis_id="WGS-8", page_token=page.next_page_token or "x"
        )


def test_reading_is_a_decision(town: Town) -> None:
    answer = town.worker().legal_basis.list_legal_bases(claim=READING, basis_id="WGS-8")
    assert answer.decision_id
    with pytest.raises(errors.Denied) as refused:
        officer(town).legal_basis.list_legal_bases(claim=AUDIT, basis_id="WGS-8")
    assert refused.value.rules == ("R01",)


def test_every_shipped_entry_could_be_proposed_over_the_wire(town: Town) -> None:
    texts = [
        one.text
        for one in town.worker().legal_basis.list_legal_bases(claim=READING, page_size=200).legal_bases
        if one.adopted
    ]
    assert texts
    assert [text for text in texts if text_fault(text) != FINE] == []


# --- what is under way ---------------------------------------------------------------------------------


def test_an_open_stream_gets_nothing_more_on_a_basis_that_was_disabled(town: Town, story: Story) -> None:
    basis_id = fresh_id()
    enable(town, entry_text(basis_id), basis_id)
    under = claim(common_pb2.PURPOSE_WMO_ONDERZOEK, basis_id, "nodig voor het onderzoek")
    stream = story.wmo.open_stream(
        SubscribeRequest(
            claim=under,
            fields=["goals.own_words"],
            cursor=story.opened.receipt.position,
            heartbeat_seconds=1,
        )
    )
    words: list[str] = []

    def follow() -> None:
        """Read until the second beat: by then all of before it was looked at."""
        beats = 0
        for answer in stream:
            words.extend(goal.own_words for event in answer.events for goal in event.change.goals)
            beats += not answer.events
            if beats == 2:
                return

    try:
        set_goal(story, "Voor.")
        follow()
        officer(town).legal_basis.disable_legal_basis(
            claim=REGISTRY, basis_id=basis_id, basis_version=1, reason="het artikel verviel"
        )
        set_goal(story, "Na.")
        follow()
    finally:
        stream.cancel()
    assert words == ["Voor."]


def set_goal(story: Story, words: str) -> None:
    """Set a goal under a basis that stands."""
    told = story.wmo.plan.set_goal(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        own_words=words,
        desired_effect="rust",
        life_domain=common_pb2.LIFE_DOMAIN_HOUSING,
        target_date="2027-06-01",
    )
    story.version = told.version
