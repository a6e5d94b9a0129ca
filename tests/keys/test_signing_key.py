"""Which Ed25519 public keys are taken: points of the prime-order subgroup, written in one way (RFC 8032)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from exchange.keys.signing_key import is_signing_key

P = 2**255 - 19
SIGN = 1 << 255
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7  # y of four points, with P - y
LOW_ORDER_Y = (1, P - 1, 0, ORDER_8, P - ORDER_8)


def encoded(number: int) -> bytes:
    return number.to_bytes(32, "little")


def public_key(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


@given(st.binary(min_size=32, max_size=32))
def test_a_key_that_was_made_as_the_standard_says_is_taken(seed: bytes) -> None:
    assert is_signing_key(public_key(seed))


@pytest.mark.parametrize("y", LOW_ORDER_Y)
@pytest.mark.parametrize("sign", [0, SIGN])
def test_a_point_of_low_order_is_not(y: int, sign: int) -> None:
    assert not is_signing_key(encoded(y | sign))


@pytest.mark.parametrize("above", range(19))
@pytest.mark.parametrize("sign", [0, SIGN])
def test_a_second_encoding_is_not(above: int, sign: int) -> None:
    assert not is_signing_key(encoded((P + above) | sign))


@given(st.binary(min_size=32, max_size=32))
def test_a_key_plus_a_point_of_low_order_is_not(seed: bytes) -> None:
    """Leave the subgroup: (x, y) + (0, -1) = (-x, -y): on the curve, twice the prime order."""
    number = int.from_bytes(public_key(seed), "little")
    y, sign = number % SIGN, number & SIGN
    assert not is_signing_key(encoded((P - y) | (sign ^ SIGN)))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_another_length_is_not(length: int) -> None:
    assert not is_signing_key(public_key(bytes(32))[:length].ljust(length, b"\0"))


def test_a_number_that_is_no_point_is_not() -> None:
    # Of the numbers from 2 on, about half are the y of a point, and hardly any of prime order.
    taken = [y for y in range(2, 40) if is_signing_key(encoded(y))]
    assert taken == [y for y in taken if Ed25519PublicKey.from_public_bytes(encoded(y))]
    assert len(taken) < len(range(2, 40)) // 2
