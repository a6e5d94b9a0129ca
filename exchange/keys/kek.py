"""The key that encrypts keys: what the key database cannot be read without.

Promises: a wrapped key opens only under the same KEK and for the same owner it was wrapped for.
`FileKek` is for development: the KEK lies in a file that only its owner may read. Production keeps it in
a hardware module behind the same protocol.
Source: NIST SP 800-38D (AES-256-GCM); NIST SP 800-57 part 1 (key-encrypting keys).
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from exchange.errors import KeyUnavailable, SettingsInvalid
from exchange.keys.datakey import KEY_BYTES, derive

if TYPE_CHECKING:
    from collections.abc import Callable

_NONCE_BYTES: Final = 12
_HEADER: Final = b"exchange development kek 1\n"
_FILE_BYTES: Final = len(_HEADER) + 2 * KEY_BYTES + 1


class Kek(Protocol):
    """Wraps 32-byte keys. `associated` names whose key it is and must be the same at both ends."""

    @property
    def key_id(self) -> str:
        """Return a short name of this KEK, stored beside each key it wraps; tells nothing about its bytes."""

    def wrap(self, key: bytes, associated: bytes) -> bytes:
        """Return the key, encrypted."""

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        """Return the key. Raises KeyUnavailable when it was altered, moved, or wrapped by another KEK."""


class FileKek:
    """A KEK in a file of mode 0600. With `create`, a missing file is made, whole or not at all.

    Raises SettingsInvalid for a file that is absent, malformed, not ours, or open to others.
    """

    def __init__(
        self, path: Path, *, create: bool = False, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        if create and not path.exists():
            _create(path, entropy(KEY_BYTES))
        key = _read(path)
        self.key_id: Final = derive(key, b"exchange/kek/1/id", 8).hex()
        self._wrapping: Final = AESGCM(derive(key, b"exchange/kek/1/wrapping"))
        self._entropy: Final = entropy

    def wrap(self, key: bytes, associated: bytes) -> bytes:
        """Return nonce, ciphertext and tag: 28 bytes more than the key."""
        nonce = self._entropy(_NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, key, associated)

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        """Return the key. Raises KeyUnavailable when it was altered, moved, or wrapped by another KEK."""
        if len(wrapped) < _NONCE_BYTES:
            raise KeyUnavailable("a wrapped key is too short")
        try:
            return self._wrapping.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], associated)
        except InvalidTag:
            raise KeyUnavailable("a wrapped key does not open under this KEK", kek=self.key_id) from None

    def __repr__(self) -> str:
        return f"FileKek(key_id={self.key_id!r})"


def _create(path: Path, key: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = mkstemp(dir=path.parent, prefix=f".{path.name}.")  # of mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_HEADER + key.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # A link never replaces: when another process was first, its key stands and ours is dropped unread.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        reason = str(error.strerror)
        raise SettingsInvalid("the KEK file cannot be opened", file=path.name, reason=reason) from None
    try:
        # Asked of the open file, not of its name: nobody can swap it in between.
        _require_private(os.fstat(descriptor), path.name)
        content = os.read(descriptor, _FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    return _parse(content, path.name)


def _require_private(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SettingsInvalid("the KEK file is not a regular file", file=name)
    if found.st_uid not in {os.geteuid(), 0}:
        raise SettingsInvalid("the KEK file belongs to another account", file=name)
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise SettingsInvalid(
            "the KEK file is open to others; chmod 600 it and consider its key seen",
            file=name,
            mode=f"{mode:04o}",
        )


def _parse(content: bytes, name: str) -> bytes:
    malformed = SettingsInvalid("the KEK file is malformed", file=name)
    if len(content) != _FILE_BYTES or not content.startswith(_HEADER) or not content.endswith(b"\n"):
        raise malformed
    try:
        key = bytes.fromhex(content[len(_HEADER) : -1].decode("ascii"))
    except ValueError:
        raise malformed from None
    if len(key) != KEY_BYTES:
        raise malformed
    return key
