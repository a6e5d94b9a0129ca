"""BRP Personen: persons who do not exist, asked for by BSN.

Promises: only the fields that are asked for are given, beside those given always; an unknown BSN gives an
empty list; a field that may not be asked for is refused.
Source: BRP Personen 2.7.0, `RaadpleegMetBurgerservicenummer` and `fields`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from adapters.simulators.open_zaak.answers import Problem, answer
from adapters.simulators.open_zaak.shapes import Field, Shape
from adapters.simulators.open_zaak.shelf import sent

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from adapters.simulators.open_zaak.access import Gate

BRP: Final = "/haalcentraal/api/brp"
TYPE: Final = "RaadpleegMetBurgerservicenummer"
# Always given where they hold; asking for them is refused.
ALWAYS: Final = (
    "geheimhoudingPersoonsgegevens",
    "opschortingBijhouding",
    "inOnderzoek",
    "rni",
    "verificatie",
)
FIELDS_MAX: Final = 130
PERSONS_MAX: Final = 20
TEST_RANGE: Final = "9999"
# Looked at one by one below: each has a word of its own.
_QUESTION: Final[Shape] = {
    name: Field(lambda _: True).or_null for name in ("type", "burgerservicenummer", "fields")
}


class Brp:
    """Persons by BSN."""

    def __init__(self, gate: Gate) -> None:
        self._gate: Final = gate
        self.persons: Final[dict[str, dict[str, Any]]] = {}
        # A day on which everybody of the test range is born who is not told here; nobody where it is empty.
        self.anybody_born = ""
        self.asked_fields: Final[list[tuple[str, ...]]] = []

    @property
    def routes(self) -> list[BaseRoute]:
        """Return the one path."""
        return [Route("/personen", self._ask, methods=["POST"])]

    async def _ask(self, request: Request) -> Response:
        self._gate.brp(request)
        told = await sent(request, _QUESTION)
        if told.get("type") != TYPE:
            raise Problem(400, "paramsValidation", [("type", "value", "Waarde is geen geldig zoek type.")])
        numbers, fields = told.get("burgerservicenummer"), told.get("fields")
        if not isinstance(numbers, list) or not 1 <= len(numbers) <= PERSONS_MAX:
            raise Problem(
                400, "paramsRequired", [("burgerservicenummer", "required", "Parameter ontbreekt.")]
            )
        if any(not re.fullmatch("[0-9]{9}", str(one)) for one in numbers):
            raise Problem(400, "paramsValidation", [("burgerservicenummer", "pattern", "Onjuist patroon.")])
        if not isinstance(fields, list) or not 1 <= len(fields) <= FIELDS_MAX:
            raise Problem(400, "paramsRequired", [("fields", "required", "Parameter ontbreekt.")])
        if any(str(field).split(".")[0] in ALWAYS for field in fields):
            raise Problem(400, "paramsValidation", [("fields", "fields", "Veld mag niet gevraagd worden.")])
        self.asked_fields.append(tuple(fields))
        found = [_only(person, fields) for person in map(self._person, numbers) if person]
        return answer({"type": TYPE, "personen": found}, media_type="application/json; charset=utf-8")

    def _person(self, number: str) -> dict[str, Any]:
        if number in self.persons or not self.anybody_born or not number.startswith(TEST_RANGE):
            return self.persons.get(number, {})
        date = {"type": "Datum", "datum": self.anybody_born, "langFormaat": self.anybody_born}
        return {"burgerservicenummer": number, "geboorte": {"datum": date}}


def _only(person: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {name: person[name] for name in ALWAYS if name in person}
    for field in fields:
        _copy(person, shown, field.split("."))
    return shown


def _copy(held: dict[str, Any], shown: dict[str, Any], path: list[str]) -> None:
    name, *rest = path
    if name not in held:
        return
    # A date is given whole, whatever is asked of it.
    if rest and isinstance(held[name], dict) and "type" not in held[name]:
        _copy(held[name], shown.setdefault(name, {}), rest)
    else:
        shown[name] = held[name]
