"""What is filled in and was not answered, and is refused when it is asked again: no end of the order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import Denied, OutcomeUnknown
from adapters.sdk.tokens import Person
from adapters.work_income.exchange_port import FillIn, SdkExchange
from adapters.work_income.records import Domain, Prefill
from exchange.errors import AccessDenied
from exchange.keys.authority import DevelopmentAuthority
from exchange.v1.plan_service_pb2 import Seen
from tests.sdk.cut_lines import ending
from tests.sdk.exchange_fake import FakeExchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OIN = "00000001234567890000"
NOT_HERE = AccessDenied("not here")
PLAN_ID = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0001"
REQUEST_ID = "9c6c7bd4-3f3e-4d4c-8a5c-0c5f4cbb3a10"


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[FakeExchange]:
    authority = DevelopmentAuthority(tmp_path / "authority")
    authority.issue_organisation(OIN, "Gemeente", tmp_path / "credentials")
    fake = FakeExchange(authority.issue_server(tmp_path / "server"))
    fake.start()
    yield fake
    fake.close()


@pytest.fixture
def port(exchange: FakeExchange, tmp_path: Path) -> Iterator[SdkExchange]:
    person = Person("suwinet-1", "college:PW", "klantmanager")
    client = ExchangeClient(exchange.target, Credentials.load(tmp_path / "credentials"), person)
    made = SdkExchange(client, None, None)  # type: ignore[arg-type] # nobody is looked up, nothing renewed
    yield made
    made.close()


def test_a_no_behind_a_cut_line_is_no_end(exchange: FakeExchange, port: SdkExchange) -> None:
    exchange.on("DescribeSituation", ending(None, NOT_HERE, NOT_HERE))
    prefill = Prefill(Domain.FINANCE, "Bijstand", "suwinet:BijstandsregelingInfo")
    order = FillIn(REQUEST_ID, PLAN_ID, "pw-recht-vaststellen", prefill, 3, "2026-05-01", Seen())
    with pytest.raises(OutcomeUnknown) as caught:
        port.fill_in(order)
    assert caught.value.request_id == REQUEST_ID
    with pytest.raises(Denied):
        port.fill_in(order)
