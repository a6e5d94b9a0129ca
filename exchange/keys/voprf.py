"""RFC 9497, suite ristretto255-SHA512, the server's side: evaluate blinded elements and prove the key used.

Promises: the server learns nothing about what was blinded; every answer is bound to one public key by a
proof of equal discrete logarithms (DLEQ); an input that is no group element, or is its identity, is refused.
Source: RFC 9497 sections 2.2 (DLEQ), 3.2.1 (DeriveKeyPair), 3.3.1-3.3.2 (OPRF, VOPRF), 4.1; RFC 9380
section 5.3.1.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha512
from typing import TYPE_CHECKING, Final

from exchange.errors import GroupElementInvalid, KeyUnavailable, RequestTooLarge
from exchange.keys import ristretto

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH_ELEMENTS_MAX: Final = 1_000
PROOF_BYTES: Final = 2 * ristretto.SCALAR_BYTES
_HASH_BYTES: Final = 64
_BLOCK_BYTES: Final = 128
_DERIVE_TRIES_MAX: Final = 256


class Mode(IntEnum):
    """The protocol variants we speak; the third, with public input, is not used."""

    OPRF = 0
    VOPRF = 1


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A secret scalar and its public element, 32 bytes each. The repr hides the secret."""

    secret: bytes
    public: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public.hex()})"


@dataclass(frozen=True, slots=True)
class BatchEvaluation:
    """Evaluated elements in the order of the blinded ones, and one proof (c || s, 64 bytes) for all."""

    elements: tuple[bytes, ...]
    proof: bytes


def context(mode: Mode) -> bytes:
    """Return the context string that separates modes and suites."""
    return b"OPRFV1-" + bytes((mode,)) + b"-ristretto255-SHA512"


def expand(message: bytes, tag: bytes) -> bytes:
    """Return 64 uniform bytes: expand_message_xmd over SHA-512. `tag` is at most 255 bytes."""
    suffix = tag + bytes((len(tag),))
    # One output block is enough for 64 bytes, so the loop of the RFC has a single turn.
    seed = sha512(bytes(_BLOCK_BYTES) + message + _HASH_BYTES.to_bytes(2, "big") + b"\x00" + suffix).digest()
    return sha512(seed + b"\x01" + suffix).digest()


def hash_to_scalar(message: bytes, tag: bytes) -> bytes:
    """Return a scalar, 32 bytes; zero with negligible chance."""
    return ristretto.scalar_from_uniform(expand(message, tag))


def derive_key_pair(seed: bytes, info: bytes, mode: Mode) -> KeyPair:
    """Return the key pair of a 32-byte seed and public `info` of at most 65,535 bytes."""
    material = seed + len(info).to_bytes(2, "big") + info
    tag = b"DeriveKeyPair" + context(mode)
    for counter in range(_DERIVE_TRIES_MAX):
        secret = hash_to_scalar(material + bytes((counter,)), tag)
        if secret != ristretto.ZERO:
            return KeyPair(secret, ristretto.multiply_base(secret))
    raise KeyUnavailable("no key pair follows from this seed")


def blind_evaluate(secret: bytes, blinded: bytes) -> bytes:
    """Return secret · blinded (mode OPRF, no proof). Raises GroupElementInvalid."""
    return ristretto.multiply(secret, ristretto.element(blinded))


def blind_evaluate_proved(
    keys: KeyPair, blinded: Sequence[bytes], nonce: bytes | None = None
) -> BatchEvaluation:
    """Evaluate 1 to BATCH_ELEMENTS_MAX blinded elements and prove that all met the same key (mode VOPRF).

    `nonce` is the proof's random scalar; give it only to repeat the vectors of the standard: a nonce used
    twice gives the key away. Raises GroupElementInvalid, RequestTooLarge.
    """
    if not 1 <= len(blinded) <= BATCH_ELEMENTS_MAX:
        raise RequestTooLarge(
            "a batch holds from one to the most elements allowed",
            found=str(len(blinded)),
            most=str(BATCH_ELEMENTS_MAX),
        )
    evaluated = tuple(blind_evaluate(keys.secret, element) for element in blinded)
    proof = _prove(keys, blinded, evaluated, ristretto.scalar_random() if nonce is None else nonce)
    return BatchEvaluation(evaluated, proof)


def is_proved(public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes) -> bool:
    """Tell whether all met the secret behind `public`: VerifyProof of section 2.2.2. No input is trusted."""
    challenge, answer = proof[: ristretto.SCALAR_BYTES], proof[ristretto.SCALAR_BYTES :]
    if len(proof) != PROOF_BYTES or not (ristretto.is_scalar(challenge) and ristretto.is_scalar(answer)):
        return False
    try:
        for element in (public, *blinded, *evaluated):
            ristretto.element(element)
        left, right = _composites(public, blinded, evaluated)
        commitments = (
            ristretto.add(ristretto.multiply_base(answer), ristretto.multiply(challenge, public)),
            ristretto.add(ristretto.multiply(answer, left), ristretto.multiply(challenge, right)),
        )
    except GroupElementInvalid:
        # A scalar of zero or a composite that is the identity: no honest prover gets there.
        return False
    transcript = b"".join(b"\x00\x20" + element for element in (public, left, right, *commitments))
    return hmac.compare_digest(hash_to_scalar(transcript + b"Challenge", _TO_SCALAR), challenge)


def _prove(keys: KeyPair, blinded: Sequence[bytes], evaluated: Sequence[bytes], nonce: bytes) -> bytes:
    """Return c || s: the generator and the composite of the blinded elements met the same secret."""
    composite, _ = _composites(keys.public, blinded, evaluated, both=False)
    transcript = b"".join(
        b"\x00\x20" + element
        for element in (
            keys.public,
            composite,
            ristretto.multiply(keys.secret, composite),
            ristretto.multiply_base(nonce),
            ristretto.multiply(nonce, composite),
        )
    )
    challenge = hash_to_scalar(transcript + b"Challenge", _TO_SCALAR)
    answer = ristretto.scalar_subtract(nonce, ristretto.scalar_multiply(challenge, keys.secret))
    return challenge + answer


def _composites(
    public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], *, both: bool = True
) -> tuple[bytes, bytes]:
    """Return M and Z of ComputeComposites: the elements weighted by a hash of the whole batch.

    Who has the key does not need Z, which is the key times M.
    """
    seed = sha512(b"\x00\x20" + public + len(_SEED).to_bytes(2, "big") + _SEED).digest()
    left = right = ristretto.IDENTITY
    for index, (before, after) in enumerate(zip(blinded, evaluated, strict=True)):
        message = (
            _HASH_BYTES.to_bytes(2, "big")
            + seed
            + index.to_bytes(2, "big")
            + (b"\x00\x20" + before)
            + (b"\x00\x20" + after)
            + b"Composite"
        )
        weight = hash_to_scalar(message, _TO_SCALAR)
        left = ristretto.add(ristretto.multiply(weight, before), left)
        if both:
            right = ristretto.add(ristretto.multiply(weight, after), right)
    return left, right


_TO_SCALAR: Final = b"HashToScalar-" + context(Mode.VOPRF)
_SEED: Final = b"Seed-" + context(Mode.VOPRF)
