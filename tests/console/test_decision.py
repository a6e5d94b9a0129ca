"""One decision as an officer reads it: its reasons, its duties, judged again, and its proof."""

from __future__ import annotations

import json
import re
import time
from html import unescape
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.console.names import named
from exchange.gate.rulebook import RULEBOOK
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.receipt import verify_receipt
from exchange.v1 import common_pb2 as pb
from tests.console.house import OFFICER
from tests.console.test_today import form_of
from tests.server.story import denied_read
from tests.server.town import CITY

if TYPE_CHECKING:
    from tests.console.house import House, Visitor
    from tests.server.story import Story

ENTRY = re.compile(r'<textarea id="blad-inhoud"[^>]*>(.*?)</textarea>', re.DOTALL)
PROOF = re.compile(r'<textarea id="bewijs"[^>]*>(.*?)</textarea>', re.DOTALL)


@pytest.fixture(scope="module")
def denied(story: Story) -> str:
    story.goal()
    return str(denied_read(story.town, story).decision_id)


@pytest.fixture(scope="module")
def officer(house: House) -> Visitor:
    return house.as_(OFFICER)


def test_a_refusal_says_why_in_words(officer: Visitor, denied: str) -> None:
    page = officer.get(f"/beslissing/{denied}")
    assert page.status_code == 200, page.text
    text = unescape(page.text)
    rule = RULEBOOK["R03"]
    assert "Beslissing: geweigerd" in text
    assert rule.cause in text
    assert rule.citation in text
    assert rule.resident in text, "what the resident is told"
    for other in RULEBOOK:
        assert f'<th scope="row">{other}</th>' in text
    assert "geen bezwaar" in text
    assert "goals.own_words" in text
    assert "WMO-2.3.2@1" in text
    assert "Wmo 2015" in text
    assert "rust niet op toestemming" in text
    assert re.search(r"<code>[0-9a-f]{64}</code>", text), "the hash of rules and register"
    # The page of today leads here.
    assert f'href="/beslissing/{denied}"' in officer.get("/vandaag").text


def test_judged_again_it_comes_out_the_same(house: House, officer: Visitor, denied: str) -> None:
    page = officer.get(f"/beslissing/{denied}")
    assert 'id="opnieuw"' not in page.text
    # Who asked is told by name, with the number beneath; of whom nobody knows the name, by the number alone.
    assert f'Gemeente Voorbeeld <span class="oin">{CITY}</span>' in page.text
    assert named({"organisation_names": {}}, CITY) == CITY  # type: ignore[arg-type] # a context is a mapping
    again = officer.post(f"/beslissing/{denied}", {"csrf": officer.csrf(f"/beslissing/{denied}")})
    assert again.status_code == 200, again.text
    assert "er komt precies hetzelfde uit" in again.text
    before = house.town.core.reader.head()[0]
    forged = officer.post(f"/beslissing/{denied}", {"csrf": "zomaar"})
    assert forged.status_code == 403
    assert house.town.core.reader.head()[0] == before


def test_the_leaf_on_the_page_is_proven_by_the_proof_on_it(
    house: House, officer: Visitor, denied: str
) -> None:
    page = officer.get(f"/beslissing/{denied}").text
    (entry,), (proof,) = ENTRY.findall(page), PROOF.findall(page)
    policy = parse_policy(f"log {house.town.log_vkey}\nquorum none\n")
    receipt = verify_receipt(unescape(entry).encode(), unescape(proof).encode(), policy)
    leaf = json.loads(unescape(entry))
    assert (leaf["a"], leaf["b"], leaf["k"]) == (CITY, "WMO-2.3.2@1", "college:WMO")
    assert f'href="/grootboek/bewijs/{receipt.index}"' in page


def test_a_duty_is_ended_where_its_decision_is_read(story: Story, officer: Visitor) -> None:
    wait = Person("w-wacht", "college:WMO", "wacht", authenticated_at=int(time.time()) - 5)
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al twee dagen niets meer.")
    asked = claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", "nodig", break_glass=glass)
    answer = story.town.client(wait).plan.get_plan(
        claim=asked, plan_id=story.plan_id, fields=["goals.own_words"]
    )
    page = officer.get(f"/beslissing/{answer.decision_id}").text
    assert "toegestaan als noodtoegang" in page
    form = form_of(page, answer.decision_id, "REVIEW-1-WORKDAY")
    told = form | {"outcome": "DUTY_OUTCOME_JUSTIFIED", "remark": "De melder had gelijk."}
    assert officer.post("/vandaag/plicht", told).status_code == 200
    after = officer.get(f"/beslissing/{answer.decision_id}").text
    assert "terecht bevonden" in after
    assert answer.decision_id in officer.get("/raadplegingen?nood=ja").text


@pytest.mark.parametrize(
    "number",
    [
        "0" * 32,
        "a",
        "..%2f..%2fetc",
        "%3Cscript%3E",
        "R03'%20OR%201=1",
        "999990019",
        "a" * 61,
        "a" * 3_000,
        "%00",
    ],
)
def test_a_number_of_no_decision(officer: Visitor, number: str) -> None:
    answer = officer.get(f"/beslissing/{number}")
    # A number that could be a resident's is not even looked for.
    assert answer.status_code == (400 if number == "999990019" else 404), answer.text
    assert "<script>" not in answer.text
    assert number not in answer.text or len(number) < 9
