"""What a new officer comes to do, with a browser and a keyboard alone, and how many steps it takes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from adapters.simulators.identity_provider.people import PEOPLE
from exchange.console.language import DUTCH
from exchange.v1 import common_pb2 as pb
from tests.console.browser import NARROW, WIDE, Window, chromium
from tests.server.story import denied_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console.house import House
    from tests.server.story import Story

pytestmark = pytest.mark.slow

# Where somebody wants to look at the pages himself, they are left there.
SCREENSHOTS = os.environ.get("CONSOLE_SCREENSHOTS", "")
OFFICER_NAME = next(person.name for person in PEOPLE if person.role == "officer")
# As exchange/console/README.md says them.
STEPS_TO_WHO_LOOKED = 4
STEPS_TO_WHETHER_RIGHT = 2
STOPS_MAX = 300


class Hands:
    """Somebody without a mouse: goes with Tab, acts with Enter, and counts what he acted on."""

    def __init__(self, window: Window) -> None:
        self.page = window.page
        self.steps = 0

    def to(self, wanted: str) -> None:
        """Go on with Tab until what has this name has the focus."""
        for _ in range(STOPS_MAX):
            self.page.keyboard.press("Tab")
            if self._name().startswith(wanted):
                return
        raise AssertionError(f"no stop is called {wanted}")

    def act(self, wanted: str) -> None:
        """Go to it, and do it."""
        self.to(wanted)
        self._enter()

    def follow(self, place: str) -> None:
        """Go on with Tab until a link of this place has the focus, and follow it."""
        for _ in range(STOPS_MAX):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("(place) => document.activeElement.matches(place)", place):
                self._enter()
                return
        raise AssertionError(f"no stop is in {place}")

    def _enter(self) -> None:
        self.steps += 1
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def write(self, wanted: str, words: str) -> None:
        """Go to a field, and fill it in."""
        self.to(wanted)
        self.page.keyboard.type(words)

    def _name(self) -> str:
        told: str = self.page.evaluate(
            """() => {
                const here = document.activeElement, label = here.labels && here.labels[0];
                return (here.getAttribute("aria-label") || (label || here).innerText || "").trim();
            }"""
        )
        return told


@pytest.fixture(scope="module")
def window(house: House, story: Story) -> Iterator[Window]:
    """Return an officer's window on a town in which something happened."""
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al twee dagen niets meer.")
    asked = claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", "nodig", break_glass=glass)
    wait = Person("w-wacht", "college:WMO", "wacht", authenticated_at=int(time.time()) - 5)
    story.goal()
    story.town.client(wait).plan.get_plan(claim=asked, plan_id=story.plan_id, fields=["goals.own_words"])
    denied_read(story.town, story)
    with chromium() as browser:
        window = Window(browser, house.open_door())
        window.sign_in(OFFICER_NAME)
        yield window
        window.close()


def looked_at(window: Window, name: str) -> None:
    """A page is fit for everybody, wide and narrow."""
    window.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    if SCREENSHOTS:
        for size in (WIDE, NARROW):
            window.page.set_viewport_size(size)
            window.page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{size['width']}.png", full_page=True)
        window.page.set_viewport_size(WIDE)
    assert window.page.locator("h1").count() == 1
    assert window.faults() == []
    assert window.overflows() == []
    assert [one for one in window.complaints if not one.startswith("failed")] == []


def test_who_read_this_residents_data_last_month_and_why(window: Window, house: House) -> None:
    window.open("/taal/nl?naar=/vandaag")
    hands = Hands(window)
    hands.act("Raadplegingen")
    hands.act("Wie keek bij deze inwoner?")
    hands.write("Waarom zoekt u dit op?", "Verzoek 2026-114")
    hands.write("Burgerservicenummer", house.bsn)
    hands.act("Zoek op")
    page = window.page
    assert house.bsn not in page.url + page.content()
    who = page.locator("tbody tr").last
    assert "college:WMO" in who.inner_text()
    assert "wmo-onderzoek" in page.locator("tbody").inner_text(), "for what"
    assert "WMO-2.3.2" in page.locator("tbody").inner_text(), "on what ground"
    # Why, of one of them: the decision itself.
    hands.follow("tbody th a")
    assert "Wie vroeg wat" in page.content()
    assert hands.steps == STEPS_TO_WHO_LOOKED


