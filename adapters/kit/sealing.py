"""Keeps what an adapter must hold in files unreadable without a key that lies beside its journal.

Promises: what is sealed opens in its own place only; its key is made once, by whichever thread or process
comes first, is there whole or not at all, and readable by its owner only.
Source: GDPR 5(1)(f), 32; NIST SP 800-38D (AES-GCM, 96 random bits of nonce).
"""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from hashlib import sha256
from tempfile import mkstemp
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.kit.put_aside import CannotOpen

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class KeyUnusable(Exception):
    """The file of a key is open to others, is not whole, or is gone while what it sealed is there."""


class Seal:
    """Seals and opens under one key."""

    def __init__(self, key: bytes) -> None:
        self._box: Final = AESGCM(hmac.digest(key, b"seal", sha256))
        self._naming: Final = hmac.digest(key, b"name", sha256)

    def seal(self, content: bytes, about: str) -> bytes:
        """Return content sealed for one place."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._box.encrypt(nonce, content, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """Return what was sealed for this place. Raises CannotOpen."""
        try:
            return self._box.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen("what is sealed does not open with this key") from None

    def name(self, content: bytes) -> bytes:
        """Return a name of content that says nothing to who has not the key: 32 bytes."""
        return hmac.digest(self._naming, content, sha256)


def key_at(file: Path, *, make: bool = True) -> bytes:
    """Return the key of a file; made where there is none and that may be. Raises KeyUnusable, OSError."""
    if not file.exists():
        if not make:
            raise KeyUnusable(f"{file.name} is gone, and what it sealed is there: put it back")
        _make(file)
    return _read(file)


def _make(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The loop and a door of one adapter, and a command beside it, may come at once for a key not there yet.
    descriptor, draft = mkstemp(dir=file.parent, prefix=f"{file.name}.draft")
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(secrets.token_bytes(KEY_BYTES))
        opened.flush()
        os.fsync(descriptor)
    # There whole or not at all, also after a crash; a link never replaces: whoever made one first has it, and
    # may have taken this draft away.
    with suppress(FileExistsError, FileNotFoundError):
        os.link(draft, file)
    # This one, and what a crash left.
    for left in file.parent.glob(f"{file.name}.draft*"):
        left.unlink(missing_ok=True)
    # And before anything that only it opens.
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(file: Path) -> bytes:
    if file.stat().st_mode & 0o077:
        raise KeyUnusable(f"{file.name} is open to others; chmod 600 it and consider it seen")
    key = file.read_bytes()
    if len(key) != KEY_BYTES:
        raise KeyUnusable(f"{file.name} does not hold {KEY_BYTES} bytes")
    return key
