"""The console's own style sheet and script: read once, served by name.

Promises: a name that is not in the table is no file; nothing is read from a disk because of a request.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.responses import Response

FOLDER: Final = Path(__file__).with_name("static")
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
THEME: Final = "theme.css"
FOR_A_MOMENT: Final = "private, max-age=300"


def read_static(theme: bytes) -> dict[str, tuple[bytes, str]]:
    """Return every file by its name: what it holds and of which kind; the municipality's theme among them."""
    found = {
        file.name: (file.read_bytes(), KINDS[file.suffix])
        for file in sorted(FOLDER.iterdir())
        if file.suffix in KINDS
    }
    return found | ({THEME: (theme, KINDS[".css"])} if theme else {})


def served(files: dict[str, tuple[bytes, str]], name: str) -> Response:
    """Return a file, or that there is none."""
    if name not in files:
        return Response("there is no such file\n", HTTPStatus.NOT_FOUND, media_type="text/plain")
    content, kind = files[name]
    return Response(content, headers={"Content-Type": kind, "Cache-Control": FOR_A_MOMENT})
