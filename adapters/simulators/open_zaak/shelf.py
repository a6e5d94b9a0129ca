"""What all resources share: their urls, pages, and the look at what was sent.

Promises: a url names one resource for ever; pages hold at most PAGE_SIZE_MAX; an unknown filter is
refused, as Open Zaak refuses it.
Source: ZGW, `page` and `pageSize`; `ValidatieFout` code `unknown-parameters`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from adapters.simulators.open_zaak.answers import Problem, answer, invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

Resource = dict[str, Any]
PAGE_SIZE: Final = 100
PAGE_SIZE_MAX: Final = 500
_PAGING: Final = frozenset({"page", "pageSize", "expand", "ordering"})


class Shelf:
    """Resources of one kind in the order they came, by uuid."""

    def __init__(self, base: str, name: str) -> None:
        self._base: Final = base
        self.name: Final = name
        self.by_uuid: Final[dict[str, Resource]] = {}

    def put(self, content: Resource, uuid: str = "", under: str = "") -> Resource:
        """Keep a new resource; its url and uuid come first."""
        named = uuid or str(uuid4())
        made = {"url": f"{self._base}{under}/{self.name}/{named}", "uuid": named, **content}
        self.by_uuid[named] = made
        return made

    def get(self, uuid: str) -> Resource:
        """Return one, or refuse as not found."""
        found = self.by_uuid.get(uuid)
        if found is None:
            raise Problem(404, "not_found")
        return found

    def at(self, url: object) -> Resource | None:
        """Return the one with this url."""
        return next((one for one in self.by_uuid.values() if one["url"] == url), None)


async def sent(request: Request, required: Collection[str] = ()) -> Resource:
    """Return the JSON object of a request, or refuse it by the field."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Problem(415, "unsupported_media_type")
    try:
        told = json.loads(await request.body())
    except ValueError:
        raise Problem(400, "parse_error") from None
    if not isinstance(told, dict):
        raise Problem(400, "parse_error")
    missing = [(name, "required", "This field is required.") for name in required if name not in told]
    if missing:
        raise Problem(400, "invalid", missing)
    return told


def asked(request: Request, known: Collection[str]) -> dict[str, str]:
    """Return the filters of a question, paging left out; an unknown one is refused."""
    told = dict(request.query_params)
    unknown = [name for name in told if name not in known and name not in _PAGING]
    if unknown:
        raise invalid("nonFieldErrors", "unknown-parameters")
    return {name: value for name, value in told.items() if name not in _PAGING}


def page(request: Request, found: list[Resource], headers: Mapping[str, str] | None = None) -> Response:
    """Return one page of what was found."""
    number = _number(request, "page", 1)
    size = min(_number(request, "pageSize", PAGE_SIZE), PAGE_SIZE_MAX)
    first, last = (number - 1) * size, number * size
    if number > 1 and first >= len(found):
        raise Problem(404, "not_found")
    return answer(
        {
            "count": len(found),
            "next": _page_url(request, number + 1) if last < len(found) else None,
            "previous": _page_url(request, number - 1) if number > 1 else None,
            "results": found[first:last],
        },
        headers=headers,
    )


def _number(request: Request, name: str, default: int) -> int:
    told = request.query_params.get(name, str(default))
    if not told.isdecimal() or not int(told):
        raise Problem(404, "not_found")
    return int(told)


def _page_url(request: Request, number: int) -> str:
    query: Mapping[str, str] = {**request.query_params, "page": str(number)}
    return f"{request.url.replace(query='')}?{urlencode(query)}".replace("??", "?")
