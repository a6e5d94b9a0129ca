"""Who acts for another, and a resident by keyboard, on paper and enlarged: in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from adapters.simulators.identity_provider.people import PEOPLE, REPRESENTATIVES
from exchange.v1 import plan_pb2
from tests.console.browser import Window, chromium
from tests.console.house import PARENT, House
from tests.console.resident_life import NOTICE, NOTICE_SHA256, ask_consent, live
from tests.console.resident_reads import client_of, requests_of, state_of
from tests.console.test_in_browser import shot
from tests.server.family import WORDS, Family
from tests.server.town import ACCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.story import Story
    from tests.server.town import Town

pytestmark = pytest.mark.slow

ME, OFFICER, POLICY = "Inwoner 1", "Fatima Groen", "Daan Smit"
NAMES = {one.subject: one.name for one in (*PEOPLE, *REPRESENTATIVES)}
MINE = ("/mijn/1", "/mijn/2", "/mijn/3", "/mijn/3/1", "/mijn/4", "/mijn/4/3", "/mijn/5", "/mijn/6")
OFFICES = ("/vandaag", "/raadplegingen", "/register", "/toezicht", "/grootboek", "/inzicht/budget")
# 200 % of a screen of 1280: half as many CSS pixels (WCAG 1.4.10 asks 320 for one column of text).
ENLARGED = {"width": 640, "height": 450}
GIVEN, TAKEN_BACK = 2, 4


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    notices = tmp_path_factory.mktemp("notices")
    (notices / "buurtteam.txt").write_text(NOTICE)
    live(story)
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn, console_notices=notices)
    yield house
    house.close()


@pytest.fixture(scope="module")
def child(house: House, town: Town) -> Family:
    family = Family(town, 13)
    family.record(PARENT)
    for kind in (2, 1):
        family.ask(kind=kind, notice_id=f"folder-{NOTICE_SHA256.hex()[:8]}", notice_sha256=NOTICE_SHA256)
    return family


@pytest.fixture(scope="module")
def url(house: House) -> str:
    return house.open_door()


@pytest.fixture(scope="module")
def open_window(browser: Any, url: str) -> Iterator[Callable[..., Window]]:  # noqa: ANN401 -- a Browser
    opened: list[Window] = []

    def made(name: str, *, scripts: bool = True) -> Window:
        window = Window(browser, url, scripts=scripts)
        opened.append(window)
        window.sign_in(name)
        return window

    yield made
    for window in opened:
        window.close()


def act_for(window: Window, bsn: str, name: str) -> None:
    window.open("/mijn/6")
    window.page.get_by_label("Hoe noemt u deze persoon?").fill(name)
    window.page.get_by_label("Burgerservicenummer van deze persoon").fill(bsn)
    window.page.get_by_role("button", name="Ga verder voor deze persoon").click()
    window.page.get_by_text(f"U doet dit voor {name}.").wait_for()


def looked_at(window: Window, name: str, path: str) -> None:
    for language in ("nl", "en"):
        window.open(f"/taal/{language}?naar={quote(path, safe='')}")
        assert window.page.locator("h1").count() == 1
        window.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        shot(window, f"{name}-{language}")
        assert window.faults() == [], path
        assert window.overflows() == [], path
    window.open(f"/taal/nl?naar={quote(path, safe='')}")


def test_the_pages_of_who_acts_for_another_are_for_everybody(
    open_window: Callable[..., Window], child: Family
) -> None:
    window = open_window(NAMES[PARENT])
    looked_at(window, "behalf-none", "/mijn/6")
    window.page.get_by_role("button", name="Ga verder voor deze persoon").click()
    window.page.get_by_text("Dit is geen goed burgerservicenummer.").wait_for()
    shot(window, "behalf-faults")
    assert window.faults() == []
    act_for(window, child.bsn, "Sem")
    for path in MINE:
        looked_at(window, f"behalf{path.replace('/', '-')}", path)
    window.open("/mijn/6")
    window.page.get_by_role("button", name="Veilige weergave").click()
    shot(window, "behalf-safe")
    assert window.faults() == []
    assert [one for one in window.complaints if "40" not in one and not one.startswith("failed: ")] == []


def test_without_scripts_he_acts_answers_and_comes_back(
    open_window: Callable[..., Window], child: Family, house: House
) -> None:
    window = open_window(NAMES[PARENT], scripts=False)
    page = window.page
    act_for(window, child.bsn, "Sem")
    page.get_by_text(WORDS).first.wait_for()
    page.locator("summary", has_text="Nee, ik ga niet akkoord").click()
    page.get_by_label("Waarom niet?").fill("Wij willen wachten.")
    page.get_by_role("button", name="Nee, ik ga niet akkoord").click()
    page.get_by_text("U zei nee tegen het plan.").wait_for()
    page.locator("summary", has_text="Iets erbij zeggen").first.click()
    page.get_by_label("Uw woorden").first.fill("Dit klopt niet helemaal.")
    page.get_by_role("button", name="Zet dit erbij").first.click()
    page.get_by_text("Uw woorden staan nu bij het plan.").wait_for()
    page.get_by_role("link", name="Wie keek").click()
    page.locator("summary", has_text="Kies wat u wilt zien").click()
    page.get_by_label("Wat er gebeurde").select_option("1")
    page.get_by_role("button", name="Laat zien").click()
    page.get_by_text("Hier is niets gevonden.").wait_for()
    page.get_by_role("link", name="Mijn rechten").first.click()
    page.get_by_role("link", name="Iets laten verbeteren").click()
    page.get_by_label("Wat klopt er niet").fill("De school heet anders.")
    page.get_by_role("button", name="Vraag om verbetering").click()
    page.get_by_text("Uw verzoek is ontvangen.").wait_for()
    page.get_by_role("link", name="Bezwaar maken").click()
    page.get_by_role("button", name="Maak bezwaar").click()
    page.get_by_text("tegen iedereen").first.wait_for()
    # At thirteen it is the child's own to take back: it is not offered, and would be refused.
    assert page.get_by_role("button", name="Neem mijn bezwaar terug").count() == 0
    page.get_by_role("link", name="Gegevens laten wissen").click()
    page.get_by_label("wat er is bewaard over jeugdhulp").check()
    page.get_by_role("button", name="Vraag om wissen").click()
    page.get_by_text("Uw verzoek is ontvangen.").wait_for()
    page.get_by_role("link", name="Voor wie", exact=True).first.click()
    page.get_by_role("button", name="Voor mijzelf").click()
    page.get_by_text("Er is hier geen plan van u.").wait_for()
    assert child.bsn not in house.log()


def test_without_scripts_a_table_is_bought_and_a_total_is_changed_by_two(
    open_window: Callable[..., Window], house: House
) -> None:
    window = open_window(POLICY, scripts=False)
    page = window.page
    window.open("/inzicht?jaar=2022")
    page.get_by_label("Eigen netwerk").check()
    page.get_by_label("Huisvesting").check()
    page.get_by_label("0,10: een vak").check()
    page.get_by_label("Waarvoor de tabel nodig is").fill("Voor het beleidsplan.")
    page.get_by_role("button", name="Bekijk de prijs").click()
    page.get_by_role("button", name="Publiceer, en besteed 0,10").click()
    page.get_by_text("te weinig inwoners").first.wait_for()
    page.get_by_role("link", name="Privacybudget").click()
    page.get_by_label("Jaar van de laatste score").select_option("2022")
    page.get_by_role("button", name="Toon").click()
    page.get_by_role("button", name="Stel dit totaal voor").click()
    page.get_by_text("Vul een getal in van 0,05").wait_for()
    page.get_by_label("Nieuw totaal voor 2022").fill("1,25")
    page.get_by_label("Waarom").fill("Een tabel over wonen is nodig voor de raad.")
    page.get_by_role("button", name="Stel dit totaal voor").click()
    page.get_by_text("Uw voorstel is vastgelegd.").wait_for()
    other = open_window(OFFICER, scripts=False)
    other.open("/inzicht/budget?jaar=2022")
    other.page.get_by_role("button", name="Keur 1,25 goed").click()
    other.page.get_by_text("Het nieuwe totaal geldt vanaf nu.").wait_for()
    assert house.town.state("insight", "2022").total_thousandths == 1_250
    # What a checker looks at needs a script of its own.
    seen = open_window(POLICY)
    looked_at(seen, "budget", "/inzicht/budget?jaar=2022")
    seen.page.get_by_label("Nieuw totaal voor 2022").fill("2")
    seen.page.get_by_label("Waarom").fill("Ook over werk.")
    seen.page.get_by_role("button", name="Stel dit totaal voor").click()
    seen.page.get_by_text("Uw voorstel is vastgelegd.").wait_for()
    looked_at(open_window(OFFICER), "budget-waits", "/inzicht/budget?jaar=2022")


class Keys:
    """Somebody who has no mouse: he goes on with Tab, and presses what he came to."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401 -- a Page
        self.page = page

    def reach(self, words: str, tag: str = "") -> None:
        """Go on until something with these words, or a field with this label, has the focus."""
        for _ in range(250):
            self.page.keyboard.press("Tab")
            said, name = self.page.evaluate(
                """() => {
                    const here = document.activeElement;
                    const label = here.labels && here.labels.length ? here.labels[0].innerText : "";
                    return [(label || here.innerText || "").trim(), here.tagName];
                }"""
            )
            if said.startswith(words) and (not tag or name == tag):
                return
        pytest.fail(f"the keyboard does not come to {words!r}")

    def press(self, words: str, tag: str = "") -> None:
        """Press it, and wait for the page it leads to."""
        self.reach(words, tag)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def sees(self, words: str) -> None:
        self.page.get_by_text(words).first.wait_for()


