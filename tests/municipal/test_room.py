"""No room for the journal: the loop stands still with an alarm, loses nothing, and goes on by itself."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from adapters.municipal import running
from adapters.municipal.desk import open_journal
from adapters.municipal.exchange_port import SdkExchange
from adapters.sdk.logs import AdapterLog
from tests.kit.squeezed import WAYS, squeezed, until
from tests.kit.squeezed import running as in_thread
from tests.municipal.around import HOOK, configured, plan_of, writes
from tests.municipal.test_webhook import TOLD, post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.kit.journal import Journal
    from adapters.municipal.config import Config
    from adapters.municipal.exchange_port import ExchangePort
    from adapters.simulators.open_zaak.whole import Seen
    from tests.kit.squeezed import Squeeze
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange


def squeezing(squeeze: Squeeze) -> running.Opened:
    """Return what opens a real exchange, and a journal that is squeezed."""

    @contextmanager
    def opened(config: Config) -> Iterator[tuple[ExchangePort, Journal]]:
        port, journal = SdkExchange.connect(config), open_journal(config.journal)
        try:
            squeeze.on_opening(journal.connection)
            yield port, journal
        finally:
            journal.close()
            port.close()

    return opened


def lines_of(lines: io.StringIO, event: str) -> list[dict[str, object]]:
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [one for one in found if one["event"] == event]


@pytest.mark.parametrize("way", WAYS)
def test_a_journal_without_room_stands_still_and_then_reports_each_case_once(
    way: str, exchange: Exchange, town: Town, tmp_path: Path, seen: list[Seen]
) -> None:
    system = town.system
    lines = io.StringIO()
    with squeezed(way, tmp_path) as (squeeze, state):
        credentials = str(exchange.settings.data / "operator")
        config = configured(
            tmp_path, system, target=exchange.target, credentials=credentials, state=str(state), sweep_s=1
        )
        open_journal(config.journal).close()

        opened = squeezing(squeeze)
        told = partial(lines_of, lines)
        if squeeze.at_start:
            squeeze.tighten(config.journal)
        with in_thread(lambda stop: running.run(config, AdapterLog(lines), stop, opened)):
            if not squeeze.at_start:
                until(lambda: bool(system.notificaties.abonnementen.by_uuid))
                squeeze.tighten(config.journal)
            zaak = town.case(town.person(next(exchange.bsns)))
            until(lambda: bool(told("store_fault")))
            assert {one["code"] for one in told("store_fault")} <= {*squeeze.words}
            assert {one["level"] for one in told("store_fault")} == {"error"}
            if way == "disk":
                # The door says so to whoever knocks, and shows that it stands still without any room.
                url = next(iter(system.notificaties.abonnementen.by_uuid.values()))["callbackUrl"]
                body = json.dumps(TOLD).replace("PLACE", config.zgw.zaken).encode()
                assert post(url, body, HOOK)[0] == 503
                assert (state / "light").read_text().strip() in squeeze.words
            assert zaak["kenmerken"] == []
            squeeze.loosen()
            until(lambda: bool(zaak["kenmerken"]) and town.statuses(zaak) == ["Melding ontvangen"])
            until(lambda: not running.status(config).errands_due)
            until(lambda: running.status(config).standing_still == "")
        assert running.status(config).well
        assert told("store_well")
        # Once, whatever was begun before it stood still.
        assert plan_of(zaak)
        kinds = [one.partition(" ")[2].rpartition("/")[2] for one in writes(seen)]
        assert kinds.count("statussen") == kinds.count("objects") == kinds.count("zaakobjecten") == 1
        figures = (state / "metrics.prom").read_text()
        assert 'exchange_adapter_calls_total{system="zgw"}' in figures
        assert "exchange_adapter_standing_still 0" in figures
