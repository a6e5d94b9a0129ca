"""What a form must be before a page sees any of it: of this session, of this site, small, and in UTF-8.

Promises: no more than a megabyte of a body is read, whatever it says of its length; what no browser sends is
refused before it is decoded; a form without the word of its session is nobody's.
Source: HTML (form submission), RFC 7578 (multipart/form-data), RFC 9112 section 6.3; Fetch Metadata.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from exchange.console.language import later
from exchange.console.refusals import Refused
from exchange.console.session import same

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.types import Message, Receive

    from exchange.console.session import Session

FORM_BYTES_MAX: Final = 1024 * 1024
FORM_FIELDS_MAX: Final = 100
CSRF_FIELD: Final = "csrf"
# A browser asks for a page so; both change nothing.
READING: Final = frozenset({"GET", "HEAD"})
_OWN: Final = frozenset({"same-origin", "none"})
_FORGED: Final = later("Dit formulier hoort niet bij uw aanmelding. Open de pagina opnieuw.")
_SHAPE: Final = later("Het formulier is niet te lezen.")
_LARGE: Final = later("Het formulier is te groot.")
# What browsers send of a page in UTF-8; another charset would be decoded by its name.
_is_kind = re.compile(
    r'(?:application/x-www-form-urlencoded|multipart/form-data; ?boundary=(?:[\w-]{1,70}|"[\w-]{1,70}"))'
    r"(?:; ?charset=utf-8)?",
    re.ASCII | re.IGNORECASE,
).fullmatch


def cut(receive: Receive) -> Receive:
    """Return what reads a body and ends it where it is longer than any form."""
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        # Chunks say nothing of a length, and hold beside a header that does.
        return message if read <= FORM_BYTES_MAX else {"type": "http.disconnect"}

    return counted


def refuse_other_site(request: Request) -> None:
    """Raise Refused for a form that another site sent; a browser that does not say has the word of a form."""
    if request.headers.get("sec-fetch-site", "same-origin") not in _OWN:
        raise Refused("OTHER_SITE", _FORGED, HTTPStatus.FORBIDDEN)


async def read_form(request: Request, session: Session) -> FormData:
    """Return what was filled in. Raises Refused for a form that this session did not give."""
    told = request.headers.get("content-length", "")
    if not told.isdecimal() or int(told) > FORM_BYTES_MAX:
        raise Refused("FORM_LARGE", _LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    refuse_other_site(request)
    if not _is_kind(request.headers.get("content-type", "")):
        raise Refused("FORM_KIND", _FORGED, HTTPStatus.FORBIDDEN)
    try:
        form = await request.form(max_files=1, max_fields=FORM_FIELDS_MAX, max_part_size=FORM_BYTES_MAX)
    except (HTTPException, ClientDisconnect) as error:
        raise Refused("FORM_SHAPE", _SHAPE) from error
    word = form.get(CSRF_FIELD)
    if not isinstance(word, str) or not same(word, session.csrf):
        raise Refused("FORM_FORGED", _FORGED, HTTPStatus.FORBIDDEN)
    return form
