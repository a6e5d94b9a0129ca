"""What a bewindvoerder finds of the resident whose money he keeps: in both languages, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simulators.identity_provider.people import Somebody
from tests.console.in_both_languages.reader import tries
from tests.console.test_money import KEEPER, kept, owing
from tests.server.town import ADMIN, CITY

if TYPE_CHECKING:
    from tests.console.house import House
    from tests.console.in_both_languages.reader import SignIn
    from tests.server.family import Family
    from tests.server.town import Town

NAME = "Bewindvoerder 1"


@pytest.fixture(scope="module")
def ward(house: House, town: Town) -> Family:
    house.provider.admit(Somebody(KEEPER, NAME, "resident", "bewindvoerder", next(town.bsns)))
    town.worker("beheer", "beheerder-1").organisation.grant_task(claim=ADMIN, oin=CITY, task="college:WGS")
    return owing(kept(town))


@tries("GET /mijn/6", "GET /mijn/7", "POST /mijn/6/ander*")
def test_he_names_the_plan_and_reads_what_is_about_money(
    language: str, ward: Family, sign_in: SignIn
) -> None:
    keeper = sign_in(NAME, language)
    keeper.open("/mijn/6")
    for plan, refused in (("1", True), (ward.plan_id, False)):
        keeper.fill("Hoe noemt u deze persoon?", "Pa")
        keeper.fill("Burgerservicenummer van deze persoon", ward.bsn)
        keeper.fill("Nummer van het plan, alleen als u bewindvoerder bent", plan)
        keeper.go(keeper.button("Ga verder voor deze persoon"), refused=refused)
    keeper.sees("Waarom ziet u niet meer?")
