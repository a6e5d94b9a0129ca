"""Ten real seconds without any of the other systems, for all three adapters at once, by the real clock."""

from __future__ import annotations

import io
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from adapters.municipal import running as municipal
from adapters.provider import running as provider
from adapters.provider.config import Side
from adapters.provider.journal import Journal
from adapters.provider.transport import Ggk, Http
from adapters.sdk.logs import AdapterLog
from adapters.simulators.ggk.node import Node
from adapters.simulators.open_zaak.faults import Fault, Kind
from adapters.simulators.open_zaak.whole import OpenZaak
from adapters.simulators.suwinet.papers import Authority
from adapters.work_income import running as work_income
from adapters.work_income.journal import Journal as OrdersJournal
from adapters.work_income.sealing import Seal
from adapters.work_income.service import Others
from adapters.work_income.services import ASSISTANCE, INCOME, SERVICES
from adapters.work_income.suwinet_port import HttpsSuwinet, load_line
from deploy.local.processes import free_ports
from tests.kit.squeezed import running, until
from tests.municipal.around import Town, configured, plan_of
from tests.provider import around as care
from tests.provider.builders import MUNICIPALITY, PROVIDER
from tests.provider.test_room import Live
from tests.provider.world import MUNICIPALITY_OIN, PROVIDER_OIN
from tests.provider.world import World as CareWorld
from tests.server.conftest import opened as exchange_opened
from tests.work_income import world as orders
from tests.work_income.papers import CITY_OIN, SUWI_OIN, write_line
from tests.work_income.test_outages import kept_port, port_of
from tests.work_income.test_outages import opened as suwinet_opened
from tests.work_income.test_service import FOR_RIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from adapters.provider.config import Config
    from adapters.provider.exchange_port import ExchangePort
    from adapters.work_income.config import Config as OrdersConfig
    from tests.server.town import Town as Exchange

OUTAGE_S = 10.0
FOR_EVER = 10**6


class Care:
    """A municipality and a provider, each with its loop and its door, and the node between them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.world, self.lines = CareWorld(folder / "world"), io.StringIO()
        self.world.open_plan()
        self.node = Node({}).start()
        self.configs: dict[Side, Config] = {}
        for side in Side:
            http = Http(port=free_ports(1)[0], deliver_to=self.node.url)
            outbox = folder / side.value / "outbox"
            made = care.config(folder, side, ggk=Ggk(), http=http, outbox=outbox, poll_ms=20)
            self.node.connect(made.own_code, f"http://127.0.0.1:{http.port}/berichten")
            self.configs[side] = made
        assert {one.own_code for one in self.configs.values()} == {MUNICIPALITY, PROVIDER}
        beside = care.Adapter(folder, Side.MUNICIPALITY, self.world, care.Clock(), ggk=Ggk())
        care.keep(beside)
        beside.close()
        self.world.request()
        self.world.say(agreed=True)

    def run(self, side: Side, stop: threading.Event) -> None:
        oin = MUNICIPALITY_OIN if side is Side.MUNICIPALITY else PROVIDER_OIN

        @contextmanager
        def opened(config: Config) -> Iterator[tuple[ExchangePort, Journal]]:
            journal = Journal(config.journal)
            try:
                yield Live(self.world, oin), journal
            finally:
                journal.close()

        provider.run(self.configs[side], AdapterLog(self.lines), stop, opened)

    def loops(self) -> list[Callable[[threading.Event], None]]:
        return [partial(self.run, side) for side in Side]

    def archived(self, side: Side) -> list[str]:
        return sorted(care.read_file(one).number for one in self.configs[side].archive.iterdir())


class Desk:
    """A desk of work and income: its order, its loop, and Suwinet, which is there or not."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._authority = folder, Authority()
        self.suwinet = suwinet_opened(self._authority, folder / "suwinet")
        papers = write_line(folder / "line", self._authority, self._authority.issue(CITY_OIN))
        endpoints = {name: self.suwinet.endpoint(name) for name in SERVICES}
        self._line = load_line(papers, endpoints, SUWI_OIN, 5.0)
        self.world, self.lines = orders.World(folder / "world"), io.StringIO()
        self.config = orders.config(folder / "desk", poll_ms=20)
        self.config.inbox.mkdir(parents=True)
        (self.config.inbox / "a.json").write_bytes(FOR_RIGHT.packed())

    def away(self) -> None:
        self._port = port_of(self.suwinet)
        self.suwinet.close()
        self._kept = kept_port(self._port)

    def back(self) -> None:
        self._kept.close()
        self.suwinet = suwinet_opened(self._authority, self._folder / "suwinet", self._port)

    def close(self) -> None:
        self._kept.close()
        self.suwinet.close()

    def run(self, stop: threading.Event) -> None:
        @contextmanager
        def opened(config: OrdersConfig) -> Iterator[tuple[Others, OrdersJournal]]:
            journal = OrdersJournal(config.journal, Seal.at(config.seal_key))
            try:
                yield Others(orders.Port(self.world), HttpsSuwinet(self._line)), journal
            finally:
                journal.close()

        work_income.run(self.config, AdapterLog(self.lines), stop, opened)


