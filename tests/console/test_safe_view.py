"""Where somebody may look along: nothing says what a page is, nothing stays behind, and one can leave."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.calls import claim
from exchange.console.app import AWAY
from exchange.console.session import COOKIE
from exchange.v1 import common_pb2 as pb
from tests.console.house import OFFICER, RESIDENT, House, Visitor
from tests.console.resident_life import live
from tests.server.story import Story
from tests.server.town import CARE, CITY, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.town import Town

PAGES = ("/mijn/1", "/mijn/2", "/mijn/3", "/mijn/3/1", "/mijn/4", "/mijn/4/1", "/mijn/4/5", "/mijn/5")
FILES = (
    *("/mijn/4/bestand/pdf", "/mijn/4/bestand/json", "/mijn/4/bestand/kopie"),
    *("/mijn/3/bewijzen", "/mijn/3/1/bewijs"),
)
SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
HEADING = re.compile(r"<h1>(.*?)</h1>")
TITLE = re.compile(r"<title>(.*?)</title>")


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    live(story)
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn)
    yield house
    house.close()


def turn(visitor: Visitor, stand: str, back: str = "/mijn/2") -> Any:  # noqa: ANN401 -- a response
    told = {"csrf": visitor.csrf("/mijn/5"), "stand": stand, "terug": back}
    return visitor.post("/weergave", told)


def test_no_page_says_what_it_is_and_nothing_is_told_or_stored(house: House, town: Town) -> None:
    visitor = house.as_(RESIDENT)
    before = dict(visitor.cookies)
    answer = turn(visitor, "1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/mijn/2")
    for path in PAGES:
        text = visitor.get(path).text
        assert (TITLE.findall(text), HEADING.findall(text)) == (["Overzicht"], ["Overzicht"])
        top = text.partition("<main")[0]
        for told in ("Gemeente Voorbeeld", "Inwoner", "Mijn plan", "Wie keek", "Toestemming", "Mijn rechten"):
            assert told not in top
        for place in FILES:
            assert f'"{place}"' not in text
    # A message that must be told stays untold: the page on which it stands would count as telling it.
    assert "Nieuw voor u" not in visitor.get("/mijn/2").text
    head = town.core.reader.head()[0]
    for place in FILES:
        refused = visitor.get(place)
        assert refused.status_code == 403
        assert "content-disposition" not in refused.headers
        assert TITLE.findall(refused.text) == ["Overzicht"]
    assert town.core.reader.head()[0] == head
    # What a browser keeps is the same as before: a number that says nothing.
    assert dict(visitor.cookies) == before
    assert turn(visitor, "0").status_code == 303
    assert TITLE.findall(visitor.get("/mijn/1").text) == ["Mijn plan · Gemeente Voorbeeld"]
    told_now = visitor.get("/mijn/2").text
    assert "Nieuw voor u" in told_now
    assert "Nieuw voor u" not in visitor.get("/mijn/2").text


def test_it_ends_with_the_session_and_is_of_one_browser(house: House) -> None:
    mine, other = house.as_(RESIDENT), house.as_(RESIDENT)
    turn(mine, "1")
    assert TITLE.findall(other.get("/mijn/5").text) != ["Overzicht"]
    mine.post("/uitloggen", {"csrf": mine.csrf("/mijn/5")})
    assert mine.cookies == {}
    assert mine.sign_in(RESIDENT).status_code == 303
    assert TITLE.findall(mine.get("/mijn/5").text) == ["Uitleg · Gemeente Voorbeeld"]


def test_whoever_leaves_at_once_is_signed_out_and_somewhere_else(house: House) -> None:
    visitor = house.as_(RESIDENT)
    number = visitor.cookies[COOKIE]
    # Another site cannot sign somebody out by a link of its own.
    visitor.get("/uit", **{"Sec-Fetch-Site": "cross-site"})
    assert visitor.get("/mijn/5").status_code == 200
    answer = visitor.get("/uit", **{"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.headers["location"]) == (303, AWAY)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert COOKIE not in visitor.cookies
    visitor.cookies[COOKIE] = number
    assert visitor.get("/mijn/1").status_code == 401
    assert house.visitor().get("/uit").headers["location"] == AWAY


@pytest.mark.parametrize(
    ("back", "onward"),
    [
        ("/mijn/3/1?klaar=1", "/mijn/3/1?klaar=1"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("", "/"),
    ],
)
def test_after_the_choice_the_same_page_is_shown_and_no_other_site(
    house: House, back: str, onward: str
) -> None:
    assert turn(house.as_(RESIDENT), "1", back).headers["location"] == onward


def test_the_choice_is_a_residents(house: House) -> None:
    officer = house.as_(OFFICER)
    assert officer.post("/weergave", {"csrf": officer.csrf("/vandaag"), "stand": "1"}).status_code == 403
    assert "Snel weg" not in officer.get("/vandaag").text


def test_what_is_sealed_is_on_no_page_in_either_view(house: House, town: Town) -> None:
    """A shelter that helps is not among who works with him or who looked; a hidden part was never there."""
    story = Story(town, next(town.bsns))
    live(story)
    hidden = House(town, house.settings.data / "hidden", story.bsn)
    try:
        visitor = hidden.as_(RESIDENT)
        shown = "".join(visitor.get(path).text for path in ("/mijn/1", "/mijn/2"))
        assert "schreef in uw plan" in shown
        assert "Zorg Voorbeeld: " in shown
        assert "De was blijft liggen." in shown
        _seal(town, story, "situations", f"link:{CARE}/wmo-aanbieder")
        for stand in ("0", "1"):
            turn(visitor, stand)
            page = visitor.get("/mijn/1").text
            assert "De was blijft liggen." not in page
            assert "Er staat nog niets over hoe het gaat." in page
            assert "Niet alles mag hier staan." not in page
            around = page.partition('id="wie"')[2]
            assert "Zorg Voorbeeld" not in around
            looked = re.findall(r"<h2>([^<]+)</h2>", visitor.get("/mijn/2").text)
            assert "Gemeente Voorbeeld: de gemeente (werk en inkomen)" in looked
            assert [one for one in looked if "Zorg Voorbeeld" in one] == []
    finally:
        hidden.close()


def _seal(town: Town, story: Story, *paths: str) -> None:
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:WMO",
        professional="w-second",
        role="consulent",
    )
    proposed = story.wmo.rights.seal_compartment(
        claim=SEAL,
        case_id=story.case_id,
        paths=list(paths),
        readers=[f"{CITY}/college:WMO/w-second"],
        reason="Adres van de opvang.",
    )
    second = town.worker("college:WMO", "w-second")
    second.rights.confirm_seal(claim=SEAL, case_id=story.case_id, proposal_id=proposed.proposal_id)
