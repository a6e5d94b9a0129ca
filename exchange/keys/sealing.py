"""Sealing of one resident's part of one event: AES-256-GCM with the clear envelope as associated data.

Promises: a ciphertext moved to another stream, version, topic, resident, category or event does not open.
The bytes of an envelope are stored nowhere but are needed for ever: the form below may only be added to.
Source: NIST SP 800-38D; RFC 5116 (nonce || ciphertext || tag).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag

from exchange.errors import SealBroken

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.keys.datakey import DataKey

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
SEALED_BYTES_MIN: Final = NONCE_BYTES + TAG_BYTES


def envelope(  # noqa: PLR0917 -- one argument for each part of the envelope
    stream: str, version: int, topic: str, resident_ref: str, category: str, event_id: bytes
) -> bytes:
    """Return the associated data of one sealed part; different arguments never give the same bytes.

    Each text is preceded by its length in characters, the number ends at its bar, the id comes last.
    """
    return _envelope_at(_place_of(stream, topic, resident_ref, category), version, event_id)


def _place_of(stream: str, topic: str, resident_ref: str, category: str) -> bytes:
    """Return what the envelopes of one stream, topic, resident and category have in common."""
    return (
        f"|{len(stream)}:{stream}|{len(topic)}:{topic}"
        f"|{len(resident_ref)}:{resident_ref}|{len(category)}:{category}|"
    ).encode()


def _envelope_at(place: bytes, version: int, event_id: bytes) -> bytes:
    return b"e1|%d%b%b" % (version, place, event_id)


def seal(key: DataKey, plaintext: bytes, associated: bytes) -> bytes:
    """Return 12 random bytes, the ciphertext and a 16-byte tag. `associated` comes from `envelope`."""
    # A random nonce is safe to 2**32 seals under one key; one resident's category stays far below that.
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.sealing.encrypt(nonce, plaintext, associated)


def open_sealed(key: DataKey, sealed: bytes, associated: bytes) -> bytes:
    """Return the plain bytes. Raises SealBroken for an altered byte, another envelope or another key."""
    return _opened(key.sealing.decrypt, sealed, associated)


def opener(key: DataKey, stream: str, topic: str, category: str) -> Callable[[bytes, int, bytes], bytes]:
    """Return what opens parts of one stream, topic and category by version and event id, for who reads many.

    As `open_sealed` does under what `envelope` returns. Raises alike.
    """
    place, decrypt = _place_of(stream, topic, key.resident_ref, category), key.sealing.decrypt
    return lambda sealed, version, event_id: _opened(decrypt, sealed, _envelope_at(place, version, event_id))


def _opened(decrypt: Callable[[bytes, bytes, bytes], bytes], sealed: bytes, associated: bytes) -> bytes:
    if len(sealed) < SEALED_BYTES_MIN:
        raise SealBroken("a sealed part is too short to hold a seal", found_bytes=str(len(sealed)))
    try:
        return decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
    except InvalidTag:
        raise SealBroken("a sealed part does not open under its own envelope") from None
