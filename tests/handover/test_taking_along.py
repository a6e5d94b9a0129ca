"""A plan goes along to another municipality: whole, once, with its sources, in both ledgers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.proofs import verify_receipt
from adapters.sdk.tokens import Person
from exchange.domain.handover.state import Side
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.handover.towns import CAME_ALONG, NEWCOMER, Mover
from tests.server.test_rights_requests import ANSWER, ask, duties
from tests.server.town import ACCESS, CITY, INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.handover import TakenOver
    from tests.handover.towns import Towns

COLLECTIONS = ("reports", "situations", "goals", "lens_assessments")
TOLD = ("state", "side", "received_parts", "withheld_fields", "digest")


def taken(towns: Towns, mover: Mover) -> tuple[str, TakenOver]:
    """Offer and take over."""
    handover_id = mover.offer()
    return handover_id, towns.driver(mover.bsn).take_over(handover_id, NEWCOMER)


def came_along(towns: Towns, plan_id: str, name: str) -> list[Any]:
    """Return the elements of the new plan that somebody of the old town recorded."""
    return [one for one in getattr(towns.new.state("plan", plan_id), name) if one.origin.endswith(CITY)]


def test_the_plan_is_there_with_who_recorded_what_and_when(towns: Towns, mover: Mover) -> None:
    mover.fill(goals=11)
    _, found = taken(towns, mover)
    theirs = towns.old.state("plan", mover.story.plan_id)
    for name in COLLECTIONS:
        assert came_along(towns, found.plan_id, name) == list(getattr(theirs, name)), name
    assert len(came_along(towns, found.plan_id, "goals")) == 12


def test_both_logs_hold_the_receipt_of_the_other(towns: Towns, mover: Mover) -> None:
    handover_id, found = taken(towns, mover)
    mine, theirs = towns.new.state("handover", handover_id), towns.old.state("handover", handover_id)
    assert (mine.side, theirs.side) == (Side.RECEIVING, Side.GIVING)
    assert mine.digest == theirs.digest == found.digest
    for kept, town, vkey in (
        (mine, CITY, towns.old.log_vkey),
        (theirs, "00000001002220647000", towns.new.log_vkey),
    ):
        entry = kept.other_entry.encode()
        assert verify_receipt(entry, kept.other_proof, vkey) > 0
        assert json.loads(entry)["t"] == "handover.completed.v1"
        assert json.loads(entry)["a"] == "00000001002220647000", town


def test_the_new_gate_judges_it_anew_and_nobody_passes_for_its_author(towns: Towns, mover: Mover) -> None:
    _, found = taken(towns, mover)
    worker = towns.new.client(Person(f"n-{mover.bsn[-5:]}", "college:WMO", "regisseur"))
    asked = {"plan_id": found.plan_id, "fields": ["goals.own_words"]}
    with pytest.raises(errors.Denied) as refused:
        worker.plan.get_plan(claim=INVESTIGATE, **asked)
    assert "R09" in refused.value.rules
    answer = worker.plan.get_plan(claim=CAME_ALONG, **asked)
    assert [goal.own_words for goal in answer.plan.goals] == ["Weer zelf koken."]
    stranger = towns.new.client(Person("n-stranger", "college:WMO", "regisseur"))
    with pytest.raises(errors.Denied):
        stranger.plan.get_plan(claim=CAME_ALONG, **asked)


def test_the_old_side_takes_no_new_writing_and_keeps_what_was(towns: Towns, mover: Mover) -> None:
    handover_id, _ = taken(towns, mover)
    with pytest.raises(errors.Denied) as refused:
        mover.story.goal()
    assert "R03" in refused.value.rules
    resident = mover.story.resident()
    kept = resident.plan.get_plan(claim=ACCESS, plan_id=mover.story.plan_id, fields=["goals.own_words"])
    assert len(kept.plan.goals) == 1
    told = resident.handover.get_handover(claim=ACCESS, handover_id=handover_id, fields=list(TOLD))
    assert (told.state, told.side) == ("completed", "giving")
    assert len(told.received_parts) == 3


def test_a_request_by_right_that_waits_is_answered_at_the_old_side(towns: Towns, mover: Mover) -> None:
    name = ask(mover.story.resident(), mover.story)
    taken(towns, mover)
    assert len(duties(towns.old, audit_pb.OBLIGATION_STATE_OPEN, name)) == 1
    resident = mover.story.resident()
    mover.story.wmo.rights.decide_rights_request(
        claim=ANSWER, rights_request_id=name, outcome=rights_pb.RIGHTS_OUTCOME_GRANTED
    )
    answer = resident.rights.get_access_answer(
        claim=ACCESS, case_id=mover.story.case_id, fields=["rights.article"]
    )
    mover.story.wmo.rights.execute_rights_request(
        claim=ANSWER, rights_request_id=name, how="portal", reference=answer.decision_id
    )
    assert duties(towns.old, audit_pb.OBLIGATION_STATE_OPEN, name) == []


def test_what_another_desk_recorded_stays_and_is_named(towns: Towns, mover: Mover) -> None:
    mover.work()
    handover_id, found = taken(towns, mover)
    assert came_along(towns, found.plan_id, "lens_assessments") == []
    assert "lens_assessments.reason" in found.withheld
    told = mover.story.resident().handover.get_handover(
        claim=ACCESS, handover_id=handover_id, fields=["withheld_fields"]
    )
    assert "lens_assessments.reason" in told.withheld_fields


def test_what_the_consent_does_not_cover_stays(towns: Towns) -> None:
    mover = Mover(towns)
    mover.fill()
    mover.consent(categories=["WMO-PLAN", "BSN"])
    _, found = taken(towns, mover)
    assert came_along(towns, found.plan_id, "situations") == []
    assert len(came_along(towns, found.plan_id, "goals")) == 1


def test_taking_over_once_more_changes_nothing(towns: Towns, mover: Mover) -> None:
    handover_id, found = taken(towns, mover)
    versions = [towns.new.state("plan", found.plan_id).version]
    assert towns.driver(mover.bsn).take_over(handover_id, NEWCOMER) == found
    versions.append(towns.new.state("plan", found.plan_id).version)
    assert versions[0] == versions[1]


def test_a_plan_that_changed_in_the_middle_is_taken_as_it_is_at_the_end(towns: Towns, mover: Mover) -> None:
    handover_id, changes = mover.offer(), ["receive 2", "complete"]

    def step(name: str) -> None:
        if name in changes:
            changes.remove(name)
            mover.story.goal()

    found = towns.driver(mover.bsn, step).take_over(handover_id, NEWCOMER)
    assert changes == []
    assert len(came_along(towns, found.plan_id, "goals")) == 3


def test_who_never_holds_still_is_told(towns: Towns, mover: Mover) -> None:
    def step(name: str) -> None:
        if name == "complete":
            mover.story.goal()

    with pytest.raises(errors.Conflict):
        towns.driver(mover.bsn, step).take_over(mover.offer(), NEWCOMER)


def test_a_support_that_came_along_is_agreed_anew_before_it_is_assigned(towns: Towns, mover: Mover) -> None:
    answer = mover.story.wmo.plan.request_support(
        claim=INVESTIGATE,
        plan_id=mover.story.plan_id,
        expected_version=mover.story.version,
        kind=plan_pb2.SUPPORT_KIND_CUSTOM,
        provider_oin="00000003271543200000",
        product_category="01",
        product_code="01A01",
        start_date="2026-12-01",
        volume=2,
        unit="04",
        frequency="2",
        goal_ids=[towns.old.state("plan", mover.story.plan_id).goals[0].goal_id],
    )
    _, found = taken(towns, mover)
    (support,) = came_along(towns, found.plan_id, "supports")
    assert support.support_id == answer.support_id
    with pytest.raises(errors.RuleBroken):
        towns.new.client(Person(f"n-{mover.bsn[-5:]}", "college:WMO", "regisseur")).plan.assign_support(
            claim=INVESTIGATE,
            plan_id=found.plan_id,
            expected_version=towns.new.state("plan", found.plan_id).version,
            support_id=support.support_id,
            assignment_number="1",
            assign_date="2026-12-01",
        )


def test_the_new_pseudonym_is_another_and_no_bsn_is_in_either_store(towns: Towns, mover: Mover) -> None:
    _, found = taken(towns, mover)
    claim = pb.Claim()
    claim.CopyFrom(INVESTIGATE)
    worker = towns.new.client(Person(f"n-{mover.bsn[-5:]}", "college:WMO", "regisseur"))
    pseudonym = towns.new.pseudonym(worker, mover.bsn, claim)
    assert pseudonym != mover.story.pseudonym
    told = worker.case.find_case(claim=claim, resident=pseudonym, fields=["plan_id"])
    assert told.plan_id == found.plan_id
    for town in (towns.old, towns.new):
        for file in town.settings.data.glob("*.db*"):
            assert mover.bsn.encode() not in file.read_bytes(), file.name


def test_who_follows_the_new_plan_hears_that_goals_came_along(towns: Towns, mover: Mover) -> None:
    mover.fill(goals=2)
    _, found = taken(towns, mover)
    worker = towns.new.client(Person(f"n-{mover.bsn[-5:]}", "college:WMO", "regisseur"))
    request = SubscribeRequest(claim=CAME_ALONG, fields=["goals.own_words"], heartbeat_seconds=1)
    stream = worker.open_stream(request)
    try:
        heard = next(event for answer in stream for event in answer.events if event.plan_id == found.plan_id)
    finally:
        stream.cancel()
    assert heard.kind == "plan.elements_received"
    assert [goal.own_words for goal in heard.change.goals] == ["Weer zelf koken."]
