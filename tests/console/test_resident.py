"""A resident's own pages: his plan, who looked, his consents and rights, in his words and in his hands."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk.access import gather
from adapters.sdk.gathered import access_file, receipts_of
from exchange.console.language import ENGLISH
from exchange.console.pages import my_rights
from exchange.documents.gathered import read_gathered
from exchange.documents.words import ZONE
from exchange.documents.words import words_of as words_of_documents
from exchange.errors import SettingsInvalid
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from exchange.wiring.console import console_of
from tests.console.house import HERE, RESIDENT, House, Visitor
from tests.console.resident_life import GOAL, NOTICE, STAFF, ask_consent, live
from tests.console.resident_reads import (
    client_of,
    form_of,
    numbers_of,
    plan_version,
    requests_of,
    state_of,
    words_of,
)
from tests.server.household import PARENT, PARTNER, FamilyMember
from tests.server.town import ACCESS, CARE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.story import Story
    from tests.server.town import Town

SHOWN = (
    "/mijn/1",
    "/mijn/2?wie=1",
    "/mijn/3",
    "/mijn/3/1",
    "/mijn/4",
    *(f"/mijn/4/{n}" for n in range(1, 7)),
)
# A number of the exchange, a word it stores, and a path of a field: none of them is for people.
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|\b[0-9]{20}\b")
STORED = re.compile(r"\b[A-Z]{2,}(?:_[A-Z0-9]+)+\b|\b[a-z]+_[a-z_]+\b|\b[a-z_]+\.[a-z_]+\b")
BASIS = re.compile(r"\b[A-Z]{2,}(?:-[A-Z]+)*-[0-9][0-9.a-z-]*\b")


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    notices = tmp_path_factory.mktemp("notices")
    (notices / "buurtteam.txt").write_text(NOTICE)
    live(story)
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn, console_notices=notices)
    yield house
    house.close()


@pytest.fixture(scope="module")
def me(house: House) -> Visitor:
    return house.as_(RESIDENT)


def test_every_page_is_in_plain_words_without_staff_or_numbers(house: House) -> None:
    """Signed in he comes to his plan; in neither language an id, a stored word or a name of staff."""
    visitor = house.visitor()
    assert visitor.sign_in(RESIDENT).headers["location"] == "/mijn/1"
    plain = [visitor.get(path) for path in SHOWN]
    visitor.get(f"/taal/{ENGLISH}")
    pages = [*plain, *(visitor.get(path) for path in SHOWN)]
    assert [page.status_code for page in pages] == [200] * len(pages)
    for page in pages:
        said = words_of(page.text)
        for pattern in (ID, STORED, BASIS):
            assert pattern.findall(said.replace("alert(1)", "")) == []
        assert [name for name in (*STAFF, f"w-{house.bsn[-5:]}") if name in said] == []
        assert "<script>alert" not in page.text
    plan = words_of(pages[0].text)
    for told in (GOAL, "3 uur per week", "het gaat, met hulp", "Zorg Voorbeeld", "1 juni 2027"):
        assert told in plan
    assert "3 hours a week" in words_of(pages[len(SHOWN)].text)


def test_who_looked_tells_refusals_and_emergencies_by_organisation_and_day(me: Visitor) -> None:
    everybody = words_of(me.get("/mijn/2?wie=1").text)
    others = words_of(me.get("/mijn/2").text)
    assert "toegestaan als noodtoegang" in others
    assert "Deze medewerker werkt niet aan uw plan." in others
    assert "Wmo 2015 art. 5.2.1" in others
    assert "om uw gegevens te bekijken" in everybody
    assert "om uw gegevens te bekijken" not in others
    refused = me.get("/mijn/2?soort=1").text
    assert "de gemeente (werk en inkomen)" in words_of(refused).partition("Laat zien")[2]
    assert "Doelen" in words_of(refused)
    # A choice of one organisation leaves the others out; what stands in the address is no name and no number.
    tag = re.search(r'<option value="([0-9a-f]{8})">Zorg Voorbeeld', refused)
    assert tag is not None
    chosen = me.get(f"/mijn/2?bij={tag[1]}").text
    found = re.findall(r"<h2>([^<]+)</h2>", chosen)
    assert found == ["Zorg Voorbeeld: een organisatie die u Wmo-hulp geeft"]
    for query in ("van=2999-01-01", "tot=2001-01-01", "bij=00000000"):
        assert "Hier is niets gevonden." in me.get(f"/mijn/2?{query}").text
    for query in ("wie=x", "soort=%25", "van=gisteren", "tot=2026-13-01"):
        assert me.get(f"/mijn/2?{query}").status_code == 400
    assert me.get("/mijn/2?blad=onzin").status_code == 400


def test_a_no_a_yes_on_conditions_and_a_yes_are_one_step_each(me: Visitor, story: Story) -> None:
    """Each is said once, of the plan as it was shown: the page of before is refused."""
    first = form_of(me, "/mijn/1", "/mijn/1/zeg", zeg="nee")
    for say, number, words, outcome in (
        ("nee", 3, "Ik wil geen vreemden in huis.", plan_pb2.AGREEMENT_OUTCOME_DISAGREED),
        ("mits", 2, "Alleen op dinsdag.", plan_pb2.AGREEMENT_OUTCOME_AGREED_ON_CONDITIONS),
        ("ja", 1, "", plan_pb2.AGREEMENT_OUTCOME_AGREED),
    ):
        told = form_of(me, "/mijn/1", "/mijn/1/zeg", zeg=say) | {"woorden": words}
        for _ in range(2):
            answer = me.post("/mijn/1/zeg", told)
            assert (answer.status_code, answer.headers.get("location")) == (303, f"/mijn/1?klaar={number}")
        read = client_of(story).plan.get_plan(
            claim=ACCESS, plan_id=story.plan_id, fields=["agreements.outcome", "agreements.remarks"]
        )
        assert (read.plan.agreements[-1].outcome, read.plan.agreements[-1].remarks) == (outcome, words)
        assert len(read.plan.agreements) == ("nee", "mits", "ja").index(say) + 1
    assert "U zei ja tegen het plan." in me.get("/mijn/1?klaar=1").text
    late = first | {"woorden": "Te laat.", "request_id": str(uuid4())}
    assert me.post("/mijn/1/zeg", late).status_code == 409


@pytest.mark.parametrize(
    ("part", "field"), [("goals", "goals.statement"), ("situations", "situations.statement")]
)
def test_my_words_stand_beside_what_was_recorded(me: Visitor, story: Story, part: str, field: str) -> None:
    said = "Zo bedoelde ik het niet. % ' ../ <b>"
    told = form_of(me, "/mijn/1", "/mijn/1/woorden", deel=part) | {"woorden": said}
    for _ in range(2):
        assert me.post("/mijn/1/woorden", told).headers.get("location") == "/mijn/1?klaar=4"
    read = client_of(story).plan.get_plan(claim=ACCESS, plan_id=story.plan_id, fields=[field])
    assert [one.statement for one in getattr(read.plan, part)] == [said]
    assert said in words_of(me.get("/mijn/1").text)


def test_a_yes_needs_its_text_and_a_yes_is_taken_back_in_one_step(me: Visitor, story: Story) -> None:
    consent_id = ask_consent(story)
    unread = ask_consent(story, b"\7" * 32)
    numbers = numbers_of(story)
    page = f"/mijn/3/{numbers[consent_id]}"
    assert "U mag nee zeggen. Dan krijgt u dezelfde hulp." in me.get(page).text
    assert "Dit is versie 1 van de tekst" in me.get(page).text
    yes = form_of(me, page, f"{page}/ja")
    other = f"/mijn/3/{numbers[unread]}"
    assert "is hier niet te lezen" in me.get(other).text
    assert form_of(me, other, f"{other}/ja") == {}
    # Made by hand it is refused all the same, and so is a form of another consent.
    assert me.post(f"{other}/ja", yes | {"vraag": unread}).status_code == 400
    assert me.post(f"{other}/ja", yes).status_code == 400
    for _ in range(2):
        assert me.post(f"{page}/ja", yes).headers.get("location") == f"{page}?klaar=1"
    assert state_of(story, consent_id) == consent_pb.CONSENT_STATE_GIVEN
    back = form_of(me, "/mijn/3", f"{page}/terug")
    for _ in range(2):
        assert me.post(f"{page}/terug", back).headers.get("location") == f"{page}?klaar=3"
    assert state_of(story, consent_id) == consent_pb.CONSENT_STATE_WITHDRAWN
    assert "gaat er op deze grond niets meer naar" in me.get(f"{page}?klaar=3").text
    no = form_of(me, other, f"{other}/nee")
    assert me.post(f"{other}/nee", no).status_code == 303
    assert state_of(story, unread) == consent_pb.CONSENT_STATE_REFUSED
    receipt = json.loads(me.get(f"{page}/bewijs").text)
    assert receipt["dpv:hasRecordOfActivity"]["dct:identifier"] == consent_id
    whole = json.loads(me.get("/mijn/3/bewijzen").text)
    assert {one["dpv:hasRecordOfActivity"]["dct:identifier"] for one in whole["@graph"]} == set(numbers)
    for path in ("/mijn/3/0", "/mijn/3/999", "/mijn/3/-1", "/mijn/3/%27", "/mijn/3/1.0"):
        assert me.get(path).status_code == 404


def test_a_consent_that_is_the_ground_itself_counts_once_it_is_shown_to_be_free(
    me: Visitor, story: Story
) -> None:
    for ticked, free in (({}, False), ({"anders": "1"}, False), ({"anders": "1", "geen_nadeel": "1"}, True)):
        consent_id = ask_consent(story, kind=consent_pb.CONSENT_KIND_GDPR)
        page = f"/mijn/3/{numbers_of(story)[consent_id]}"
        answer = me.post(f"{page}/ja", form_of(me, page, f"{page}/ja") | ticked)
        assert answer.status_code == 303, answer.text
        assert story.town.state("consent", consent_id).free_assessed is free


@pytest.mark.parametrize(
    ("number", "form", "right"),
    [
        ("1", {}, rights_pb.RIGHT_ACCESS),
        ("2", {"deel": "goals", "woorden": "Het was mijn zus."}, rights_pb.RIGHT_RECTIFICATION),
        ("5", {}, rights_pb.RIGHT_PORTABILITY),
        ("6", {"wat": "wmo"}, rights_pb.RIGHT_DESTRUCTION_WMO),
        ("6", {"wat": "jeugd"}, rights_pb.RIGHT_DESTRUCTION_JEUGDWET),
        ("6", {"wat": "alles"}, rights_pb.RIGHT_ERASURE),
    ],
)
def test_a_request_is_received_once_and_shown_with_its_term(
    me: Visitor, story: Story, number: str, form: dict[str, str], right: int
) -> None:
    place = f"/mijn/4/{number}/vraag"
    before = len(requests_of(story))
    told = form_of(me, f"/mijn/4/{number}", place) | form
    for _ in range(2):
        assert me.post(place, told).headers.get("location") == "/mijn/4?klaar=1"
    rows = requests_of(story)
    assert (len(rows), rows[0].right) == (before + 1, right)
    if "deel" in form:
        assert rows[0].statement == "Doelen: Het was mijn zus."
    # The term ends at midnight; its last day is the day before.
    due = rows[0].due_time.ToDatetime(UTC).astimezone(ZONE)
    assert (due.hour, due.minute) == (0, 0)
    last = words_of_documents("nl").day((due - timedelta(minutes=1)).date())
    assert f"Antwoord uiterlijk {last}" in words_of(me.get("/mijn/4").text)


def test_an_objection_stands_at_once_and_is_taken_back(
    me: Visitor, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "/mijn/4/3/vraag"
    page = me.get("/mijn/4/3").text
    delivery = re.search(r'<option value="([0-9a-f]+)">om u hulp te geven', page)
    provider = re.search(r'<option value="([0-9a-f]+)">Zorg Voorbeeld', page)
    assert delivery is not None
    assert provider is not None
    told = form_of(me, "/mijn/4/3", place) | {
        "waarvoor": delivery[1],
        "wie": provider[1],
        "woorden": "Ik wil dit niet.",
    }
    # Somebody who stands before the one he means got something while he was reading the form.
    choices = my_rights._choices

    async def one_more(look: Any, *rest: Any) -> my_rights.Choices:  # noqa: ANN401 -- a Look, a case, words
        purposes, recipients = await choices(look, *rest)
        return my_rights.Choices(
            [("PURPOSE_AUDIT", "x"), *purposes], [(f"{'0' * 20}/school", "y"), *recipients]
        )

    monkeypatch.setattr(my_rights, "_choices", one_more)
    assert me.post(place, told).headers.get("location") == "/mijn/4?klaar=2"
    shown = words_of(me.get("/mijn/4").text)
    assert "Bezwaar, wacht op een besluit" in shown
    assert (
        "Waarvoor om u hulp te geven Tegen wie Zorg Voorbeeld: een organisatie die u Wmo-hulp geeft" in shown
    )
    fields = ["limits.recipient", "limits.limited_purpose"]
    answer = client_of(story).rights.get_access_answer(claim=ACCESS, case_id=story.case_id, fields=fields)
    assert [one.recipient for one in answer.limits][-1] == f"{CARE}/wmo-aanbieder"
    back = form_of(me, "/mijn/4", "/mijn/4/terug")
    assert me.post("/mijn/4/terug", back).headers.get("location") == "/mijn/4?klaar=4"
    assert "wacht op een besluit" not in me.get("/mijn/4").text


def test_the_answer_on_access_is_the_one_of_the_sdk_and_a_document(me: Visitor, story: Story) -> None:
    file = me.get("/mijn/4/bestand/json")
    assert file.headers["content-disposition"] == 'attachment; filename="overzicht.json"'
    assert file.headers["cache-control"] == "no-store"
    told = read_gathered(file.content)
    client = client_of(story)
    found = gather(client, ACCESS, story.case_id, story.plan_id)
    same = read_gathered(
        access_file(found, receipts_of(client, ACCESS, found.consents), "", told.gathered_at)
    )
    assert (told.plan, told.consents, told.requests) == (same.plan, same.consents, same.requests)
    assert told.withheld == same.withheld
    # What was looked at in between is in the later one alone.
    assert set(told.disclosures) <= set(same.disclosures)
    assert told.answer.processings == same.answer.processings
    portable = me.get("/mijn/4/bestand/kopie")
    assert json.loads(portable.text)["not_portable"]
    assert portable.headers["content-type"] == "application/ld+json"
    paper = me.get("/mijn/4/bestand/pdf")
    assert paper.content.startswith(b"%PDF-")
    assert b"pdfuaid" in paper.content


@pytest.mark.parametrize(
    ("place", "form", "status", "says"),
    [
        ("/mijn/1/zeg", {"zeg": "misschien"}, 400, "Kies ja"),
        ("/mijn/1/zeg", {"zeg": "nee", "woorden": " "}, 400, "nog niets ingevuld"),
        ("/mijn/1/zeg", {"zeg": "nee", "woorden": "a" * 10_000}, 400, "te lang"),
        ("/mijn/1/zeg", {"zeg": "ja", "versie": "x"}, 400, "niet goed"),
        ("/mijn/1/zeg", {"zeg": "ja", "versie": "99999999999999"}, 400, "niet goed"),
        ("/mijn/1/zeg", {"zeg": "nee", "woorden": "a\0b"}, 400, "klopt niet"),
        ("/mijn/1/zeg", {"zeg": "nee", "woorden": "Ik ben 999990019."}, 400, "burgerservicenummer"),
        ("/mijn/1/woorden", {"deel": "supports", "woorden": "a"}, 400, "Kies waar"),
        ("/mijn/1/woorden", {"deel": "goals", "nummer": "7", "woorden": "a"}, 404, "niet meer"),
        ("/mijn/1/woorden", {"deel": "goals", "request_id": "../x", "woorden": "a"}, 400, "niet goed"),
        ("/mijn/4/2/vraag", {}, 400, "nog niets ingevuld"),
        ("/mijn/4/2/vraag", {"deel": "../plan", "woorden": "a"}, 400, "welk deel"),
        ("/mijn/4/3/vraag", {"waarvoor": "99"}, 404, "niet meer"),
        ("/mijn/4/6/vraag", {"wat": "'"}, 400, "Kies wat"),
        ("/mijn/4/9/vraag", {}, 400, "niet meer"),
        ("/mijn/4/terug", {"bezwaar": "%"}, 400, "klopt niet"),
        ("/weergave", {"stand": "2"}, 400, "Kies een weergave"),
    ],
)
def test_what_is_not_right_is_told_and_records_nothing(  # noqa: PLR0917 -- parameters of the test
    me: Visitor, story: Story, place: str, form: dict[str, str], status: int, says: str
) -> None:
    csrf = me.csrf("/mijn/5")
    whole = {"csrf": csrf, "request_id": str(uuid4()), "versie": "1", "nummer": "1"} | form
    before = plan_version(story), len(requests_of(story))
    answer = me.post(place, whole)
    assert answer.status_code == status, words_of(answer.text)
    assert says in answer.text
    assert "999990019" not in answer.text
    assert not ID.search(words_of(answer.text))
    assert (plan_version(story), len(requests_of(story))) == before
    assert me.post(place, whole | {"csrf": ""}).status_code == 403


def test_a_member_of_a_household_sees_his_own_part_of_it(town: Town, house: House) -> None:
    bsn = next(town.bsns)
    town.bsns = chain([bsn], town.bsns)
    mother, father = FamilyMember(town, 41), FamilyMember(town, 43)
    mother.opens(PARENT)
    father.joins(mother, PARTNER)
    home = House(town, house.settings.data / "home", bsn)
    try:
        page = home.as_(RESIDENT).get("/mijn/1").text
        assert "Uw huishouden ouder" in words_of(page)
        assert "Uw huishouden" not in words_of(home.as_(RESIDENT).get("/mijn/3").text)
        assert ID.search(words_of(page)) is None
    finally:
        home.close()


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff", "not UTF-8"), (b"", "empty"), (None, "no such folder")]
)
def test_texts_for_residents_that_are_not_right_stop_the_start(
    house: House, tmp_path: Path, content: bytes | None, says: str
) -> None:
    folder = tmp_path / "notices"
    if content is not None:
        folder.mkdir()
        (folder / "text.txt").write_bytes(content)
    settings = house.settings.model_copy(update={"console_notices": folder})
    with pytest.raises(SettingsInvalid, match=says):
        console_of(settings, HERE, house.line, log=None, clock=house.town.now, fresh=os.urandom)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("Dit klopt\u200b niet.", "Er staan tekens in die niemand ziet."),
        ("Wij \U0001f468\u200d\U0001f467", "Er staan tekens in die niemand ziet."),
        ("Mijn nummer is 999990019.", "Er staat een burgerservicenummer in."),
    ],
    ids=["pasted", "emoji", "number"],
)
def test_words_that_cannot_be_kept_are_told_as_such(me: Visitor, words: str, says: str) -> None:
    form = form_of(me, "/mijn/4/2", "/mijn/4/2/vraag") | {"woorden": words}
    answer = me.post("/mijn/4/2/vraag", form)
    assert answer.status_code == 400
    said = words_of(answer.text)
    assert "Wat u invulde klopt nog niet" in said
    assert f"Wat u schreef: {says}" in said
    assert words not in answer.text
    for stored in ("statement", "REQUEST_INVALID", "BSN_REFUSED", "printable"):
        assert stored not in said
    kept = me.post("/mijn/4/2/vraag", form | {"woorden": "Dit\u00a0klopt\r\nniet. \U0001f468"})
    assert kept.status_code == 303


def test_who_has_no_plan_is_told_that_and_no_more(town: Town, house: House) -> None:
    person = house.people[-1]
    other = next(town.bsns)
    stranger = House(town, house.settings.data / "elsewhere", other)
    try:
        visitor = stranger.as_(person.subject)
        for path in ("/mijn/1", "/mijn/2", "/mijn/3", "/mijn/4", "/mijn/4/bestand/json"):
            answer = visitor.get(path)
            assert answer.status_code == 404
            assert "Er is hier geen plan van u." in answer.text
            # The beginning would lead back here: who came for a child is shown where to say so.
            assert 'class="button" href="/mijn/6"' in answer.text
            assert 'class="button" href="/"' not in answer.text
        visitor.post("/weergave", {"csrf": visitor.csrf("/mijn/6"), "stand": "1", "terug": "/mijn/6"})
        seen_along = visitor.get("/mijn/1").text
        assert "<h1>Overzicht</h1>" in seen_along
        assert "<title>Overzicht</title>" in seen_along
    finally:
        stranger.close()
