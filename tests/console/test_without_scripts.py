"""The register and the review of lookups without JavaScript: read, proposed, approved, agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.console.browser import Window, chromium
from tests.console.house import House
from tests.console.test_in_browser import NAMES
from tests.console.test_lookups import TASK, Month
from tests.pipeline.legal_bases import entry_text
from tests.server.conftest import opened
from tests.server.town import CITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    for town in opened(tmp_path_factory.mktemp("month")):
        house = House(town, tmp_path_factory.mktemp("console"), next(town.bsns))
        try:
            yield Month(house, town)
        finally:
            house.close()


@pytest.fixture(scope="module")
def sign_in(month: Month) -> Iterator[Callable[[str], Window]]:
    opened_windows: list[Window] = []
    with chromium() as browser:
        url = month.house.open_door()

        def signed_in(role: str) -> Window:
            window = Window(browser, url, scripts=False)
            opened_windows.append(window)
            window.sign_in(NAMES[role])
            return window

        yield signed_in
        for window in opened_windows:
            window.close()


def recorded(page: Any) -> None:  # noqa: ANN401 -- a Page
    page.wait_for_selector("h1:text-is('Vastgelegd')")


def test_names_are_asked_agreed_to_and_read(month: Month, sign_in: Callable[[str], Window]) -> None:
    officer, keeper = sign_in("officer"), sign_in("keeper")
    page = officer.page
    officer.open("/toezicht")
    page.get_by_label("Maand").select_option(month.name)
    page.get_by_role("button", name="Toon").click()
    page.get_by_role("link", name=TASK).click()
    page.get_by_label("Waarom u de namen moet weten").fill("Twee inzages in de nacht.")
    page.get_by_role("button", name="Vraag de namen aan").click()
    recorded(page)
    keeper.open("/")
    keeper.page.get_by_role("button", name="Ik stem in").click()
    recorded(keeper.page)
    officer.open(month.at("cel", taak=TASK))
    page.get_by_role("link", name="Lees de namen").click()
    page.get_by_text(month.professional).first.wait_for()
    # Whose lookups these are is told by name; the number stands beneath.
    assert "Gemeente Voorbeeld" in page.locator("main").inner_text()
    assert CITY in page.locator("main").inner_text()
    officer.open(f"/toezicht/steekproef?maand={month.name}&organisatie={CITY}")
    page.get_by_label("Hoeveel raadplegingen").fill("2")
    page.get_by_role("button", name="Trek de steekproef").click()
    page.get_by_role("link", name="Terug").click()
    page.get_by_label("Wat u vond van beslissing 1").select_option("onrechtmatig")
    page.get_by_role("button", name="Vastleggen 1").click()
    page.get_by_text("1 van 2 raadplegingen beoordeeld").wait_for()


def test_a_version_is_previewed_proposed_and_approved(sign_in: Callable[[str], Window]) -> None:
    text = entry_text("WMO-ZONDER-SCRIPT")
    author, approver = sign_in("author"), sign_in("approver")
    page = author.page
    author.open("/register/voorstel")
    page.get_by_label("Eén grondslag in TOML").fill("geen TOML")
    page.get_by_role("button", name="Stel voor").click()
    page.locator("[aria-invalid=true]").first.wait_for()
    page.get_by_label("Eén grondslag in TOML").fill(text)
    page.get_by_role("button", name="Stel voor").click()
    recorded(page)
    other = approver.page
    approver.open("/register")
    other.get_by_role("link", name="Bekijk wat wacht").click()
    other.get_by_role("link", name="WMO-ZONDER-SCRIPT").first.click()
    other.get_by_label("Ik heb gezien wat deze versie opent").check()
    other.get_by_role("button", name="Keur goed").click()
    recorded(other)
    officer = sign_in("officer")
    officer.open("/voorvertoning")
    officer.page.locator("textarea").first.fill(text)
    officer.page.get_by_role("button", name="Laat zien wat er verandert").click()
    officer.page.locator("main h1").wait_for()
    officer.open("/naspelen")
    officer.page.locator("main button").first.click()
    officer.page.get_by_text("opnieuw beoordeeld").first.wait_for()
