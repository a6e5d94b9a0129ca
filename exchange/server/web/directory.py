"""A directory over HTTP: add-checkpoint for the logs it takes, and its own published log for everybody.

Promises: as the doors of a witness and of tiles, which it joins.
Source: c2sp.org/tlog-witness, c2sp.org/tlog-tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette

from exchange.server.web.tiles import OneLog, tiles_app
from exchange.server.web.witness import witness_app

if TYPE_CHECKING:
    from exchange.ledger.tiles import TileStore
    from exchange.server.web.witness import Takes


def directory_app(taking: Takes, tiles: TileStore, log: Any) -> Starlette:  # noqa: ANN401 -- structlog's logger has no public type
    """Return the ASGI application of one directory; `tiles` are those of its own log."""
    # In this order: what is neither is refused by the last route of the tiles.
    return Starlette(routes=[*witness_app(taking, log).routes, *tiles_app(OneLog(tiles), log).routes])
