"""The Documenten API, and what links a document to a case or a decision: with files that come in parts.

Promises: a document is unique by identification and organisation; one that is made without its content is
locked until each of its parts came whole, in the order of their numbers; what is linked is not taken away.
Source: Documenten API 1.4.2; Zaken API 1.5.1, `zaakinformatieobjecten`; Besluiten API 1.1.0.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.responses import Response
from starlette.routing import Route

from adapters.simulators.open_zaak.answers import VERSION, Problem, answer, invalid
from adapters.simulators.open_zaak.shapes import Shape, text, url
from adapters.simulators.open_zaak.shelf import Resource, Shelf, asked, page, sent
from adapters.simulators.open_zaak.zaak_shapes import BESLUITINFORMATIEOBJECT, DOCUMENT, ZAAKINFORMATIEOBJECT
from adapters.simulators.open_zaak.zaken import moment

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from adapters.simulators.open_zaak.access import Gate
    from adapters.simulators.open_zaak.catalogi import Besluiten
    from adapters.simulators.open_zaak.catalogue import Catalogue
    from adapters.simulators.open_zaak.zaken import Notify, Zaken

DOCUMENTEN: Final = "/documenten/api/v1"
# Smaller than of any real system, so that files of some size come in parts here too.
PART_BYTES: Final = 16 * 1024
_FOUND: Final[Shape] = {"identificatie": text(), "bronorganisatie": text()}
_REQUIRED: Final = ("auteur", "bronorganisatie", "creatiedatum", "informatieobjecttype", "taal", "titel")
_boundary = re.compile(r'boundary="?([^";]+)"?').search
_name = re.compile(rb'name="([^"]*)"').search


class Documenten:
    """The documents with their contents. Owned by the server's loop."""

    def __init__(self, base: str, gate: Gate, zaken: Zaken, besluiten: Besluiten, notify: Notify) -> None:
        self._gate: Final = gate
        self._zaken: Final = zaken
        self._besluiten: Final = besluiten
        self._notify: Final = notify
        self._catalogue: Final[Catalogue] = besluiten.catalogue
        self.documenten: Final = Shelf(base + DOCUMENTEN, "enkelvoudiginformatieobjecten")
        self.contents: Final[dict[str, bytes]] = {}
        self._delen: Final = Shelf(base + DOCUMENTEN, "bestandsdelen")
        self._locks: Final[dict[str, str]] = {}
        self._came: Final[dict[str, bytes]] = {}  # by the uuid of a part
        self.of_cases: Final = Shelf(zaken.zaken.base, "zaakinformatieobjecten")
        self.of_decisions: Final = Shelf(besluiten.besluiten.base, "besluitinformatieobjecten")

    @property
    def routes(self) -> list[BaseRoute]:
        """Return every path of the Documenten API."""
        one = "/enkelvoudiginformatieobjecten/{uuid}"
        return [
            Route("/enkelvoudiginformatieobjecten", self._list, methods=["GET"]),
            Route("/enkelvoudiginformatieobjecten", self._create, methods=["POST"]),
            Route(one, self._show, methods=["GET"]),
            Route(one, self._delete, methods=["DELETE"]),
            Route(one + "/download", self._download, methods=["GET"]),
            Route(one + "/unlock", self._unlock, methods=["POST"]),
            Route("/bestandsdelen/{uuid}", self._part, methods=["PUT"]),
        ]

    @property
    def routes_of_zaken(self) -> list[BaseRoute]:
        """Return the paths below the Zaken API."""
        return [
            Route("/zaakinformatieobjecten", self._list_of_cases, methods=["GET"]),
            Route("/zaakinformatieobjecten", self._add_to_case, methods=["POST"]),
            Route("/zaakinformatieobjecten/{uuid}", self._take_from_case, methods=["DELETE"]),
        ]

    @property
    def routes_of_besluiten(self) -> list[BaseRoute]:
        """Return the paths below the Besluiten API."""
        return [
            Route("/besluitinformatieobjecten", self._list_of_decisions, methods=["GET"]),
            Route("/besluitinformatieobjecten", self._add_to_decision, methods=["POST"]),
            Route("/besluitinformatieobjecten/{uuid}", self._take_from_decision, methods=["DELETE"]),
        ]

    # --- documents ------------------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        self._gate.zgw(request)
        filters = asked(request, _FOUND)
        held = self.documenten.by_uuid.values()
        return page(
            request,
            [self._shown(one) for one in held if all(one.get(key) == told for key, told in filters.items())],
        )

    async def _show(self, request: Request) -> Response:
        self._gate.zgw(request)
        return answer(self._shown(self.documenten.get(request.path_params["uuid"])), etag=True)

    async def _create(self, request: Request) -> Response:
        self._gate.zgw(request)
        told = await sent(request, DOCUMENT, *_REQUIRED)
        if self._catalogue.find("informatieobjecttypen", told["informatieobjecttype"]) is None:
            raise invalid("informatieobjecttype", "bad-url")
        told.setdefault("identificatie", f"DOCUMENT-{len(self.documenten.by_uuid) + 1:010}")
        for other in self.documenten.by_uuid.values():
            if all(other[name] == told[name] for name in ("identificatie", "bronorganisatie")):
                raise invalid("identificatie", "identificatie-niet-uniek")
        content = None if told.get("inhoud") is None else base64.b64decode(told["inhoud"])
        size = told.get("bestandsomvang")
        if content is not None and size not in (None, len(content)):
            raise invalid("inhoud", "file-size")
        made = self.documenten.put(
            {
                "vertrouwelijkheidaanduiding": "zaakvertrouwelijk",
                **told,
                "versie": 1,
                "beginRegistratie": moment(),
                "bestandsomvang": size if content is None else len(content),
            }
        )
        if content is None and size:
            self._expect(made["uuid"], size)
        self.contents[made["uuid"]] = content or b""
        lock = self._locks.get(made["uuid"], "")
        return answer({**self._shown(made), "lock": lock}, 201, {"Location": made["url"]})

    def _expect(self, uuid: str, size: int) -> None:
        """Lock a document until its parts came."""
        self._locks[uuid] = uuid4().hex
        for number, start in enumerate(range(0, min(size, PART_BYTES * 100), PART_BYTES), start=1):
            omvang = min(PART_BYTES, size - start)
            self._delen.put({"document": uuid, "volgnummer": number, "omvang": omvang, "voltooid": False})

    def _parts(self, uuid: str) -> list[Resource]:
        return [one for one in self._delen.by_uuid.values() if one["document"] == uuid]

    def _shown(self, held: Resource) -> dict[str, Any]:
        uuid = held["uuid"]
        return {
            **{name: value for name, value in held.items() if name != "uuid"},
            "inhoud": f"{held['url']}/download",
            "locked": uuid in self._locks,
            "bestandsdelen": [self._shown_part(one, "") for one in self._parts(uuid)],
        }

    def _shown_part(self, part: Resource, lock: str) -> dict[str, Any]:
        shown = {name: part[name] for name in ("url", "volgnummer", "omvang", "voltooid")}
        return {**shown, "lock": lock}

    async def _delete(self, request: Request) -> Response:
        self._gate.zgw(request)
        held = self.documenten.get(request.path_params["uuid"])
        linked = (*self.of_cases.by_uuid.values(), *self.of_decisions.by_uuid.values())
        if any(one["informatieobject"] == held["url"] for one in linked):
            raise Problem(409, "pending-relations")
        self._forget_parts(held["uuid"])
        del self.documenten.by_uuid[held["uuid"]], self.contents[held["uuid"]]
        return Response(status_code=204, headers=VERSION)

    def _forget_parts(self, uuid: str) -> None:
        for one in self._parts(uuid):
            del self._delen.by_uuid[one["uuid"]]
            self._came.pop(one["uuid"], None)
        self._locks.pop(uuid, None)

    async def _download(self, request: Request) -> Response:
        self._gate.zgw(request)
        held = self._there(request)
        if request.query_params.get("versie", "1") != "1" or "registratieOp" in request.query_params:
            # There is one version, and no answer is published to what is no number.
            raise Problem(410, "gone")
        told = {**VERSION, "Content-Type": "application/octet-stream"}
        return Response(self.contents[held["uuid"]], headers=told)

    def _there(self, request: Request) -> Resource:
        """Return a document; of one that is not there these paths publish 410 alone."""
        held = self.documenten.by_uuid.get(request.path_params["uuid"])
        if held is None:
            raise Problem(410, "gone")
        return held

    # --- parts ----------------------------------------------------------------------------------------------

    async def _part(self, request: Request) -> Response:
        self._gate.zgw(request)
        part = self._delen.get(request.path_params["uuid"])
        form = _form(request.headers.get("content-type", ""), await request.body())
        lock = self._locks.get(part["document"], "")
        self._require_lock(lock, form.get("lock", b""))
        if len(form.get("inhoud", b"")) != part["omvang"]:
            raise invalid("nonFieldErrors", "file-size")
        self._came[part["uuid"]] = form["inhoud"]
        part["voltooid"] = True
        return answer(self._shown_part(part, lock))

    async def _unlock(self, request: Request) -> Response:
        self._gate.zgw(request)
        uuid = self._there(request)["uuid"]
        told = await sent(request, {"lock": text(100)})
        self._require_lock(self._locks.get(uuid, ""), told.get("lock", "").encode())
        parts = sorted(self._parts(uuid), key=lambda one: int(one["volgnummer"]))
        if not all(one["voltooid"] for one in parts):
            raise invalid("nonFieldErrors", "file-size")
        self.contents[uuid] = b"".join(self._came[one["uuid"]] for one in parts)
        self._forget_parts(uuid)
        return Response(status_code=204, headers=VERSION)

    def _require_lock(self, lock: str, shown: bytes) -> None:
        if not lock or not hmac.compare_digest(lock.encode(), shown):
            raise invalid("nonFieldErrors", "incorrect-lock-id")

    # --- of cases and decisions -----------------------------------------------------------------------------

    async def _list_of_cases(self, request: Request) -> Response:
        return self._linked(request, self.of_cases, "zaak")

    async def _list_of_decisions(self, request: Request) -> Response:
        return self._linked(request, self.of_decisions, "besluit")

    def _linked(self, request: Request, shelf: Shelf, name: str) -> Response:
        self._gate.zgw(request)
        filters = asked(request, {name: url(), "informatieobject": url()})
        held = shelf.by_uuid.values()
        return answer([one for one in held if all(one[key] == told for key, told in filters.items())])

    async def _add_to_case(self, request: Request) -> Response:
        self._gate.zgw(request)
        told = await sent(request, ZAAKINFORMATIEOBJECT, "zaak", "informatieobject")
        zaak = self._zaken.zaken.at(told["zaak"])
        if zaak is None:
            raise invalid("zaak", "bad-url")
        if zaak["einddatum"] is not None:
            raise Problem(403, "permission_denied")
        self._require_new(self.of_cases, told, "zaak")
        made = self.of_cases.put(
            {
                **told,
                "aardRelatieWeergave": "Hoort bij, omgekeerd: kent",
                "registratiedatum": moment(),
            }
        )
        zaak["zaakinformatieobjecten"].append(made["url"])
        self._notify("zaken", zaak, "zaakinformatieobject", made, "create")
        return answer(made, 201, {"Location": made["url"]})

    async def _take_from_case(self, request: Request) -> Response:
        """Take a document from a case, from one that is closed too: this client has the scope for it."""
        self._gate.zgw(request)
        held = self.of_cases.get(request.path_params["uuid"])
        del self.of_cases.by_uuid[held["uuid"]]
        zaak = self._zaken.zaken.at(held["zaak"])
        if zaak is not None:
            zaak["zaakinformatieobjecten"].remove(held["url"])
            self._notify("zaken", zaak, "zaakinformatieobject", held, "destroy")
        return Response(status_code=204, headers=VERSION)

    async def _add_to_decision(self, request: Request) -> Response:
        self._gate.zgw(request)
        told = await sent(request, BESLUITINFORMATIEOBJECT, *BESLUITINFORMATIEOBJECT)
        if self._besluiten.besluiten.at(told["besluit"]) is None:
            raise invalid("besluit", "bad-url")
        self._require_new(self.of_decisions, told, "besluit")
        made = self.of_decisions.put(told)
        return answer(made, 201, {"Location": made["url"]})

    async def _take_from_decision(self, request: Request) -> Response:
        self._gate.zgw(request)
        held = self.of_decisions.get(request.path_params["uuid"])
        del self.of_decisions.by_uuid[held["uuid"]]
        return Response(status_code=204, headers=VERSION)

    def _require_new(self, shelf: Shelf, told: Resource, name: str) -> None:
        if self.documenten.at(told["informatieobject"]) is None:
            raise invalid("informatieobject", "bad-url")
        for other in shelf.by_uuid.values():
            if all(other[key] == told[key] for key in (name, "informatieobject")):
                raise invalid("nonFieldErrors", "unique")


def _form(kind: str, raw: bytes) -> dict[str, bytes]:
    """Return the fields of a form, as a browser sends one. Source: RFC 7578, section 4."""
    if kind.startswith("application/x-www-form-urlencoded"):
        told = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
        return {name: value.encode("latin-1") for name, value in told}
    boundary = _boundary(kind)
    if not kind.startswith("multipart/form-data") or boundary is None:
        raise Problem(415, "unsupported_media_type")
    fields: dict[str, bytes] = {}
    for part in raw.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        named = _name(head)
        if named is None:
            raise Problem(400, "parse_error")
        fields[named[1].decode("latin-1")] = body.removesuffix(b"\r\n")
    return fields
