"""A cluster for each room of tests that needs one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.nodes.cluster import Cluster, Databases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres.server import PostgresServer


@pytest.fixture(scope="module")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[Cluster]:
    """Three nodes on one store, a new one for each room."""
    room = request.module.__name__.rpartition(".")[2]
    names = (f"{room}-{what}" for what in Databases._fields)
    made = Cluster(tmp_path_factory.mktemp("cluster"), Databases(*map(postgres.create, names)))
    try:
        yield made.start()
    finally:
        made.close()
