"""Keys that are the same for ever, so that stored events of today open in every later version."""

from __future__ import annotations

from hashlib import sha256

from exchange.errors import KeyDestroyed
from exchange.keys.datakey import DataKey


class FixedKeys:
    """Stands for a key store: version 1 of every key, derived from its owner. No secret, for tests only."""

    def __init__(self) -> None:
        self.destroyed: set[str] = set()

    @property
    def erasures(self) -> int:
        return len(self.destroyed)

    def obtain(self, resident_ref: str, category: str) -> DataKey:
        return self.open_key(resident_ref, category, 1)

    def open_key(self, resident_ref: str, category: str, version: int) -> DataKey:
        if resident_ref in self.destroyed:
            raise KeyDestroyed("destroyed on purpose")
        material = sha256(f"golden|{resident_ref}|{category}|{version}".encode()).digest()
        return DataKey(resident_ref, category, version, material)
