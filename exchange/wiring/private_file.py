"""Files of keys and names: written once, whole or not at all, for their owner only.

Promises: who reads such a file gets all of it or the one before; a private key is told by its type, and
nothing of it is in an error.
Source: rename(2), fsync(2); RFC 8410 and RFC 5958 (private keys in PEM).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


def read_key(file: Path) -> PrivateKeyTypes:
    """Return the private key in a PEM file. Raises SettingsInvalid."""
    try:
        return load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsInvalid("the log's key cannot be read", file=file.name) from None


def write_private(file: Path, content: bytes) -> None:
    """Write once, whole or not at all, readable by the owner only."""
    partial = file.with_name(f"{file.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
