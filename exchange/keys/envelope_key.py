"""X25519 public keys of organisations, to seal identity envelopes to: which are taken, signed by whom.

Promises: only a canonical key with which everybody gets a secret of his own: under a point of small order
anybody could open what is sealed; the organisation's own signature binds the key to its number, so that who
registers it, the operator of the exchange too, cannot put another in its place unseen.
Source: RFC 7748 section 6.1 (all-zero secret); RFC 9180 section 7.1.4; RFC 8032 (Ed25519).
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

KEY_BYTES: Final = 32
_FIELD: Final = 2**255 - 19
_SIGNED: Final = b"exchange-envelope-key-v1\x00"
# Any scalar will do: it is clamped to a multiple of eight, which takes every point of small order to zero.
_PROBE: Final = X25519PrivateKey.from_private_bytes(bytes(range(KEY_BYTES)))


def is_envelope_key(encoded: bytes) -> bool:
    """Tell whether these bytes do as a key to seal to."""
    if len(encoded) != KEY_BYTES or int.from_bytes(encoded, "little") >= _FIELD:
        return False
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(encoded))
    except ValueError:
        return False
    return True


def is_signed_by(signing_key: bytes, signature: bytes, oin: str, envelope_key: bytes) -> bool:
    """Tell whether the holder of an Ed25519 key (32 bytes) said that this is the organisation's own key."""
    try:
        Ed25519PublicKey.from_public_bytes(signing_key).verify(
            signature, _SIGNED + oin.encode() + envelope_key
        )
    except (InvalidSignature, ValueError):
        return False
    return True