def test_a_resident_does_his_five_tasks_with_the_keyboard_alone(
    open_window: Callable[..., Window], story: Story
) -> None:
    """Agree with the plan; give a consent and take it back; object; ask for access; see who looked."""
    consent_id = ask_consent(story)
    page = open_window(ME).page
    keys = Keys(page)
    page.goto(page.url.partition("/mijn")[0] + "/mijn/1")
    keys.press("Ja, ik ga akkoord")
    keys.sees("U zei ja tegen het plan.")
    keys.press("Toestemming")
    keys.press("Lees de vraag en geef antwoord")
    keys.press("Ja, dat mag")
    keys.sees("U zei ja.")
    assert state_of(story, consent_id) == GIVEN
    keys.press("Neem mijn ja terug")
    keys.sees("U nam uw ja terug.")
    assert state_of(story, consent_id) == TAKEN_BACK
    keys.press("Mijn rechten")
    keys.press("Bezwaar maken")
    keys.reach("Waarvoor", "SELECT")
    page.keyboard.press("ArrowDown")
    keys.reach("Waarom?", "TEXTAREA")
    page.keyboard.type("Ik wil dit niet.")
    keys.press("Maak bezwaar")
    keys.sees("Uw bezwaar is ontvangen")
    keys.press("Zien wat er van mij is")
    keys.press("Vraag om inzage")
    keys.sees("Uw verzoek is ontvangen.")
    assert len(requests_of(story)) == 1
    keys.press("Wie keek")
    keys.reach("Uitleg", "SUMMARY")
    page.keyboard.press("Enter")
    keys.sees("Dat mag volgens")
    read = client_of(story).plan.get_plan(claim=ACCESS, plan_id=story.plan_id, fields=["agreements.outcome"])
    assert read.plan.agreements[-1].outcome == plan_pb2.AGREEMENT_OUTCOME_AGREED


