"""Turns a BSN into this organisation's own pseudonym without showing the BSN to anyone.

The SDK blinds a hash of the BSN, the exchange evaluates it with a key nobody else has, the SDK checks the
proof and removes the blinding. What remains is a group element, the same at every visit, of no use to another
organisation. Promises: no pseudonym leaves `unblind` unless it was made with the key of the public key given,
which must come from the exchange's operator on paper or in the configuration, never from the connection.
Source: RFC 9497 (ristretto255-SHA512, mode VOPRF) sections 2.2.2, 3.3.2; RFC 9380 section 5.3.1. The
pseudonym is the unblinded element, not the hashed output of the RFC, so that the exchange can translate it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha512
from hmac import compare_digest
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rbcl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.sdk.bsn import Bsn

ELEMENT_BYTES: Final = 32
PROOF_BYTES: Final = 64

_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_IDENTITY: Final = b"\x00" * ELEMENT_BYTES
_SUITE: Final = b"OPRFV1-\x01-ristretto255-SHA512"
_GENERATOR: Final[bytes] = rbcl.crypto_scalarmult_ristretto255_base((1).to_bytes(32, "little"))

# rbcl leaves an unpacked copy of libsodium in the temporary folder of every process; it is loaded by now.
Path(rbcl._sodium._name).unlink(missing_ok=True)  # noqa: SLF001 -- rbcl tells the path nowhere else


class BlindingRefused(ValueError):
    """The exchange's answer is malformed or was not made with the expected key. Holds no personal data."""


@dataclass(frozen=True, slots=True)
class BlindingState:
    """What `unblind` needs. The scalar leads back to a hash of the BSN, which can be guessed: keep it."""

    blinded: bytes
    scalar: bytes = field(repr=False)


class Blinder:
    """Blinds for one organisation, whose public key (32 bytes) it pins. Safe between threads."""

    def __init__(self, public_key: bytes) -> None:
        self._public_key: Final = _element(public_key, "public key")

    def blind(self, bsn: Bsn) -> tuple[bytes, BlindingState]:
        """Return the element to send, 32 bytes, new at every call, and the state to keep for `unblind`."""
        return blind_with(bsn.reveal().encode("ascii"), rbcl.crypto_core_ristretto255_scalar_random())

    def unblind(self, state: BlindingState, evaluated: bytes, proof: bytes) -> bytes:
        """Return the pseudonym, 32 bytes. Raises BlindingRefused when element or proof is not right."""
        verify_proof(self._public_key, [(state.blinded, evaluated)], proof)
        return remove_blinding(state, evaluated)


def blind_with(identifier: bytes, scalar: bytes, suite: bytes = _SUITE) -> tuple[bytes, BlindingState]:
    """Return the identifier's group element times `scalar`, a uniform scalar that is never used twice.

    `suite` is the context string of the RFC: that of mode VOPRF, the only one the exchange speaks.
    """
    hashed: bytes = rbcl.crypto_core_ristretto255_from_hash(_expand(identifier, b"HashToGroup-" + suite))
    blinded: bytes = rbcl.crypto_scalarmult_ristretto255(scalar, hashed)
    return blinded, BlindingState(blinded, scalar)


def remove_blinding(state: BlindingState, evaluated: bytes) -> bytes:
    """Return the element under the blinding; `verify_proof` goes first."""
    inverse = rbcl.crypto_core_ristretto255_scalar_invert(state.scalar)
    pseudonym: bytes = rbcl.crypto_scalarmult_ristretto255(inverse, evaluated)
    return pseudonym


def tagged(element: bytes, generation: int) -> bytes:
    """Return an element as a pseudonym of a generation of the exchange's key, from 1.

    It is told modulo 4, in two bits that are zero in every element: the lowest and the highest (RFC 9496).
    """
    tag = (generation - 1) % 4
    number = int.from_bytes(element, "little") | tag & 1 | tag >> 1 << 255
    return number.to_bytes(ELEMENT_BYTES, "little")


def verify_proof(public_key: bytes, pairs: Iterable[tuple[bytes, bytes]], proof: bytes) -> None:
    """Raise BlindingRefused unless every (blinded, evaluated) pair met the secret behind `public_key`."""
    if len(proof) != PROOF_BYTES:
        raise BlindingRefused("the exchange's proof has not 64 bytes")
    challenge, answer = proof[:32], proof[32:]
    if not (_is_scalar(challenge) and _is_scalar(answer)):
        raise BlindingRefused("the exchange's proof is not a pair of scalars")
    checked = [(_element(before, "blinded element"), _element(after, "answer")) for before, after in pairs]
    left, right = _composites(public_key, checked)
    commitments = (
        _sum(answer, _GENERATOR, challenge, public_key),
        _sum(answer, left, challenge, right),
    )
    transcript = b"".join(map(_prefixed, (public_key, left, right, *commitments))) + b"Challenge"
    if not compare_digest(_hash_to_scalar(transcript), challenge):
        raise BlindingRefused("the exchange's proof does not fit the organisation's public key")


def _composites(public_key: bytes, pairs: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    seed = sha512(_prefixed(public_key) + _prefixed(b"Seed-" + _SUITE)).digest()
    weights = [
        _hash_to_scalar(
            _prefixed(seed) + index.to_bytes(2, "big") + _prefixed(before) + _prefixed(after) + b"Composite"
        )
        for index, (before, after) in enumerate(pairs)
    ]
    lefts = starmap(_times, zip(weights, (before for before, _ in pairs), strict=True))
    rights = starmap(_times, zip(weights, (after for _, after in pairs), strict=True))
    return _total(lefts), _total(rights)


def _total(elements: Iterable[bytes]) -> bytes:
    total = _IDENTITY
    for element in elements:
        total = rbcl.crypto_core_ristretto255_add(total, element)
    return total


def _sum(scalar: bytes, element: bytes, other_scalar: bytes, other_element: bytes) -> bytes:
    return _total((_times(scalar, element), _times(other_scalar, other_element)))


def _times(scalar: bytes, element: bytes) -> bytes:
    # A hostile proof may hold the scalar zero: its product is the identity, and the check goes on.
    if scalar == bytes(32) or element == _IDENTITY:
        return _IDENTITY
    product: bytes = rbcl.crypto_scalarmult_ristretto255(scalar, element)
    return product


def _element(encoded: bytes, what: str) -> bytes:
    # libsodium takes the identity and a set highest bit; the standard takes neither.
    if (
        len(encoded) != ELEMENT_BYTES
        or encoded == _IDENTITY
        or encoded[-1] >= 0x80  # noqa: PLR2004 -- the highest bit of the encoding
        or not rbcl.crypto_core_ristretto255_is_valid_point(encoded)
    ):
        raise BlindingRefused(f"the {what} is not a ristretto255 element")
    return encoded


def _is_scalar(encoded: bytes) -> bool:
    return int.from_bytes(encoded, "little") < _ORDER


def _prefixed(part: bytes) -> bytes:
    return len(part).to_bytes(2, "big") + part


def _hash_to_scalar(message: bytes) -> bytes:
    reduced = int.from_bytes(_expand(message, b"HashToScalar-" + _SUITE), "little") % _ORDER
    return reduced.to_bytes(32, "little")


def _expand(message: bytes, tag: bytes) -> bytes:
    """Return 64 bytes of expand_message_xmd with SHA-512, whose output is that long already."""
    closing = tag + len(tag).to_bytes(1, "big")
    first = sha512(b"\x00" * 128 + message + b"\x00\x40" + b"\x00" + closing).digest()
    return sha512(first + b"\x01" + closing).digest()
