"""One authority for all; a simulator for each module that asks one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simulators.suwinet.papers import Authority, Paper
from adapters.simulators.suwinet.server import Simulator
from adapters.work_income.services import SERVICES
from adapters.work_income.suwinet_port import Line, load_line
from tests.work_income.papers import CITY_OIN, SUWI_OIN, write_line

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def city(authority: Authority) -> Paper:
    return authority.issue(CITY_OIN)


@pytest.fixture(scope="session")
def source(authority: Authority) -> Paper:
    return authority.issue(SUWI_OIN)


@pytest.fixture(scope="module")
def simulator(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    made = Simulator(authority, SUWI_OIN).start(tmp_path_factory.mktemp("suwinet"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def line(
    simulator: Simulator, authority: Authority, city: Paper, tmp_path_factory: pytest.TempPathFactory
) -> Line:
    folder = write_line(tmp_path_factory.mktemp("credentials"), authority, city)
    return load_line(folder, {name: simulator.endpoint(name) for name in SERVICES}, SUWI_OIN, 20.0)