def test_enlarged_to_twice_its_size_no_page_scrolls_sideways(
    open_window: Callable[..., Window], child: Family
) -> None:
    parent = open_window(NAMES[PARENT])
    act_for(parent, child.bsn, "Sem")
    for window, paths in (
        (open_window(ME), MINE),
        (parent, MINE),
        (open_window(OFFICER), OFFICES),
        (open_window(POLICY), ("/inzicht", "/inzicht/budget")),
    ):
        window.page.set_viewport_size(ENLARGED)
        for path in paths:
            window.open(path)
            window.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            wide = window.page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert wide[0] <= wide[1], path


def test_on_paper_stands_what_is_read_and_nothing_to_press(
    open_window: Callable[..., Window], child: Family
) -> None:
    window = open_window(NAMES[PARENT])
    act_for(window, child.bsn, "Sem")
    page = window.page
    for path in ("/mijn/1", "/mijn/2", "/mijn/4"):
        window.open(path)
        page.emulate_media(media="print")
        shown = page.locator(
            "button:visible, textarea:visible, select:visible, nav:visible, .watched:visible"
        )
        assert shown.count() == 0, path
        # For whom it was printed is on the paper; so is what was folded away on the screen.
        assert page.locator(".acting:visible").count() == 1
        assert page.locator("main h1:visible").count() == 1
        folded = page.locator("article details > p")
        assert [one for one in folded.all() if not one.is_visible()] == []
        shot(window, f"print{path.replace('/', '-')}")
        page.emulate_media(media="screen")
