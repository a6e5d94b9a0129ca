"""Public keys of others, pinned in a file: given by them beforehand or, failing that, kept at the first use.

Promises: a pin is written whole or not at all and never replaced; another key than the pinned one is refused.
Keys are 32 bytes in hexadecimal, one a line.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final

KEY_BYTES: Final = 32


class PinRefused(ValueError):
    """The file cannot be read, or holds something else than keys."""


def read_pin(path: Path) -> tuple[bytes, ...]:
    """Return the pinned keys, none where nothing is pinned yet. Raises PinRefused."""
    try:
        lines = path.read_text("ascii").split()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError):
        raise PinRefused(f"{path.name} cannot be read") from None
    try:
        keys = tuple(bytes.fromhex(line) for line in lines)
    except ValueError:
        keys = ()
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise PinRefused(f"{path.name} does not hold a public key of 32 bytes in hexadecimal")
    return keys


def write_pin(path: Path, keys: tuple[bytes, ...]) -> None:
    """Pin the keys where nothing is pinned yet, durably."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("".join(f"{key.hex()}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        # A link never replaces: whoever pinned first stands.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
