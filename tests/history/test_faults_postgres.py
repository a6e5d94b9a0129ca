"""The same load on PostgreSQL: its line is cut at a commit's answer, the node dies, the store dies."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.history.faulted import run
from tests.history.proxy import Proxy, over_socket
from tests.postgres.started import started_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres.server import PostgresServer

SOCKET = ".s.PGSQL.5432"
CUTS = 6
# What is answered while the store is there.
DECIDED = frozenset({"ACCESS_DENIED", "VERSION_CONFLICT"})


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of one's own, to kill."""
    with started_server() as made:
        yield made


@pytest.fixture
def line(server: PostgresServer) -> Iterator[Proxy]:
    """A line to it that can be cut."""
    # Not below pytest's folder: a socket's path has 107 bytes at the most.
    folder = Path(tempfile.mkdtemp(prefix="exchange-line-"))
    try:
        with Proxy(over_socket(server.folder / "s" / SOCKET), folder / SOCKET) as made:
            yield made
    finally:
        shutil.rmtree(folder)


def through(server: PostgresServer, line: Proxy) -> dict[str, str]:
    """Return the settings of a store at the end of the line."""
    dsn = server.dsn()
    return {"store": "postgres", "postgres": dsn.replace(str(server.folder / "s"), str(line.folder))}


@pytest.mark.slow
def test_the_node_the_line_and_the_store_end_under_load(
    server: PostgresServer, line: Proxy, tmp_path: Path
) -> None:
    with run(tmp_path, through(server, line)) as under:
        for cut in range(1, CUTS + 1):
            under.load.until(20)
            line.swallow()
            line.wait_swallowed(cut)
        under.load.until(20)
        under.service.kill()
        under.service.start()
        under.load.until(20)
        server.kill()
        under.load.until(1, done=lambda one: one.outcome != "ok" and one.reason not in DECIDED)
        server.start()
        under.load.until(40)
        under.end()
        assert server.dsn() not in under.service.said()
