"""A service whose events, keys and checkpoints are in PostgreSQL: it dies, then their server; all stands."""

from __future__ import annotations

import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.errors import ExchangeRefused, Unavailable
from exchange.store.postgres_reader import PostgresReader
from exchange.store.verify import verify_store
from tests.e2e.service import INVESTIGATE, Case, Service
from tests.postgres.started import started_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres.server import PostgresServer

BACK_WITHIN_S = 30


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of one's own, to kill."""
    with started_server() as made:
        yield made


def when_back(ask: Callable[[], Any]) -> Any:  # noqa: ANN401 -- whatever is asked
    """Ask until the store answers again; each try waits for a connection, so nothing here has to."""
    until = time.monotonic() + BACK_WITHIN_S
    while True:
        try:
            return ask()
        except Unavailable:
            assert time.monotonic() < until, "the service does not find its server again"


@pytest.mark.slow
def test_what_was_answered_outlives_the_service_and_the_server(
    server: PostgresServer, tmp_path: Path
) -> None:
    named = server.settings()
    service = Service(tmp_path / "exchange", **named, bell="postgres").start()
    try:
        case, first = Case(service), str(uuid.uuid4())
        version, answered = case.version, case.goal(request_id=first)
        assert [*service.data.rglob("*.db")] == [*service.data.glob("projections/*.db")]
        service.kill()
        service.hang_up()
        service.start()
        case.wmo, case.version = service.worker("college:WMO", f"w-{case.bsn[-5:]}"), version
        assert case.goal(request_id=first) == answered

        server.kill()
        second, version = str(uuid.uuid4()), case.version
        with pytest.raises(Unavailable):
            case.goal("Weer zelf eten.", request_id=second)
        with pytest.raises(ExchangeRefused):
            case.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=case.plan_id, fields=["goals.own_words"])
        server.start()
        case.version = version
        again = when_back(lambda: case.goal("Weer zelf eten.", request_id=second))
        assert again.version == version + 1
        case.version = version
        assert case.goal("Weer zelf eten.", request_id=second) == again
        assert service.stop() == 0
        assert not [dsn for dsn in named.values() if "dbname" in dsn and dsn in service.said()]
        with closing(PostgresReader(named["postgres"])) as reader:
            report = verify_store(reader)
        assert (report.problems, report.events) == ([], report.position)
    finally:
        service.close()
