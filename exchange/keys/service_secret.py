"""Secrets of the service itself, 32 bytes each, by name: kept wrapped beside the keys of residents.

Promises: a secret that was returned is on disk; two processes that ask at once get the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.keys.database import transaction
from exchange.keys.datakey import KEY_BYTES
from exchange.keys.kek import kek_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.databases.place import Connection
    from exchange.keys.kek import Kek


def obtain_secret(connection: Connection, kek: Kek, name: str, entropy: Callable[[int], bytes]) -> bytes:
    """Return the secret of this name, made on the first call. Raises KeyUnavailable, StoreFull."""
    owner = secret_wrapped_for(name)
    with transaction(connection):
        row: tuple[str, bytes] | None = connection.execute(
            "SELECT kek_id, wrapped FROM secret WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            secret = entropy(KEY_BYTES)
            connection.execute(
                "INSERT INTO secret VALUES (?, ?, ?)", (name, kek.key_id, kek.wrap(secret, owner))
            )
            return secret
    kek_id, wrapped = row
    return kek_of(kek, kek_id, "a secret").unwrap(wrapped, owner)


def secret_wrapped_for(name: str) -> bytes:
    """Return whose wrapping it is: a secret copied to another name does not open there."""
    return f"s1|{name}".encode()
