"""A resident's pages in a real browser: both languages, axe, a phone, keyboard, no scripts; leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.console.browser import NARROW, Window, chromium
from tests.console.house import House
from tests.console.resident_life import NOTICE, ask_consent, live
from tests.console.test_in_browser import shot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.story import Story
    from tests.server.town import Town

pytestmark = pytest.mark.slow

ME = "Inwoner 1"
PAGES = {
    "plan": "/mijn/1",
    "looks": "/mijn/2",
    "looks-all": "/mijn/2?wie=1",
    "consents": "/mijn/3",
    "consent": "/mijn/3/1",
    "rights": "/mijn/4",
    "access": "/mijn/4/1",
    "correct": "/mijn/4/2",
    "object": "/mijn/4/3",
    "erase": "/mijn/4/6",
    "watched": "/mijn/5",
    "nowhere": "/mijn/3/99",
}


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
def url(house: House) -> str:
    return house.open_door()


@pytest.fixture(scope="module")
def window(browser: Any, url: str) -> Iterator[Window]:  # noqa: ANN401 -- a Browser
    window = Window(browser, url)
    window.sign_in(ME)
    yield window
    window.close()


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everybody(window: Window, name: str, language: str) -> None:
    window.complaints.clear()
    window.open(f"/taal/{language}?naar={quote(PAGES[name], safe='')}")
    page = window.page
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("h1").count() == 1
    shot(window, f"resident-{name}-{language}")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    shot(window, f"resident-{name}-{language}-open")
    assert window.faults() == []
    assert window.overflows() == []
    assert [one for one in window.complaints if "404" not in one] == []


def test_a_resident_says_yes_and_takes_it_back_without_scripts_on_a_phone(
    browser: Any,  # noqa: ANN401 -- a Browser
    url: str,
    story: Story,
) -> None:
    ask_consent(story)
    window = Window(browser, url, scripts=False)
    page = window.page
    page.set_viewport_size(NARROW)
    try:
        window.sign_in(ME)
        assert page.locator("h1").inner_text() == "Mijn plan"
        page.get_by_role("button", name="Ja, ik ga akkoord").click()
        page.get_by_text("U zei ja tegen het plan.").wait_for()
        page.locator("summary", has_text="Nee, ik ga niet akkoord").click()
        page.get_by_label("Waarom niet?").fill("Toch niet.")
        page.get_by_role("button", name="Nee, ik ga niet akkoord").click()
        page.get_by_text("U zei nee tegen het plan.").wait_for()
        page.get_by_role("link", name="Toestemming").click()
        page.get_by_role("link", name="Lees de vraag en geef antwoord").first.click()
        page.get_by_role("button", name="Ja, dat mag").click()
        page.get_by_role("status").wait_for()
        page.get_by_role("button", name="Neem mijn ja terug").click()
        page.get_by_text("U nam uw ja terug.").wait_for()
        page.get_by_role("link", name="Mijn rechten").click()
        page.get_by_role("link", name="Zien wat er van mij is").click()
        page.get_by_role("button", name="Vraag om inzage").click()
        page.get_by_text("Antwoord uiterlijk").first.wait_for()
        page.get_by_role("button", name="Veilige weergave").click()
        page.wait_for_selector("h1:text-is('Overzicht')")
        assert page.title() == "Overzicht"
        shot(window, "resident-safe")
        page.get_by_role("link", name="Deel 2").click()
        assert page.title() == "Overzicht"
        # Without a script it is a link like any; where it leads to is another's page.
        assert page.get_by_role("link", name="Snel weg").get_attribute("href") == "/uit"
    finally:
        window.close()


def test_leaving_at_once_leaves_no_page_to_go_back_to(browser: Any, url: str) -> None:  # noqa: ANN401 -- a Browser
    window = Window(browser, url)
    page = window.page
    # The place of the settings is outside; here it is answered by the test.
    page.route(
        "https://www.knmi.nl/**",
        lambda asked: asked.fulfill(body="<title>Weer</title>", content_type="text/html"),
    )
    try:
        window.sign_in(ME)
        window.open("/mijn/2")
        before = page.evaluate("history.length")
        page.get_by_role("link", name="Snel weg").click()
        page.wait_for_url("https://www.knmi.nl/")
        assert page.evaluate("history.length") == before
        assert [one["name"] for one in window.context.cookies(url) if one["name"] == "__Host-console"] == []
        page.go_back()
        # Behind it is what was looked at before; it asks to sign in again, and shows nothing.
        assert "Wie keek" not in page.locator("body").inner_text()
        assert page.get_by_text(ME).count() in {0, 1}
        assert page.get_by_text("Weer zelf koken.").count() == 0
    finally:
        window.close()


def test_the_keyboard_reaches_everything_of_a_plan(window: Window) -> None:
    page = window.page
    window.open("/taal/nl?naar=/mijn/3")
    wanted = page.locator("a:visible, button:visible, input:visible, summary:visible").count()
    seen = set()
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => {
                const here = document.activeElement, style = getComputedStyle(here);
                return [here.outerHTML.slice(0, 200), style.outlineStyle, here.tagName];
            }"""
        )
        if at[2] == "BODY":
            break
        assert at[1] == "solid", f"nobody sees where he is: {at[0]}"
        seen.add(at[0])
    assert len(seen) == wanted
