"""A development authority, credentials and a small exchange for each test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.patience import Patience
from adapters.sdk.tokens import Person
from exchange.keys.authority import DevelopmentAuthority
from tests.sdk.cut_lines import PERSON
from tests.sdk.exchange_fake import FakeExchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.keys.authority import IssuedServer

OIN = "00000001234567890000"
# How long a call may take that has to arrive and is not answered: a busy machine may need more.
UNTIL_IT_ARRIVES_S = (0.5, 5.0, 50.0)
QUICK = Patience(attempts_max=4, wait_first_s=0.001, wait_max_s=0.005)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentAuthority:
    return DevelopmentAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_files(authority: DevelopmentAuthority, tmp_path_factory: pytest.TempPathFactory) -> IssuedServer:
    return authority.issue_server(tmp_path_factory.mktemp("server") / "files")


@pytest.fixture(scope="session")
def organisation(authority: DevelopmentAuthority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("organisation") / "files"
    return authority.issue_organisation(OIN, "Gemeente Voorbeeld", into).folder


@pytest.fixture(scope="session")
def credentials(organisation: Path) -> Credentials:
    return Credentials.load(organisation)


@pytest.fixture
def exchange(server_files: IssuedServer) -> Iterator[FakeExchange]:
    fake = FakeExchange(server_files)
    fake.start()
    yield fake
    fake.close()


@pytest.fixture
def person() -> Person:
    return Person("p-17", "college:WMO", "regisseur")


@pytest.fixture
def client(exchange: FakeExchange, credentials: Credentials, person: Person) -> Iterator[ExchangeClient]:
    with ExchangeClient(exchange.target, credentials, person, patience=QUICK) as client:
        yield client


@pytest.fixture(params=["blocking", "asyncio"])
def using(request: pytest.FixtureRequest, exchange: FakeExchange, organisation: Path) -> Callable[..., Any]:
    """Do something with a client of either kind."""
    credentials = Credentials.load(organisation)

    async def awaited(act: Callable[[Any], Any], more: dict[str, Any]) -> Any:  # noqa: ANN401 -- what is done
        async with AsyncExchangeClient(
            exchange.target, credentials, PERSON, patience=QUICK, **more
        ) as client:
            return await act(client)

    def blocking(act: Callable[[Any], Any], **more: Any) -> Any:  # noqa: ANN401 -- what is done, how
        with ExchangeClient(exchange.target, credentials, PERSON, patience=QUICK, **more) as client:
            return act(client)

    return blocking if request.param == "blocking" else lambda act, **more: asyncio.run(awaited(act, more))
