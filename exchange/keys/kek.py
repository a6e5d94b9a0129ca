"""The key that encrypts keys: what the key database cannot be read without.

Promises: a wrapped key opens only under the same KEK and for the same owner it was wrapped for.
`FileKek` is for development: the KEK lies in a file that only its owner may read. Production keeps it in
a hardware module behind the same protocol (`hsm.py`). `KekRing` also opens what former KEKs wrapped.
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


class KekRing:
    """The KEK in force, which wraps, and those before it, which open what is not yet wrapped anew.

    `former` finds one by its id, or None; it is asked once for each id it found. `close` ends what they use.
    """

    def __init__(
        self, current: Kek, former: Callable[[str], Kek | None], close: Callable[[], None] = lambda: None
    ) -> None:
        self.current: Final = current
        self.key_id: Final = current.key_id
        self._former: Final = former
        self._found: Final[dict[str, Kek]] = {}
        self.close: Final = close

    def wrap(self, key: bytes, associated: bytes) -> bytes:
        """Return the key, encrypted under the KEK in force."""
        return self.current.wrap(key, associated)

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        """Return a key that the KEK in force wrapped. Raises KeyUnavailable."""
        return self.current.unwrap(wrapped, associated)

    def named(self, key_id: str) -> Kek | None:
        """Return the KEK of this id, or None where it is not at hand. Raises KeyUnavailable."""
        if key_id == self.key_id:
            return self.current
        found = self._found.get(key_id) or self._former(key_id)
        if found is not None:
            self._found[key_id] = found
        return found


def kek_of(kek: Kek, key_id: str, what: str) -> Kek:
    """Return the KEK that wrapped a row: this one, or one of its ring.

    Raises KeyUnavailable, saying that `what` was wrapped by another, or that its token does not answer.
    """
    found = kek if key_id == kek.key_id else kek.named(key_id) if isinstance(kek, KekRing) else None
    if found is None:
        raise KeyUnavailable(f"{what} was wrapped by another KEK", expected=kek.key_id, found=key_id)
    return found


class FileKek:
    """A KEK in a file of mode 0600. With `create`, a missing file is made, whole or not at all.

    Raises SettingsInvalid for a file that is absent, malformed, not ours, or open to others.
    """

    def __init__(
        self, path: Path, *, create: bool = False, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        if create and not path.exists():
            _create(path, entropy(KEY_BYTES))
        key = _parse(private_bytes(path, "the KEK file", _FILE_BYTES + 1), path.name)
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


def private_bytes(path: Path, what: str, bytes_max: int) -> bytes:
    """Return at most `bytes_max` bytes of a file that its owner alone may read.

    Raises SettingsInvalid for one that is absent, not a plain file, not ours, or open to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        reason = str(error.strerror)
        raise SettingsInvalid(f"{what} cannot be opened", file=path.name, reason=reason) from None
    try:
        # Asked of the open file, not of its name: nobody can swap it in between.
        _require_private(os.fstat(descriptor), what, path.name)
        return os.read(descriptor, bytes_max)
    finally:
        os.close(descriptor)


def _require_private(found: os.stat_result, what: str, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SettingsInvalid(f"{what} is not a regular file", file=name)
    if found.st_uid not in {os.geteuid(), 0}:
        raise SettingsInvalid(f"{what} belongs to another account", file=name)
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise SettingsInvalid(
            f"{what} is open to others; chmod 600 it and consider what it holds seen",
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
