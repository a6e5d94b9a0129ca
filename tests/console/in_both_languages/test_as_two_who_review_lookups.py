"""A month of lookups as two persons review it: each step in both languages, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simulators.identity_provider.people import PEOPLE
from exchange.console.pages.lookup_sample import FINDINGS
from tests.console.house import KEEPER, OFFICER, House
from tests.console.in_both_languages.reader import entering, tries
from tests.console.test_lookups import TASK, Month
from tests.server.conftest import opened
from tests.server.town import CITY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console.in_both_languages.reader import Reader

NAMES = {person.subject: person.name for person in PEOPLE}
WORDS = "Lorem ipsum."
RECORDED = "Vastgelegd"
DRAWN = 2


@pytest.fixture
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    """Return a month of its own for each language: its sample is drawn once."""
    for town in opened(tmp_path_factory.mktemp("month")):
        house = House(town, tmp_path_factory.mktemp("console"), next(town.bsns))
        try:
            yield Month(house, town)
        finally:
            house.close()


def draw_and_review(officer: Reader, month: Month) -> None:
    officer.open(f"/toezicht?maand={month.name}")
    officer.go(officer.page.locator("main a[href^='/toezicht/steekproef']").first)
    officer.fill("Hoeveel raadplegingen", str(DRAWN))
    officer.press("Trek de steekproef")
    officer.sees("De steekproef is getrokken")
    officer.follow("Terug")
    for said, one in enumerate(FINDINGS):
        # A later judgement of the first counts above an earlier.
        officer.field("Wat u vond van beslissing %(number)s", number=1).select_option(officer.says(one.says))
        officer.press("Vastleggen")
        officer.sees("%(said)s van %(count)s raadplegingen beoordeeld.", said=1, count=DRAWN)
        assert officer.page.get_by_text(officer.says(one.says)).locator("visible=true").count(), said


@tries("GET /toezicht*", "POST /toezicht/*")
def test_names_are_asked_agreed_to_and_read_and_a_sample_is_drawn(language: str, month: Month) -> None:
    with entering(month.house) as enter:
        officer, keeper = enter(language), enter(language)
        officer.sign_in(NAMES[OFFICER])
        officer.follow("Toezicht")
        officer.reads("Toezicht op raadplegingen")
        officer.field("Maand").select_option(month.name)
        officer.press("Toon")
        officer.go(officer.page.get_by_role("link", name=TASK).first)
        officer.fill("Waarom u de namen moet weten", WORDS)
        officer.press("Vraag de namen aan")
        officer.reads(RECORDED)
        officer.sees("De namen zijn aangevraagd; nu moet een tweede persoon instemmen")
        keeper.sign_in(NAMES[KEEPER])
        keeper.reads("Verzoeken om namen")
        keeper.press("Ik stem in")
        keeper.sees("U stemde in: wie de namen vroeg kan ze nu 14 dagen lezen")
        keeper.follow("Terug")
        keeper.field("Maand").select_option(month.name)
        keeper.press("Toon")
        keeper.sees(WORDS)
        assert CITY in keeper.page.url
        officer.open(month.at("cel", taak=TASK))
        officer.follow("Lees de namen")
        assert officer.page.get_by_text(month.professional).count() > 0
        officer.follow("Terug naar de aantallen")
        draw_and_review(officer, month)
