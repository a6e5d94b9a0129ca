"""The group ristretto255, on libsodium: the only room of this floor that knows `rbcl`.

Promises: elements and scalars are 32 canonical bytes; what comes from outside passes `element` first, and the
identity never does. Multiplication runs in constant time; no secret scalar becomes a Python number.
Source: RFC 9496 (ristretto255); libsodium's crypto_core_ristretto255 and crypto_scalarmult_ristretto255.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import rbcl

from exchange.errors import GroupElementInvalid

ELEMENT_BYTES: Final = 32
SCALAR_BYTES: Final = 32
IDENTITY: Final = bytes(ELEMENT_BYTES)
ZERO: Final = bytes(SCALAR_BYTES)
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493

# rbcl unpacks libsodium into the temporary folder at import and leaves it there, 2.8 MB a process. Once
# loaded it is mapped, and its name is no longer needed.
Path(rbcl._sodium._name).unlink(missing_ok=True)  # noqa: SLF001 -- rbcl tells the path nowhere else


def element(encoded: bytes) -> bytes:
    """Return `encoded` when it is a group element other than the identity; else raise GroupElementInvalid."""
    if len(encoded) != ELEMENT_BYTES:
        raise GroupElementInvalid("a group element has 32 bytes", found_bytes=str(len(encoded)))
    # libsodium counts the identity as valid, and this build overlooks the highest bit, which would give every
    # element a second encoding. RFC 9497 section 2.1 and RFC 9496 section 4.3.1 refuse both.
    if encoded == IDENTITY or encoded[-1] & 0x80 or not rbcl.crypto_core_ristretto255_is_valid_point(encoded):
        raise GroupElementInvalid("these bytes are not a ristretto255 element")
    return encoded


def multiply(scalar: bytes, point: bytes) -> bytes:
    """Return scalar · point. Raises GroupElementInvalid if that is the identity or `point` is no element."""
    try:
        product: bytes = rbcl.crypto_scalarmult_ristretto255(scalar, point)
    except RuntimeError:
        raise GroupElementInvalid("a multiplication gave no group element") from None
    return product


def multiply_base(scalar: bytes) -> bytes:
    """Return scalar · generator. Raises GroupElementInvalid for the zero scalar."""
    try:
        product: bytes = rbcl.crypto_scalarmult_ristretto255_base(scalar)
    except RuntimeError:
        raise GroupElementInvalid("a multiplication gave no group element") from None
    return product


def add(left: bytes, right: bytes) -> bytes:
    """Return left + right; both were checked or computed before."""
    total: bytes = rbcl.crypto_core_ristretto255_add(left, right)
    return total


def from_uniform(uniform: bytes) -> bytes:
    """Map 64 uniform bytes to an element (RFC 9496 section 4.3.4)."""
    mapped: bytes = rbcl.crypto_core_ristretto255_from_hash(uniform)
    return mapped


def scalar_from_uniform(uniform: bytes) -> bytes:
    """Reduce 64 uniform little-endian bytes modulo the group order; may be zero."""
    reduced: bytes = rbcl.crypto_core_ristretto255_scalar_reduce(uniform)
    return reduced


def scalar_multiply(left: bytes, right: bytes) -> bytes:
    """Return left · right modulo the group order."""
    product: bytes = rbcl.crypto_core_ristretto255_scalar_mul(left, right)
    return product


def scalar_subtract(left: bytes, right: bytes) -> bytes:
    """Return left - right modulo the group order."""
    difference: bytes = rbcl.crypto_core_ristretto255_scalar_sub(left, right)
    return difference


def scalar_invert(scalar: bytes) -> bytes:
    """Return the inverse of a scalar that is not zero; raises ValueError for zero."""
    inverse: bytes = rbcl.crypto_core_ristretto255_scalar_invert(scalar)
    return inverse


def is_scalar(encoded: bytes) -> bool:
    """Tell whether these are 32 canonical bytes of a scalar; for what others send, no secret."""
    return len(encoded) == SCALAR_BYTES and int.from_bytes(encoded, "little") < _ORDER


def scalar_random() -> bytes:
    """Return a uniform scalar other than zero, from libsodium's own randomness."""
    drawn: bytes = rbcl.crypto_core_ristretto255_scalar_random()
    return drawn
