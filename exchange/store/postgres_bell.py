"""The bell of a PostgreSQL store: rung in the very statement that commits, heard on a connection of its own.

Promises: who listens is told after the commit and not before, and never of one that failed; a connection that
is lost is made again, and what was rung meanwhile is asked for then; it carries a shard and a position.
Source: postgresql.org/docs/current/sql-notify.html (delivered at commit, to who listens then).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import sql

from exchange.databases.postgres import CONNECT_TIMEOUT_S
from exchange.store.postgres import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable

AGAIN_S: Final = 1.0


async def listen(dsn: str, heard: Callable[[str], None], connected: Callable[[], None]) -> None:
    """Hand over every payload, until cancelled; `connected` is called when a connection began to listen."""
    while True:
        try:
            await _listen_once(dsn, heard, connected)
        except (psycopg.Error, OSError):
            # Nothing is lost by it: who waits looks for himself now and then.
            await asyncio.sleep(AGAIN_S)


async def _listen_once(dsn: str, heard: Callable[[str], None], connected: Callable[[], None]) -> None:
    connection = await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, keepalives_idle=10, keepalives_interval=5
    )
    async with connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        connected()
        async for notice in connection.notifies():
            heard(notice.payload)
    raise psycopg.OperationalError("the connection ended")
