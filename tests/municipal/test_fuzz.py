"""Answers of the BRP and of the case system that somebody twisted: read, or refused without a value."""

from __future__ import annotations

import copy
import random
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pytest

from adapters.kit.outward import OutwardError
from adapters.municipal.case_shapes import read_case
from adapters.municipal.errors import MunicipalAdapterError
from adapters.municipal.mapping import plan_of, report_of, with_plan
from adapters.municipal.persons import TYPE, read_authority, read_resident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS: Final = 1_000
BSN: Final = "999993653"
HOLDER: Final = {"burgerservicenummer": "999990019"}
PERSON: Final[dict[str, Any]] = {
    "type": TYPE,
    "personen": [
        {
            "burgerservicenummer": BSN,
            "geboorte": {"datum": {"type": "Datum", "datum": "2010-01-01"}, "inOnderzoek": {"datum": False}},
            "opschortingBijhouding": {"reden": {"code": "E"}},
            "indicatieCurateleRegister": False,
            "inOnderzoek": {"burgerservicenummer": False},
            "gezag": [
                {
                    "type": "GezamenlijkOuderlijkGezag",
                    "ouders": [HOLDER, {"burgerservicenummer": BSN}],
                    "ouder": HOLDER,
                    "derde": HOLDER,
                    "derden": [HOLDER],
                }
            ],
        }
    ],
}
CASE: Final[dict[str, Any]] = {
    "url": "https://zaken.example/zaken/1",
    "uuid": "1",
    "zaaktype": "https://zaken.example/zaaktypen/1",
    "einddatum": None,
    "resultaat": None,
    "omschrijving": "Melding",
    "toelichting": f"Mijn nummer is {BSN}.",
    "kenmerken": [{"kenmerk": "1", "bron": "exchange"}],
    "status": None,
    "rollen": ["https://zaken.example/rollen/1"],
    "zaakobjecten": [],
    "laatstGemuteerd": "2026-11-26T09:00:00Z",
}
STRANGE: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 10**30, 2024.5, float("nan"), "", "x", BSN, [], {}, [[]], [{}]),
    *("EenhoofdigOuderlijkGezag", "GezamenlijkGezag", "Voogdij", "JaarDatum", "DatumOnbekend"),
    *({"type": "JaarDatum", "jaar": year} for year in (0, 9999, 10_000, 10**30, "2010")),
    *({"type": "JaarMaandDatum", "jaar": 2010, "maand": month} for month in (0, 12, 13, 10**30)),
    {"reden": {"code": {}}},
)
TODAY: Final = date(2026, 11, 26)


def read_zaak(told: object) -> None:
    zaak = read_case(told)
    plan_of(zaak)
    with_plan(zaak, "2")
    report_of(zaak, "", "justitie")


READERS: Final[dict[str, tuple[dict[str, Any], Callable[[object], object]]]] = {
    "resident": (PERSON, lambda told: read_resident(told, TODAY)),
    "authority": (PERSON, read_authority),
    "case": (CASE, read_zaak),
}


def places(told: object) -> Iterator[tuple[Any, Any]]:
    """Give every container with each key or number in it."""
    keys = told.keys() if isinstance(told, dict) else range(len(told)) if isinstance(told, list) else ()
    for key in list(keys):
        yield told, key
        yield from places(told[key])  # type: ignore[index] # one of the two above


def twisted(whole: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    told = copy.deepcopy(whole)
    for _ in range(chance.randint(1, 2)):
        container, key = chance.choice(list(places(told)) or [(told, "type")])
        if isinstance(container, dict) and chance.random() < 0.2:
            container.pop(key, None)
        else:
            container[key] = copy.deepcopy(chance.choice(STRANGE))
    return told


@pytest.mark.parametrize("name", READERS)
def test_twisted_answers_are_read_or_refused_and_never_told(name: str) -> None:
    whole, read = READERS[name]
    chance = random.Random(name)  # noqa: S311 -- the same at each run
    said: list[str] = []
    read(whole)
    for _ in range(ROUNDS):
        try:
            read(twisted(whole, chance))
        except (MunicipalAdapterError, OutwardError) as refused:
            said.append(str(refused))
    assert ROUNDS // 20 < len(said) < ROUNDS - ROUNDS // 20
    assert not any(BSN in one for one in said)
