"""The Objects API: typed JSON with the history of its records.

Promises: an object keeps its uuid; each change is a new record, the newest one is shown.
Source: Objects API 2.7.0 (`/objects`, `record` with typeVersion, data, startAt; Content-Crs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from adapters.simulators.open_zaak.answers import CRS, Problem, answer, invalid
from adapters.simulators.open_zaak.shapes import DAY, Field, Shape, is_uuid, number, table, url
from adapters.simulators.open_zaak.shelf import Resource, Shelf, sent

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from adapters.simulators.open_zaak.access import Gate

OBJECTS: Final = "/objects/api/v2"
_CRS: Final = {"Content-Crs": CRS}
_RECORD: Final[Shape] = {
    "typeVersion": number(1),
    "data": Field(lambda value: isinstance(value, dict)),
    "startAt": DAY,
}
_OBJECT: Final[Shape] = {
    "uuid": Field(lambda value: isinstance(value, str) and is_uuid(value)),
    "type": url(),
    "record": table(_RECORD, *_RECORD),
}


class Objects:
    """The objects, each with all its records."""

    def __init__(self, base: str, gate: Gate) -> None:
        self._gate: Final = gate
        self.objects: Final = Shelf(base + OBJECTS, "objects")

    @property
    def routes(self) -> list[BaseRoute]:
        """Return every path."""
        one = "/objects/{uuid}"
        return [
            Route("/objects", self._create, methods=["POST"]),
            Route(one, self._show, methods=["GET"]),
            Route(one, self._change, methods=["PUT", "PATCH"]),
            Route(one, self._delete, methods=["DELETE"]),
        ]

    async def _create(self, request: Request) -> Response:
        self._gate.objects(request)
        told = await self._sent(request, "type", "record")
        named = str(told.get("uuid", ""))
        if named in self.objects.by_uuid:
            raise invalid("uuid", "unique")
        record = _record(told["record"], 1)
        made = self.objects.put({"type": told["type"], "records": [record]}, named)
        return answer(_shown(made), 201, {"Location": made["url"], **_CRS})

    async def _show(self, request: Request) -> Response:
        self._gate.objects(request)
        return answer(_shown(self.objects.get(request.path_params["uuid"])), headers=_CRS)

    async def _change(self, request: Request) -> Response:
        self._gate.objects(request)
        held = self.objects.get(request.path_params["uuid"])
        told = await self._sent(request, "record")
        held["records"].append(_record(told["record"], len(held["records"]) + 1))
        return answer(_shown(held), headers=_CRS)

    async def _delete(self, request: Request) -> Response:
        self._gate.objects(request)
        held = self.objects.get(request.path_params["uuid"])
        del self.objects.by_uuid[held["uuid"]]
        return Response(status_code=204)

    async def _sent(self, request: Request, *required: str) -> Resource:
        if request.headers.get("content-crs") != CRS:
            raise Problem(412, "precondition_failed")
        return await sent(request, _OBJECT, *required)


def _record(told: dict[str, Any], index: int) -> dict[str, Any]:
    return {"index": index, "registrationAt": told["startAt"], "endAt": None, **told}


def _shown(held: Resource) -> dict[str, Any]:
    return {
        "url": held["url"],
        "uuid": held["uuid"],
        "type": held["type"],
        "record": held["records"][-1],
    }
