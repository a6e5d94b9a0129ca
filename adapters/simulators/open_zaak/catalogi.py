"""The Catalogi and Besluiten APIs, as far as an adapter of a municipality uses them.

Promises: types are read only; a decision is unique by identification and organisation, and of a case whose
type allows it.
Source: Catalogi API 1.3.1; Besluiten API 1.1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from adapters.simulators.open_zaak.answers import Problem, answer, invalid
from adapters.simulators.open_zaak.catalogue import Catalogue
from adapters.simulators.open_zaak.shapes import DAY, Shape, choice, text, url
from adapters.simulators.open_zaak.shelf import Resource, Shelf, asked, page, sent
from adapters.simulators.open_zaak.zaak_shapes import BESLUIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from adapters.simulators.open_zaak.access import Gate
    from adapters.simulators.open_zaak.zaken import Notify, Zaken

CATALOGI: Final = "/catalogi/api/v1"
BESLUITEN: Final = "/besluiten/api/v1"
# Everything here is published, and valid on every day.
_STATUS: Final[Shape] = {"status": choice("alles", "definitief")}
_UNSEEN: Final = frozenset({"status", "datumGeldigheid"})
_OF_TYPE: Final[Shape] = {"zaaktypeIdentificatie": text(), **_STATUS}
_GENERIC: Final = choice(
    "adviseur",
    "behandelaar",
    "belanghebbende",
    "beslisser",
    "initiator",
    "klantcontacter",
    "zaakcoordinator",
    "mede_initiator",
)
_FILTERS: Final[dict[str, Shape]] = {
    "zaaktypen": {"identificatie": text(), "datumGeldigheid": DAY, **_STATUS},
    "statustypen": _OF_TYPE,
    "roltypen": {**_OF_TYPE, "omschrijvingGeneriek": _GENERIC},
    "resultaattypen": _OF_TYPE,
    "eigenschappen": _OF_TYPE,
    "informatieobjecttypen": {"omschrijving": text(), "datumGeldigheid": DAY, **_STATUS},
    "besluittypen": {"zaaktypen": url(), "omschrijving": text(), **_STATUS},
}
_DECISIONS: Final[Shape] = {
    "identificatie": text(),
    "verantwoordelijkeOrganisatie": text(),
    "zaak": url(),
    "besluittype": url(),
}


class Catalogi:
    """The types."""

    def __init__(self, base: str, gate: Gate) -> None:
        self._gate: Final = gate
        self.catalogue: Final = Catalogue(base + CATALOGI)

    @property
    def routes(self) -> list[BaseRoute]:
        """Return every path."""
        listed = [
            Route(f"/{name}", self._list_of(name, filters), methods=["GET"])
            for name, filters in _FILTERS.items()
        ]
        return [*listed, Route("/zaaktypen/{uuid}", self._show, methods=["GET"])]

    async def _show(self, request: Request) -> Response:
        self._gate.zgw(request)
        uuid = request.path_params["uuid"]
        for one in self.catalogue.collections["zaaktypen"]:
            if one["url"].endswith(f"/{uuid}"):
                return answer(one, etag=True)
        raise Problem(404, "not_found")

    def _list_of(self, name: str, filters: Shape) -> Callable[[Request], Any]:
        async def listed(request: Request) -> Response:
            self._gate.zgw(request)
            told = asked(request, filters)
            wanted = {key: value for key, value in told.items() if key not in _UNSEEN}
            return page(
                request,
                [
                    one
                    for one in self.catalogue.collections[name]
                    if all(value == one[key] or value in one[key] for key, value in wanted.items())
                ],
            )

        return listed


class Besluiten:
    """The decisions."""

    def __init__(self, base: str, gate: Gate, zaken: Zaken, catalogue: Catalogue, notify: Notify) -> None:
        self._gate: Final = gate
        self._zaken: Final = zaken
        self.catalogue: Final = catalogue
        self._notify: Final = notify
        self.besluiten: Final = Shelf(base + BESLUITEN, "besluiten")

    @property
    def routes(self) -> list[BaseRoute]:
        """Return every path."""
        return [
            Route("/besluiten", self._list, methods=["GET"]),
            Route("/besluiten", self._create, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        self._gate.zgw(request)
        filters = asked(request, _DECISIONS)
        return page(
            request,
            [
                one
                for one in self.besluiten.by_uuid.values()
                if all(one.get(key) == value for key, value in filters.items())
            ],
        )

    async def _create(self, request: Request) -> Response:
        self._gate.zgw(request)
        required = ("verantwoordelijkeOrganisatie", "besluittype", "datum", "ingangsdatum")
        told: Resource = await sent(request, BESLUIT, *required)
        zaak = self._zaken.zaken.at(told.get("zaak"))
        if zaak is None:
            raise invalid("zaak", "bad-url")
        kind = self.catalogue.find("besluittypen", told["besluittype"])
        if kind is None or zaak["zaaktype"] not in kind["zaaktypen"]:
            raise invalid("nonFieldErrors", "zaaktype-mismatch")
        told.setdefault("identificatie", f"BESLUIT-{len(self.besluiten.by_uuid) + 1:010}")
        for other in self.besluiten.by_uuid.values():
            keys = ("identificatie", "verantwoordelijkeOrganisatie")
            if all(other.get(key) == told.get(key) for key in keys):
                raise invalid("identificatie", "identificatie-niet-uniek")
        made = self.besluiten.put({**told, "vervalredenWeergave": ""})
        shown = {name: value for name, value in made.items() if name != "uuid"}
        self._notify("besluiten", zaak, "besluit", made, "create")
        return answer(shown, 201, {"Location": made["url"]})
