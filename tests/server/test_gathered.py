"""From the resident's plan to his paper: gathered by judged calls, and shown as it was said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from rdflib import Graph

from adapters.sdk.access import gather
from adapters.sdk.calls import claim
from adapters.sdk.gathered import access_file, known_of, receipts_of
from exchange.documents.access import access_document
from exchange.documents.blocks import Heading
from exchange.documents.disclosures import disclosures_csv, receipts_json_ld
from exchange.documents.gathered import read_gathered
from exchange.documents.typeset import content_of, pdf_of
from exchange.v1.common_pb2 import PURPOSE_INZAGE
from tests.documents.papers import accessible_faults, body_and_appendix, text_of
from tests.server.story import Story, denied_read
from tests.server.test_consent_receipts import conforms
from tests.server.test_duty_list import refused_consent
from tests.server.town import ACCESS, INVESTIGATE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.town import Town

REGISTER = claim(PURPOSE_INZAGE, "REGISTER-12")


@pytest.fixture(scope="module")
def file(town: Town) -> bytes:
    story = Story(town, next(town.bsns))
    story.goal()
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    denied_read(town, story)
    refused_consent(story)
    resident = story.resident()
    found = gather(resident, ACCESS, story.case_id, story.plan_id)
    receipts = receipts_of(resident, ACCESS, found.consents)
    return access_file(found, receipts, "Gemeente Voorbeeld", town.now(), known_of(story.wmo, REGISTER))


@pytest.fixture(scope="module")
def dpv(standards_dir: Path) -> Graph:
    return Graph().parse(standards_dir / "dpv" / "shapes.ttl", format="turtle")


def test_the_paper_says_his_plan_then_who_looked_then_why_then_his_rights_then_numbers(file: bytes) -> None:
    document = access_document(read_gathered(file), "nl")
    made = pdf_of(document)
    assert accessible_faults(made, "nl", document.title) == []
    shown = text_of(made)
    order = [one.text for one in document.blocks if isinstance(one, Heading) and one.level == 1]
    wanted = ("Uw plan", "Wie er keek", "Waarom uw gegevens worden gebruikt", "Wat u kunt doen", "Bijlage")
    places = [next(at for at, one in enumerate(order) if one.startswith(words)) for words in wanted]
    assert places == sorted(places)
    assert places[-1] == len(order) - 1
    goal = json.loads(file)["plan"]["goals"][0]["own_words"]
    assert goal in shown
    assert "Wmo 2015 art. 2.3.2, lid 4" in shown


def test_before_the_appendix_organisations_have_names_and_nothing_has_a_number(file: bytes) -> None:
    found = read_gathered(file)
    body, appended = body_and_appendix(access_document(found, "nl"))
    assert found.organisations
    assert any(name in body for name in found.organisations.values())
    for number in (found.plan["plan_id"], found.disclosures[0].legal_basis, *found.organisations):
        assert number not in body
    for one in found.disclosures:
        assert one.decision_id in appended
        assert one.legal_basis in appended
        assert found.article(one.legal_basis)


def test_nobody_of_the_staff_is_on_it_and_all_who_asked_are_in_the_list(file: bytes) -> None:
    found = read_gathered(file)
    outcomes = {one.outcome for one in found.disclosures}
    assert {"PERMIT", "DENY"} <= outcomes
    rows = disclosures_csv(found).decode().splitlines()
    assert len(rows) >= len(found.disclosures) + 1
    for made in (content_of(access_document(found, "nl")), "\n".join(rows)):
        assert "w-1" not in made


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
def test_his_receipts_are_one_file_that_is_valid_as_each_of_them_is(file: bytes, dpv: Graph) -> None:
    found = read_gathered(file)
    assert len(found.receipts) == len(found.consents) >= 1
    whole = json.loads(receipts_json_ld(found))
    assert [one["@type"] for one in whole["@graph"]] == ["dpv:ConsentReceipt"] * len(found.receipts)
    assert conforms(whole, dpv)
