"""A case system for each test; after it: no BSN where none may be, no fault by the published files."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.municipal.exchange_port import SdkExchange
from adapters.simulators.open_zaak.whole import OpenZaak
from tests.conftest import REPOSITORY
from tests.municipal.around import Adapter, Clock, Town, configured
from tests.municipal.judge import faults
from tests.server.conftest import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.simulators.open_zaak.whole import Seen
    from tests.server.town import Town as Exchange

NUMBER = re.compile('"([0-9]{9})"')


@pytest.fixture
def seen() -> list[Seen]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def system(seen: list[Seen], clock: Clock, tmp_path: Path) -> Iterator[OpenZaak]:
    made = OpenZaak(watch=seen.append, clock=lambda: clock.now().timestamp()).start()
    yield made
    made.close()
    standards = Path(os.environ.get("EXCHANGE_STANDARDS_DIR") or REPOSITORY.parent / "shared" / "standards")
    if standards.is_dir():
        assert "\n".join(fault for one in seen for fault in faults(standards, one)) == ""
    # A number stands in a body only, whatever went wrong; and in no name of a file.
    told = [f"{one.path}?{one.query} {' '.join(one.headers.values())}" for one in seen]
    told += [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")]
    assert numbers_in(made, " ".join(told)) == []


def numbers_in(system: OpenZaak, text: str) -> list[str]:
    """Return the numbers of people of this test that stand in a text."""
    held = json.dumps([system.brp.persons, list(system.zaken.rollen.by_uuid.values())])
    return [number for number in sorted(set(NUMBER.findall(held))) if number in text]


@pytest.fixture
def town(system: OpenZaak) -> Town:
    return Town(system)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    yield from opened(tmp_path_factory.mktemp("exchange"))


@pytest.fixture
def adapter(exchange: Exchange, system: OpenZaak, clock: Clock, tmp_path: Path) -> Iterator[Adapter]:
    config = configured(
        tmp_path, system, target=exchange.target, credentials=str(exchange.settings.data / "operator")
    )
    port = SdkExchange.connect(config)
    made = Adapter(config, port, clock)
    yield made
    made.close()
    port.close()
    # Nor in a line of the log, or in what is kept aside.
    told = made.lines.getvalue()
    told += "".join(file.read_bytes().decode("latin-1") for file in config.rejected.glob("*"))
    assert numbers_in(system, told) == []
    assert "Geheim van de test" not in told
