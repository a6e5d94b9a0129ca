"""The key of one resident and one category of data, and what is derived from it.

Promises: the 32 stored bytes seal nothing themselves: each use has its own derived key, so that none of
them tells anything about another. A repr never shows key bytes.
Source: RFC 5869 (HKDF-SHA-256).
"""

from __future__ import annotations

import hmac
from typing import Final, final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY_BYTES: Final = 32
LEDGER_CATEGORY: Final = "LEDGER"

_SEALING: Final = b"exchange/keys/1/sealing"
_LEDGER: Final = b"exchange/keys/1/ledger-pseudonym"
_SALTS: Final = b"exchange/keys/1/field-salts"
_LEDGER_APART: Final = b"exchange/keys/1/ledger-pseudonym-apart"


def derive(key: bytes, use: bytes, length: int = KEY_BYTES) -> bytes:
    """Return `length` bytes for one use. `key` is uniformly random, so HKDF's extract step is not needed."""
    return HKDFExpand(algorithm=SHA256(), length=length, info=use).derive(key)


@final
class DataKey:
    """One version of the key of one resident and category. Share it between threads; it never changes."""

    __slots__ = ("_apart", "_ledger", "_material", "_salts", "category", "resident_ref", "sealing", "version")

    def __init__(self, resident_ref: str, category: str, version: int, material: bytes) -> None:
        self.resident_ref: Final = resident_ref
        self.category: Final = category
        self.version: Final = version
        self.sealing: Final = AESGCM(derive(material, _SEALING))
        self._material: Final = material
        self._ledger: bytes | None = None
        self._salts: bytes | None = None
        self._apart: bytes | None = None

    @property
    def ledger_key(self) -> bytes:
        """Return k_ps, 32 bytes: makes and recognises this resident's pseudonyms in the ledger.

        Of use in category `LEDGER_CATEGORY` only; it dies with the resident's keys.
        """
        if self._ledger is None:
            self._ledger = derive(self._material, _LEDGER)
        return self._ledger

    def field_salt(self, event_id: bytes, name: str) -> bytes:
        """Return the salt of one field of one event, 32 bytes: HKDF-Expand with both as its info.

        `event_id` is 16 bytes. Of use in category `LEDGER_CATEGORY` only; it dies with the resident's keys.
        """
        if self._salts is None:
            self._salts = derive(self._material, _SALTS)
        # One block of HKDF-Expand (RFC 5869 section 2.3), drawn on the walk: a tenth of the time.
        return hmac.digest(self._salts, event_id + name.encode() + b"\x01", "sha256")

    @property
    def ledger_key_apart(self) -> bytes:
        """Return the 32 bytes that do the same for leaves of what is kept from the resident's side.

        Nobody can tell it from `ledger_key`, nor find one with the other.
        """
        if self._apart is None:
            self._apart = derive(self._material, _LEDGER_APART)
        return self._apart

    @property
    def material(self) -> bytes:
        """Return the 32 stored bytes, for wrapping only."""
        return self._material

    def __repr__(self) -> str:
        return f"DataKey(category={self.category!r}, version={self.version})"
