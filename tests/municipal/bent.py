"""A Zaken API that passes on what it is asked, and answers some of it otherwise than the standard says."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from adapters.kit.serving import Serving
from adapters.simulators.open_zaak.zaken import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from adapters.simulators.open_zaak.whole import OpenZaak

HTML = b"<!doctype html><html><body>Onderhoud</body></html>"
_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


class Bent:
    """`answer` is given method, path below the API and query; None passes the request on."""

    def __init__(self, system: OpenZaak) -> None:
        self._system = system
        self.answer: Callable[[str, str, str], bytes | None] = lambda _method, _path, _query: None
        self._serving = Serving(Starlette(routes=[Route("/{path:path}", self._take, methods=_METHODS)]))
        self.base = self._serving.url + ROOT

    def start(self) -> Bent:
        self._serving.start()
        return self

    def close(self) -> None:
        self._serving.close()

    @property
    def _behind(self) -> str:
        return self._system.url + ROOT

    def ours(self, content: bytes) -> bytes:
        """Return what the system behind this one says, with our own urls."""
        return content.replace(self._behind.encode(), self.base.encode())

    async def _take(self, request: Request) -> Response:
        path = request.url.path.removeprefix(ROOT)
        bent = self.answer(request.method, path, request.url.query)
        if bent is not None:
            return Response(bent, media_type="text/html" if bent == HTML else "application/json")
        body = (await request.body()).replace(self.base.encode(), self._behind.encode())
        told = {
            name: value
            for name, value in request.headers.items()
            if name not in {"host", "content-length", "connection"}
        }
        line = http.client.HTTPConnection("127.0.0.1", urlsplit(self._behind).port, timeout=10)
        query = request.url.query.replace(self.base, self._behind)
        line.request(
            request.method, f"{request.url.path}?{query}" if query else request.url.path, body or None, told
        )
        answered = line.getresponse()
        content = self.ours(answered.read())
        line.close()
        kept = {"content-type", "etag"}
        headers = {name: value for name, value in answered.getheaders() if name.lower() in kept}
        return Response(content or None, answered.status, headers=headers)
