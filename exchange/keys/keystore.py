"""The keys of residents: made, kept wrapped, opened, destroyed.

Promises: a key that `flush` reported is on disk, wrapped by the KEK; what `destroy` reported is gone from the
file, its log and this cache, for ever, and no new key is ever made for that resident. One pending key is
never lost half: all pending keys reach the disk in one transaction, or none.
Backups and other processes hold what they hold: their retention must be short (LEDGER design, section 5).
"""

from __future__ import annotations

import os
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from exchange.errors import KeyDestroyed, KeyMadeElsewhere, KeyUnavailable
from exchange.keys import tombstones
from exchange.keys.database import LeastRecentlyUsed, open_database, refusals, scrub, transaction
from exchange.keys.datakey import KEY_BYTES, DataKey
from exchange.keys.kek import kek_of
from exchange.keys.service_secret import obtain_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from exchange.databases.place import Connection, Place
    from exchange.keys.kek import Kek

CACHED_KEYS_MAX: Final = 16_384
PENDING_KEYS_MAX: Final = 65_536
NOTHING_NAMED: Final[Mapping[str, int]] = MappingProxyType({})


class KeyStore:
    """Opens one key database. Safe between threads; only the writer thread obtains, flushes and discards."""

    def __init__(
        self,
        place: Place,
        kek: Kek,
        entropy: Callable[[int], bytes] = os.urandom,
        *,
        cached_keys_max: int = CACHED_KEYS_MAX,
    ) -> None:
        self._kek: Final = kek
        self._entropy: Final = entropy
        # Taken before _lock by whoever writes, so that an fsync never keeps a loader from the cache.
        self._writing: Final = Lock()
        self._writer: Final = open_database(place)  # owned by the holder of _writing
        self._lock: Final = Lock()
        self._reader: Final = open_database(place)  # owned by the holder of _lock, as all below
        self._newest: Final[LeastRecentlyUsed[tuple[str, str], DataKey]] = LeastRecentlyUsed(cached_keys_max)
        self._opened: Final[LeastRecentlyUsed[tuple[str, str, int], DataKey]] = LeastRecentlyUsed(
            cached_keys_max
        )
        self._pending: dict[tuple[str, str], DataKey] = {}
        # What may not be opened any more, also where the disk could not yet be told so.
        self._destroyed, self._parts = tombstones.read_destroyed(self._reader)
        self.erasures = 0  # begun since the start; written by the holder of _lock

    def obtain(self, resident_ref: str, category: str) -> DataKey:
        """Return the newest key; without one, make it: pending until `flush`, lost if the process ends.

        Raises KeyDestroyed for a destroyed resident, KeyUnavailable when the database or KEK fails.
        """
        owner = (resident_ref, category)
        # Asked for every sealed part: without the lock where no key is pending.
        key = None if self._pending else self._newest.get(owner)
        if key is not None:
            return key
        with self._lock:
            key = self._pending.get(owner) or self._newest.get(owner)
            if key is None:
                key = self._read_newest(resident_ref, category)
                if key is None:
                    return self._make(resident_ref, category, self._parts.get(owner, 0) + 1)
                self._newest.put(owner, key)
            return key

    def rotate(self, resident_ref: str, category: str) -> DataKey:
        """Make the next version, pending until `flush`; sealed data stay under the version they name.

        A key that is itself still pending is returned as it is: new enough, and perhaps in use.
        """
        current = self.obtain(resident_ref, category)
        with self._lock:
            if (resident_ref, category) in self._pending:
                return current
            return self._make(resident_ref, category, current.version + 1)

    def open_key(self, resident_ref: str, category: str, version: int) -> DataKey:
        """Return one version. Raises KeyDestroyed, or KeyUnavailable when it is absent or does not unwrap."""
        name = (resident_ref, category, version)
        # Asked for every part that is read: without the lock where it is at hand.
        key = self._opened.get(name)
        if key is not None:
            return key
        with self._lock:
            pending = self._pending.get((resident_ref, category))
            if pending is not None and pending.version == version:
                return pending
            key = self._read(self._reader, resident_ref, category, version)
            self._opened.put(name, key)
            return key

    def versions(self, resident_ref: str, category: str) -> tuple[DataKey, ...]:
        """Return every version that is on disk, oldest first. Raises KeyDestroyed, KeyUnavailable."""
        with self._lock, refusals():
            rows: list[tuple[int]] = self._reader.execute(
                "SELECT version FROM data_key WHERE resident_ref = ? AND category = ? ORDER BY version",
                (resident_ref, category),
            ).fetchall()
        return tuple(self.open_key(resident_ref, category, version) for (version,) in rows)

    def flush(self) -> int:
        """Put every pending key on disk in one transaction; return how many. Call before committing events.

        Raises KeyUnavailable or StoreFull; then nothing was written and the keys stay pending.
        """
        if not self._pending:
            return 0
        with self._writing:
            with self._lock:
                keys = list(self._pending.values())
            self._write(keys)
            with self._lock:
                for key in keys:
                    owner = (key.resident_ref, key.category)
                    if self._pending.get(owner) is key:
                        del self._pending[owner]
                    self._newest.put(owner, key)
                    self._opened.put(_name(key), key)
        return len(keys)

    def discard_pending(self) -> None:
        """Forget the keys made since the last `flush`: nothing sealed with them was committed."""
        with self._lock:
            self._pending.clear()

    def destroy(
        self,
        resident_ref: str,
        categories: Collection[str] = (),
        *,
        erasure_id: str = "",
        named: Mapping[str, int] = NOTHING_NAMED,
    ) -> int:
        """Destroy all keys of a resident, or those of some categories; return how many were on disk.

        A second time changes nothing more: of an erasure that was executed here, keys of its categories that
        were made since stay. Whoever still holds a DataKey can open with it: evict the resident's state
        first. `named` is the newest version of each category that is known to have been, also where this
        database never held it: no later key takes its number. Raises KeyUnavailable when the bytes could not
        yet be removed from the log: the keys are unusable then, and a repeat removes them.
        """
        with self._writing:
            gone = 0
            if not (categories and tombstones.has_begun(self._writer, erasure_id)):
                with self._lock:
                    self._refuse(resident_ref, categories, named)
                with transaction(self._writer):
                    # Asked again where it counts: another node may have been quicker, and made a key since.
                    if not (categories and tombstones.has_begun(self._writer, erasure_id)):
                        gone = self._erase(resident_ref, categories)
                    if erasure_id:
                        tombstones.note_begun(self._writer, erasure_id)
            with self._lock:
                # Again: between the first time and the commit a loader may have read the old row.
                self._forget(resident_ref)
            scrub(self._writer, alone=self._lock)
            if erasure_id:
                with transaction(self._writer):
                    tombstones.note_ended(self._writer, erasure_id)
        return gone

    def is_destroyed(self, resident_ref: str) -> bool:
        """Tell whether `destroy` was called for all of this resident, here or before this start."""
        return resident_ref in self._destroyed

    def destroyed_up_to(self, resident_ref: str, category: str) -> int:
        """Return the newest version of this category that was destroyed, 0 where none was."""
        return self._parts.get((resident_ref, category), 0)

    def has_executed(self, erasure_id: str) -> bool:
        """Tell whether this erasure was carried out in this database, down to its log."""
        with self._lock:
            return tombstones.has_ended(self._reader, erasure_id)

    def has_executed_any(self) -> bool:
        """Tell whether any erasure was begun in this database."""
        with self._lock:
            return tombstones.has_any(self._reader)

    def learn(self, resident_ref: str) -> None:
        """Take over what another process destroyed of a resident: what is opened here closes."""
        with self._lock:
            found = tombstones.read_destroyed(self._reader, resident_ref)
            if found.whole <= self._destroyed and found.parts.items() <= self._parts.items():
                return
            self.erasures += 1
            self._destroyed |= found.whole
            self._parts |= found.parts
            self._forget(resident_ref)

    def holds(self, resident_ref: str, category: str, version: int) -> bool:
        """Tell whether this key is there, or was destroyed: False is a key this database never knew.

        Nothing is unwrapped: a start looks at many, and hardware may be slow.
        """
        if resident_ref in self._destroyed or version <= self._parts.get((resident_ref, category), 0):
            return True
        with self._lock, refusals():
            row = self._reader.execute(
                "SELECT 1 FROM data_key WHERE resident_ref = ? AND category = ? AND version = ?",
                (resident_ref, category, version),
            ).fetchone()
        return row is not None

    @property
    def kek_id(self) -> str:
        """Which KEK this opens with."""
        return self._kek.key_id

    def count(self) -> tuple[int, int]:
        """Return how many residents have keys, and how many keys there are."""
        count = "SELECT count(DISTINCT resident_ref), count(*) FROM data_key"
        with self._lock, refusals():
            row = self._reader.execute(count).fetchone()
        return int(row[0]), int(row[1])

    @property
    def place(self) -> int:
        """Up to which position it was seen that the keys of the events are here; as old as this database."""
        with self._lock, refusals():
            row = self._reader.execute("SELECT position FROM place").fetchone()
        return 0 if row is None else int(row[0])

    def note_place(self, position: int) -> None:
        """Note up to which position the keys were looked at."""
        with self._writing, transaction(self._writer):
            self._writer.execute(
                "INSERT INTO place VALUES (1, ?)"
                " ON CONFLICT (one) DO UPDATE SET position = excluded.position",
                (position,),
            )

    def service_secret(self, name: str) -> bytes:
        """Return a secret of the service, 32 bytes, made durably on the first call. Not for the walk."""
        with self._writing:
            return obtain_secret(self._writer, self._kek, name, self._entropy)

    def check(self) -> None:
        """Raise KeyUnavailable unless the database answers and every KEK it names is at hand."""
        with self._lock, refusals():
            rows = self._reader.execute(
                "SELECT kek_id FROM data_key UNION SELECT kek_id FROM secret"
            ).fetchall()
        for (kek_id,) in rows:
            kek_of(self._kek, kek_id, "a key")

    def close(self) -> None:
        """Forget every key and close the database; pending keys are lost."""
        with self._writing, self._lock:
            self._pending.clear()
            self._newest.clear()
            self._opened.clear()
            self._reader.close()
            self._writer.close()

    def _make(self, resident_ref: str, category: str, version: int) -> DataKey:
        if self._has_tombstone(resident_ref):
            raise KeyDestroyed("the keys of this resident were destroyed")
        if len(self._pending) >= PENDING_KEYS_MAX:
            raise KeyUnavailable("too many keys wait for a flush", most=str(PENDING_KEYS_MAX))
        key = DataKey(resident_ref, category, version, self._entropy(KEY_BYTES))
        self._pending[(resident_ref, category)] = key
        return key

    def _refuse(self, resident_ref: str, categories: Collection[str], named: Mapping[str, int]) -> None:
        """Open none of these from now on, whatever becomes of the disk."""
        self.erasures += 1
        if categories:
            for category in categories:
                owner = (resident_ref, category)
                # Never back: below what was destroyed before, a number would be given out again.
                newest = max(self._newest_version(owner), named.get(category, 0), self._parts.get(owner, 0))
                if newest:
                    self._parts[owner] = newest
        else:
            self._destroyed.add(resident_ref)
        self._forget(resident_ref)

    def _newest_version(self, owner: tuple[str, str]) -> int:
        """Return the newest version on disk, 0 where there is none: to destroy a key nobody opens it."""
        with refusals():
            row: tuple[int | None] = self._reader.execute(
                "SELECT max(version) FROM data_key WHERE resident_ref = ? AND category = ?", owner
            ).fetchone()
        return row[0] or 0

    def _erase(self, resident_ref: str, categories: Collection[str]) -> int:
        if not categories:
            return tombstones.delete_all(self._writer, resident_ref)
        parts = {category: self._parts.get((resident_ref, category), 0) for category in categories}
        return tombstones.delete_parts(self._writer, resident_ref, parts)

    def _read_newest(self, resident_ref: str, category: str) -> DataKey | None:
        self._refuse_destroyed(resident_ref)
        with refusals():
            row: tuple[int, str, bytes] | None = self._reader.execute(
                "SELECT version, kek_id, wrapped FROM data_key WHERE resident_ref = ? AND category = ?"
                " ORDER BY version DESC LIMIT 1",
                (resident_ref, category),
            ).fetchone()
        if row is None or row[0] <= self._parts.get((resident_ref, category), 0):
            return None
        return self._unwrap(resident_ref, category, *row)

    def _read(self, connection: Connection, resident_ref: str, category: str, version: int) -> DataKey:
        self._refuse_destroyed(resident_ref)
        if version <= self._parts.get((resident_ref, category), 0):
            raise KeyDestroyed("the keys of this category were destroyed", category=category)
        with refusals():
            row: tuple[str, bytes] | None = connection.execute(
                "SELECT kek_id, wrapped FROM data_key"
                " WHERE resident_ref = ? AND category = ? AND version = ?",
                (resident_ref, category, version),
            ).fetchone()
        if row is not None:
            return self._unwrap(resident_ref, category, version, *row)
        if self._has_tombstone(resident_ref):
            raise KeyDestroyed("the keys of this resident were destroyed")
        raise KeyUnavailable("there is no such key", category=category, version=str(version))

    def _refuse_destroyed(self, resident_ref: str) -> None:
        if resident_ref in self._destroyed:
            raise KeyDestroyed("the keys of this resident were destroyed")

    def _has_tombstone(self, resident_ref: str) -> bool:
        with refusals():
            row = self._reader.execute(
                "SELECT 1 FROM destroyed WHERE resident_ref = ?", (resident_ref,)
            ).fetchone()
        return row is not None

    def _write(self, keys: list[DataKey]) -> None:
        """Insert the keys in one transaction; accept what an earlier commit left though reported lost."""
        rows = [(*_name(key), self._kek.key_id, self._wrap(key)) for key in keys]
        with transaction(self._writer):
            added = self._writer.executemany(
                "INSERT INTO data_key VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows
            ).rowcount
            if added == len(rows):
                return
            with self._lock:
                stored = [self._read(self._writer, *_name(key)) for key in keys]
            if any(found.material != key.material for found, key in zip(stored, keys, strict=True)):
                raise KeyMadeElsewhere(
                    "another process made a key for the same resident; discard and try again"
                )

    def _wrap(self, key: DataKey) -> bytes:
        return self._kek.wrap(key.material, wrapped_for(*_name(key)))

    def _unwrap(self, resident_ref: str, category: str, version: int, kek_id: str, wrapped: bytes) -> DataKey:
        kek = kek_of(self._kek, kek_id, "this key")
        material = kek.unwrap(wrapped, wrapped_for(resident_ref, category, version))
        return DataKey(resident_ref, category, version, material)

    def _forget(self, resident_ref: str) -> None:
        self._newest.drop(lambda owner, _: owner[0] == resident_ref)
        self._opened.drop(lambda name, _: name[0] == resident_ref)
        for owner in [owner for owner in self._pending if owner[0] == resident_ref]:
            del self._pending[owner]


def _name(key: DataKey) -> tuple[str, str, int]:
    return (key.resident_ref, key.category, key.version)


def wrapped_for(resident_ref: str, category: str, version: int) -> bytes:
    """Return whose key it is, unambiguously: a wrapped key copied to another row does not open there."""
    return f"k1|{version}|{len(resident_ref)}:{resident_ref}|{category}".encode()
