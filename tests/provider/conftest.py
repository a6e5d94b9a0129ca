"""Both adapters around one exchange, and no test leaves a resident in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.keys.authority import DevelopmentAuthority
from tests.provider.around import Both
from tests.provider.builders import BSN, SURNAME
from tests.provider.papers import SETTINGS, written
from tests.provider.world import MUNICIPALITY_OIN, OTHER_BSN, PROVIDER_OIN, pseudonym
from tests.sdk.exchange_fake import FakeExchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    made = Both(tmp_path)
    made.world.open_plan()
    yield made
    log = made.log
    made.close()
    pseudonyms = [pseudonym(oin, BSN).hex() for oin in (MUNICIPALITY_OIN, PROVIDER_OIN)]
    for secret in (BSN, OTHER_BSN, SURNAME, *pseudonyms):
        assert secret not in log


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentAuthority:
    return DevelopmentAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def exchange(authority: DevelopmentAuthority, tmp_path: Path) -> Iterator[FakeExchange]:
    fake = FakeExchange(authority.issue_server(tmp_path / "server"))
    fake.start()
    yield fake
    fake.close()


@pytest.fixture
def settings(exchange: FakeExchange, authority: DevelopmentAuthority, tmp_path: Path) -> Path:
    authority.issue_organisation(PROVIDER_OIN, "Zorg", tmp_path / "credentials")
    return written(tmp_path, SETTINGS | {"target": exchange.target, "poll_ms": 20})


@pytest.fixture
def municipal(exchange: FakeExchange, authority: DevelopmentAuthority, tmp_path: Path) -> Path:
    authority.issue_organisation(MUNICIPALITY_OIN, "Gemeente", tmp_path / "credentials")
    side = {"side": "municipality", "own_code": "0363", "counterparty_code": "65656055"}
    return written(tmp_path, SETTINGS | side | {"target": exchange.target})
