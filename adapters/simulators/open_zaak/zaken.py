"""The Zaken API, as far as an adapter of a municipality uses it, with its rules.

Promises: a case is unique by identification and organisation; a type belongs to the type of its case; the
last status closes a case that has a result, and then no status follows and nothing of it is changed.
Source: Zaken API 1.5.1; its rules zrc-001, 002, 007, 016 to 020.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from adapters.simulators.open_zaak.answers import CRS, Problem, answer, invalid
from adapters.simulators.open_zaak.shapes import FLAG, Shape, choice, is_uuid, text, url
from adapters.simulators.open_zaak.shelf import Resource, Shelf, asked, page, sent
from adapters.simulators.open_zaak.zaak_shapes import (
    RESULTAAT,
    ROL,
    STATUS,
    ZAAK,
    ZAAKEIGENSCHAP,
    ZAAKOBJECT,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from adapters.simulators.open_zaak.access import Gate
    from adapters.simulators.open_zaak.catalogue import Catalogue

    Notify = Callable[[str, Resource, str, Resource, str], None]

ROOT: Final = "/zaken/api/v1"
_BSN: Final = "rol__betrokkeneIdentificatie__natuurlijkPersoon__inpBsn"
_TEXTS: Final[Shape] = {
    name: text()
    for name in ("identificatie", "bronorganisatie", "kenmerk", "kenmerk__bron", "zaaktype", _BSN)
}
# In a url all is text; in a body it is not.
_FILTERS: Final[Shape] = {**_TEXTS, "zaaktype": url(), "einddatum__isnull": choice("true", "false")}
_SEARCHED: Final[Shape] = {**_TEXTS, "einddatum__isnull": FLAG}
_CRS: Final = {"Content-Crs": CRS}


def moment() -> str:
    """Return the moment as the API tells it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Zaken:
    """The cases. Owned by the server's loop; `notify` tells kanaal, case, resource, thing, action."""

    def __init__(self, base: str, gate: Gate, catalogue: Catalogue, notify: Notify) -> None:
        self._gate: Final = gate
        self._catalogue: Final = catalogue
        self._notify: Final = notify
        self.zaken: Final = Shelf(base + ROOT, "zaken")
        self.statussen: Final = Shelf(base + ROOT, "statussen")
        self.resultaten: Final = Shelf(base + ROOT, "resultaten")
        self.rollen: Final = Shelf(base + ROOT, "rollen")
        self.zaakobjecten: Final = Shelf(base + ROOT, "zaakobjecten")
        self.eigenschappen: Final = Shelf(base + ROOT, "zaakeigenschappen")

    @property
    def routes(self) -> list[BaseRoute]:
        """Return every path."""
        one, of = "/zaken/{uuid}", "/zaken/{zaak}/zaakeigenschappen"
        return [
            Route("/zaken", self._list, methods=["GET"]),
            Route("/zaken", self._create, methods=["POST"]),
            Route("/zaken/_zoek", self._search, methods=["POST"]),
            Route(one, self._show, methods=["GET"]),
            Route(one, self._patch, methods=["PATCH"]),
            Route(one, self._delete, methods=["DELETE"]),
            Route("/statussen", self._set_status, methods=["POST"]),
            Route("/resultaten", self._set_result, methods=["POST"]),
            Route("/rollen", self._add_role, methods=["POST"]),
            Route("/zaakobjecten", self._add_object, methods=["POST"]),
            Route(of, self._properties, methods=["GET"]),
            Route(of, self._add_property, methods=["POST"]),
            Route(of + "/{uuid}", self._patch_property, methods=["PATCH"]),
            *(
                Route(f"/{shelf.name}/{{uuid}}", self._one_of(shelf), methods=["GET"])
                for shelf in (self.statussen, self.resultaten, self.rollen, self.zaakobjecten)
            ),
        ]

    # --- cases --------------------------------------------------------------------------------------------

    def make(self, told: Resource) -> Resource:
        """Open a case, as a colleague behind another screen does too."""
        found = self._catalogue.find("zaaktypen", told["zaaktype"])
        if found is None:
            raise invalid("zaaktype", "bad-url")
        named = told.get("identificatie") or f"ZAAK-{len(self.zaken.by_uuid) + 1:010}"
        organisation = told["bronorganisatie"]
        for other in self.zaken.by_uuid.values():
            if (other["identificatie"], other["bronorganisatie"]) == (named, organisation):
                raise invalid("identificatie", "identificatie-niet-uniek")
        zaak = self.zaken.put(
            {
                "omschrijving": "",
                "toelichting": "",
                "registratiedatum": told["startdatum"],
                "vertrouwelijkheidaanduiding": found["vertrouwelijkheidaanduiding"],
                "kenmerken": [],
                **told,
                "identificatie": named,
                "einddatum": None,
                "laatstGemuteerd": moment(),
                "betalingsindicatieWeergave": "",
                "status": None,
                "resultaat": None,
                **{name: [] for name in ("deelzaken", "eigenschappen", "rollen")},
                **{name: [] for name in ("zaakinformatieobjecten", "zaakobjecten")},
            }
        )
        self._notify("zaken", zaak, "zaak", zaak, "create")
        return zaak

    async def _create(self, request: Request) -> Response:
        self._gate.zgw(request)
        _require_crs(request)
        required = ("bronorganisatie", "zaaktype", "verantwoordelijkeOrganisatie", "startdatum")
        zaak = self.make(await sent(request, ZAAK, *required))
        return answer(zaak, 201, {"Location": zaak["url"], **_CRS})

    async def _list(self, request: Request) -> Response:
        self._gate.zgw(request)
        _require_accepted(request)
        return page(request, self._found(asked(request, _FILTERS)), _CRS)

    async def _search(self, request: Request) -> Response:
        self._gate.zgw(request)
        _require_crs(request)
        asked(request, {})
        told = await sent(request, _SEARCHED)
        if not told:
            # Also where all it asks for is not held here: never everything instead.
            raise invalid("nonFieldErrors", "empty_search_body")
        return page(request, self._found(told), _CRS)

    def _found(self, filters: dict[str, Any]) -> list[Resource]:
        return [zaak for zaak in self.zaken.by_uuid.values() if self._fits(zaak, filters)]

    def _fits(self, zaak: Resource, filters: dict[str, Any]) -> bool:
        for name, value in filters.items():
            if name == _BSN:
                held = any(
                    role["zaak"] == zaak["url"] and role["betrokkeneIdentificatie"].get("inpBsn") == value
                    for role in self.rollen.by_uuid.values()
                )
            elif name == "einddatum__isnull":
                held = (zaak["einddatum"] is None) == (str(value).lower() == "true")
            elif name in ("kenmerk", "kenmerk__bron"):
                key = "bron" if name == "kenmerk__bron" else "kenmerk"
                held = any(one[key] == value for one in zaak["kenmerken"])
            else:
                held = zaak[name] == value
            if not held:
                return False
        return True

    async def _show(self, request: Request) -> Response:
        self._gate.zgw(request)
        _require_accepted(request)
        shown = answer(self.zaken.get(request.path_params["uuid"]), headers=_CRS, etag=True)
        if request.headers.get("if-none-match") == shown.headers["etag"]:
            return Response(status_code=304, headers={"ETag": shown.headers["etag"]})
        return shown

    async def _patch(self, request: Request) -> Response:
        self._gate.zgw(request)
        _require_crs(request)
        zaak = self.zaken.get(request.path_params["uuid"])
        self._require_open(zaak)
        told = await sent(request, ZAAK)
        for name in ("zaaktype", "identificatie"):
            if told.get(name, zaak[name]) != zaak[name]:
                raise invalid(name, "wijzigen-niet-toegelaten")
        self._touch(zaak, told)
        self._notify("zaken", zaak, "zaak", zaak, "partial_update")
        return answer(zaak, headers=_CRS)

    async def _delete(self, request: Request) -> Response:
        self._gate.zgw(request)
        zaak = self.zaken.get(request.path_params["uuid"])
        del self.zaken.by_uuid[zaak["uuid"]]
        self._notify("zaken", zaak, "zaak", zaak, "destroy")
        return Response(status_code=204)

    # --- what belongs to a case -----------------------------------------------------------------------------

    def _one_of(self, shelf: Shelf) -> Callable[[Request], Any]:
        async def shown(request: Request) -> Response:
            self._gate.zgw(request)
            return answer(shelf.get(request.path_params["uuid"]), etag=shelf is not self.zaakobjecten)

        return shown

    async def _set_status(self, request: Request) -> Response:
        self._gate.zgw(request)
        told = await sent(request, STATUS, "zaak", "statustype", "datumStatusGezet")
        made = self.set_status(told)
        return answer(made, 201, {"Location": made["url"]})

    def set_status(self, told: Resource) -> Resource:
        """Set a status; the last one closes the case."""
        zaak = self._case(told)
        kind = self._of_case(zaak, "statustypen", told["statustype"], "statustype")
        for other in self.statussen.by_uuid.values():
            if (other["zaak"], other["datumStatusGezet"]) == (zaak["url"], told["datumStatusGezet"]):
                raise invalid("nonFieldErrors", "unique")
        if zaak["einddatum"] is not None:
            raise Problem(403, "permission_denied")
        if kind["isEindstatus"] and zaak["resultaat"] is None:
            raise invalid("nonFieldErrors", "resultaat-does-not-exist")
        for other in self.statussen.by_uuid.values():
            if other["zaak"] == zaak["url"]:
                other["indicatieLaatstGezetteStatus"] = False
        made = self.statussen.put(
            {
                "statustoelichting": "",
                **told,
                "indicatieLaatstGezetteStatus": True,
                "zaakinformatieobjecten": [],
            }
        )
        end = {"einddatum": told["datumStatusGezet"][:10]} if kind["isEindstatus"] else {}
        self._touch(zaak, {"status": made["url"], **end})
        self._notify("zaken", zaak, "status", made, "create")
        return made

    async def _set_result(self, request: Request) -> Response:
        self._gate.zgw(request)
        told = await sent(request, RESULTAAT, "zaak", "resultaattype")
        made = self.set_result(told)
        return answer(made, 201, {"Location": made["url"]})

    def set_result(self, told: Resource) -> Resource:
        """Give a case its one result."""
        zaak = self._case(told)
        self._of_case(zaak, "resultaattypen", told["resultaattype"], "resultaattype")
        if zaak["resultaat"] is not None:
            raise invalid("zaak", "unique")
        self._require_open(zaak)
        made = self.resultaten.put({"toelichting": "", **told})
        self._touch(zaak, {"resultaat": made["url"]})
        self._notify("zaken", zaak, "resultaat", made, "create")
        return made

    async def _add_role(self, request: Request) -> Response:
        self._gate.zgw(request)
        told = await sent(request, ROL, "zaak", "betrokkeneType", "roltype")
        made = self.add_role(told)
        return answer(made, 201, {"Location": made["url"]})

    def add_role(self, told: Resource) -> Resource:
        """Add who takes part in a case."""
        zaak = self._case(told)
        kind = self._of_case(zaak, "roltypen", told["roltype"], "roltype")
        self._require_open(zaak)
        made = self.rollen.put(
            {
                "roltoelichting": "",
                **told,
                "omschrijving": kind["omschrijving"],
                "omschrijvingGeneriek": kind["omschrijvingGeneriek"],
                "registratiedatum": moment(),
                "statussen": [],
            }
        )
        self._touch(zaak, {"rollen": [*zaak["rollen"], made["url"]]})
        self._notify("zaken", zaak, "rol", made, "create")
        return made

    async def _add_object(self, request: Request) -> Response:
        self._gate.zgw(request)
        told = await sent(request, ZAAKOBJECT, "zaak", "objectType")
        zaak = self._case(told)
        self._require_open(zaak)
        made = self.zaakobjecten.put(told)
        self._touch(zaak, {"zaakobjecten": [*zaak["zaakobjecten"], made["url"]]})
        self._notify("zaken", zaak, "zaakobject", made, "create")
        return answer(made, 201, {"Location": made["url"]})

    async def _properties(self, request: Request) -> Response:
        self._gate.zgw(request)
        named = request.path_params["zaak"]
        if not is_uuid(named):
            raise invalid("zaak", "invalid")
        # Of a case that is not there the published file knows no answer but an empty list.
        url_of = f"{self.zaken.base}/zaken/{named}"
        return answer([one for one in self.eigenschappen.by_uuid.values() if one["zaak"] == url_of])

    async def _add_property(self, request: Request) -> Response:
        self._gate.zgw(request)
        made = self.add_property(await sent(request, ZAAKEIGENSCHAP, *ZAAKEIGENSCHAP))
        return answer(made, 201, {"Location": made["url"]})

    def add_property(self, told: Resource) -> Resource:
        """Give a case the value of a property of its type."""
        zaak = self._case(told)
        kind = self._of_case(zaak, "eigenschappen", told["eigenschap"], "eigenschap")
        self._require_open(zaak)
        made = self.eigenschappen.put({**told, "naam": kind["naam"]}, under=f"/zaken/{zaak['uuid']}")
        self._touch(zaak, {"eigenschappen": [*zaak["eigenschappen"], made["url"]]})
        self._notify("zaken", zaak, "zaakeigenschap", made, "create")
        return made

    async def _patch_property(self, request: Request) -> Response:
        self._gate.zgw(request)
        zaak = self.zaken.get(request.path_params["zaak"])
        held = self.eigenschappen.get(request.path_params["uuid"])
        told = await sent(request, ZAAKEIGENSCHAP)
        self.change_property(zaak, held, str(told.get("waarde", held["waarde"])))
        return answer(held)

    def change_property(self, zaak: Resource, held: Resource, value: str) -> None:
        """Give a property of a case another value."""
        self._require_open(zaak)
        held["waarde"] = value
        self._touch(zaak, {})
        self._notify("zaken", zaak, "zaakeigenschap", held, "partial_update")

    # --- rules ----------------------------------------------------------------------------------------------

    def _touch(self, zaak: Resource, changes: Resource) -> None:
        zaak.update(changes, laatstGemuteerd=moment())

    def _case(self, told: Resource) -> Resource:
        zaak = self.zaken.at(told["zaak"])
        if zaak is None:
            raise invalid("zaak", "bad-url")
        return zaak

    def _of_case(self, zaak: Resource, collection: str, url: object, name: str) -> Resource:
        kind = self._catalogue.find(collection, url)
        if kind is None or kind["zaaktype"] != zaak["zaaktype"]:
            raise invalid(name, "zaaktype-mismatch")
        return kind

    def _require_open(self, zaak: Resource) -> None:
        if zaak["einddatum"] is not None:
            raise Problem(403, "permission_denied")


def _require_crs(request: Request) -> None:
    if request.headers.get("content-crs") != CRS:
        raise Problem(412, "precondition_failed")
    _require_accepted(request)


def _require_accepted(request: Request) -> None:
    if request.headers.get("accept-crs", CRS) != CRS:
        raise Problem(406, "not_acceptable")
