"""Limits over mutual TLS: two persons, two tokens; scopes; the notice before lifting; who keeps away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.story import Story
from tests.server.town import CARE, CITY, DELIVER, INVESTIGATE, Town

SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
LIMIT = claim(pb.PURPOSE_WMO_ONDERZOEK, "LIMIT-18")
OBJECT = claim(pb.PURPOSE_KLACHT_BEZWAAR, "OBJECT-21-RESIDENT")
DECIDE = claim(pb.PURPOSE_WMO_ONDERZOEK, "OBJECT-21")
CONFLICT = claim(pb.PURPOSE_WMO_ONDERZOEK, "CONFLICT-5")
WEIGH = claim(pb.PURPOSE_WMO_ONDERZOEK, "WEIGH-24", "de wet vraagt een afweging")
WMO = f"{CITY}/college:WMO"


def joined(town: Town, story: Story, professional: str, task: str = "college:WMO") -> ExchangeClient:
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task=task,
        professional=professional,
        role="consulent",
    )
    return town.worker(task, professional)


def read(client: ExchangeClient, story: Story, *fields: str) -> Any:  # noqa: ANN401 -- GetPlanResponse
    return client.plan.get_plan(
        claim=INVESTIGATE, plan_id=story.plan_id, fields=fields or ["goals.own_words"]
    )


def denied(client: ExchangeClient, story: Story) -> tuple[str, ...]:
    with pytest.raises(errors.Denied) as refused:
        read(client, story)
    return refused.value.rules


def professional_of(story: Story) -> str:
    person = story.wmo._person
    assert person is not None
    return person.professional


def sentence(refused: pytest.ExceptionInfo[errors.ExchangeRefused]) -> str:
    assert refused.value.reason == "RULE_BROKEN"
    return refused.value.message


def test_a_seal_takes_two_persons_each_with_a_token_of_his_own(town: Town, story: Story) -> None:
    story.goal()
    second = joined(town, story, "w-second")
    reader = joined(town, story, "w-reader")
    proposed = story.wmo.rights.seal_compartment(
        claim=SEAL,
        case_id=story.case_id,
        paths=["goals", "reports.desk"],
        readers=[f"{WMO}/w-reader"],
        reason="Adres van de opvang.",
    )
    confirm: dict[str, Any] = {
        "claim": SEAL,
        "case_id": story.case_id,
        "proposal_id": proposed.proposal_id,
    }
    assert len(read(story.wmo, story).plan.goals) == 1
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.rights.confirm_seal(**confirm)
    assert sentence(refused) == "the second person is another than the first"
    second.rights.confirm_seal(**confirm)
    for client in (story.wmo, second):
        answer = read(client, story)
        assert (list(answer.plan.goals), list(answer.withheld_fields)) == ([], [])
        assert list(answer.rules) == ["P-WMO-2.3.2"]
    assert len(read(reader, story).plan.goals) == 1
    lifting = reader.rights.lift_seal(
        claim=SEAL, case_id=story.case_id, seal_id=proposed.proposal_id, reason="Verhuisd."
    )
    assert list(read(second, story).plan.goals) == []
    second.rights.confirm_seal(claim=SEAL, case_id=story.case_id, proposal_id=lifting.proposal_id)
    assert len(read(second, story).plan.goals) == 1


def test_a_stranger_neither_seals_nor_learns_anything_by_trying(town: Town, story: Story) -> None:
    stranger = town.worker("college:WMO", "stranger")
    with pytest.raises(errors.Denied) as refused:
        stranger.rights.seal_compartment(
            claim=SEAL, case_id=story.case_id, paths=["goals"], readers=[WMO], reason="Zomaar."
        )
    assert refused.value.rules == ("R03",)
    with pytest.raises(errors.Denied) as unknown:
        stranger.rights.confirm_seal(claim=SEAL, case_id=str(uuid4()), proposal_id=str(uuid4()))
    assert unknown.value.rules == ("R03",)


@pytest.mark.parametrize("path", ["goals.colour", "house", "plan_id.goals"])
def test_what_is_no_part_of_the_plan_is_not_sealed(story: Story, path: str) -> None:
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.rights.seal_compartment(
            claim=SEAL, case_id=story.case_id, paths=[path], readers=[WMO], reason="Opvang."
        )
    assert refused.value.reason == "REQUEST_INVALID"
    assert set(refused.value.field_violations) == {"paths[0]"}


def test_the_resident_is_told_before_a_restriction_is_lifted(story: Story) -> None:
    asked: dict[str, Any] = {"claim": LIMIT, "case_id": story.case_id}
    first = story.wmo.rights.restrict(reason="Juistheid betwist.", **asked)
    assert denied(story.wmo, story) == ("R24",)
    again = story.wmo.rights.restrict(reason="Nogmaals.", **asked)
    # Nothing changed; that it was asked again is on record.
    assert (again.restriction_id, again.receipt.leaves) == (first.restriction_id, 1)
    one: dict[str, Any] = asked | {"restriction_id": first.restriction_id}
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.rights.lift_restriction(reason="Nagegaan.", **one)
    assert sentence(refused) == "the resident is told before a restriction is lifted"
    story.wmo.rights.announce_lifting(how="letter", **one)
    story.wmo.rights.lift_restriction(reason="Nagegaan.", **one)
    assert list(read(story.wmo, story).plan.goals) == []


def test_a_restriction_reaches_what_it_names(town: Town, story: Story) -> None:
    town.care()
    story.goal()
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional="z-1",
        role="begeleider",
    )
    resident = story.resident()
    resident.rights.restrict(
        claim=claim(pb.PURPOSE_KLACHT_BEZWAAR, "LIMIT-18-RESIDENT"),
        case_id=story.case_id,
        restricted_purpose=pb.PURPOSE_WMO_LEVERING,
        recipient=f"{CARE}/wmo-aanbieder",
        reason="Eerst uitzoeken wat er klopt.",
    )
    care = town.client(Person("z-1", "wmo-aanbieder", "begeleider"), town.care())
    with pytest.raises(errors.Denied) as refused:
        care.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"])
    assert refused.value.rules == ("R24",)
    assert len(read(story.wmo, story).plan.goals) == 1


def test_an_objection_stands_until_it_is_decided_and_a_college_decides(story: Story) -> None:
    resident = story.resident()
    objected = resident.rights.object(
        claim=OBJECT,
        case_id=story.case_id,
        objected_purpose=pb.PURPOSE_WMO_ONDERZOEK,
        reason="Dit gaat te ver.",
    )
    assert denied(story.wmo, story) == ("R24",)
    told: dict[str, Any] = {"case_id": story.case_id, "objection_id": objected.objection_id}
    with pytest.raises(errors.ExchangeRefused) as himself:
        resident.rights.decide_objection(claim=OBJECT, outcome=rights_pb.OBJECTION_OUTCOME_UPHELD, **told)
    assert sentence(himself) == "only a college does this"
    story.wmo.rights.decide_objection(claim=DECIDE, outcome=rights_pb.OBJECTION_OUTCOME_UPHELD, **told)
    assert denied(story.wmo, story) == ("R25",)
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.rights.decide_objection(
            claim=DECIDE, outcome=rights_pb.OBJECTION_OUTCOME_REJECTED, reason="Toch niet.", **told
        )
    assert sentence(refused) == "no objection of this name waits for a decision"


def test_another_resident_objects_to_nothing_here(town: Town, story: Story) -> None:
    other = Story(town, next(town.bsns))
    with pytest.raises(errors.Denied) as refused:
        other.resident().rights.object(claim=OBJECT, case_id=story.case_id)
    assert refused.value.rules == ("R21",)
    assert list(read(story.wmo, story).plan.goals) == []


def test_a_relative_keeps_away_in_every_task_and_does_not_let_himself_in(town: Town, story: Story) -> None:
    near = joined(town, story, "w-near")
    read(near, story)
    person: dict[str, Any] = {
        "case_id": story.case_id,
        "oin": CITY,
        "professional": "w-near",
        "claim": CONFLICT,
    }
    near.rights.record_conflict(
        kind=rights_pb.CONFLICT_KIND_RELATIVE, reason="Broer van de inwoner.", **person
    )
    assert denied(near, story) == ("R32",)
    # Nor does he end it, or weigh something of his brother's under a basis that no restriction stops.
    weighs = partial(
        near.rights.record_determination,
        claim=WEIGH,
        case_id=story.case_id,
        kind=rights_pb.DETERMINATION_KIND_STAFF_IDENTITY_NEEDED,
        reason="Mijn broer wil het weten.",
    )
    for act in (partial(near.rights.end_conflict, reason="Toch niet.", **person), weighs):
        with pytest.raises(errors.Denied) as refused:
            act()
        assert tuple(refused.value.rules) == ("R32",)
    story.wmo.rights.end_conflict(reason="Een ander met die naam.", **person)
    read(near, story)


def test_what_was_weighed_counts_within_its_scope(town: Town, story: Story) -> None:
    weighed: dict[str, Any] = {
        "claim": WEIGH,
        "case_id": story.case_id,
        "kind": rights_pb.DETERMINATION_KIND_STAFF_IDENTITY_NEEDED,
        "reason": "De inwoner wil een klacht indienen.",
    }
    fields = ["disclosures.professional", "disclosures.task"]
    access = claim(pb.PURPOSE_INZAGE, "SUBJECT-15")

    def told() -> set[str]:
        answer = story.resident().disclosure.list_disclosures(
            claim=access, case_id=story.case_id, fields=fields, allow_partial=True
        )
        return {one.professional for one in answer.disclosures}

    read(story.wmo, story)
    assert told() == {""}
    story.wmo.rights.record_determination(holds=True, determined_purpose=pb.PURPOSE_INZAGE, **weighed)
    assert professional_of(story) in told()
    story.wmo.rights.record_determination(holds=False, determined_purpose=pb.PURPOSE_INZAGE, **weighed)
    assert told() == {""}


def test_a_stand_in_works_for_a_time_in_the_place_of_whom_he_stands_in_for(town: Town, story: Story) -> None:
    start, end = Timestamp(), Timestamp()
    now = datetime.now(UTC)
    start.FromDatetime(now - timedelta(minutes=1))
    end.FromDatetime(now + timedelta(days=1))
    stand_in = town.worker("college:WMO", "w-stand-in")
    assert denied(stand_in, story) == ("R03",)
    asked: dict[str, Any] = {
        "claim": INVESTIGATE,
        "case_id": story.case_id,
        "task": "college:WMO",
        "professional": "w-stand-in",
        "mandate": "mandaat-2026-4",
        "start_time": start,
        "end_time": end,
    }
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.rights.appoint_stand_in(stand_in_for="w-nobody", **asked)
    assert sentence(refused) == "that professional does not work on the case"
    story.wmo.rights.appoint_stand_in(stand_in_for=professional_of(story), **asked)
    read(stand_in, story)
    town.skew = timedelta(days=1, minutes=1)
    try:
        assert denied(stand_in_later(town), story) == ("R03",)
    finally:
        town.skew = timedelta()


def stand_in_later(town: Town) -> ExchangeClient:
    """Return the stand-in with a token of a day later."""
    client = ExchangeClient(
        town.target,
        town.credentials(),
        Person("w-stand-in", "college:WMO", "regisseur"),
        clock=lambda: town.now().timestamp(),
    )
    town._clients.append(client)
    return client
