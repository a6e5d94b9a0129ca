"""Keeps what is personal in the journal unreadable without a key that lies beside it.

Promises: a BSN and what Suwinet told of a resident stand in no file in the clear; a copy of the journal alone
says about whom it is to nobody, and a sealed row put in another place does not open. The key is made once and
readable by its owner only. Source: GDPR 5(1)(f), 32; NIST SP 800-38D (AES-GCM, 96 random bits of nonce).
"""

from __future__ import annotations

import hmac
import os
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.work_income.errors import ConfigInvalid, JournalUnreadable

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Seal:
    """Seals and opens under one key."""

    def __init__(self, key: bytes) -> None:
        self._box: Final = AESGCM(hmac.digest(key, b"seal", sha256))
        self._naming: Final = hmac.digest(key, b"name", sha256)

    @classmethod
    def at(cls, file: Path) -> Seal:
        """Read the key of a file, or make it. Raises ConfigInvalid."""
        try:
            return cls(_read(file))
        except FileNotFoundError:
            pass
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.draft")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # There whole or not at all, also after a crash.
        draft.rename(file)
        return cls(_read(file))

    def seal(self, content: bytes, about: str) -> bytes:
        """Return content sealed for one place."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._box.encrypt(nonce, content, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """Return what was sealed for this place. Raises JournalUnreadable."""
        try:
            return self._box.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError):
            raise JournalUnreadable("a row of the journal does not open with this key") from None

    def name(self, content: bytes) -> bytes:
        """Return a name of content that says nothing to who has not the key: 32 bytes."""
        return hmac.digest(self._naming, content, sha256)


def _read(file: Path) -> bytes:
    if file.stat().st_mode & 0o077:
        raise ConfigInvalid(f"{file.name} is open to others; chmod 600 it and consider it seen")
    key = file.read_bytes()
    if len(key) != KEY_BYTES:
        raise ConfigInvalid(f"{file.name} does not hold {KEY_BYTES} bytes")
    return key
