"""The key database: one SQLite file, apart from the events, and the small cache that stands before it.

Promises: what `transaction` leaves is on disk (WAL, synchronous=FULL); deleted bytes are overwritten
(secure_delete) and `scrub` takes them out of the write-ahead log as well.
Source: sqlite.org/pragma.html (secure_delete, synchronous), sqlite.org/wal.html.
"""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from exchange.errors import KeyUnavailable, StoreFull

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

KEY_DATABASE_ID: Final = 0x45584B31  # "EXK1", so that an event database given by mistake is refused
BUSY_MS: Final = 5_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS data_key (
    resident_ref TEXT NOT NULL, category TEXT NOT NULL, version INTEGER NOT NULL CHECK (version > 0),
    kek_id TEXT NOT NULL, wrapped BLOB NOT NULL,
    PRIMARY KEY (resident_ref, category, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destroyed (resident_ref TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destroyed_part (
    resident_ref TEXT NOT NULL, category TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (resident_ref, category)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS executed (
    erasure_id TEXT PRIMARY KEY, scrubbed INTEGER NOT NULL CHECK (scrubbed IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS place (
    one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS secret (
    name TEXT PRIMARY KEY, kek_id TEXT NOT NULL, wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS renewal (
    walk TEXT PRIMARY KEY, resident_ref TEXT NOT NULL, category TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS link (
    root_mac BLOB PRIMARY KEY, ref_mac BLOB NOT NULL, sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS link_by_ref ON link (ref_mac);
CREATE TABLE IF NOT EXISTS link_renewed (
    ref_mac BLOB PRIMARY KEY, root_mac BLOB NOT NULL, sealed BLOB NOT NULL, target BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identity_setting (
    name TEXT PRIMARY KEY, value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evaluated (
    day TEXT PRIMARY KEY, elements INTEGER NOT NULL CHECK (elements > 0)
) STRICT, WITHOUT ROWID;
"""

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


@contextmanager
def refusals() -> Iterator[None]:
    """Turn SQLite's failures into ours: StoreFull for a full disk, else KeyUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        if name == "SQLITE_FULL":
            raise StoreFull("the disk of the key database is full") from None
        raise KeyUnavailable("the key database refused", reason=str(name)) from None


def open_database(path: Path) -> sqlite3.Connection:
    """Return a connection for use under the owner's lock; the file is made, mode 0600, when it is missing.

    Raises KeyUnavailable when the file is no key database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite gives its journal files the mode of the database, so the mode is set once, here.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise KeyUnavailable("the key database cannot be opened", reason=str(error.strerror)) from None
    with refusals():
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if found != KEY_DATABASE_ID and (found or tables):
        raise KeyUnavailable("this file is another kind of database")
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        connection.execute(f"PRAGMA application_id = {KEY_DATABASE_ID}")
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit on the way out, durably; roll back and raise KeyUnavailable or StoreFull when anything fails."""
    with refusals():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself, on a full disk for one.
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


def scrub(connection: sqlite3.Connection) -> None:
    """Move the write-ahead log into the database, empty it. Raises KeyUnavailable while a reader is in it."""
    with refusals():
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise KeyUnavailable("destroyed keys still lie in the write-ahead log; destroy again to remove them")


class LeastRecentlyUsed(Generic[K, V]):
    """A map of at most `entries_max` entries that forgets the one used longest ago. The owner locks it."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max: Final = entries_max
        self._entries: Final[OrderedDict[K, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value and count this as a use, or None; needs no lock."""
        value = self._entries.get(key)
        if value is not None:
            try:
                self._entries.move_to_end(key)
            except KeyError:
                # Another thread forgot it in between. No `suppress`: it costs more than all the rest here.
                return value
        return value

    def put(self, key: K, value: V) -> None:
        """Add or replace one entry."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    def drop(self, unwanted: Callable[[K, V], bool]) -> None:
        """Forget each entry that is unwanted."""
        for key in [key for key, value in self._entries.items() if unwanted(key, value)]:
            del self._entries[key]

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
