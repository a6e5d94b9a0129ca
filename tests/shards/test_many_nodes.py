"""A shard of two nodes behind a front: its holder is killed, and callers go on at the same address."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.errors import Unavailable
from exchange.wiring.shards import add_shard
from tests.e2e.service import Case
from tests.nodes.cluster import Cluster, Databases
from tests.shards.country import WAIT_S, Front
from tests.shards.maps import OPEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres.server import PostgresServer


@pytest.mark.slow
def test_a_holder_that_is_killed_is_followed_behind_the_same_front(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    names = (f"fronted-{what}" for what in Databases._fields)
    cluster = Cluster(tmp_path / "cluster", Databases(*map(postgres.create, names)), count=2)
    with ExitStack() as closing:
        closing.callback(cluster.close)
        holder = cluster.start().held()
        told = {
            "municipality": "0363",
            "name": "shard-0363",
            "server_names": ["localhost"],
            "doors": [node.target for node in cluster.nodes],
            "log_key": holder.log_vkey,
            "valid_from": OPEN,
        }
        file = tmp_path / "map.toml"
        add_shard(file, told, cluster.base / "operator")
        front = Front(tmp_path, file)
        closing.callback(front.close)
        for node in cluster.nodes:
            node.ready["target"] = f"localhost:{front.target.rpartition(':')[2]}"
        case = Case(holder)
        first = case.goal()
        holder.kill()
        answer = until_answered(case, "Weer naar buiten.")
        assert answer.version == first.version + 1
        assert cluster.held() is not holder
        cluster.verified()


def until_answered(case: Case, words: str) -> Any:  # noqa: ANN401 -- SetGoalResponse
    """Ask under one request id until there is an answer."""
    request_id, end = str(uuid.uuid4()), time.monotonic() + WAIT_S
    while True:
        try:
            return case.goal(words, request_id=request_id)
        except Unavailable:
            assert time.monotonic() < end, "nobody took over"
