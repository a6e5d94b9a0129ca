"""What all resources share: their urls, pages, and the look at what was sent.

Promises: a url names one resource for ever; pages hold at most PAGE_SIZE_MAX; an unknown filter is
refused, as Open Zaak refuses it, and one that is not held here too.
Source: ZGW, `page` and `pageSize`; `ValidatieFout` code `unknown-parameters`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from adapters.simulators.open_zaak.answers import Problem, answer, invalid
from adapters.simulators.open_zaak.shapes import Field, known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from adapters.simulators.open_zaak.shapes import Shape

Resource = dict[str, Any]
PAGE_SIZE: Final = 100
PAGE_SIZE_MAX: Final = 500
_is_number = re.compile("[1-9][0-9]{0,8}").fullmatch
_PAGING: Final[Shape] = {
    name: Field(lambda value: isinstance(value, str) and _is_number(value) is not None)
    for name in ("page", "pageSize")
}


class Shelf:
    """Resources of one kind in the order they came, by uuid."""

    def __init__(self, base: str, name: str) -> None:
        self.base: Final = base
        self.name: Final = name
        self.by_uuid: Final[dict[str, Resource]] = {}

    def put(self, content: Resource, uuid: str = "", under: str = "") -> Resource:
        """Keep a new resource; its url and uuid come first."""
        named = uuid or str(uuid4())
        made = {"url": f"{self.base}{under}/{self.name}/{named}", "uuid": named, **content}
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


async def sent(request: Request, fields: Shape, *required: str) -> Resource:
    """Return the JSON object of a request as far as it is known, or refuse it by the field."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Problem(415, "unsupported_media_type")
    try:
        told = json.loads(await request.body())
    except ValueError:
        raise Problem(400, "parse_error") from None
    if not isinstance(told, dict):
        raise Problem(400, "parse_error")
    return known(told, fields, *required)


def asked(request: Request, fields: Shape) -> dict[str, str]:
    """Return the filters of a question, paging left out; an unknown one is refused, and one told twice."""
    told = dict(request.query_params)
    if told.keys() - fields.keys() - _PAGING.keys() or len(request.query_params.multi_items()) > len(told):
        raise invalid("nonFieldErrors", "unknown-parameters")
    found = known(told, {**fields, **_PAGING})
    return {name: value for name, value in found.items() if name not in _PAGING}


def page(request: Request, found: list[Resource], headers: Mapping[str, str] | None = None) -> Response:
    """Return one page of what was found."""
    number = _number(request, "page", 1)
    size = min(_number(request, "pageSize", PAGE_SIZE), PAGE_SIZE_MAX)
    first, last = (number - 1) * size, number * size
    if number > 1 and first >= len(found):
        # A list has no 404 of its own.
        raise invalid("page", "invalid-page")
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
    if not _is_number(told):
        raise invalid(name, "invalid-page")
    return int(told)


def _page_url(request: Request, number: int) -> str:
    query: Mapping[str, str] = {**request.query_params, "page": str(number)}
    return f"{request.url.replace(query='')}?{urlencode(query)}".replace("??", "?")
