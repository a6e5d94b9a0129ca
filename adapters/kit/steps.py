"""One step of a journal: all of it, or after an error, a full disk or a crash nothing of it.

Promises: steps nest; the outermost one is written, and one that fails within it leaves nothing behind.
Whatever fails, the end of a step included, no step stays open behind it: what is written later would never be
kept.
Source: SQLite (SAVEPOINT; after SQLITE_FULL, SQLITE_IOERR and the like a transaction may be over by itself).
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def step(connection: sqlite3.Connection) -> Iterator[None]:
    """Make what happens inside one step. The connection commits by itself otherwise."""
    inner = connection.in_transaction
    connection.execute("SAVEPOINT inner" if inner else "BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("RELEASE inner" if inner else "COMMIT")
    except BaseException:
        # What SQLite took back by itself is gone already.
        if connection.in_transaction:
            if inner:
                connection.execute("ROLLBACK TO inner")
                connection.execute("RELEASE inner")
            else:
                connection.execute("ROLLBACK")
        raise


class NotFolded(OSError):
    """What was deleted lies in the file or in SQLite's log still: it is not erased, and tried again."""


class StillRead(NotFolded):
    """Somebody is in the file, a backup perhaps."""

    def __init__(self) -> None:
        super().__init__(errno.EBUSY, "SQLite's log cannot be folded while somebody reads or writes")


class NoRoomToFold(NotFolded):
    """The disk has no room for the file once more, and for its log."""

    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, "a file cannot be written anew: it needs twice its size for a moment")


_KINDS: Final = {sqlite3.SQLITE_BUSY: StillRead, sqlite3.SQLITE_FULL: NoRoomToFold}
# The folder of passing files is one for the whole process.
_FOLDING: Final = threading.Lock()


def fold_log(connection: sqlite3.Connection) -> None:
    """Write the file anew and fold SQLite's log into it: both still hold what was deleted. Raises NotFolded.

    What is deleted is overwritten where it stands, and not in a page that its row had left before. It takes
    no memory to speak of, and for as long as it lasts twice the size of the file on its own disk.
    """
    try:
        with _FOLDING:
            _write_anew(connection)
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        # What was written of it took the room that there was.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        kind = _KINDS.get(error.sqlite_errorcode & 0xFF)
        if kind is None:
            raise
        raise kind from error
    if busy:
        raise StillRead


def _write_anew(connection: sqlite3.Connection) -> None:
    (_, _, file), *_ = connection.execute("PRAGMA database_list").fetchall()
    # What passes lies beside the file, not where anybody's passing files lie; a name of none ends that.
    beside = "PRAGMA temp_store_directory = '{}'"
    folder = str(Path(file).parent)
    with suppress(sqlite3.OperationalError):
        connection.execute(beside.format(folder.replace("'", "''")))
    told = connection.execute("PRAGMA temp_store_directory").fetchone()
    # An SQLite that knows no such folder takes the memory for it.
    connection.execute(f"PRAGMA temp_store = {'FILE' if told == (folder,) else 'MEMORY'}")
    try:
        connection.execute("VACUUM")
    finally:
        with suppress(sqlite3.OperationalError):
            connection.execute(beside.format(""))
