"""Erasure over mutual TLS: three persons, terms of laws, nobody afterwards, a certificate, recipients."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.proofs import verify_receipt
from adapters.sdk.tokens import Person
from exchange.domain.obligations import Duty, EntryDuty
from exchange.ledger.leaf import parse_leaf
from exchange.store.verify import verify_store
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.story import Story
from tests.server.test_streams import Follower
from tests.server.town import CITY, INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

ERASE = claim(pb.PURPOSE_KLACHT_BEZWAAR, "ERASE-17")
PURGE = claim(pb.PURPOSE_BEHEER, "PURGE-19")
TOLD = claim(pb.PURPOSE_BEHEER, "ERASURE-12")
WORDS = "Weer zelf koken."


class Erasure:
    """One erasure on a story, step by step."""

    def __init__(self, town: Town, story: Story, **changes: Any) -> None:  # noqa: ANN401 -- any field of the request
        self.town, self.story = town, story
        asked: dict[str, Any] = {
            "claim": ERASE,
            "case_id": story.case_id,
            "article": rights_pb.ERASURE_ARTICLE_WMO_5_3_5,
            "reason": rights_pb.ERASURE_REASON_RESIDENT_ASKED,
            "motivation": "Inwoner vroeg het in een brief.",
        }
        self.erasure_id = story.wmo.rights.propose_erasure(**(asked | changes)).erasure_id

    def approve(self, client: ExchangeClient) -> rights_pb.ApproveErasureResponse:
        return client.rights.approve_erasure(
            claim=ERASE, case_id=self.story.case_id, erasure_id=self.erasure_id
        )

    def executed(self) -> rights_pb.ApproveErasureResponse:
        self.approve(self.town.worker("college:JW", "w-jeugd"))
        answer = self.approve(self.town.worker("fg", "fg-1"))
        assert answer.executed
        return answer


def broken(refused: pytest.ExceptionInfo[errors.ExchangeRefused]) -> str:
    assert refused.value.reason == "RULE_BROKEN"
    return refused.value.message


def shown(client: ExchangeClient, plan_id: str) -> tuple[Any, ...]:
    """Return everything a stranger is told."""
    with pytest.raises(errors.Denied) as refused:
        client.plan.get_plan(claim=INVESTIGATE, plan_id=plan_id, fields=["goals.own_words"])
    told = refused.value
    return told.rules, told.message.partition("decision_id")[0]


def _goals(event: Any) -> list[str]:  # noqa: ANN401 -- PublishedEvent
    return [goal.goal_id for goal in event.change.goals]


# --- the decision ---------------------------------------------------------------------------------


def test_three_persons_are_behind_an_erasure_whichever_tasks_they_have(town: Town, story: Story) -> None:
    erasure = Erasure(town, story)
    me = story.wmo._person
    assert me is not None
    for task in ("college:WMO", "fg", "college:PW"):
        with pytest.raises(errors.ExchangeRefused) as himself:
            erasure.approve(town.worker(task, me.professional))
        assert broken(himself) == "who proposed it does not approve it: two others do"
    assert not erasure.approve(town.worker("college:JW", "w-jeugd")).executed
    with pytest.raises(errors.ExchangeRefused) as twice:
        erasure.approve(town.worker("fg", "w-jeugd"))
    assert broken(twice) == "this person approved it before: somebody else must"
    assert town.state("resident", town.resident_of(story.pseudonym)) is not None
    assert erasure.approve(town.worker("fg", "fg-1")).executed


def test_another_organisation_decides_nothing(town: Town, story: Story) -> None:
    stranger = town.client(Person("z-1", "wmo-aanbieder", "begeleider"), town.care())
    erasure = Erasure(town, story)
    with pytest.raises(errors.Denied):
        erasure.approve(stranger)


def test_the_privacy_officer_proposes_nothing(town: Town, story: Story) -> None:
    with pytest.raises(errors.ExchangeRefused) as refused:
        town.worker("fg", "fg-1").rights.propose_erasure(
            claim=ERASE,
            case_id=story.case_id,
            article=rights_pb.ERASURE_ARTICLE_WMO_5_3_5,
            reason=rights_pb.ERASURE_REASON_RESIDENT_ASKED,
        )
    assert broken(refused) == "a college proposes an erasure; others approve or refuse it"


def test_a_term_of_another_law_forbids_it_by_name(town: Town, story: Story) -> None:
    work = town.worker("college:PW", "w-werk")
    story.report(work, "Ik wil weer aan het werk.")
    erasure = Erasure(town, story)
    with pytest.raises(errors.ExchangeRefused) as refused:
        erasure.approve(town.worker("fg", "fg-1"))
    assert broken(refused).startswith("a law demands that this is kept until the day named")
    assert refused.value.refusal.rule == "RETENTION_TERM"
    refusal: dict[str, Any] = {
        "claim": ERASE,
        "case_id": story.case_id,
        "erasure_id": erasure.erasure_id,
        "reasons": [rights_pb.KEEPING_REASON_RETENTION_TERM],
        "motivation": "De Participatiewet vraagt dat we dit bewaren.",
    }
    with pytest.raises(errors.ExchangeRefused) as himself:
        story.wmo.rights.refuse_erasure(**refusal)
    assert broken(himself) == "who proposed it does not refuse it: somebody else does"
    town.worker("fg", "fg-1").rights.refuse_erasure(**refusal)
    with pytest.raises(errors.ExchangeRefused) as over:
        erasure.approve(town.worker("fg", "fg-2"))
    assert broken(over) == "no such erasure waits for approval"


def test_what_was_unlawful_is_kept_by_no_term(town: Town, story: Story) -> None:
    story.report(town.worker("college:PW", "w-werk"), "Ik wil weer aan het werk.")
    Erasure(
        town,
        story,
        article=rights_pb.ERASURE_ARTICLE_AVG_17_1_D,
        reason=rights_pb.ERASURE_REASON_WRONG_PERSON,
    ).executed()
    assert town.core.residents.resolve(CITY, story.pseudonym) is None


# --- nobody afterwards ----------------------------------------------------------------------------


def test_afterwards_everything_is_as_about_nobody(town: Town, story: Story) -> None:
    story.goal()
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    assert read.plan.goals[0].own_words == WORDS
    ref = town.resident_of(story.pseudonym)
    Erasure(town, story).executed()
    assert shown(story.wmo, story.plan_id) == shown(story.wmo, str(uuid4()))
    unknown = town.pseudonym(story.wmo, next(town.bsns))
    for pseudonym in (story.pseudonym, unknown):
        with pytest.raises(errors.Denied) as refused:
            story.wmo.case.find_case(claim=INVESTIGATE, resident=pseudonym, fields=["case_id"])
        assert refused.value.rules == ("R03",)
    for aggregate, key in (("resident", ref), ("case", story.case_id), ("plan", story.plan_id)):
        assert town.state(aggregate, key) is None
    assert town.core.reader.scope(ref).streams
    assert town.core.loader.load(f"scope-{ref}").state == ()
    assert verify_store(town.core.reader).problems == []


def test_who_comes_back_is_somebody_new(town: Town, story: Story) -> None:
    ref = town.resident_of(story.pseudonym)
    Erasure(town, story).executed()
    again = Story(town, story.bsn)
    assert town.resident_of(story.pseudonym) != ref
    assert again.plan_id != story.plan_id
    again.goal()


def test_an_approval_that_is_repeated_gets_its_answer(town: Town, story: Story) -> None:
    erasure = Erasure(town, story)
    erasure.approve(town.worker("college:JW", "w-jeugd"))
    request_id = str(uuid4())
    told = [
        town.worker("fg", "fg-1").rights.approve_erasure(
            claim=ERASE, case_id=story.case_id, erasure_id=erasure.erasure_id, request_id=request_id
        )
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert told[0].executed


# --- the certificate ------------------------------------------------------------------------------


def test_the_certificate_is_bound_to_its_leaf(town: Town, story: Story) -> None:
    erasure = Erasure(town, story)
    answer = erasure.executed()
    told = town.worker("fg", "fg-1").rights.get_erasure_certificate(claim=TOLD, erasure_id=erasure.erasure_id)
    statement = json.loads(told.statement)
    assert told.leaf_index == statement["leaf_index"] == answer.receipt.leaf_index
    leaf = parse_leaf(answer.receipt.leaf_entry)
    assert leaf.topic == "resident.key_destroyed.v1"
    assert leaf.state_hash == sha256(statement["event"].encode()).digest()
    assert json.loads(statement["event"])["d"]["erasure_id"] == erasure.erasure_id
    assert statement["outcome"] == "EXECUTED"
    assert statement["categories"] == ["ALL"]
    assert "Wmo 2015 artikel 5.3.5" in statement["tekst"]
    assert told.leaf_entry == answer.receipt.leaf_entry
    assert verify_receipt(told.leaf_entry, told.tlog_proof, town.core.signer.vkey) == told.leaf_index
    assert story.bsn not in told.statement


def test_a_certificate_of_what_was_not_executed_is_none(town: Town, story: Story) -> None:
    erasure = Erasure(town, story)
    with pytest.raises(errors.Invalid):
        town.worker("fg", "fg-1").rights.get_erasure_certificate(claim=TOLD, erasure_id=erasure.erasure_id)


# --- part of it -----------------------------------------------------------------------------------


def test_a_part_is_erased_and_the_rest_stays(town: Town, story: Story) -> None:
    story.goal()
    for domain, words in ((pb.LIFE_DOMAIN_FINANCE, "Er zijn schulden."), (pb.LIFE_DOMAIN_HOUSING, "Huurt.")):
        story.version = story.wmo.plan.describe_situation(
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version,
            life_domain=domain,
            description=words,
            strengths="zet door",
            score=2,
            judge_date="2026-03-02",
        ).version
    category = town.state("plan", story.plan_id).situations[0].category
    erasure = Erasure(town, story, categories=[category], kept=[rights_pb.KEEPING_REASON_LEGAL_CLAIM])
    erasure.executed()
    plan = town.state("plan", story.plan_id)
    assert [one.description for one in plan.situations] == ["Huurt."]
    assert len(plan.goals) == 1
    version = story.wmo.plan.describe_situation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        life_domain=pb.LIFE_DOMAIN_FINANCE,
        description="Schuldenvrij.",
        strengths="zet door",
        score=4,
        judge_date="2026-03-03",
    ).version
    assert version == story.version + 1
    assert {one.description for one in town.state("plan", story.plan_id).situations} == {
        "Huurt.",
        "Schuldenvrij.",
    }


def test_a_stream_goes_on_over_what_was_erased(town: Town, story: Story) -> None:
    story.version = story.wmo.plan.describe_situation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        life_domain=pb.LIFE_DOMAIN_FINANCE,
        description="Er zijn schulden.",
        strengths="zet door",
        score=2,
        judge_date="2026-03-02",
    ).version
    goal_id = story.goal()
    category = town.state("plan", story.plan_id).situations[0].category
    part: dict[str, Any] = {"categories": [category], "kept": [rights_pb.KEEPING_REASON_LEGAL_CLAIM]}
    Erasure(town, story, **part).executed()
    follower = Follower(story.wmo)
    try:
        follower.wait(lambda: any(_goals(event) == [goal_id] for event in follower.events))
    finally:
        follower.close()
    assert follower.error is None or follower.error.code() is grpc.StatusCode.CANCELLED
    kinds = [event.kind for event in follower.events if event.plan_id == story.plan_id]
    assert "plan.goal_set" in kinds
    assert "plan.situation_described" not in kinds


def test_who_the_resident_is_is_no_part(town: Town, story: Story) -> None:
    with pytest.raises(errors.Invalid):
        Erasure(town, story, categories=["CONTACT"], kept=[rights_pb.KEEPING_REASON_LEGAL_CLAIM])


def test_the_plans_own_category_goes_and_the_plan_goes_on(town: Town, story: Story) -> None:
    story.goal()
    story.version = story.wmo.plan.describe_situation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        life_domain=pb.LIFE_DOMAIN_HOUSING,
        description="Huurt.",
        score=4,
        judge_date="2026-03-02",
    ).version
    Erasure(town, story, categories=["WMO-PLAN"], kept=[rights_pb.KEEPING_REASON_RETENTION_TERM]).executed()
    plan = town.state("plan", story.plan_id)
    assert (plan.reports, plan.goals) == ((), ())
    assert [one.description for one in plan.situations] == ["Huurt."]
    # What is gone is counted all the same: a yes of before covers nothing that comes after.
    assert plan.version == story.version
    read = story.wmo.plan.get_plan(
        claim=INVESTIGATE, plan_id=story.plan_id, fields=["version", "goals.own_words"]
    )
    assert (read.plan.version, list(read.plan.goals)) == (story.version, [])
    story.goal()
    assert [one.own_words for one in town.state("plan", story.plan_id).goals] == ["Weer zelf koken."]


# --- recipients -----------------------------------------------------------------------------------


def test_recipients_are_asked_with_ids_they_know_and_answer_once(town: Town, story: Story) -> None:
    story.goal()
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    erasure = Erasure(town, story)
    answer = erasure.executed()
    assert answer.recipients == 1
    asked = [
        one
        for one in story.wmo.rights.list_purge_requests(claim=TOLD, only_open=True).purge_requests
        if one.erasure_id == erasure.erasure_id
    ]
    assert [(one.organisation, one.task) for one in asked] == [(CITY, "college:WMO")]
    assert set(asked[0].subjects) == {f"plan-{story.plan_id}"}
    assert story.pseudonym not in asked[0].SerializeToString()
    done: dict[str, Any] = {"claim": PURGE, "erasure_id": erasure.erasure_id}
    other = town.worker("college:PW", "w-werk")
    with pytest.raises(errors.ExchangeRefused) as refused:
        other.rights.confirm_purge(**done, outcome=rights_pb.PURGE_OUTCOME_ERASED)
    assert broken(refused) == "this recipient was not asked to erase anything here"
    story.wmo.rights.confirm_purge(**done, outcome=rights_pb.PURGE_OUTCOME_ERASED)
    story.wmo.rights.confirm_purge(**done, outcome=rights_pb.PURGE_OUTCOME_KEPT_BY_LAW)
    officer = town.worker("fg", "fg-1").rights.list_purge_requests(claim=TOLD).purge_requests
    told = [one for one in officer if one.erasure_id == erasure.erasure_id]
    assert [one.outcome for one in told] == [rights_pb.PURGE_OUTCOME_ERASED]
    assert told[0].HasField("confirm_time")
    others = other.rights.list_purge_requests(claim=TOLD).purge_requests
    assert [one for one in others if one.erasure_id == erasure.erasure_id] == []


def test_nobody_escapes_a_review_by_erasing_whom_he_looked_at(town: Town, story: Story) -> None:
    story.goal()
    shown(town.worker("college:WMO", "stranger"), story.plan_id)
    erasure = Erasure(town, story)
    officer = town.worker("fg", "fg-1")
    with pytest.raises(errors.RuleBroken) as refused:
        erasure.approve(officer)
    assert refused.value.rule == "DUTY_OPEN"
    row = next(
        row
        for row in town.core.reader.tail(f"disclosure-{town.resident_of(story.pseudonym)}").rows
        if b"ALERT-SNOOP" in row.state
    )
    decided, _, _ = town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
    officer.audit.execute_obligation(
        claim=claim(pb.PURPOSE_TOEZICHT, "FG-WATCH-39"),
        of_decision_id=decided["decision_id"],
        duty="ALERT-SNOOP",
        outcome=audit_pb.DUTY_OUTCOME_EXECUTED,
        how="gesprek",
    )
    erasure.executed()
    officer.rights.list_purge_requests(claim=TOLD)  # waits until the read models hold it
    duties = town.core.obligations.of_stream(row.stream, 2**40, 100, (*Duty, *EntryDuty))
    assert [one for one in duties if one.executed_at is None] == []
