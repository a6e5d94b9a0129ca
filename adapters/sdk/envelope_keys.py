"""The X25519 keys to which this organisation's identity envelopes are sealed, in a folder of its own.

Promises: a key is on disk, of mode 0600, before anybody is told of it; a new one leaves the older ones in
place, so that what is under way still opens; `drop` ends a key for good.
Source: RFC 7748; RFC 9180 section 7.1.1; RFC 8032 (the signature that shows whose key it is).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from adapters.sdk.envelopes import SIGNED, key_name
from adapters.sdk.errors import CredentialsInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sdk.credentials import Credentials

SUFFIX: Final = ".envelope-key"
KEY_BYTES: Final = 32


class EnvelopeKeys:
    """The private keys of one organisation; the folder is made when it is not there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder: Final = folder

    def make(self, credentials: Credentials) -> tuple[bytes, bytes]:
        """Make a new key; return it and the organisation's signature, to be given to `SetEnvelopeKey`."""
        key = X25519PrivateKey.generate()
        public_key = key.public_key().public_bytes_raw()
        path = self._folder / f"{key_name(public_key).hex()}{SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes_raw())
            file.flush()
            os.fsync(file.fileno())
        directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        signature = credentials.signing_key.sign(SIGNED + credentials.oin.encode() + public_key)
        return public_key, signature

    def named(self, name: bytes) -> X25519PrivateKey | None:
        """Return the key an envelope names, None where this organisation has none such.

        Raises CredentialsInvalid for a file that is open to others or is no key.
        """
        path = self._folder / f"{name.hex()}{SUFFIX}"
        try:
            with path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise CredentialsInvalid(f"{path.name} is open to others; chmod 600 it, make a new key")
                content = file.read(KEY_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CredentialsInvalid(f"{path.name} cannot be opened: {error.strerror}") from None
        if len(content) != KEY_BYTES:
            raise CredentialsInvalid(f"{path.name} does not hold a key of 32 bytes")
        key = X25519PrivateKey.from_private_bytes(content)
        if key_name(key.public_key().public_bytes_raw()) != name:
            raise CredentialsInvalid(f"{path.name} holds another key than its name says")
        return key

    def drop(self, public_key: bytes) -> bool:
        """Remove a key: what is still sealed to it opens no more. Tell whether it was there."""
        path = self._folder / f"{key_name(public_key).hex()}{SUFFIX}"
        found = path.exists()
        path.unlink(missing_ok=True)
        return found