def test_whether_a_refusal_was_right(window: Window) -> None:
    window.open("/taal/nl?naar=/vandaag")
    hands, page = Hands(window), window.page
    hands.follow("#geweigerd ~ .wide tbody th a")
    assert page.locator("h1").inner_text() == "Beslissing: geweigerd"
    assert "U bent niet betrokken bij deze casus." in page.content()
    hands.act("Beoordeel opnieuw")
    assert "er komt precies hetzelfde uit" in page.locator("#opnieuw").inner_text()
    assert hands.steps == STEPS_TO_WHETHER_RIGHT
    window.complaints.clear()
    looked_at(window, "decision-again")


def test_the_browser_checks_the_proof_of_a_decision(window: Window, house: House) -> None:
    window.open("/taal/nl?naar=/raadplegingen?uitkomst=DENY")
    page = window.page
    page.locator("tbody tr th a").first.click()
    page.get_by_label("Sleutel van het grootboek").fill(house.town.log_vkey)
    check, said = page.get_by_role("button", name="Controleer in deze browser"), page.locator("[data-result]")
    for change, says in (
        ("college:WMO", "Klopt. "),
        ("college:JW", "Deze inhoud hoort niet bij dit bewijs."),
    ):
        entry = page.get_by_label("Inhoud van het blad")
        entry.fill(entry.input_value().replace("college:WMO", change))
        page.evaluate("document.querySelector('[data-result]').textContent = ''")
        check.click()
        page.wait_for_function("document.querySelector('[data-result]').textContent !== ''")
        assert says in said.inner_text()
    assert [one for one in window.complaints if "Content Security Policy" in one] == []


@pytest.mark.parametrize("language", ["nl", "en"])
def test_each_page_is_for_everybody(window: Window, language: str) -> None:
    window.complaints.clear()
    # The list without a filter is looked at with every page of the navigation.
    pages = [("timeline", "/raadplegingen?beeld=tijdlijn"), ("question", "/raadplegingen/inwoner")]
    if language == DUTCH:
        pages += [
            ("filtered", "/raadplegingen?uitkomst=DENY&van=2026-01-01"),
            ("json", "/raadplegingen?beeld=json"),
            ("nothing", "/raadplegingen?categorie=STRAFRECHT"),
        ]
    for name, path in pages:
        window.open(f"/taal/{language}?naar={path.replace('&', '%26')}")
        looked_at(window, f"{name}-{language}")
    window.open("/raadplegingen?nood=ja")
    window.page.locator("tbody tr th a").first.click()
    looked_at(window, f"decision-emergency-{language}")
    window.complaints.clear()
    # A page that says what is wrong is one with status 400, of which the browser complains.
    window.open("/raadplegingen?uitkomst=MAYBE&van=gisteren")
    assert len(window.complaints) <= 1
    window.complaints.clear()
    looked_at(window, f"wrong-{language}")


def test_all_of_it_works_without_javascript(house: House, window: Window) -> None:
    plain = Window(window.context.browser, window.url, scripts=False)
    try:
        plain.sign_in(OFFICER_NAME)
        page = plain.page
        plain.open("/raadplegingen")
        page.get_by_role("link", name="Wie keek bij deze inwoner?").click()
        page.get_by_label("Waarom zoekt u dit op?").fill("Verzoek 2026-116")
        page.get_by_label("Burgerservicenummer").fill(house.bsn)
        page.get_by_role("button", name="Zoek op").click()
        page.get_by_text("Alleen wat over inwoner").wait_for()
        page.locator("summary", has_text="Filter").click()
        page.get_by_role("textbox", name="Uitkomst").fill("DENY")
        page.get_by_role("button", name="Filter", exact=True).click()
        page.get_by_text("Alleen wat over inwoner").wait_for()
        page.locator("tbody tr th a").first.click()
        page.get_by_role("button", name="Beoordeel opnieuw").click()
        page.get_by_text("er komt precies hetzelfde uit").wait_for()
    finally:
        plain.close()
