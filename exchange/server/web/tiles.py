"""The logs over HTTP: each one's published checkpoint and its hash tiles, for anybody who comes.

Promises: only what the published checkpoint covers is served, under the one spelling of its path; entries are
never served here, whoever asks: they are personal data, and an officer gets them in an audit pack.
Source: c2sp.org/tlog-tiles; GDPR 4(5) (pseudonymous data are personal data), 25.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from exchange.errors import ProofInvalid, StoreUnavailable
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.note import parse_note
from exchange.ledger.tiles import CHECKPOINT, ENTRIES, TILE_HEIGHT, TILE_WIDTH, tile_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from exchange.ledger.tiles import TileStore

EVENT: Final = "tiles"
LEVEL_MAX: Final = 63
FOR_A_MOMENT: Final = "public, max-age=2"
FOR_EVER: Final = "public, max-age=31536000, immutable"
NOT_AT_ALL: Final = "no-store"
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_UNAVAILABLE: Final = 503
_read = re.compile(
    r"(?P<level>\d{1,2})/(?P<index>(?:x\d{3}/){0,5}\d{3})(?:\.p/(?P<width>\d{1,3}))?", re.ASCII
).fullmatch


class Shelf(Protocol):
    """The files of the logs of a shard."""

    def newest(self) -> TileStore:
        """Return those of the newest log of which something was published."""
        ...

    def of_year(self, year: str) -> TileStore | None:
        """Return those of the log of a year."""
        ...


class OneLog(NamedTuple):
    """The files of a log that no other follows."""

    tiles: TileStore

    def newest(self) -> TileStore:
        """Return them."""
        return self.tiles

    def of_year(self, year: str) -> TileStore | None:
        """Return nothing, whichever year."""
        del year
        return None


def tiles_app(shelf: Shelf, log: Any) -> Starlette:  # noqa: ANN401 -- structlog's logger has no public type
    """Return the ASGI application over the files of logs; without a year, of the newest."""

    def of_log(serve: Callable[[TileStore, str], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        async def served(request: Request) -> Response:
            year = request.path_params.get("year")
            tiles = shelf.newest() if year is None else shelf.of_year(year)
            if tiles is None:
                return _no(_NOT_FOUND, "there is no log of that year")
            return await serve(tiles, request.path_params.get("rest", ""))

        return served

    async def tile(tiles: TileStore, path: str) -> Response:
        return await _serve_tile(tiles, path, log)

    async def lost(_: Request) -> Response:
        return _no(_NOT_FOUND, "there is /checkpoint and /tile/<level>/<index>, of a year /<year>/…")

    return Starlette(
        routes=[
            Route("/checkpoint", of_log(_serve_checkpoint), methods=["GET"]),
            Route("/tile/{rest:path}", of_log(tile), methods=["GET"]),
            Route("/{year}/checkpoint", of_log(_serve_checkpoint), methods=["GET"]),
            Route("/{year}/tile/{rest:path}", of_log(tile), methods=["GET"]),
            Route("/{rest:path}", lost, methods=["GET"]),
        ]
    )


async def _serve_checkpoint(tiles: TileStore, _: str) -> Response:
    try:
        found = await asyncio.to_thread(_published, tiles)
    except StoreUnavailable as error:
        return _no(_UNAVAILABLE, error.message)
    if found is None:
        return _no(_NOT_FOUND, "nothing was published yet")
    return _yes(found, "text/plain; charset=utf-8", FOR_A_MOMENT)


async def _serve_tile(tiles: TileStore, path: str, log: Any) -> Response:  # noqa: ANN401 -- as above
    if path == ENTRIES or path.startswith(f"{ENTRIES}/"):
        return _no(_FORBIDDEN, "entries are personal data: an audit pack holds them, for who may have one")
    try:
        found = await asyncio.to_thread(_tile, tiles, path)
    except (StoreUnavailable, ProofInvalid) as error:
        log.warning(EVENT, reason=error.code)
        return _no(_UNAVAILABLE, "the log's files cannot be read")
    if found is None:
        return _no(_NOT_FOUND, "the published checkpoint has no such tile")
    return _yes(found, "application/octet-stream", FOR_EVER)


def _published(tiles: TileStore) -> bytes | None:
    return tiles.read(CHECKPOINT) if (tiles.folder / CHECKPOINT).exists() else None


def _tile(tiles: TileStore, path: str) -> bytes | None:
    """Return a tile's bytes; None where the path is no tile, or none of the published tree, or is gone."""
    read = _read(path)
    if read is None:
        return None
    level, index = int(read["level"]), int(read["index"].replace("x", "").replace("/", ""))
    width = TILE_WIDTH if read["width"] is None else int(read["width"])
    # Whatever was read leniently is written in another way.
    if level > LEVEL_MAX or not 0 < width <= TILE_WIDTH or tile_path(level, index, width) != f"tile/{path}":
        return None
    note = _published(tiles)
    if note is None:
        return None
    size = parse_body(parse_note(note, CHECKPOINT).text, CHECKPOINT).size
    if index * TILE_WIDTH + width > size >> (TILE_HEIGHT * level):
        return None
    # A partial tile goes when the full one is there; who asks for it then asks for the full one.
    return tiles.read(f"tile/{path}") if (tiles.folder / f"tile/{path}").exists() else None


def _yes(content: bytes, kind: str, caching: str) -> Response:
    headers = {"Content-Type": kind, "Cache-Control": caching, "X-Content-Type-Options": "nosniff"}
    return Response(content, headers=headers)


def _no(status: int, says: str) -> Response:
    return Response(f"{says}\n", status, {"Cache-Control": NOT_AT_ALL}, "text/plain")
