"""All of it on one port: cases, types, decisions, notifications, objects and persons.

Promises: every request and every answer goes past `watch`, where one is given, as it goes over the wire; what
is refused has the form of its API.
Source: the rooms beside this one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from adapters.kit.serving import Serving
from adapters.simulators.open_zaak.access import Gate
from adapters.simulators.open_zaak.answers import Problem, brp_problem, zgw_problem
from adapters.simulators.open_zaak.brp import BRP, Brp
from adapters.simulators.open_zaak.catalogi import BESLUITEN, CATALOGI, Besluiten, Catalogi
from adapters.simulators.open_zaak.documenten import DOCUMENTEN, Documenten
from adapters.simulators.open_zaak.faults import Faults, Faulty
from adapters.simulators.open_zaak.notificaties import NOTIFICATIES, Notificaties
from adapters.simulators.open_zaak.objects import OBJECTS, Objects
from adapters.simulators.open_zaak.zaken import ROOT, Zaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from adapters.simulators.open_zaak.faults import App, Message, Receive, Scope, Send


NOT_FOUND: Final = 404


@dataclass(slots=True)
class Seen:
    """One request with its answer, as they went over the wire; status 0 where the answer was cut off."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = field(repr=False, default=b"")
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = field(repr=False, default=b"")


class OpenZaak:
    """The whole simulator. `start` before use, `close` after it."""

    def __init__(
        self,
        port: int = 0,
        watch: Callable[[Seen], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        gate = Gate(clock)
        self.faults: Final = Faults()
        self._watch: Final = watch
        # The port is known only once the socket is bound, and every url holds it.
        self._serving: Final = Serving(self._answer, port)
        base = self._serving.url
        self.url: Final = base
        self.notificaties: Final = Notificaties(base, gate)
        self.catalogi: Final = Catalogi(base, gate)
        self.catalogue: Final = self.catalogi.catalogue
        self.zaken: Final = Zaken(base, gate, self.catalogue, self.notificaties.notify)
        self.besluiten: Final = Besluiten(base, gate, self.zaken, self.catalogue, self.notificaties.notify)
        self.documenten: Final = Documenten(base, gate, self.zaken, self.besluiten, self.notificaties.notify)
        self.objects: Final = Objects(base, gate)
        self.brp: Final = Brp(gate)
        self._app: Final[App] = Faulty(self._routes(), self.faults)

    def start(self) -> OpenZaak:
        """Begin to answer."""
        self.notificaties.start()
        self._serving.start()
        return self

    def close(self) -> None:
        """End."""
        self._serving.close()
        self.notificaties.close()

    @property
    def routes(self) -> list[BaseRoute]:
        """Return every path that is served."""
        return self._routes().routes

    def _routes(self) -> Starlette:
        zgw = {
            ROOT: [*self.zaken.routes, *self.documenten.routes_of_zaken],
            CATALOGI: self.catalogi.routes,
            BESLUITEN: [*self.besluiten.routes, *self.documenten.routes_of_besluiten],
            DOCUMENTEN: self.documenten.routes,
            NOTIFICATIES: self.notificaties.routes,
            OBJECTS: self.objects.routes,
            BRP: self.brp.routes,
        }
        mounted = [Mount(path, routes=routes) for path, routes in zgw.items()]
        return Starlette(routes=mounted, exception_handlers={Problem: _refused, HTTPException: _no_such})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        watch = self._watch
        if scope["type"] != "http" or watch is None:
            await self._app(scope, receive, send)
            return
        seen = Seen(
            scope["method"],
            scope["path"],
            scope["query_string"].decode(),
            {name.decode(): value.decode() for name, value in scope["headers"]},
        )

        async def receiving() -> Message:
            message = await receive()
            seen.body += message.get("body", b"")
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                seen.answer_headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                seen.answer += message.get("body", b"")
                if not message.get("more_body", False):
                    # Before it leaves: who asked may look at once at what was seen.
                    told()
            await send(message)

        def told() -> None:
            if not waiting:
                return
            waiting.clear()
            if len(seen.answer) < int(seen.answer_headers.get("content-length", "0")):
                seen.status = 0
            watch(seen)

        waiting = [seen]
        await self._app(scope, receiving, sending)
        told()


def _refused(request: Request, problem: Any) -> Response:  # noqa: ANN401 -- starlette gives any exception
    made = brp_problem if request.url.path.startswith(BRP) else zgw_problem
    return made(problem)


def _no_such(request: Request, refused: Any) -> Response:  # noqa: ANN401 -- starlette gives any exception
    """Refuse a path or a method that is not served, in the form of its API."""
    code = "not_found" if refused.status_code == NOT_FOUND else "method_not_allowed"
    answered = _refused(request, Problem(refused.status_code, code))
    answered.headers.update(refused.headers or {})
    return answered
