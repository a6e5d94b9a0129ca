"""Ed25519 keys under which anybody can sign: all of them, and nothing beside them."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from adapters.sdk.proofs import is_weak_key
from exchange.ledger.weak_keys import is_anybodys

FIELD = 2**255 - 19
ORDER_8 = int.from_bytes(
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
)
SMALL = [0, 1, FIELD - 1, ORDER_8, FIELD - ORDER_8]
OTHER_SPELLINGS = [FIELD, FIELD + 1, FIELD + 9, FIELD + 18]
TRIES = 64


def spelled(ordinate: int, sign: int) -> bytes:
    return (ordinate | sign << 255).to_bytes(32, "little")


def verifies(public: bytes, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("ordinate", [*SMALL, *OTHER_SPELLINGS])
def test_a_key_of_everybody_is_refused_by_both_verifiers(ordinate: int, sign: int) -> None:
    public = spelled(ordinate, sign)
    assert is_anybodys(public)
    assert is_weak_key(public)


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("ordinate", [2, 3, 4, FIELD - 2, FIELD - 3, ORDER_8 - 1, ORDER_8 + 1])
def test_what_stands_beside_such_a_key_is_none(ordinate: int, sign: int) -> None:
    public = spelled(ordinate, sign)
    assert not is_anybodys(public)
    assert not is_weak_key(public)


def test_a_key_somebody_has_is_taken() -> None:
    for seed in range(50):
        public = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key().public_bytes_raw()
        assert not is_anybodys(public)
        assert not is_weak_key(public)


@pytest.mark.parametrize("ordinate", SMALL)
def test_without_any_secret_a_signature_under_it_verifies(ordinate: int) -> None:
    """R = S = the neutral element and nought: made of nothing, and taken for one text in eight at least."""
    nobodys = spelled(1, 0) + bytes(32)
    public = spelled(ordinate, 0)
    assert any(verifies(public, nobodys, str(number).encode()) for number in range(TRIES))
    assert not any(verifies(spelled(4, 0), nobodys, str(number).encode()) for number in range(TRIES))
