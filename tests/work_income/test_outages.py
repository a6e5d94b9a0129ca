"""Suwinet is away for a while, over real HTTPS: nothing is lost, and nothing is asked or written twice.

The adapter's clock is ours: an outage of ten minutes passes as fast as the adapter looks. What is real is the
line: nobody listens, or a door that says it is too busy, and then the same port answers again.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.kit.rates import Rate
from adapters.simulators.suwinet.server import Fault, Simulator
from adapters.work_income.services import ASSISTANCE, INCOME, SERVICES
from adapters.work_income.suwinet_port import HttpsSuwinet, load_line
from deploy.local.processes import free_ports
from tests.work_income.papers import BSN, SUWI_OIN, write_line
from tests.work_income.test_service import FOR_RIGHT
from tests.work_income.world import RIGHT, Adapter, Clock, World

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.suwinet.papers import Authority, Paper

HURRY_S = 1.0
LOOKS_S = 5  # how often the adapter looks, by its own clock


def opened(authority: Authority, folder: Path, port: int = 0) -> Simulator:
    simulator = Simulator(authority, SUWI_OIN).start(folder, port or free_ports(1)[0])
    for service in (ASSISTANCE, INCOME):
        simulator.know(service.name, BSN)
    return simulator


def port_of(simulator: Simulator) -> int:
    return int(simulator.endpoint(INCOME.name).partition("localhost:")[2].partition("/")[0])


def kept_port(port: int) -> socket.socket:
    """Keep a port from everybody else: who connects is refused, for nobody listens."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


@pytest.mark.parametrize("seconds", [10, 60, 300, 600])
@pytest.mark.parametrize("how", ["nobody listens", "too busy", "cut off"])
def test_an_outage_of_suwinet_loses_and_doubles_nothing(
    how: str, seconds: int, authority: Authority, city: Paper, tmp_path: Path
) -> None:
    simulator = opened(authority, tmp_path / "server")
    kept: socket.socket | None = None
    try:
        folder = write_line(tmp_path / "line", authority, city)
        endpoints = {name: simulator.endpoint(name) for name in SERVICES}
        world = World(tmp_path / "world")
        suwinet = HttpsSuwinet(load_line(folder, endpoints, SUWI_OIN, 20.0))
        adapter = Adapter(tmp_path, world, Clock(), suwinet, rate=Rate(6_000, 100))
        port, looks = port_of(simulator), seconds // LOOKS_S
        if how == "nobody listens":
            simulator.close()
            kept = kept_port(port)
        else:
            simulator.fail(*[Fault.BUSY_429 if how == "too busy" else Fault.CUT] * looks)
        adapter.order(FOR_RIGHT)
        adapter.work(looks, seconds=LOOKS_S)
        assert (world.held().commands, sum(adapter.journal.counts().values())) == (0, 1)
        # It tried again, with growing pauses, and asked the gate before each.
        tried = len(world.held().permits)
        assert 1 < tried <= looks
        simulator.close()
        simulator = opened(authority, tmp_path / "server", port)
        if kept is not None:
            kept.close()
        adapter.work(3, minutes=2)
        # Each service answered once, and the plan was written once.
        answered = [(one.service, one.ended) for one in simulator.asked]
        assert answered == [(ASSISTANCE.name, "answered"), (INCOME.name, "answered")]
        assert (world.held().commands, len(world.held().permits)) == (1, tried + 1)
        assert sum(adapter.journal.counts().values()) == 0
        adapter.close()
    finally:
        simulator.close()


def test_a_head_that_comes_by_drops_is_given_up_parked_and_asked_again(
    authority: Authority, city: Paper, tmp_path: Path
) -> None:
    simulator = opened(authority, tmp_path / "server")
    try:
        folder = write_line(tmp_path / "line", authority, city)
        endpoints = {name: simulator.endpoint(name) for name in SERVICES}
        world, line = World(tmp_path / "world"), load_line(folder, endpoints, SUWI_OIN, HURRY_S)
        adapter = Adapter(tmp_path, world, Clock(), HttpsSuwinet(line))
        simulator.fail(*[Fault.SLOW_HEAD] * 3)
        adapter.order(FOR_RIGHT)
        adapter.work(3, hours=13)
        assert adapter.events().count("suwinet_not_now") == 3
        assert adapter.journal.parked() == (f"1 {RIGHT} {ASSISTANCE.name} timeout",)
        adapter.close()
        # A person sends the same order again, to a Suwinet that answers.
        patient = HttpsSuwinet(replace(line, timeout_s=20.0))
        adapter = Adapter(tmp_path, world, adapter.clock, patient)
        adapter.order(FOR_RIGHT)
        adapter.work()
        assert [one.ended for one in simulator.asked][-2:] == ["answered", "answered"]
        assert (world.held().commands, sum(adapter.journal.counts().values())) == (1, 0)
        adapter.close()
    finally:
        simulator.close()
