"""The links from roots to resident refs, unreadable without the KEK.

A row holds MAC(root), MAC(ref) and the sealed pair: a thief of the file learns how many residents there are
and nothing more, and cannot test whether a given root or ref is among them.
Promises: a link that was returned is on disk; the first ref of a root wins; a ref has one root.
"""

from __future__ import annotations

import hmac
import os
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from exchange.errors import KeyUnavailable, RuleBroken, SealBroken, SettingsInvalid
from exchange.keys.database import open_database, refusals, scrub, transaction
from exchange.keys.datakey import derive
from exchange.keys.ristretto import ELEMENT_BYTES, element, multiply
from exchange.keys.service_secret import obtain_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.databases.place import Place
    from exchange.keys.kek import Kek

SET: Final = (
    "INSERT INTO identity_setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
INSERT: Final = "INSERT INTO link VALUES (?, ?, ?)"
_NONCE_BYTES: Final = 12


class Link(NamedTuple):
    """A link, and the place it has among all."""

    ref_mac: bytes
    root: bytes
    resident_ref: str


class LinkStore:
    """Opens the links of one key database; `place` may be that of the KeyStore. Safe between threads."""

    def __init__(self, place: Place, kek: Kek, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._entropy: Final = entropy
        self._lock: Final = Lock()
        self._connection: Final = open_database(place)  # owned by the holder of _lock
        try:
            secret = obtain_secret(self._connection, kek, "links", entropy)
        except BaseException:
            self._connection.close()
            raise
        self._root_key: Final = derive(secret, b"exchange/links/1/root-mac")
        self._ref_key: Final = derive(secret, b"exchange/links/1/ref-mac")
        self._sealing: Final = AESGCM(derive(secret, b"exchange/links/1/sealing"))
        with refusals():
            self._made_with = self._generation()  # owned by the holder of _lock

    def resolve(self, root: bytes) -> str | None:
        """Return the resident ref of a root, or None. Raises SealBroken when the row was moved or altered."""
        mac = self._root_mac(root)
        with self._lock, refusals():
            found = self._select(mac)
        return None if found is None else self._open(mac, found)[1]

    def link(self, root: bytes, resident_ref: str) -> str:
        """Bind root and ref durably and return the root's ref: this one, or the one that was first.

        Raises GroupElementInvalid for a malformed root, RuleBroken when the ref has another root;
        KeyUnavailable where another process renewed the identity key: this root is of the former one.
        """
        mac, ref_mac = self._root_mac(element(root)), self._ref_mac(resident_ref)
        with self._lock, transaction(self._connection):
            if self._generation() != self._made_with:
                raise KeyUnavailable("the identity key was renewed since this service started: restart it")
            found = self._select(mac)
            if found is not None:
                return self._open(mac, found)[1]
            if self._connection.execute("SELECT 1 FROM link WHERE ref_mac = ?", (ref_mac,)).fetchone():
                raise RuleBroken("this resident ref is linked to another root", rule="one-root-per-ref")
            self._connection.execute(INSERT, self._row(root, resident_ref))
        return resident_ref

    def root_of(self, resident_ref: str) -> bytes | None:
        """Return the root of a ref, for translation to a recipient's pseudonym; None when it has no link."""
        with self._lock, refusals():
            row: tuple[bytes, bytes] | None = self._connection.execute(
                "SELECT root_mac, sealed FROM link WHERE ref_mac = ?", (self._ref_mac(resident_ref),)
            ).fetchone()
        if row is None:
            return None
        root, sealed_ref = self._open(*row)
        if sealed_ref != resident_ref:
            raise SealBroken("a link does not name the ref it was found by")
        return root

    def forget(self, resident_ref: str) -> bool:
        """Remove the link of a ref for good, at erasure; tell whether there was one."""
        with self._lock:
            with transaction(self._connection):
                mac = self._ref_mac(resident_ref)
                gone = self._connection.execute("DELETE FROM link WHERE ref_mac = ?", (mac,)).rowcount
                # A renewal that waits for its end must not bring back who was erased in between.
                self._connection.execute("DELETE FROM link_renewed WHERE ref_mac = ?", (mac,))
            scrub(self._connection)
        return gone > 0

    def generation(self) -> int:
        """Return the generation of the identity key that the links are made with, from 1."""
        with self._lock, refusals():
            return self._generation()

    def rekey(self, step: bytes, former_secret: str) -> int:
        """Take every root to the next generation and destroy the former master secret, in one transaction.

        `step` is a scalar of 32 bytes, `former_secret` the name of that secret. Returns how many links there
        are. Ended in the middle, however that came, nothing has changed: do it again.
        """
        with self._lock:
            with transaction(self._connection):
                rows = self._connection.execute("SELECT root_mac, sealed FROM link").fetchall()
                self._connection.execute("DELETE FROM link")
                opened = (self._open(*row) for row in rows)
                self._connection.executemany(
                    INSERT, [self._row(multiply(step, root), resident_ref) for root, resident_ref in opened]
                )
                self._next_generation(former_secret)
            scrub(self._connection)
        return len(rows)

    def not_renewed(self, target: bytes, after: bytes, count: int) -> list[Link]:
        """Return at most so many links behind a place that `renew` did not take to this target yet."""
        with self._lock, refusals():
            rows = self._connection.execute(
                "SELECT ref_mac, root_mac, sealed FROM link WHERE ref_mac > ? AND NOT EXISTS"
                " (SELECT 1 FROM link_renewed AS r WHERE r.ref_mac = link.ref_mac AND r.target = ?)"
                " ORDER BY ref_mac LIMIT ?",
                (after, target, count),
            ).fetchall()
        return [Link(ref_mac, *self._open(mac, sealed)) for ref_mac, mac, sealed in rows]

    def renew(self, target: bytes, renewed: Sequence[tuple[bytes, str]]) -> None:
        """Keep next roots beside the links that hold, durably; `put_renewed` lets them take their place."""
        with self._lock, transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO link_renewed VALUES (?, ?, ?, ?) ON CONFLICT (ref_mac) DO UPDATE SET"
                " root_mac = excluded.root_mac, sealed = excluded.sealed, target = excluded.target",
                [
                    (self._ref_mac(resident_ref), *self._sealed(root, resident_ref), target)
                    for root, resident_ref in renewed
                ],
            )

    def put_renewed(self, target: bytes, second_party: bytes, former_secret: str) -> int:
        """Let the renewed links be the links and destroy the former secret, in one transaction.

        Returns how many there are. Raises RuleBroken while one is not renewed; then nothing has changed.
        """
        with self._lock:
            with transaction(self._connection):
                (left,) = self._connection.execute(
                    "SELECT count(*) FROM link WHERE NOT EXISTS (SELECT 1 FROM link_renewed AS r"
                    " WHERE r.ref_mac = link.ref_mac AND r.target = ?)",
                    (target,),
                ).fetchone()
                if left:
                    raise RuleBroken("not every link was renewed", rule="all-links-or-none")
                self._connection.execute("DELETE FROM link")
                count = self._connection.execute(
                    "INSERT INTO link SELECT root_mac, ref_mac, sealed FROM link_renewed WHERE target = ?",
                    (target,),
                ).rowcount
                self._set("second-party", second_party)
                self._next_generation(former_secret)
            scrub(self._connection)
        return count

    def count(self) -> int:
        """Return how many links there are."""
        with self._lock, refusals():
            (count,) = self._connection.execute("SELECT count(*) FROM link").fetchone()
        return int(count)

    def second_party(self) -> bytes:
        """Return the public key of the second half that the links are made with, empty for none."""
        with self._lock, refusals():
            return self._second_party()

    def bind_second_party(self, public_key: bytes) -> None:
        """Note with whose second half the links are made, empty for nobody's; durable, and for good.

        Raises SettingsInvalid where links were made with another: every root would be another one.
        """
        with self._lock, transaction(self._connection):
            linked = self._connection.execute("SELECT 1 FROM link LIMIT 1").fetchone() is not None
            if self._second_party() == public_key:
                return
            if linked:
                raise SettingsInvalid(
                    "residents were linked with another second party, or with none",
                    name="identity_second_party_key",
                )
            self._set("second-party", public_key)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _row(self, root: bytes, resident_ref: str) -> tuple[bytes, bytes, bytes]:
        mac, sealed = self._sealed(root, resident_ref)
        return mac, self._ref_mac(resident_ref), sealed

    def _sealed(self, root: bytes, resident_ref: str) -> tuple[bytes, bytes]:
        """Return MAC(root) and the sealed pair."""
        mac, nonce = self._root_mac(root), self._entropy(_NONCE_BYTES)
        return mac, nonce + self._sealing.encrypt(nonce, root + resident_ref.encode(), mac)

    def _next_generation(self, former_secret: str) -> None:
        """Count one on; whatever leads to the former key, or to another next one, goes."""
        self._made_with = self._generation() + 1
        self._set("generation", str(self._made_with).encode())
        self._connection.execute("DELETE FROM link_renewed")
        self._connection.execute("DELETE FROM secret WHERE name = ?", (former_secret,))

    def _set(self, name: str, value: bytes) -> None:
        self._connection.execute(SET, (name, value))

    def _second_party(self) -> bytes:
        row: tuple[bytes] | None = self._connection.execute(
            "SELECT value FROM identity_setting WHERE name = 'second-party'"
        ).fetchone()
        return b"" if row is None else row[0]

    def _generation(self) -> int:
        row: tuple[bytes] | None = self._connection.execute(
            "SELECT value FROM identity_setting WHERE name = 'generation'"
        ).fetchone()
        return 1 if row is None else int(row[0])

    def _select(self, mac: bytes) -> bytes | None:
        row: tuple[bytes] | None = self._connection.execute(
            "SELECT sealed FROM link WHERE root_mac = ?", (mac,)
        ).fetchone()
        return None if row is None else row[0]

    def _open(self, mac: bytes, sealed: bytes) -> tuple[bytes, str]:
        try:
            plain = self._sealing.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], mac)
        except (InvalidTag, ValueError):
            raise SealBroken("a link does not open under its own root") from None
        return plain[:ELEMENT_BYTES], plain[ELEMENT_BYTES:].decode()

    def _root_mac(self, root: bytes) -> bytes:
        return hmac.digest(self._root_key, root, "sha256")

    def _ref_mac(self, resident_ref: str) -> bytes:
        return hmac.digest(self._ref_key, resident_ref.encode(), "sha256")
