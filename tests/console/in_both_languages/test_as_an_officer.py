"""What a privacy officer can open, do, check and save: each in both languages, in a real browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from adapters.simulators.identity_provider.people import PEOPLE
from exchange.console.language import LANGUAGES
from exchange.console.pages.policy.logs import LOGS
from exchange.console.templating import HERE
from exchange.server.services import replay as replaying
from exchange.v1 import common_pb2 as pb
from tests.console.house import OFFICER
from tests.console.in_both_languages.reader import tries
from tests.pipeline.legal_bases import successor
from tests.server.story import Story, denied_read
from tests.server.subscribed import Named
from tests.server.test_duty_list import refused_consent
from tests.server.test_erasure import Erasure
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from tests.console.house import House
    from tests.console.in_both_languages.reader import Reader, SignIn

NAME = next(one.name for one in PEOPLE if one.subject == OFFICER)
WORDS = "Lorem ipsum."
RECORDED = "Vastgelegd"
PROVEN = (
    "Klopt. De inhoud van dit blad staat zo in het grootboek, en het grootboek heeft die stand ondertekend."
)


@pytest.fixture(scope="module")
def erasure_id(house: House, story: Story) -> str:
    """Return an erasure, in a town in which something happened of everything."""
    town = house.town
    denied_read(town, story)
    story.goal()
    Named(story.wmo, "vakapplicatie-wmo").create()
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al twee dagen niets meer.")
    asked = claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", "nodig", break_glass=glass)
    wait = Person("w-wacht", "college:WMO", "wacht", authenticated_at=int(time.time()) - 5)
    for _ in LANGUAGES:
        for _ in range(2):
            town.client(wait).plan.get_plan(claim=asked, plan_id=story.plan_id, fields=["goals.own_words"])
        other = Story(town, next(town.bsns))
        refused_consent(other)
        other.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=other.plan_id, fields=["plan_id"])
    erasure = Erasure(town, Story(town, next(town.bsns)))
    erasure.executed()
    return erasure.erasure_id


@pytest.fixture
def officer(language: str, sign_in: SignIn, erasure_id: str) -> Reader:
    assert erasure_id
    return sign_in(NAME, language)


@tries("GET /vandaag", "POST /vandaag/plicht*", "POST /grootboek/bewijs", "CHECK proof_panel.html")
def test_duties_end_and_the_browser_checks_the_proof(language: str, officer: Reader, house: House) -> None:
    assert officer.language == language
    for name, says in (
        ("Noodtoegang beoordelen", "De noodtoegang was terecht"),
        ("Noodtoegang beoordelen", "De noodtoegang was niet terecht"),
        ("Melding: beroep op noodtoegang", "Gedaan"),
        ("Melding: beroep op noodtoegang", "Niet nodig"),
        ("Weigering van een inwoner als bezwaar behandelen", "Het was geen bezwaar"),
    ):
        officer.follow("Vandaag")
        officer.reads("Vandaag")
        form = officer.page.locator(
            "details", has=officer.page.locator("summary", has_text=officer.says(name))
        ).first
        form.get_by_label(officer.says(says), exact=True).check()
        form.locator("textarea").fill(WORDS)
        officer.go(form.locator("button"))
        officer.reads(RECORDED)
        officer.sees(says)
    officer.press("Controleer het bewijs")
    officer.check_in_this_browser("[data-proof]", "proof_panel.html", house.town.log_vkey)
    officer.sees(PROVEN)


@tries("GET /raadplegingen/inwoner", "POST /raadplegingen/inwoner", "GET /beslissing/*", "POST /beslissing/*")
def test_who_looked_is_found_and_judged_once_more(language: str, officer: Reader, house: House) -> None:
    assert officer.language == language
    officer.follow("Raadplegingen")
    officer.follow("Wie keek bij deze inwoner?")
    officer.fill("Waarom zoekt u dit op?", WORDS)
    officer.fill("Burgerservicenummer", house.bsn)
    officer.press("Zoek op")
    officer.go(officer.page.locator("tbody tr th a").first)
    officer.press("Beoordeel opnieuw")
    officer.sees("Opnieuw beoordeeld met dezelfde feiten en regels: er komt precies hetzelfde uit.")


@tries(
    "GET /raadplegingen", "GET /raadplegingen?*", "GET /raadplegingen beeld*", "GET /raadplegingen/bestand*"
)
def test_disclosures_are_filtered_shown_in_three_ways_and_saved(language: str, officer: Reader) -> None:
    assert officer.language == language
    officer.open("/raadplegingen?uitkomst=PERMIT_BREAK_GLASS")
    officer.field("Uitkomst").fill("DENY")
    officer.go(officer.button("Filter"))
    assert officer.page.locator("tbody tr").count() == 1
    assert officer.save(officer.page.get_by_role("link", name="CSV")).read_bytes()
    assert officer.save(officer.page.get_by_role("link", name="JSON").last).read_bytes()
    officer.follow("Tijdlijn")
    officer.go(officer.page.locator("main").get_by_role("link", name="JSON", exact=True).first)
    officer.follow("Tabel")
    assert officer.page.locator("tbody tr").count() == 1


@tries("GET /naspelen*", "POST /naspelen/verder")
def test_decisions_are_replayed_and_replayed_on(
    language: str, officer: Reader, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert officer.language == language
    officer.follow("Naspelen")
    officer.reads("Naspelen")
    officer.fill("Eerste dag", f"{house.town.now().astimezone(HERE):%Y-%m-%d}")
    officer.press("Speel deze dagen na")
    officer.sees("Alles klopt.")
    newest = house.town.core.reader.head()[0]
    monkeypatch.setattr(replaying, "EVENTS_PER_PAGE_MAX", 4)
    officer.fill("Eerste plaats", "1")
    officer.fill("Laatste plaats", str(newest))
    officer.press("Speel na", within="form:has(#van)")
    officer.sees("Tot hier klopt alles. Er is nog meer te doen.")
    officer.press("Ga verder")
    officer.sees("Hetzelfde als toen")
    monkeypatch.undo()
    officer.open("/raadplegingen?uitkomst=DENY")
    decision_id = officer.page.locator("tbody tr th a").first.get_attribute("href").rpartition("/")[2]
    officer.follow("Naspelen")
    officer.page.locator("#beslissing").fill(decision_id)
    officer.press("Speel haar na", within="form:has(#beslissing)")
    officer.sees("Alles klopt.")


@tries(
    "GET /voorvertoning",
    "POST /voorvertoning",
    "POST /voorvertoning geheel*",
    "POST /voorvertoning?bestand*",
    "POST /voorvertoning?geheel*",
)
def test_a_register_is_previewed_and_previewed_on(
    language: str, officer: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert officer.language == language
    officer.follow("Voorvertoning")
    officer.reads("Voorvertoning van een register")
    officer.fill("Grondslagen in TOML", successor(enabled="false"))
    monkeypatch.setattr(replaying, "EVENTS_PER_PAGE_MAX", 4)
    officer.press("Laat zien wat er verandert")
    officer.sees("Er is nog meer te doen: dit is het totaal tot hier.")
    officer.press("Ga verder")
    officer.sees("Wat er verandert")
    monkeypatch.undo()
    officer.fill("Grondslagen in TOML", successor(enabled="false"))
    officer.field("Dit is het hele register: wat er niet in staat, eindigt").check()
    officer.press("Laat zien wat er verandert")
    officer.sees("Beslissingen per ontvanger en categorie")


@tries("GET /grootboek*", "CHECK consistency_panel.html")
def test_the_ledger_is_proved_compared_and_saved(
    language: str, officer: Reader, house: House, erasure_id: str
) -> None:
    assert officer.language == language
    officer.follow("Grootboek")
    officer.reads("Grootboek")
    officer.check_in_this_browser("[data-consistency]", "consistency_panel.html", house.town.log_vkey)
    officer.sees(
        "Klopt. Er is sinds de eerdere stand alleen toegevoegd, en het grootboek ondertekende beide standen."
    )
    assert officer.save(officer.link("Stand opslaan")).read_text().count("\n") > 3
    assert officer.save(officer.button("Pak opslaan")).read_bytes().startswith(b"PK")
    officer.fill("Aantal bladen van de eerdere stand", "3")
    officer.press("Vergelijk")
    officer.fill("Nummer van het blad", "2")
    officer.press("Haal het bewijs")
    assert "tlog-proof" in officer.save(officer.link("Bewijs opslaan")).read_text()
    officer.follow("Naar het grootboek")
    officer.follow("Bekijk wanneer er is gewist, met het bewijs")
    officer.go(officer.page.get_by_role("link", name=erasure_id).first)
    officer.follow("Terug")
    officer.page.locator("#wissing").fill(erasure_id)
    officer.press("Toon het bewijs")
    officer.sees("Bewijs opslaan")


@tries("GET /uitvoer*", "GET /register/verwerkingen/*")
def test_what_goes_out_is_saved_in_each_form(language: str, officer: Reader) -> None:
    assert officer.language == language
    officer.follow("Uitvoer")
    officer.reads("Uitvoer")
    for form, begins in (("PDF", b"%PDF-"), ("CSV", b""), ("JSON", b"{")):
        officer.page.locator("form[action='/uitvoer/maand']").get_by_label(form).check()
        assert officer.save(officer.button("Opslaan")).read_bytes().startswith(begins)
        assert officer.save(officer.link("Opslaan als %(name)s", name=form)).read_bytes().startswith(begins)
    part = officer.page.locator("form[action='/uitvoer/logboek']")
    for day in ("#van", "#tot"):
        part.locator(day).fill("")
    for log in LOGS:
        part.get_by_label(officer.says(log.name), exact=True).check()
        for why, form in (("Controle van de uitwisseling", "json"), ("Toezicht op een verwerking", "jsonl")):
            part.locator("#doel").select_option(officer.says(why))
            part.locator(f"input[name=vorm][value={form}]").check()
            assert officer.save(officer.button("Logboek opslaan")).read_text().startswith(("{", "["))
            if log is not LOGS[0]:
                break
