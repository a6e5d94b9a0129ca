"""Each action of a resident, an officer, who keeps the register and policy, by who reads English alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.simulators.identity_provider.people import PEOPLE, resident
from exchange.console.language import ENGLISH, load_words
from tests.console.browser import Window, chromium
from tests.console.house import House
from tests.console.resident_life import NOTICE, ask_consent, live
from tests.pipeline.legal_bases import entry_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server.story import Story
    from tests.server.town import Town

pytestmark = pytest.mark.slow

NAMES = {person.role: person.name for person in PEOPLE}
english = load_words()[ENGLISH].gettext


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    notices: Path = tmp_path_factory.mktemp("notices")
    (notices / "buurtteam.txt").write_text(NOTICE)
    live(story)
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn, console_notices=notices)
    yield house
    house.close()


@pytest.fixture(scope="module")
def reads(house: House) -> Iterator[Callable[[str], Reader]]:
    opened: list[Window] = []
    with chromium() as browser:
        url = house.open_door()

        def signed_in(name: str) -> Reader:
            window = Window(browser, url, scripts=False)
            opened.append(window)
            window.sign_in(name)
            return Reader(window)

        yield signed_in
        for window in opened:
            window.close()


class Reader:
    """Somebody who reads English: what he looks for is given in Dutch, and looked for as it is translated."""

    def __init__(self, window: Window) -> None:
        self.page: Any = window.page
        self._window = window

    def open(self, path: str) -> None:
        self._window.open(f"/taal/{ENGLISH}?naar={path}")

    def press(self, dutch: str) -> None:
        """Press a button, and come to a page in English that says nothing went wrong."""
        self.page.get_by_role("button", name=english(dutch)).first.click()
        assert self.page.locator("html").get_attribute("lang") == ENGLISH
        assert self.page.locator("h1:not([lang=nl])").count() == 1

    def unfold(self, dutch: str) -> None:
        self.page.locator("summary", has_text=english(dutch)).first.click()

    def fill(self, dutch: str, words: str) -> None:
        self.page.get_by_label(english(dutch)).first.fill(words)

    def check(self, dutch: str) -> None:
        self.page.get_by_label(english(dutch), exact=True).check()

    def sees(self, dutch: str) -> None:
        self.page.get_by_text(english(dutch)).first.wait_for()


def test_a_resident_says_asks_and_takes_back(
    reads: Callable[[str], Reader], house: House, story: Story
) -> None:
    ask_consent(story)
    me = reads(resident(house.bsn, 1).name)
    me.open("/mijn/1")
    me.press("Ja, ik ga akkoord")
    me.sees("U zei ja tegen het plan.")
    me.unfold("Iets erbij zeggen")
    me.fill("Uw woorden", "It is going well.")
    me.press("Zet dit erbij")
    me.sees("Uw woorden staan nu bij het plan. Wie dat deel van het plan leest, leest ook uw woorden.")
    me.open("/mijn/3/1")
    me.press("Ja, dat mag")
    me.press("Neem mijn ja terug")
    me.open("/mijn/4/2")
    me.fill("Wat klopt er niet, en wat moet er staan?", "The street has another name.")
    me.press("Vraag om verbetering")
    me.sees("Uw verzoek is ontvangen. Hieronder staat wanneer u uiterlijk antwoord krijgt.")
    me.open("/mijn/4/3")
    me.press("Maak bezwaar")
    me.sees("Uw bezwaar is ontvangen en geldt vanaf nu. U hoort wat er wordt beslist.")
    me.press("Neem mijn bezwaar terug")
    me.sees("U nam uw bezwaar terug. Het geldt niet meer.")
    me.press("Veilige weergave")
    me.press("Gewone weergave")


def test_an_officer_ends_a_duty_judges_again_and_finds_who_looked(
    reads: Callable[[str], Reader], house: House
) -> None:
    officer = reads(NAMES["officer"])
    officer.open("/vandaag")
    officer.unfold("Leg vast")
    officer.page.locator("details[open] input[type=radio]").first.check()
    officer.page.locator("details[open] textarea").fill("Seen.")
    officer.press("Vastleggen")
    officer.sees("Vastgelegd")
    officer.open("/raadplegingen?uitkomst=DENY")
    officer.page.locator("tbody th a").first.click()
    officer.press("Beoordeel opnieuw")
    officer.page.locator("#opnieuw").wait_for()
    officer.open("/raadplegingen/inwoner")
    officer.fill("Waarom zoekt u dit op?", "Request 2026-117")
    officer.fill("Burgerservicenummer", house.bsn)
    officer.press("Zoek op")
    officer.page.locator("tbody th a").first.wait_for()
    officer.open("/naspelen")
    officer.press("Speel deze dagen na")
    officer.open("/voorvertoning")
    officer.page.locator("textarea").fill(entry_text("WMO-ENGELS"))
    officer.press("Laat zien wat er verandert")


def test_a_version_is_proposed_approved_and_ended(reads: Callable[[str], Reader]) -> None:
    author, approver = reads(NAMES["author"]), reads(NAMES["approver"])
    author.open("/register/voorstel")
    author.page.locator("textarea").fill(entry_text("WMO-ENGELS"))
    author.press("Stel voor")
    author.sees("Vastgelegd")
    approver.open("/register/WMO-ENGELS/1")
    approver.check("Ik heb gezien wat deze versie opent en sluit, en sta daarvoor")
    approver.press("Keur goed")
    approver.sees("Vastgelegd")
    author.open("/register/WMO-ENGELS/1")
    author.unfold("Trek deze versie in")
    author.page.locator("details[open] textarea").fill("Not needed after all.")
    author.press("Trek in")
    author.sees("Vastgelegd")


def test_policy_publishes_a_table_and_asks_for_more(reads: Callable[[str], Reader]) -> None:
    policy, officer = reads(NAMES["insight"]), reads(NAMES["officer"])
    policy.open("/inzicht?jaar=2021")
    policy.check("Eigen netwerk")
    policy.check("Huisvesting")
    policy.page.locator("input[name=prijs]").first.check()
    policy.fill("Waarvoor de tabel nodig is", "For the policy plan.")
    policy.press("Bekijk de prijs")
    policy.page.locator("main form button").click()
    policy.page.locator("main table").first.wait_for()
    policy.open("/inzicht/budget?jaar=2021")
    policy.page.locator("#totaal").fill("1.25")
    policy.fill("Waarom", "A table about housing.")
    policy.press("Stel dit totaal voor")
    policy.sees("Uw voorstel is vastgelegd. Het geldt pas als een ander het goedkeurt.")
    officer.open("/inzicht/budget?jaar=2021")
    officer.page.locator("main form[action='/inzicht/budget/akkoord'] button").click()
    officer.sees("Het nieuwe totaal geldt vanaf nu.")
