"""Review of lookups and insight in a real browser: each page and action, both languages, small and large."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.pipeline.tabulating import Made, Tabulator
from tests.console.browser import NARROW, WIDE, Window, chromium
from tests.console.house import House
from tests.console.test_in_browser import NAMES
from tests.console.test_lookups import TASK, Month
from tests.server.conftest import opened
from tests.server.test_insight import publish
from tests.server.town import CITY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.domain.insight import Question

pytestmark = pytest.mark.slow
SCREENSHOTS = os.environ.get("CONSOLE_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    for town in opened(tmp_path_factory.mktemp("month")):
        house = House(town, tmp_path_factory.mktemp("console"), next(town.bsns))
        try:
            yield Month(house, town)
        finally:
            house.close()


@pytest.fixture(scope="module")
def windows(month: Month) -> Iterator[dict[str, Window]]:
    """Return a window for each role that comes here, signed in."""
    with chromium() as browser:
        url = month.house.open_door()
        found = {role: Window(browser, url) for role in ("officer", "keeper", "insight")}
        for role, window in found.items():
            window.sign_in(NAMES[role])
            window.complaints.clear()  # of the provider's pages, which are not ours
        yield found
        for window in found.values():
            window.close()


def looked_at(window: Window, name: str) -> None:
    """Require that a page is for everybody, as it stands there."""
    for summary in window.page.locator("details:not([open]) > summary").all():
        summary.click()
    if SCREENSHOTS:
        for size in (WIDE, NARROW):
            window.page.set_viewport_size(size)
            window.page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{size['width']}.png", full_page=True)
        window.page.set_viewport_size(WIDE)
    assert window.page.locator("h1").count() == 1
    assert window.faults() == []
    assert window.overflows() == []
    # A click cuts short what the page before it was still fetching; what is blocked says so besides.
    assert [one for one in window.complaints if not one.startswith("failed: ")] == []


def in_english(window: Window, name: str) -> None:
    """Look at the same page in English, and go back."""
    window.page.get_by_role("link", name="English").click()
    window.page.wait_for_selector("html[lang=en]")
    looked_at(window, f"{name}-en")
    window.page.get_by_role("link", name="Nederlands").click()


def test_from_a_count_to_a_name_by_two_persons(month: Month, windows: dict[str, Window]) -> None:
    officer, keeper = windows["officer"], windows["keeper"]
    page = officer.page
    page.get_by_role("link", name="Toezicht").click()
    page.get_by_label("Maand").select_option(month.name)
    page.get_by_role("button", name="Toon").click()
    looked_at(officer, "lookups")
    in_english(officer, "lookups")
    page.get_by_role("link", name=TASK).click()
    looked_at(officer, "cell")
    in_english(officer, "cell")
    page.get_by_label("Waarom u de namen moet weten").fill("Twee inzages in de nacht.")
    page.get_by_role("button", name="Vraag de namen aan").click()
    page.wait_for_selector("h1:text-is('Vastgelegd')")
    page.get_by_role("link", name="Terug").click()
    page.get_by_text("U vroeg dit zelf. Een collega of de beheerder moet instemmen.").wait_for()
    assert page.get_by_role("button", name="Ik stem in").count() == 0
    looked_at(officer, "same-person")
    # The second person begins with what waits, finds it without an address, and agrees with the keyboard.
    keeper.open("/")
    assert keeper.page.locator("h1").inner_text() == "Verzoeken om namen"
    looked_at(keeper, "requests")
    in_english(keeper, "requests")
    button = keeper.page.get_by_role("button", name="Ik stem in")
    button.focus()
    keeper.page.keyboard.press("Enter")
    keeper.page.wait_for_selector("h1:text-is('Vastgelegd')")
    officer.open(month.at("cel", taak=TASK))
    page.get_by_role("link", name="Lees de namen").click()
    page.get_by_text(month.professional).nth(1).wait_for()
    assert page.get_by_text(month.professional).count() == 2
    looked_at(officer, "names")
    in_english(officer, "names")


def test_a_sample_is_drawn_and_reviewed(month: Month, windows: dict[str, Window]) -> None:
    officer = windows["officer"]
    page = officer.page
    officer.open(f"/toezicht?maand={month.name}")
    page.get_by_role("link", name=re.compile(f"Steekproef van organisatie .*{CITY}")).click()
    looked_at(officer, "undrawn")
    page.get_by_label("Hoeveel raadplegingen").fill("2")
    page.get_by_role("button", name="Trek de steekproef").click()
    page.get_by_role("link", name="Terug").click()
    page.get_by_label("Wat u vond van beslissing 1").select_option("onrechtmatig")
    page.get_by_role("button", name="Vastleggen 1").click()
    page.wait_for_selector("text=1 van 2 raadplegingen beoordeeld")
    looked_at(officer, "sample")
    in_english(officer, "sample")


def test_a_table_is_priced_published_and_drawn(
    month: Month, windows: dict[str, Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(_: Tabulator, question: Question, *_rest: object) -> Made:
        """Give what chance could have given a town of some thousands; the last cell is too small."""
        cells = [f"{row.name} {domain}" for row, domain in question.cells()]
        numbers = ("52 31", "47 -12", "130 208", "61 0", "44 9", "")
        return Made(tuple(f"{one} {told}".strip() for one, told in zip(cells, numbers, strict=True)), 1)

    monkeypatch.setattr(Tabulator, "make", made)
    window = windows["insight"]
    page = window.page
    rows = ["own_network", "custom/06", "custom/01"]
    publish(month.town.signed_in(month.policy), year=2024, rows=rows)
    window.open("/")
    page.get_by_label("Jaar van de laatste score").select_option("2025")
    page.get_by_role("button", name="Toon").click()
    looked_at(window, "insight")
    for name in ("Eigen netwerk", "Maatwerk 01: huishoudelijke hulp", "Maatwerk 06: overige hulp"):
        page.get_by_label(name).check()
    for name in ("Huisvesting", "Sociaal netwerk"):
        page.get_by_label(name).check()
    page.get_by_label("0,40: een vak").check()
    page.get_by_label("Waarvoor de tabel nodig is").fill("Voor het beleidsplan.")
    page.get_by_role("button", name="Bekijk de prijs").click()
    looked_at(window, "price")
    page.get_by_role("button", name="Publiceer, en besteed 0,40").click()
    page.wait_for_selector("svg.chart")
    assert page.get_by_text("te weinig inwoners", exact=True).count() >= 2
    looked_at(window, "table")
    in_english(window, "table")
    window.open("/inzicht?jaar=2025")
    looked_at(window, "insight-after")
    in_english(window, "insight-after")
