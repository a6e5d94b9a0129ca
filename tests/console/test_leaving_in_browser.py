"""Signing out, what is told at a field, and the page of who keeps money: in a real browser, for everybody."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest

from adapters.simulators.identity_provider.people import Somebody
from tests.console.browser import Window, chromium
from tests.console.house import House
from tests.console.test_in_browser import shot
from tests.console.test_leaving import BOTH
from tests.console.test_money import KEEPER, kept, owing
from tests.server.town import ADMIN, CITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.story import Story
    from tests.server.town import Town

pytestmark = pytest.mark.slow

AUTHOR, OFFICER, POLICY, MONEY = "Anna Visser", "Fatima Groen", "Daan Smit", "Bewindvoerder 1"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn, {"remembers": True})
    house.provider.admit(Somebody(KEEPER, MONEY, "resident", "bewindvoerder", next(town.bsns)))
    town.worker("beheer", "beheerder-1").organisation.grant_task(claim=ADMIN, oin=CITY, task="college:WGS")
    yield house
    house.close()


@pytest.fixture(scope="module")
def url(house: House) -> str:
    return house.open_door()


@pytest.fixture
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


def looked_at(window: Window, name: str, path: str) -> None:
    for language in ("nl", "en"):
        window.open(f"/taal/{language}?naar={quote(path, safe='')}")
        assert window.page.locator("h1").count() == 1
        shot(window, f"{name}-{language}")
        assert window.faults() == [], path
        assert window.overflows() == [], path
    window.open(f"/taal/nl?naar={quote(path, safe='')}")


@pytest.mark.parametrize("scripts", [True, False])
def test_who_signs_out_is_led_over_the_provider_and_asked_again_who_he_is(
    open_window: Callable[..., Window],
    *,
    scripts: bool,
) -> None:
    window = open_window(AUTHOR, scripts=scripts)
    page = window.page
    page.get_by_role("button", name="Uitloggen").click()
    page.get_by_text(BOTH).wait_for()
    if scripts:
        shot(window, "left")
        assert window.faults() == []
    page.get_by_role("link", name="Inloggen").click()
    page.get_by_role("heading", name="Wie bent u?").wait_for()
    assert [one for one in window.complaints if "form-action" in one] == []


def test_who_went_at_once_is_not_let_in_by_what_the_provider_remembers(
    open_window: Callable[..., Window], house: House, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each time somebody signs in it is another second, before this one.
    seconds = count(-20)
    monkeypatch.setattr(house.provider, "clock", lambda: time.time() + next(seconds))
    window = open_window("Inwoner 1", scripts=False)
    page = window.page
    # Wherever that leads: this machine need not reach it.
    page.route("https://www.knmi.nl/**", lambda route: route.fulfill(body="het weer"))
    page.get_by_role("link", name="Snel weg").click()
    page.wait_for_url("https://www.knmi.nl/**")
    page.goto(f"{url}/mijn/2")
    page.get_by_role("heading", name="Wie bent u?").wait_for()
    page.get_by_role("link", name="Inwoner 1").click()
    page.get_by_role("heading", name="Wie keek").wait_for()
    assert page.url == f"{url}/mijn/2"


def test_after_a_restart_a_browser_comes_to_the_page_it_asked_for(
    open_window: Callable[..., Window], house: House, url: str
) -> None:
    window = open_window(OFFICER)
    assert house.open_door(urlsplit(url).port or 0) == url
    window.open("/grootboek?vanaf=1")
    window.page.get_by_role("heading", name="Grootboek", exact=True).wait_for()
    assert window.page.url == f"{url}/grootboek?vanaf=1"


def test_a_question_with_errors_leads_the_keyboard_to_each_of_them(
    open_window: Callable[..., Window],
) -> None:
    window = open_window(POLICY)
    page = window.page
    window.open("/inzicht")
    page.get_by_label("Andere productcategorieën").fill("4")
    page.get_by_role("button", name="Bekijk de prijs").click()
    page.get_by_text("Er is niets besteed.").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    shot(window, "insight-errors")
    assert window.faults() == []
    assert window.overflows() == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#andere")
    assert page.get_by_label("Andere productcategorieën").input_value() == "4"


def test_the_pages_that_changed_are_for_everybody(
    open_window: Callable[..., Window], town: Town, story: Story
) -> None:
    officer = open_window(OFFICER)
    for name, path in (
        ("review", "/toezicht"),
        ("requests", "/toezicht/verzoeken"),
        ("ledger", "/grootboek"),
    ):
        looked_at(officer, f"small-{name}", path)
    family = owing(kept(town))
    keeper = open_window(MONEY)
    looked_at(keeper, "small-for-whom", "/mijn/6")
    page = keeper.page
    page.get_by_label("Hoe noemt u deze persoon?").fill("Pa")
    page.get_by_label("Burgerservicenummer van deze persoon").fill(family.bsn)
    page.get_by_label("Nummer van het plan").fill("1")
    page.get_by_role("button", name="Ga verder voor deze persoon").click()
    page.get_by_text("Dit is geen nummer van een plan.").wait_for()
    assert keeper.faults() == []
    page.get_by_label("Burgerservicenummer van deze persoon").fill(family.bsn)
    page.get_by_label("Nummer van het plan").fill(family.plan_id)
    page.get_by_role("button", name="Ga verder voor deze persoon").click()
    page.get_by_role("heading", name="Geld in het plan").wait_for()
    for name, path in (("money", "/mijn/7"), ("safe", "/mijn/5")):
        looked_at(keeper, f"small-{name}", path)
