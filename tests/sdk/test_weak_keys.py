"""A key to seal to, signed with a key under which anybody can sign: nobody's word for whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.sdk.envelopes import SIGNED, recipient_key
from adapters.sdk.errors import EnvelopeRefused
from exchange.v1.organisation_service_pb2 import GetEnvelopeKeyResponse

if TYPE_CHECKING:
    from pathlib import Path

OIN = "00000003271543200000"
KEY = bytes(range(32))


class Answering:
    """What is asked of the exchange here: one answer, whatever the organisation."""

    def __init__(self, answer: GetEnvelopeKeyResponse) -> None:
        self._answer = answer

    def get_envelope_key(self, **_: str) -> GetEnvelopeKeyResponse:
        return self._answer


def asked(signing_key: bytes, signature: bytes, pin: Path) -> bytes:
    answer = GetEnvelopeKeyResponse(envelope_key=KEY, key_signature=signature, signing_key=signing_key)
    return recipient_key(cast("Any", Answering(answer)), OIN, pin)


@pytest.mark.parametrize("pinned", [False, True])
def test_a_key_signed_by_everybody_is_not_trusted_pinned_or_not(pinned: bool, tmp_path: Path) -> None:  # noqa: FBT001 -- a parameter of the test
    everybody, pin = b"\1" + bytes(31), tmp_path / "pin"
    if pinned:
        pin.write_text(f"{everybody.hex()}\n")
        pin.chmod(0o600)
    # Neutral element and nought: under this key the signature of any text.
    with pytest.raises(EnvelopeRefused, match="anybody can sign"):
        asked(everybody, everybody + bytes(32), pin)
    assert pin.exists() is pinned


def test_a_key_signed_by_its_organisation_is_taken_and_pinned(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    signature = private.sign(SIGNED + OIN.encode() + KEY)
    assert asked(private.public_key().public_bytes_raw(), signature, tmp_path / "pin") == KEY
    assert (tmp_path / "pin").exists()
