"""Sending an identity: the blocking and the asyncio client ask and send alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.bsn import Bsn
from adapters.sdk.calls import claim
from adapters.sdk.envelope_keys import EnvelopeKeys
from adapters.sdk.envelopes import Binding, Recipient, open_bsn, send_identity, send_identity_async
from exchange.v1 import common_pb2 as pb
from exchange.v1.identity_service_pb2 import SendIdentityResponse
from exchange.v1.organisation_service_pb2 import GetEnvelopeKeyResponse
from tests.sdk.conftest import OIN, QUICK

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from tests.sdk.exchange_fake import FakeExchange

CASE = "0d9c7a0e-0000-4000-8000-000000000001"
SENDER = "00000001003214345000"
ANNA = Bsn("999993653")
BINDING = Binding(SENDER, OIN, "college:WMO", CASE, pb.PURPOSE_WMO_ONDERZOEK)


async def test_both_clients_send_an_identity_alike(
    exchange: FakeExchange, client: ExchangeClient, credentials: Credentials, person: Person, tmp_path: Path
) -> None:
    keys = EnvelopeKeys(tmp_path / "keys")
    public_key, signature = keys.make(credentials)
    shown = GetEnvelopeKeyResponse(
        envelope_key=public_key,
        key_signature=signature,
        signing_key=credentials.signing_key.public_key().public_bytes_raw(),
    )
    exchange.on("GetEnvelopeKey", lambda _request, _context: shown)
    exchange.on("SendIdentity", lambda _request, _context: SendIdentityResponse())
    why = claim(pb.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", "nodig")
    recipient = Recipient(OIN, "college:WMO", tmp_path / "pin")
    about: dict[str, Any] = {"claim": why, "case_id": CASE, "resident": bytes(32)}
    send_identity(client, SENDER, recipient, bsn=ANNA, **about)
    async with AsyncExchangeClient(exchange.target, credentials, person, patience=QUICK) as other:
        await send_identity_async(other, SENDER, recipient, bsn=ANNA, **about)
        await send_identity_async(other, SENDER, recipient, **about)
    blocking, same, without = exchange.requests["SendIdentity"]
    assert [open_bsn(one.envelope, keys, BINDING).reveal() for one in (blocking, same)] == [ANNA.reveal()] * 2
    assert without.envelope == b""
    for one in (blocking, same, without):
        one.ClearField("request_id")
        one.ClearField("envelope")
    assert blocking == same == without