class Cases:
    """A municipality's case system, objects and BRP, one case in it, and the loop."""

    def __init__(self, folder: Path, exchange: Exchange) -> None:
        self.system, self.lines = OpenZaak().start(), io.StringIO()
        self.town = Town(self.system)
        self.zaak = self.town.case(self.town.person(next(exchange.bsns)))
        credentials = str(exchange.settings.data / "operator")
        self.config = configured(
            folder, self.system, target=exchange.target, credentials=credentials, sweep_s=1
        )

    def run(self, stop: threading.Event) -> None:
        municipal.run(self.config, AdapterLog(self.lines), stop)

    def told(self) -> bool:
        return bool(self.zaak["kenmerken"]) and self.town.statuses(self.zaak) == ["Melding ontvangen"]


def often(lines: io.StringIO, event: str) -> bool:
    return lines.getvalue().count(f'"event": "{event}"') > 1


@pytest.mark.slow
def test_ten_seconds_without_any_other_system_lose_and_double_nothing(tmp_path: Path) -> None:
    (tmp_path / "exchange").mkdir()
    with ExitStack() as stack:
        exchange = stack.enter_context(contextmanager(exchange_opened)(tmp_path / "exchange"))
        cases, chain, desk = Cases(tmp_path / "cases", exchange), Care(tmp_path / "care"), Desk(tmp_path)
        for one in (cases.system, chain.node, desk):
            stack.callback(one.close)
        # Nobody listens at Suwinet, and every answer of the others is cut off.
        cases.system.faults.order(Fault(Kind.CUT, times=FOR_EVER))
        chain.node.faults.order(Fault(Kind.CUT, times=FOR_EVER))
        desk.away()
        for loop in (cases.run, *chain.loops(), desk.run):
            stack.enter_context(running(loop))
        threading.Event().wait(OUTAGE_S)
        assert (cases.zaak["kenmerken"], chain.world.assigned, desk.world.held().commands) == ([], [], 0)
        assert often(cases.lines, "sweep_not_now")
        assert often(chain.lines, "message_not_delivered")
        assert often(desk.lines, "suwinet_not_now")
        # They are there again.
        cases.system.faults.clear()
        chain.node.faults.clear()
        desk.back()
        until(cases.told)
        until(lambda: not municipal.status(cases.config).errands_due)
        until(lambda: desk.world.held().commands == 1)
        until(lambda: chain.archived(Side.MUNICIPALITY) == ["302"])
        assert_each_once(cases, chain, desk)


def assert_each_once(cases: Cases, chain: Care, desk: Desk) -> None:
    assert plan_of(cases.zaak)
    held = cases.system
    assert len(held.objects.objects.by_uuid) == len(held.zaken.zaakobjecten.by_uuid) == 1
    assert chain.archived(Side.PROVIDER) == ["301"]
    assert len(chain.world.assigned) == 1
    assert [function for function, _ in chain.node.passed] == ["WMO301", "WMO302"]
    answered = [(one.service, one.ended) for one in desk.suwinet.asked]
    assert answered == [(ASSISTANCE.name, "answered"), (INCOME.name, "answered")]
    assert municipal.status(cases.config).well
    assert work_income.status(desk.config).well
    assert all(provider.status(one).well for one in chain.configs.values())
