"""Today: what an officer has to do, from the exchange itself, and how he ends it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from adapters.simulators.identity_provider.people import resident
from exchange.v1 import audit_service_pb2 as audit
from exchange.v1 import common_pb2 as pb
from tests.console.house import OFFICER, OFFICER_2
from tests.server.subscribed import Named
from tests.server.town import AUDIT, DELIVER

if TYPE_CHECKING:
    from tests.console.house import House
    from tests.server.story import Story

FORM = re.compile(r'<form method="post" action="/vandaag/plicht".*?</form>', re.DOTALL)
HIDDEN = re.compile(r'type="hidden" name="([a-z_]+)" value="([^"]*)"')


@pytest.fixture
def broken(story: Story) -> str:
    """Return the decision of somebody who broke the glass."""
    wait = Person("w-wacht", "college:WMO", "wacht", authenticated_at=int(time.time()) - 5)
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al twee dagen niets meer.")
    asked = claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", "nodig", break_glass=glass)
    answer = story.town.client(wait).plan.get_plan(
        claim=asked, plan_id=story.plan_id, fields=["goals.own_words"]
    )
    return str(answer.decision_id)


@pytest.fixture(scope="module")
def denied(story: Story) -> str:
    """Return the decision by which a stranger was refused."""
    with pytest.raises(errors.Denied) as refused:
        story.town.worker("college:WMO", "w-vreemd").plan.get_plan(
            claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"]
        )
    return str(refused.value.decision_id)


@pytest.mark.usefixtures("denied")
def test_the_day_shows_what_waits_and_what_was_refused(house: House, broken: str) -> None:
    page = house.as_(OFFICER).get("/vandaag")
    assert page.status_code == 200
    assert f'value="{broken}"' in page.text
    assert "Noodtoegang beoordelen" in page.text
    # Friday's emergency may wait until the end of Monday; the day it happens, a working day or more is left.
    assert re.search(r"nog [1-9][0-9]* (?:uur|dagen)", page.text)
    assert "bladen zijn ondertekend" in page.text
    assert "Er is de laatste zeven dagen niets geweigerd." not in page.text
    # What was done stands in words, in both languages, and never as it is stored.
    assert '<td data-head="Wat">inzien</td>' in page.text
    english = house.as_(OFFICER)
    english.get("/taal/en")
    assert '<td data-head="What">read</td>' in english.get("/vandaag").text
    assert "· inzien" in house.as_(OFFICER).get("/raadplegingen").text
    assert not re.search(r">READ<|· READ", page.text)


def test_a_look_at_the_day_is_itself_recorded(house: House) -> None:
    visitor = house.as_(OFFICER_2)
    client = house.town.worker("fg", "fg-1")

    def looks() -> int:
        found, token = 0, ""
        while True:
            answer = client.audit.list_decisions(
                claim=AUDIT,
                fields=["decisions.disclosure.professional"],
                page_size=200,
                page_token=token,
            )
            found += sum(one.disclosure.professional == OFFICER_2 for one in answer.decisions)
            token = answer.next_page_token
            if not token:
                return found

    before = looks()
    assert visitor.get("/vandaag").status_code == 200
    # Four lists, one of them asked again where it was behind; the checkpoint is about nobody and no decision.
    assert looks() >= before + 4


def test_the_newest_refusal_stands_first_and_leads_to_all_of_them(
    house: House, story: Story, denied: str
) -> None:
    with pytest.raises(errors.Denied) as refused:
        story.town.worker("college:PW", "w-later").plan.get_plan(
            claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"]
        )
    visitor = house.as_(OFFICER)
    page = visitor.get("/vandaag").text
    block = page[page.index('<h2 id="geweigerd"') :]
    assert block.index(refused.value.decision_id) < block.index(denied)
    (link, _) = re.findall(r'href="(/raadplegingen\?uitkomst=DENY[^"]*)"', block)
    assert refused.value.decision_id in visitor.get(link.replace("&amp;", "&")).text


def test_the_light_of_a_connection_is_that_of_its_stream(house: House, story: Story) -> None:
    named = Named(story.wmo, "vakapplicatie-wmo")
    named.create()
    visitor = house.as_(OFFICER)
    assert light_of(visitor.get("/vandaag").text, "vakapplicatie-wmo") == "leest niet mee"
    stream = named.stream()
    next(iter(stream))  # the first beat: from here on it is open
    try:
        assert light_of(visitor.get("/vandaag").text, "vakapplicatie-wmo") == "leest mee"
    finally:
        stream.cancel()


def test_a_review_is_recorded_once_with_its_proof(house: House, broken: str) -> None:
    visitor = house.as_(OFFICER)
    form = form_of(visitor.get("/vandaag").text, broken, "REVIEW-1-WORKDAY")
    told = form | {"outcome": "DUTY_OUTCOME_JUSTIFIED", "remark": "De melder had gelijk."}
    for _ in range(2):  # sent twice, as a hasty hand does: recorded once
        answer = visitor.post("/vandaag/plicht", told)
        assert answer.status_code == 200, answer.text
        assert "De noodtoegang was terecht." in answer.text
    assert f'value="{broken}"' not in "".join(
        one for one in FORM.findall(visitor.get("/vandaag").text) if "REVIEW-1-WORKDAY" in one
    )
    listed = house.town.worker("fg", "fg-1").audit.list_obligations(
        claim=AUDIT,
        fields=["obligations.decision_id", "obligations.outcome", "obligations.executed_by"],
        duties=["REVIEW-1-WORKDAY"],
        page_size=200,
    )
    assert [
        (one.outcome, one.executed_by.rpartition("/")[2])
        for one in listed.obligations
        if one.decision_id == broken
    ] == [(audit.DUTY_OUTCOME_JUSTIFIED, OFFICER)]


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"outcome": "DUTY_OUTCOME_EXECUTED"}, 400, "Kies hoe de plicht is geëindigd."),
        ({"outcome": "DUTY_OUTCOME_JUSTIFIED", "remark": " "}, 400, "Schrijf op waarom."),
        ({"outcome": "DUTY_OUTCOME_JUSTIFIED", "remark": "Over 999990019."}, 400, "burgerservicenummer"),
        (
            {"outcome": "DUTY_OUTCOME_JUSTIFIED", "remark": "a", "request_id": "1"},
            400,
            "De vraag klopt niet.",
        ),
        ({"outcome": "DUTY_OUTCOME_JUSTIFIED", "remark": "a", "decision_id": "none"}, 409, "Dit kan nu niet"),
        ({"duty": "TTL-60M", "outcome": "DUTY_OUTCOME_EXECUTED"}, 400, "Kies hoe"),
    ],
    ids=["outcome", "remark", "bsn", "id", "decision", "duty"],
)
def test_a_review_that_is_not_right_says_what_is_wrong(
    house: House, change: dict[str, str], status: int, says: str
) -> None:
    visitor = house.as_(OFFICER)
    form = {
        "csrf": visitor.csrf("/vandaag"),
        "request_id": "00000000-0000-4000-8000-000000000001",
        "decision_id": "d-1",
        "duty": "REVIEW-1-WORKDAY",
        "remark": "Waarom.",
    }
    answer = visitor.post("/vandaag/plicht", form | change)
    assert answer.status_code == status, answer.text
    assert says in answer.text
    assert "999990019" not in answer.text


def light_of(text: str, name: str) -> str:
    """Return what stands beside a connection."""
    row = text[text.index(f'<th scope="row">{name}</th>') :]
    return str(re.findall(r'<span class="mark \w+">([^<]+)</span>', row)[0])


def form_of(text: str, decision: str, duty: str) -> dict[str, str]:
    """Return what a form of the page carries unseen."""
    for one in FORM.findall(text):
        told = dict(HIDDEN.findall(one))
        if told["decision_id"] == decision and told["duty"] == duty:
            return told
    raise AssertionError("there is no such form")


def test_what_could_not_be_judged_asks_nothing_of_an_officer_and_is_found_in_the_log(house: House) -> None:
    """Who signs in and has no plan here asks for one: it leaves nobody anything to do."""
    bsn = next(house.town.bsns)
    house.provider.admit(resident(bsn, 77))
    officer = house.as_(OFFICER)
    before = FORM.findall(officer.get("/vandaag").text)
    assert house.as_("inwoner-77").get("/mijn/1").status_code == 404
    page = officer.get("/vandaag").text
    assert len(FORM.findall(page)) == len(before)
    assert "Opnieuw proberen" not in page
    link = re.search(r'href="([^"]*)">Vragen die niet te beoordelen waren', page)
    assert link is not None
    found = officer.get(link[1].replace("&amp;", "&"))
    assert found.status_code == 200
    (decision, *_) = re.findall(r'href="(/beslissing/[^"?]+)', found.text)
    duties = officer.get(decision).text
    assert "Opnieuw proberen" in duties
    assert "staat open" not in duties
    officer.get("/taal/en")
    assert "Questions that could not be judged" in officer.get("/vandaag").text
