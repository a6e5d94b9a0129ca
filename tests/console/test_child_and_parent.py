"""A plan of a child of twelve to fifteen: the page says for whose yes it waits, until both said it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from exchange.v1 import plan_pb2
from tests.console.browser import Window, chromium
from tests.console.house import RESIDENT, House
from tests.console.resident_reads import words_of
from tests.console.test_in_browser import shot
from tests.server.family import Family
from tests.server.town import INVESTIGATE, WORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.story import Story
    from tests.server.town import Town

WAITS = "Het plan geldt nog niet: een ouder of voogd moet ook ja zeggen."
WAITS_EN = "The plan does not count yet: a parent or guardian has to say yes too."
ALONE = "Het ja van het kind is genoeg: het plan geldt, ook zonder ja van een ouder of voogd."
IS_SIXTEEN = "Wie nu 16 is, zegt zelf opnieuw ja: dat is genoeg."
WAITS_FOR_CHILD = "Het plan geldt nog niet: het kind moet zelf ook ja zeggen."


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn)
    yield house
    house.close()


def child_of_fourteen(town: Town) -> Family:
    """Return a child with a parent who signs in here."""
    child = Family(town, 14)
    child.record(RESIDENT)
    return child


def child_says(child: Family, outcome: plan_pb2.AgreementOutcome.ValueType) -> None:
    child.own().plan.agree_to_plan(
        claim=WORD,
        plan_id=child.plan_id,
        expected_version=child.town.state("plan", child.plan_id).version,
        outcome=outcome,
        remarks="" if outcome == plan_pb2.AGREEMENT_OUTCOME_AGREED else "Nee.",
    )


def test_a_parent_reads_for_whom_the_plan_waits_and_says_yes(house: House, town: Town) -> None:
    child, parent = child_of_fourteen(town), house.as_(RESIDENT)
    told = {"csrf": parent.csrf("/mijn/6"), "naam": "Sem", "bsn": child.bsn}
    assert parent.post("/mijn/6/ander", told).status_code == 303
    assert "Het plan geldt nog niet" not in words_of(parent.get("/mijn/1").text)
    child_says(child, plan_pb2.AGREEMENT_OUTCOME_AGREED)
    page = parent.get("/mijn/1").text
    assert WAITS in words_of(page)
    parent.get("/taal/en")
    assert WAITS_EN in words_of(parent.get("/mijn/1").text)
    parent.get("/taal/nl")
    form = re.search(r'<form method="post" action="/mijn/1/zeg" class="filled">.*?</form>', page, re.DOTALL)
    assert form is not None
    hidden = dict(re.findall(r'type="hidden" name="([a-z_]+)" value="([^"]*)"', form[0]))
    assert parent.post("/mijn/1/zeg", hidden).status_code == 303
    assert "Het plan geldt nog niet" not in words_of(parent.get("/mijn/1").text)
    child_says(child, plan_pb2.AGREEMENT_OUTCOME_DISAGREED)
    again = hidden | {
        "versie": str(town.state("plan", child.plan_id).version),
        "request_id": "00000000-0000-4000-8000-00000000000a",
    }
    assert parent.post("/mijn/1/zeg", again).status_code == 303
    assert WAITS_FOR_CHILD in words_of(parent.get("/mijn/1").text)


def test_a_parent_reads_that_the_childs_yes_is_enough_whatever_is_said_after_it(
    house: House, town: Town
) -> None:
    child, parent = child_of_fourteen(town), house.as_(RESIDENT)
    told = {"csrf": parent.csrf("/mijn/6"), "naam": "Sem", "bsn": child.bsn}
    assert parent.post("/mijn/6/ander", told).status_code == 303
    spoken_of = town.state("plan", child.plan_id).version
    child_says(child, plan_pb2.AGREEMENT_OUTCOME_AGREED)
    page = words_of(parent.get("/mijn/1").text)
    assert IS_SIXTEEN in page
    child.wmo.plan.answer_agreement(
        claim=INVESTIGATE,
        plan_id=child.plan_id,
        expected_version=spoken_of + 1,
        plan_version=spoken_of,
        answer="Het kan niet wachten.",
        without_parents=plan_pb2.WITHOUT_PARENTS_SERIOUS_DISADVANTAGE,
    )
    assert ALONE in words_of(parent.get("/mijn/1").text)
    no = {
        "csrf": parent.csrf("/mijn/1"),
        "request_id": "00000000-0000-4000-8000-00000000000b",
        "versie": str(town.state("plan", child.plan_id).version),
        "zeg": "nee",
        "woorden": "Liever niet.",
    }
    assert parent.post("/mijn/1/zeg", no).status_code == 303
    assert ALONE in words_of(parent.get("/mijn/1").text)
    # The child's next yes asks its parent again, for what came since; what was agreed stays agreed.
    child_says(child, plan_pb2.AGREEMENT_OUTCOME_AGREED)
    page = words_of(parent.get("/mijn/1").text)
    assert ALONE in page
    assert WAITS not in page
    child_says(child, plan_pb2.AGREEMENT_OUTCOME_DISAGREED)
    assert ALONE not in words_of(parent.get("/mijn/1").text)


@pytest.mark.slow
def test_what_it_waits_for_and_a_long_list_of_who_looked_are_for_everybody(house: House, town: Town) -> None:
    child, url = child_of_fourteen(town), house.open_door()
    child_says(child, plan_pb2.AGREEMENT_OUTCOME_AGREED)
    with chromium() as browser:
        window = Window(browser, url)
        try:
            window.sign_in("Inwoner 1")
            page = window.page
            window.open("/mijn/6")
            page.locator("input[name=naam]").fill("Sem")
            page.locator("input[name=bsn]").fill(child.bsn)
            page.locator("form[action='/mijn/6/ander'] button").click()
            window.open("/mijn/1")
            page.get_by_text(WAITS).wait_for()
            shot(window, "child-waits")
            assert (window.faults(), window.overflows()) == ([], [])
            for _ in range(12):
                window.open("/mijn/1")
            window.open("/mijn/2?wie=1")
            shot(window, "looks-long")
            day = page.locator("details.day").first
            day.locator("summary").first.focus()
            page.keyboard.press("Enter")
            assert day.get_attribute("open") is not None
            page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            assert (window.faults(), window.overflows()) == ([], [])
        finally:
            window.close()
