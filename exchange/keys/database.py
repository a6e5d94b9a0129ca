"""The key database, apart from the events, in a file or in PostgreSQL; and the small cache before it.

Promises: what `transaction` leaves is on disk (a file's WAL with synchronous=FULL, a server that flushes). In
both `scrub` writes the tables anew, for where a row stood before it moved its bytes may lie still; it empties
a file's log as well, and what a server's own log holds ends by the server's terms.
Source: sqlite.org/pragma.html (secure_delete, synchronous), sqlite.org/lang_vacuum.html, sqlite.org/wal.html;
postgresql.org/docs/current/sql-vacuum.html; exchange/decisions/0092-keys-in-postgresql.md, 0177.
"""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from exchange.databases.place import InPostgres, Refusal, Scrubbing, Tables, in_postgres, refuse_newer
from exchange.errors import KeyUnavailable, StoreFull

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from exchange.databases.place import Connection, Place

KEY_DATABASE_ID: Final = 0x45584B31  # "EXK1", so that an event database given by mistake is refused
BUSY_MS: Final = 5_000
_NOBODY_ELSE: Final = nullcontext()

KEY_TABLES: Final = Tables(
    name="key_database",
    version=1,
    made=(
        """CREATE TABLE IF NOT EXISTS data_key (
            resident_ref {text} NOT NULL, category {text} NOT NULL,
            version {number} NOT NULL CHECK (version > 0), kek_id {text} NOT NULL, wrapped {bytes} NOT NULL,
            PRIMARY KEY (resident_ref, category, version)
        ){keyed}""",
        "CREATE TABLE IF NOT EXISTS destroyed (resident_ref {text} PRIMARY KEY){keyed}",
        """CREATE TABLE IF NOT EXISTS destroyed_part (
            resident_ref {text} NOT NULL, category {text} NOT NULL, version {number} NOT NULL,
            PRIMARY KEY (resident_ref, category)
        ){keyed}""",
        """CREATE TABLE IF NOT EXISTS executed (
            erasure_id {text} PRIMARY KEY, scrubbed {number} NOT NULL CHECK (scrubbed IN (0, 1))
        ){keyed}""",
        """CREATE TABLE IF NOT EXISTS place (
            one {number} PRIMARY KEY CHECK (one = 1), position {number} NOT NULL
        ){plain}""",
        """CREATE TABLE IF NOT EXISTS secret (
            name {text} PRIMARY KEY, kek_id {text} NOT NULL, wrapped {bytes} NOT NULL
        ){keyed}""",
        """CREATE TABLE IF NOT EXISTS renewal (
            walk {text} PRIMARY KEY, resident_ref {text} NOT NULL, category {text} NOT NULL
        ){keyed}""",
        """CREATE TABLE IF NOT EXISTS link (
            root_mac {bytes} PRIMARY KEY, ref_mac {bytes} NOT NULL, sealed {bytes} NOT NULL
        ){keyed}""",
        "CREATE INDEX IF NOT EXISTS link_by_ref ON link (ref_mac)",
        """CREATE TABLE IF NOT EXISTS link_renewed (
            ref_mac {bytes} PRIMARY KEY, root_mac {bytes} NOT NULL, sealed {bytes} NOT NULL,
            target {bytes} NOT NULL
        ){keyed}""",
        """CREATE TABLE IF NOT EXISTS identity_setting (
            name {text} PRIMARY KEY, value {bytes} NOT NULL
        ){keyed}""",
        """CREATE TABLE IF NOT EXISTS evaluated (
            day {text} PRIMARY KEY, elements {number} NOT NULL CHECK (elements > 0)
        ){keyed}""",
    ),
    scrubbed=("data_key", "secret", "link", "link_renewed"),
)

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


@contextmanager
def refusals() -> Iterator[None]:
    """Turn failures of SQLite and PostgreSQL into ours: StoreFull for a full disk, else KeyUnavailable."""
    try:
        yield
    except (sqlite3.Error, Refusal) as error:
        name = error.name if isinstance(error, Refusal) else getattr(error, "sqlite_errorname", None)
        if name == "SQLITE_FULL" or (isinstance(error, Refusal) and error.full):
            raise StoreFull("the disk of the key database is full") from None
        raise KeyUnavailable("the key database refused", reason=str(name or type(error).__name__)) from None


def open_database(place: Place) -> Connection:
    """Return a connection for use under the owner's lock; a file is made, mode 0600, when it is missing.

    Raises KeyUnavailable when the file is no key database, HistoryUnreadable for one that is newer than this
    code; in PostgreSQL StoreOutdated for one that is older, and SettingsInvalid, too.
    """
    if isinstance(place, InPostgres):
        with refusals():
            return in_postgres(place, KEY_TABLES)
    return _open_file(place)


def _open_file(path: Path) -> sqlite3.Connection:
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
    # What is written anew passes through no file of the temporary folder.
    connection.execute("PRAGMA temp_store = MEMORY")
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if found != KEY_DATABASE_ID and (found or tables):
        raise KeyUnavailable("this file is another kind of database")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    refuse_newer(KEY_TABLES, version)
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        connection.execute(f"PRAGMA application_id = {KEY_DATABASE_ID}")
        if version != KEY_TABLES.version:
            connection.execute(f"PRAGMA user_version = {KEY_TABLES.version}")
        for statement in KEY_TABLES.in_sqlite():
            connection.execute(statement)


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit on the way out, durably; roll back and raise KeyUnavailable or StoreFull when anything fails."""
    with refusals():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself, on a full disk for one; a line may be gone.
            with suppress(sqlite3.Error, Refusal):
                connection.execute("ROLLBACK")
            raise


def scrub(connection: Connection, alone: AbstractContextManager[object] = _NOBODY_ELSE) -> None:
    """Take deleted bytes out of the tables and a file's log. Raises KeyUnavailable while that cannot be.

    `alone` keeps the owner's other readers out of what cannot be done beside them.
    """
    if isinstance(connection, Scrubbing):
        with alone, refusals():
            if not connection.scrub():
                raise KeyUnavailable("destroyed keys still lie in their table; destroy again to remove them")
        return
    with refusals():
        # What is deleted is overwritten where it stands, and not where it stood: when SQLite moves a row to
        # another page its bytes stay behind in the first, and when the row is deleted nobody looks there.
        written_anew = _vacuum(connection)
        with alone:
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy or not written_anew:
        raise KeyUnavailable("destroyed keys still lie in the file or its log; destroy again to remove them")


def _vacuum(connection: Connection) -> bool:
    """Write a file's tables anew, beside whoever reads; False where somebody writes all the while."""
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_BUSY":
            raise
        return False
    return True


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
