"""Connections to PostgreSQL that recorder and reader share the ways of: bounded, and looked at before use.

Promises: a connection that the server ended while it lay there is given to nobody; no statement waits on.
Source: psycopg.org/psycopg3/docs/api/pool.html; libpq's target_session_attrs.
"""

from __future__ import annotations

import logging
from select import POLLIN, poll
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from exchange.databases.postgres import CONNECT_TIMEOUT_S

# The pool waits longer after each failure; who asks after this starts anew, and finds a server that is back.
RECONNECT_TIMEOUT_S: Final = 1
STATEMENT_TIMEOUT_MS: Final = 30_000

# The pool's own lines name hosts and users, in no shape of ours; what failed is raised where it was asked.
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


def refuse_gone(connection: Connection[Any]) -> None:
    """Raise OperationalError where the server ended a connection while nobody used it: nothing was sent.

    The kernel is asked, and the server only where something of it lies unread. A machine that vanished says
    nothing: of that one the line's own timeouts tell.
    """
    asked = poll()
    asked.register(connection.fileno(), POLLIN)
    if asked.poll(0):
        ConnectionPool.check_connection(connection)


def pool_of(dsn: str, most: int, *, read_only: bool = False) -> ConnectionPool[Connection[DictRow]]:
    """Return connections to a database, not open yet; each commits every statement by itself.

    One that the server ended while it lay there is replaced before it is given to anybody.
    `dsn` is libpq's: several hosts with `target_session_attrs=read-write` follow a failover.
    """

    def configure(connection: Connection[Any]) -> None:
        connection.autocommit = True
        # A connection that hangs is a node that hangs: the walk behind it is answered, not held.
        connection.execute(b"SELECT set_config('statement_timeout', %b, false)", (str(STATEMENT_TIMEOUT_MS),))
        if read_only:
            connection.execute(b"SET default_transaction_read_only = on")

    return ConnectionPool(
        dsn,
        connection_class=Connection[DictRow],
        kwargs={"connect_timeout": CONNECT_TIMEOUT_S, "row_factory": dict_row},
        configure=configure,
        check=refuse_gone,
        min_size=1,
        max_size=most,
        timeout=CONNECT_TIMEOUT_S,
        reconnect_timeout=RECONNECT_TIMEOUT_S,
        open=False,
    )
