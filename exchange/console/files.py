"""What a resident may take along as a file: made for one answer, kept nowhere, its name says nothing.

Promises: where somebody may look along nothing is downloaded, so that nothing stays on the machine.
Source: RFC 6266 (Content-Disposition).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from exchange.console.language import later
from exchange.console.refusals import Refused

if TYPE_CHECKING:
    from exchange.console.page import Look

NAME: Final = "overzicht"
KINDS: Final = {
    "pdf": "application/pdf",
    "json": "application/json",
    "jsonld": "application/ld+json",
}


def refuse_where_watched(look: Look) -> None:
    """Raise Refused before anything is gathered."""
    if look.session.safe:
        raise Refused(
            "WATCHED",
            later("In deze weergave wordt niets opgeslagen. Kies eerst de gewone weergave."),
            HTTPStatus.FORBIDDEN,
        )


def file_of(content: bytes, kind: str) -> Response:
    """Return a file."""
    headers = {
        "Content-Type": KINDS[kind],
        "Content-Disposition": f'attachment; filename="{NAME}.{kind}"',
    }
    return Response(content, headers=headers)
