"""An emergency about a child: what a parent reads meanwhile is true, and the officer reads what to do.

Source: ADR 176; Wmo 2015 5.3.2(3), UAVG 41(1)(i), GDPR 15(4).
"""

from __future__ import annotations

import re
import time
from html import unescape
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.console.house import OFFICER, RESIDENT, House, Visitor
from tests.console.resident_reads import words_of
from tests.server.family import Family

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.story import Story
    from tests.server.town import Town

WEIGH = claim(pb.PURPOSE_WMO_ONDERZOEK, "WEIGH-24", "de veiligheid van het kind")
EMERGENCY = "toegestaan als noodtoegang"
HELP = "nadat het college vaststelde dat dit niet in strijd is met het belang van het kind"


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn)
    yield house
    house.close()


def emergency(family: Family) -> str:
    """Let somebody break the glass; return the decision."""
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="Er is direct gevaar.")
    wait = Person("w-wacht", "college:WMO", "wacht", authenticated_at=int(time.time()) - 5)
    answer = family.town.client(wait).plan.get_plan(
        claim=claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", "nodig", break_glass=glass),
        plan_id=family.plan_id,
        fields=["goals.own_words"],
    )
    return str(answer.decision_id)


def looks(parent: Visitor) -> str:
    return words_of(parent.get("/mijn/2").text)


def duty_on(officer: Visitor, path: str, decision_id: str) -> str:
    """Return the row of the duty to tell the resident about it."""
    rows = re.findall(r"<tr>.*?</tr>", officer.get(path).text, re.DOTALL)
    found = [row for row in rows if f'value="{decision_id}"' in row and 'value="NOTIFY-SUBJECT"' in row]
    assert len(found) == 1
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", found[0]).split()))


def test_a_parent_reads_nothing_untrue_and_the_officer_what_to_do(house: House, town: Town) -> None:
    child = Family(town, 8)
    parent_record = child.record(RESIDENT)
    parent, officer = house.as_(RESIDENT), house.as_(OFFICER)
    told = {"csrf": parent.csrf("/mijn/6"), "naam": "Sem", "bsn": child.bsn}
    assert parent.post("/mijn/6/ander", told).status_code == 303
    # It says so before there is anything to keep: that it says so tells nothing.
    before = looks(parent)
    assert "Soms mag u iets hier niet zien, of pas later. Dat bepaalt de wet." in before
    decision_id = emergency(child)
    meanwhile = looks(parent)
    # The page on access does not promise all either.
    assert "U kunt zien wat er van u is" in words_of(parent.get("/mijn/4/1").text)
    assert EMERGENCY not in meanwhile
    assert re.sub(r"\d\d:\d\d", "", meanwhile) == re.sub(r"\d\d:\d\d", "", before)
    assert "keek nog niemand" not in meanwhile
    for path in ("/vandaag", f"/beslissing/{decision_id}"):
        row = duty_on(officer, path, decision_id)
        assert "Inwoner informeren over noodtoegang" in row
        assert HELP in row
        assert "24:00" in row
    officer.get("/taal/en")
    parent.get("/taal/en")
    assert "Ask the college to look into it" in duty_on(officer, "/vandaag", decision_id)
    assert "Sometimes you may not see something here, or only later. The law decides that." in looks(parent)
    parent.get("/taal/nl")
    child.wmo.rights.record_determination(
        claim=WEIGH,
        case_id=child.case_id,
        kind=rights_pb.DETERMINATION_KIND_CONTRARY_TO_CHILD_INTEREST,
        holds=False,
        representative_id=parent_record,
        determined_purpose=pb.PURPOSE_ACUTE_NOOD,
        reason="Het gevaar kwam van buiten het gezin.",
    )
    assert EMERGENCY in looks(parent)
    # He read it, so the duty to tell has ended.
    rows = re.findall(r"<tr>.*?</tr>", officer.get("/vandaag").text, re.DOTALL)
    assert not [row for row in rows if f'value="{decision_id}"' in row and "NOTIFY-SUBJECT" in row]
