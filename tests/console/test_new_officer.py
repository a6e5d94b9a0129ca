"""What somebody does on a first day, with the keyboard alone; and pages behind forms in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simulators.identity_provider.people import PEOPLE
from tests.console.browser import Window, chromium
from tests.console.house import APPROVER, AUTHOR, OFFICER
from tests.console.test_in_browser import shot
from tests.console.test_register import wider
from tests.pipeline.legal_bases import successor
from tests.server.story import Story, denied_read
from tests.server.test_erasure import Erasure
from tests.server.test_legal_bases import REGISTRY
from tests.server.test_replay import forged
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console.house import House

pytestmark = pytest.mark.slow

NAMES = {person.subject: person.name for person in PEOPLE}
STOPS_MAX = 80
PROPOSED = "WMO-BROWSER-1"


class Keyboard:
    """A person without a mouse. `clicks` counts what is pressed to go on: a link, a button."""

    def __init__(self, window: Window) -> None:
        self.window, self.page, self.clicks = window, window.page, 0

    def reach(self, name: str) -> None:
        """Go on by Tab until the link, button or field of a name has the focus."""
        for _ in range(STOPS_MAX):
            self.page.keyboard.press("Tab")
            here = self.page.evaluate(
                """() => {
                    const here = document.activeElement;
                    return (here.labels?.[0] ?? here).textContent.replace(/\\s+/g, " ").trim();
                }"""
            )
            if here.startswith(name) or here.endswith(name):
                return
        raise AssertionError(f"no Tab leads to {name}")

    def press(self, name: str) -> None:
        """Reach something and press it; wait for the page it leads to."""
        self.reach(name)
        self.clicks += 1
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def says(self, text: str) -> None:
        assert self.page.get_by_text(text).first.is_visible(), text


@pytest.fixture(scope="module")
def url(house: House, story: Story) -> str:
    denied_read(house.town, story)
    story.goal()
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    house.town.worker("beheer", AUTHOR).legal_basis.propose_legal_basis(claim=REGISTRY, text=wider(PROPOSED))
    return house.open_door()


@pytest.fixture(scope="module")
def windows(url: str) -> Iterator[dict[str, Window]]:
    opened: dict[str, Window] = {}
    with chromium() as browser:
        for subject in (OFFICER, AUTHOR, APPROVER):
            opened[subject] = Window(browser, url)
            opened[subject].sign_in(NAMES[subject])
        yield opened
        for window in opened.values():
            window.close()


@pytest.fixture(scope="module")
def position(house: House) -> int:
    """Return where a decision stands that the rules never gave."""
    return forged(house.town)[0]


@pytest.fixture
def keyboard(windows: dict[str, Window]) -> Keyboard:
    windows[OFFICER].open("/taal/nl?naar=/vandaag")
    return Keyboard(windows[OFFICER])


def test_what_must_i_do_today_takes_no_click(keyboard: Keyboard) -> None:
    assert keyboard.page.locator("h1").inner_text() == "Vandaag"
    for name in ("Noodtoegang beoordelen", "Meldingen aan u", "Ontvangers die nog moeten wissen"):
        keyboard.says(name)
    assert keyboard.clicks == 0
    # And on to the first of them.
    keyboard.reach("Meldingen aan u")
    keyboard.page.keyboard.press("Enter")
    keyboard.page.wait_for_function("location.hash === '#meldingen'")


def test_is_the_ledger_sound_takes_no_click_and_why_takes_one(keyboard: Keyboard) -> None:
    card = keyboard.page.locator('.cards a[href="#grootboek"]')
    assert "In orde" in card.inner_text()
    keyboard.press("Grootboek")
    keyboard.says("De nieuwste stand is ondertekend en niemand ontbreekt.")
    assert keyboard.clicks == 1


def test_what_would_this_version_open_takes_two_clicks(keyboard: Keyboard) -> None:
    keyboard.press("Voorvertoning")
    keyboard.reach("Grondslagen in TOML")
    keyboard.page.keyboard.insert_text(successor(enabled="false"))
    keyboard.press("Laat zien wat er verandert")
    keyboard.says("Beslissingen per ontvanger en categorie")
    assert keyboard.clicks == 2


def test_what_would_a_proposal_open_takes_three_clicks(keyboard: Keyboard) -> None:
    keyboard.press("Register")
    keyboard.press("Bekijk wat wacht")
    keyboard.press(f"{PROPOSED}, versie 1")
    keyboard.says("Gaat nieuw open")
    assert keyboard.clicks == 3
    keyboard.press("Laat zien wat er verandert")
    assert keyboard.page.locator("h1").inner_text() == "Voorvertoning van een register"


def judged(window: Window, name: str) -> None:
    """Look at a page as everybody has to be able to."""
    shot(window, name)
    assert window.page.locator("h1").count() == 1
    assert window.faults() == [], name
    assert window.overflows() == [], name


@pytest.mark.parametrize("language", ["nl", "en"])
def test_what_comes_of_a_form_is_for_everybody(
    windows: dict[str, Window], position: int, language: str
) -> None:
    window = windows[OFFICER]
    page, submit = window.page, "main form[enctype] button"
    window.open(f"/taal/{language}?naar=%2Fnaspelen%3Fvan%3D{position - 3}%26tot%3D{position}")
    judged(window, f"replay-{language}")
    for text, name in ((successor(enabled="false"), "preview"), (successor() + 'kleur = "rood"\n', "fault")):
        window.open("/voorvertoning")
        page.locator("#tekst").fill(text)
        page.locator(submit).click()
        judged(window, f"{name}-{language}")
    window.open("/voorvertoning")
    page.locator("#bestand").set_input_files(
        {"name": "r.toml", "mimeType": "text/plain", "buffer": successor(enabled="false").encode()}
    )
    page.locator(submit).click()
    page.locator("table").nth(1).wait_for()
    assert page.locator("table").count() == 2


def test_who_keeps_the_register_sees_what_opens_before_he_approves(windows: dict[str, Window]) -> None:
    window = windows[AUTHOR]
    window.open("/register/voorstel")
    judged(window, "propose")
    window.page.locator("#tekst").fill("id = ")
    window.page.get_by_role("button", name="Stel voor").click()
    judged(window, "propose-fault")
    window = windows[APPROVER]
    window.open(f"/register/{PROPOSED}/1")
    judged(window, "version")
    window.page.get_by_label("Ik heb gezien wat deze versie opent").check()
    window.page.get_by_role("button", name="Keur goed").click()
    window.page.wait_for_selector("h1:text-is('Vastgelegd')")
    window.open("/register/WMO-2.3.2/1")
    judged(window, "version-in-force")


def test_where_keys_are_gone_a_browser_checks_the_certificate(
    windows: dict[str, Window], house: House
) -> None:
    story = Story(house.town, next(house.town.bsns))
    story.goal()
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    erasure = Erasure(house.town, story)
    erasure.executed()
    window = windows[OFFICER]
    window.open("/taal/nl?naar=/vandaag")
    judged(window, "today-purges")
    window.open("/grootboek/gewist")
    judged(window, "erasures")
    window.page.get_by_role("link", name=erasure.erasure_id).click()
    window.page.get_by_label("Sleutel van het grootboek").fill(house.town.log_vkey)
    window.page.get_by_role("button", name="Controleer in deze browser").click()
    window.page.wait_for_selector(".said.good")
    judged(window, "erasure")


def test_the_month_is_a_pdf_for_everybody(windows: dict[str, Window]) -> None:
    window = windows[OFFICER]
    window.open("/taal/nl?naar=/uitvoer")
    window.page.locator("#maand").select_option(index=0)
    # A machine that is busy takes long over it.
    with window.page.expect_download(timeout=240_000) as coming:
        window.page.get_by_role("button", name="Opslaan", exact=True).click()
    path = coming.value.path()
    assert coming.value.suggested_filename.endswith(".pdf")
    assert path.read_bytes().startswith(b"%PDF-")
    assert b"pdfuaid" in path.read_bytes()
