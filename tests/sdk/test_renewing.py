"""Renewed credentials are taken from their folder without a restart; half-written ones are left aside."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import CredentialsInvalid
from adapters.sdk.renewing import FILES, Renewal
from exchange.v1.plan_service_pb2 import SetGoalResponse

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

    from adapters.sdk.tokens import Person
    from exchange.keys.authority import DevelopmentAuthority
    from tests.sdk.exchange_fake import FakeExchange

OIN = "00000001234567890000"


@pytest.fixture
def folder(authority: DevelopmentAuthority, tmp_path: Path) -> Path:
    return authority.issue_organisation(OIN, "A", tmp_path / "own").folder


@pytest.fixture
def renewed(authority: DevelopmentAuthority, tmp_path: Path) -> Path:
    return authority.issue_organisation(OIN, "A", tmp_path / "renewed").folder


@pytest.fixture
def seen(exchange: FakeExchange) -> list[bytes]:
    shown: list[Any] = []

    def who(_request: object, context: grpc.ServicerContext) -> SetGoalResponse:
        shown.append(context.auth_context()["x509_pem_cert"][0])
        return SetGoalResponse()

    exchange.on("SetGoal", who)
    return shown


def put(source: Path, into: Path, *names: str) -> None:
    """Put files in place as a careful operator does: whole, one after another."""
    for name in names or FILES:
        draft = into / f".{name}"
        shutil.copy(source / name, draft)
        draft.rename(into / name)


def test_the_next_call_goes_out_with_them(
    exchange: FakeExchange, folder: Path, renewed: Path, seen: list[bytes], person: Person
) -> None:
    current = Credentials.load(folder)
    with ExchangeClient(exchange.target, current, person) as client:
        renewal = Renewal(folder, client, current)
        assert not renewal.look()
        sibling = client.with_timeout(5.0)
        sibling.plan.set_goal()
        put(renewed, folder)
        assert (renewal.look(), renewal.look()) == (True, False)
        sibling.plan.set_goal()
    assert seen == [current.certificate_pem, (renewed / "client.pem").read_bytes()]
    assert renewal.current.thumbprint != current.thumbprint


async def test_the_asyncio_client_goes_on_too(
    exchange: FakeExchange, folder: Path, renewed: Path, seen: list[bytes], person: Person
) -> None:
    current = Credentials.load(folder)
    async with AsyncExchangeClient(exchange.target, current, person) as client:
        renewal = Renewal(folder, client, current)
        put(renewed, folder)
        assert renewal.look()
        await client.plan.set_goal()
    assert seen == [(renewed / "client.pem").read_bytes()]


def test_half_of_them_is_told_once_and_changes_nothing(
    exchange: FakeExchange, folder: Path, renewed: Path, seen: list[bytes], person: Person
) -> None:
    current = Credentials.load(folder)
    with ExchangeClient(exchange.target, current, person) as client:
        renewal = Renewal(folder, client, current)
        put(renewed, folder, "client.pem")
        with pytest.raises(CredentialsInvalid, match=r"client\.key is not the key"):
            renewal.look()
        # The same state again is no news.
        assert not renewal.look()
        client.plan.set_goal()
        put(renewed, folder, "client.key", "signing.key")
        assert renewal.look()
        client.plan.set_goal()
    assert seen == [current.certificate_pem, (renewed / "client.pem").read_bytes()]


def test_a_file_that_is_gone_is_told_and_changes_nothing(
    exchange: FakeExchange, folder: Path, seen: list[bytes], person: Person
) -> None:
    current = Credentials.load(folder)
    with ExchangeClient(exchange.target, current, person) as client:
        renewal = Renewal(folder, client, current)
        (folder / "client.key").unlink()
        with pytest.raises(CredentialsInvalid, match=r"client\.key cannot be opened"):
            renewal.look()
        client.plan.set_goal()
    assert seen == [current.certificate_pem]


def test_another_organisations_are_refused(
    exchange: FakeExchange, authority: DevelopmentAuthority, folder: Path, person: Person, tmp_path: Path
) -> None:
    current = Credentials.load(folder)
    other = authority.issue_organisation("0" * 20, "B", tmp_path / "other").folder
    with ExchangeClient(exchange.target, current, person) as client:
        renewal = Renewal(folder, client, current)
        put(other, folder)
        with pytest.raises(CredentialsInvalid, match="another organisation"):
            renewal.look()
    assert renewal.current is current
