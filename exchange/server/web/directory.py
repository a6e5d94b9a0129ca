"""A directory over HTTP: add-checkpoint for the logs it takes, and its own published log for everybody.

Promises: as the doors of a witness and of tiles, which it joins. Here entries are served too: they are the
checkpoints of logs, which tell a size and a hash and nobody's data, so that whoever watches the directory
sees what it took of each log, and whether two of them fit.
Source: c2sp.org/tlog-witness, c2sp.org/tlog-tiles.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from exchange.errors import ProofInvalid, StoreUnavailable
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.note import parse_note
from exchange.ledger.tiles import CHECKPOINT, ENTRIES, TILE_WIDTH, tile_path
from exchange.server.web.tiles import EVENT, FOR_EVER, NOT_AT_ALL, OneLog, tiles_app
from exchange.server.web.witness import witness_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from exchange.ledger.tiles import TileStore
    from exchange.server.web.witness import Takes

_NOT_FOUND: Final = 404
_UNAVAILABLE: Final = 503
_read = re.compile(
    r"(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[0-9]{1,3}))?", re.ASCII
).fullmatch


def directory_app(
    taking: Takes,
    tiles: TileStore,
    log: Any,  # noqa: ANN401 -- structlog's logger has no public type
    count: Callable[[str], None] = lambda _: None,
) -> Starlette:
    """Return the ASGI application of one directory; `tiles` are those of its own log.

    `count` gets one of OUTCOMES of a witness for each checkpoint that is handed over.
    """

    async def entries(request: Request) -> Response:
        try:
            found = await asyncio.to_thread(_bundle, tiles, request.path_params["rest"])
        except (StoreUnavailable, ProofInvalid) as error:
            log.warning(EVENT, reason=error.code)
            return _no(_UNAVAILABLE, "the log's files cannot be read")
        if found is None:
            return _no(_NOT_FOUND, "the published checkpoint has no such entries")
        headers = {"Cache-Control": FOR_EVER, "X-Content-Type-Options": "nosniff"}
        return Response(found, headers=headers, media_type="application/octet-stream")

    # In this order: the tiles of a log with personal data refuse entries, and what is none of these.
    return Starlette(
        routes=[
            *witness_app(taking, log, count).routes,
            Route(f"/tile/{ENTRIES}/{{rest:path}}", entries, methods=["GET"]),
            *tiles_app(OneLog(tiles), log).routes,
        ]
    )


def _bundle(tiles: TileStore, path: str) -> bytes | None:
    """Return a bundle of entries; None where the path is none, or none of the published tree."""
    read = _read(path)
    if read is None or not (tiles.folder / CHECKPOINT).exists():
        return None
    index = int(read["index"].replace("x", "").replace("/", ""))
    width = TILE_WIDTH if read["width"] is None else int(read["width"])
    name = tile_path(ENTRIES, index, width)
    size = parse_body(parse_note(tiles.read(CHECKPOINT), CHECKPOINT).text, CHECKPOINT).size
    if name != f"tile/{ENTRIES}/{path}" or not 0 < width <= TILE_WIDTH or index * TILE_WIDTH + width > size:
        return None
    # A partial bundle goes when the full one is there; who asks for it then asks for the full one.
    return tiles.read(name) if (tiles.folder / name).exists() else None


def _no(status: int, says: str) -> Response:
    return Response(f"{says}\n", status, {"Cache-Control": NOT_AT_ALL}, "text/plain")
