"""Verwerkingenlogging and NEN 7513 of a real run: valid, with kinds of data; staff in the second alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from tests.accountability.logs import nen7513, of_decision, processings, require_extension, verwerkingen
from tests.server.story import denied_read
from tests.server.test_duties import emergency, helper
from tests.server.town import AUDIT, CARE, CITY, DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.accountability.conftest import Check
    from tests.server.story import Story
    from tests.server.town import Town

SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")


def action_of(town: Town, decision_id: str) -> dict[str, Any]:
    """Return the one action of a decision: they come in the order of the processings."""
    (found,) = [
        action
        for one, action in zip(processings(town.core), verwerkingen(town.core), strict=True)
        if one.decision_id == decision_id
    ]
    return found


def kinds(action: dict[str, Any]) -> set[str]:
    (one,) = action["verwerkteObjecten"]
    return {kind["soortGegeven"] for kind in one["verwerkteSoortenGegevens"]}


# --- Verwerkingenlogging -----------------------------------------------------------------------------------


def test_every_action_is_of_the_standard_and_names_nobody(
    town: Town, story: Story, valid_action: Check
) -> None:
    story.goal()
    denied_read(town, story)
    town.worker("fg", "fg-1").audit.list_decisions(claim=AUDIT, fields=["decisions.disclosure.rules"])
    actions = verwerkingen(town.core)
    for action in actions:
        valid_action(action)
    ids = [action["actieId"] for action in actions]
    assert len(ids) == len(set(ids)) > 3
    assert verwerkingen(town.core) == actions
    text = json.dumps(actions)
    known = {town.resident_of(story.pseudonym), story.plan_id, story.case_id, story.bsn}
    known |= {f"w-{story.bsn[-5:]}", "stranger", "fg-1", "Weer zelf koken", "gebruiker"}
    assert [one for one in known if one in text] == []
    with pytest.raises(fastjsonschema.JsonSchemaException):
        valid_action(actions[0] | {"vertrouwelijkheid": "geheim"})


def test_it_names_the_kinds_of_data_that_were_given_or_recorded(town: Town, story: Story) -> None:
    fields = ["goals.own_words", "plan_id"]
    story.goal()
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=fields)
    refused = denied_read(town, story)
    assert kinds(action_of(town, read.decision_id)) == {"WMO-PLAN"}
    assert kinds(action_of(town, refused.decision_id)) == set()
    assert "WMO-PLAN" in kinds(action_of(town, story.opened.receipt.decision_id))


def test_what_is_done_about_a_seal_is_confidential_and_other_work_is_not(town: Town, story: Story) -> None:
    proposed = story.wmo.rights.seal_compartment(
        claim=SEAL,
        case_id=story.case_id,
        paths=["situations"],
        readers=[f"{CITY}/college:WMO/w-reader"],
        reason="Adres van de opvang.",
    )
    told = action_of(town, proposed.receipt.decision_id)["vertrouwelijkheid"]
    assert told == "vertrouwelijk"
    assert action_of(town, story.opened.receipt.decision_id)["vertrouwelijkheid"] == "normaal"


def test_an_emergency_is_confidential_given_or_refused(town: Town, story: Story) -> None:
    """The form has one word for all of the resident's side, and who represents him may be the danger."""
    asked: dict[str, Any] = {"plan_id": story.plan_id, "fields": ["plan_id"]}
    given = helper(town).plan.get_plan(claim=emergency(), **asked)
    with pytest.raises(errors.Denied) as refused:
        helper(town).plan.get_plan(claim=emergency(reason="kort"), **asked)
    for decision_id in (given.decision_id, refused.value.decision_id):
        assert action_of(town, decision_id)["vertrouwelijkheid"] == "vertrouwelijk"


def test_what_was_held_back_by_a_seal_is_confidential(town: Town, story: Story) -> None:
    proposed = story.wmo.rights.seal_compartment(
        claim=SEAL,
        case_id=story.case_id,
        paths=["goals"],
        readers=[f"{CITY}/college:WMO/w-reader"],
        reason="Adres van de opvang.",
    )
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:WMO",
        professional="w-second",
        role="consulent",
    )
    town.worker("college:WMO", "w-second").rights.confirm_seal(
        claim=SEAL, case_id=story.case_id, proposal_id=proposed.proposal_id
    )
    fields = ["goals.own_words", "plan_id"]
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=fields)
    assert action_of(town, read.decision_id)["vertrouwelijkheid"] == "vertrouwelijk"


def test_of_an_erased_resident_the_kinds_are_not_known_and_none_are_made_up(
    town: Town, story: Story, valid_action: Check
) -> None:
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["reports.own_words"])
    before = action_of(town, read.decision_id)
    town.core.keys.destroy(town.resident_of(story.pseudonym))
    after = action_of(town, read.decision_id)
    valid_action(after)
    (was,), (now,) = before["verwerkteObjecten"], after["verwerkteObjecten"]
    assert was.pop("verwerkteSoortenGegevens")
    assert now == was
    assert "WMO-PLAN" in kinds(action_of(town, story.opened.receipt.decision_id))


