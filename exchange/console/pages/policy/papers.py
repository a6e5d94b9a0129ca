"""A document of plain values as a file to keep: PDF/UA, CSV or JSON.

Promises: at most a few PDFs are set at once, whoever asks; where none can be set here, a page says so.
Source: ISO 14289-1 (PDF/UA-1); RFC 4180; RFC 6266.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from starlette.responses import Response

from exchange.console.language import later
from exchange.console.pdfs import STAFF
from exchange.console.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.documents.blocks import Document

PDF, CSV, JSON = "pdf", "csv", "json"
FORMS: Final = (PDF, CSV, JSON)
_KINDS: Final = {PDF: "application/pdf", CSV: "text/csv; charset=utf-8", JSON: "application/json"}
_NO_PDF: Final = later("Hier kan geen PDF worden gemaakt. Kies csv of json.")


class Paper(NamedTuple):
    """What can be written in three forms."""

    name: str
    found: msgspec.Struct
    document: Callable[[], Document]
    csv: Callable[[], bytes]


def form_of(told: str) -> str:
    """Return one of the forms. Raises Refused."""
    if told not in FORMS:
        raise Refused("FORM", later("Kies pdf, csv of json."))
    return told


async def saved(paper: Paper, form: str) -> Response:
    """Return the file. Raises Refused where it cannot be made now."""
    if form == PDF:
        # Whoever of the staff asks: they have places together.
        made = await STAFF.set(paper.document, object(), _NO_PDF)
    elif form == CSV:
        made = paper.csv()
    else:
        made = msgspec.json.format(msgspec.json.encode(paper.found), indent=1) + b"\n"
    disposition = f'attachment; filename="{paper.name}.{form}"'
    return Response(made, headers={"Content-Type": _KINDS[form], "Content-Disposition": disposition})
