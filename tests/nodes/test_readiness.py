"""Nodes whose store dies say so to balancers, live on, and say that they serve again when it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpc_health.v1 import health_pb2

from adapters.sdk.errors import Unavailable
from tests.e2e.service import Case
from tests.nodes.cluster import Cluster, Databases, metrics, until
from tests.postgres.started import started_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nodes.cluster import Node
    from tests.postgres.server import PostgresServer

CHECK = "/grpc.health.v1.Health/Check"
PLANS = "exchange.v1.PlanService"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of one's own, to kill."""
    with started_server() as made:
        yield made


def told(node: Node, service: str = PLANS) -> int:
    answer = node.raw_call(CHECK, health_pb2.HealthCheckRequest(service=service))
    status: int = health_pb2.HealthCheckResponse.FromString(answer).status
    return status


def reported(node: Node) -> Case | None:
    """Report a resident; None where the store hung up on the node's idle line, and it learns so now."""
    try:
        return Case(node)
    except Unavailable:
        return None


@pytest.mark.slow
def test_nodes_that_lost_their_store_are_alive_and_not_ready_until_it_is_back(
    server: PostgresServer, tmp_path: Path
) -> None:
    databases = Databases(*(server.create(name) for name in Databases._fields))
    cluster = Cluster(tmp_path, databases, count=2)
    try:
        nodes = cluster.start().nodes
        for node in nodes:
            # One holds the shard, and the other one has a line to it.
            until(lambda node=node: told(node) == SERVING, "a node is ready")  # type: ignore[misc] # mypy knows no default of a lambda
            told_of = metrics(node)
            assert "\nexchange_ready 1.0\n" in told_of
            assert '\nexchange_line_certificate_end_seconds{line="nodes"} 1.' in told_of
        server.kill()
        for node in nodes:
            until(lambda node=node: told(node) == NOT_SERVING, "a node without a store is not ready")  # type: ignore[misc] # as above
            assert told(node, "") == SERVING
            assert "\nexchange_ready 0.0\n" in metrics(node)
        server.start()
        for node in nodes:
            until(lambda node=node: told(node) == SERVING, "a node is ready again")  # type: ignore[misc] # as above
        # Whoever is asked serves, or sends on.
        case = until(lambda: reported(nodes[0]), "a node serves again")
        case.service = nodes[1]
        case.wmo = nodes[1].worker("college:WMO", f"w-{case.bsn[-5:]}")
        case.goal("Weer zelf eten.")
        assert {told(node, "") for node in nodes} == {SERVING}
    finally:
        cluster.close()