def test_a_permitted_command_is_told_by_the_rule_that_let_it_through(town: Town, story: Story) -> None:
    (one,) = [one for one in processings(town.core) if one.decision_id == story.opened.receipt.decision_id]
    assert (one.decided, one.rules) == (None, ("P-WMO-2.3.2",))


# --- NEN 7513 ----------------------------------------------------------------------------------------------


def carer_of(town: Town, story: Story) -> Any:  # noqa: ANN401 -- a client
    credentials = town.care()
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional="z-7",
        role="begeleider",
    )
    return town.client(Person("z-7", "wmo-aanbieder", "begeleider"), credentials)


def test_what_a_care_provider_sees_has_a_line_that_says_who(town: Town, story: Story) -> None:
    story.goal()
    asked: dict[str, Any] = {"plan_id": story.plan_id, "fields": ["goals.own_words", "version"]}
    read = carer_of(town, story).plan.get_plan(claim=DELIVER, **asked)
    by_town = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    lines = nen7513(town.core)
    line = of_decision(lines, read.decision_id)
    assert line["name"] == "R"
    assert line["resource"]["attributes"]["nen7513.AuditEnterpriseSiteID"] == town.settings.operator_oin
    told = line["attributes"]
    assert told["dpl.nen7513.users"] == [
        {
            "userID": "z-7",
            "userIsRequestor": True,
            "roleIDCode": "wmo-aanbieder",
            "purposeOfUse": "wmo-levering",
        }
    ]
    (person,) = told["dpl.nen7513.participants"]
    assert person["participantObjectID"] == told["dpl.core.data_subject_id"]
    (segment,) = told["dpl.nen7513.participantSegments"]
    assert segment["participantObjectSensitivity"] == "WMO-PLAN"
    assert told["dpl.nen7513.behandelrelatieProtocol"] == "op de casus"
    assert told["dpl.nen7513.autorisatieProtocol"].startswith("WMO-5.2.1-2a@1 ")
    assert told["dpl.nen7513.controles"] == ["P-WMO-5.2.1-2a"]
    # The version of a plan, seen by the town, is nobody's health.
    assert by_town.decision_id not in {
        one.decision_id for one in processings(town.core) if one.trace.span_id in spans(lines)
    }


def spans(lines: list[dict[str, Any]]) -> set[str]:
    return {line["span_id"] for line in lines}


def test_health_seen_by_anybody_has_a_line_and_an_attempt_too(town: Town, story: Story) -> None:
    health: dict[str, Any] = {
        "claim": INVESTIGATE,
        "plan_id": story.plan_id,
        "fields": ["situations.description"],
    }
    story.wmo.plan.describe_situation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        life_domain=pb.LIFE_DOMAIN_PHYSICAL_HEALTH,
        description="Loopt moeilijk.",
        score=2,
        judge_date="2026-03-02",
    )
    read = story.wmo.plan.get_plan(**health)
    with pytest.raises(errors.Denied) as refused:
        town.worker("college:WMO", "stranger").plan.get_plan(**health)
    lines = nen7513(town.core)
    given, attempt = of_decision(lines, read.decision_id), of_decision(lines, refused.value.decision_id)
    assert sensitivities(given) == {"GEZONDHEID-FUNCTIONEEL"}
    assert (given["status"], attempt["status"]) == ("Ok", "Unset")
    assert sensitivities(attempt) == set()
    assert attempt["attributes"]["dpl.nen7513.behandelrelatieProtocol"] == "niet op de casus"
    written = [line for line in lines if line["name"] == "U"]
    assert "GEZONDHEID-FUNCTIONEEL" in set().union(*map(sensitivities, written))
    text = json.dumps(lines)
    assert [one for one in ("Loopt moeilijk", story.bsn, story.plan_id) if one in text] == []


def sensitivities(line: dict[str, Any]) -> set[str]:
    segments = line["attributes"]["dpl.nen7513.participantSegments"]
    return {segment["participantObjectSensitivity"] for segment in segments}


def test_every_line_has_the_fields_of_the_extension(
    town: Town, story: Story, valid: Check, standards_dir: Path
) -> None:
    carer_of(town, story).plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["version"])
    lines = nen7513(town.core)
    assert lines
    require_extension(lines, (standards_dir / "ldv/nen7513-specificatie.md").read_text("utf-8"), valid)


def test_of_an_erased_resident_rather_a_line_too_many(town: Town, story: Story) -> None:
    carer = carer_of(town, story)
    read = carer.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["version"])
    before = spans(nen7513(town.core))
    town.core.keys.destroy(town.resident_of(story.pseudonym))
    lines = nen7513(town.core)
    assert spans(lines) >= before
    line = of_decision(lines, read.decision_id)
    assert line["attributes"]["dpl.nen7513.users"][0]["userID"] == "z-7"
    assert line["attributes"]["dpl.nen7513.participantSegments"] == []
    assert "participantSegments" in line["attributes"]["exchange.omitted"]
    assert line["attributes"]["dpl.nen7513.behandelrelatieProtocol"] == "niet vastgelegd"
