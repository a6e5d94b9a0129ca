"""Case to plan and back, over a real exchange and real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.municipal.exchange_port import SdkExchange
from adapters.municipal.service import catch_up
from tests.municipal.around import Adapter, configured, writes
from tests.server.conftest import opened
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.simulators.open_zaak.whole import OpenZaak, Seen
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    yield from opened(tmp_path_factory.mktemp("exchange"))


@pytest.fixture
def adapter(exchange: Exchange, system: OpenZaak, tmp_path: Path) -> Iterator[Adapter]:
    config = configured(
        tmp_path, system, target=exchange.target, credentials=str(exchange.settings.data / "operator")
    )
    port = SdkExchange.connect(config)
    made = Adapter(config, port)
    yield made
    made.close()
    port.close()


def follow(adapter: Adapter) -> None:
    catch_up(adapter.service, adapter.exchange)
    adapter.work()


def test_a_case_becomes_a_plan_and_the_plan_moves_the_case(
    exchange: Exchange, adapter: Adapter, town: Town, seen: list[Seen]
) -> None:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    assert adapter.parked() == [], adapter.lines.getvalue()
    ((kenmerk),) = zaak["kenmerken"]
    plan_id = kenmerk["kenmerk"]
    worker = exchange.worker("college:WMO", "zaaksysteem-1")
    plan = worker.plan.get_plan(
        claim=INVESTIGATE, plan_id=plan_id, fields=["version", "reports.own_words"]
    ).plan
    assert plan.reports[0].own_words == zaak["toelichting"]
    assert town.statuses(zaak) == ["Melding ontvangen"]
    follow(adapter)
    quiet = len(writes(seen))
    follow(adapter)
    assert len(writes(seen)) == quiet
