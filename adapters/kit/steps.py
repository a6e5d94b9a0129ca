"""One step of a journal: all of it, or after an error, a full disk or a crash nothing of it.

Promises: steps nest; the outermost one is written, and one that fails within it leaves nothing behind.
Whatever fails, the end of a step included, no step stays open behind it: what is written later would never be
kept.
Source: SQLite (SAVEPOINT; after SQLITE_FULL, SQLITE_IOERR and the like a transaction may be over by itself).
"""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

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


class StillRead(OSError):
    """Somebody is in the file, a backup perhaps: what was deleted lies in it or in SQLite's log still."""

    def __init__(self) -> None:
        super().__init__(errno.EBUSY, "SQLite's log cannot be folded while somebody reads or writes")


def fold_log(connection: sqlite3.Connection) -> None:
    """Write the file anew and fold SQLite's log into it: both still hold what was deleted. Raises StillRead.

    What is deleted is overwritten where it stands, and not in a page that its row had left before.
    """
    # It passes through no file of the temporary folder.
    connection.execute("PRAGMA temp_store = MEMORY")
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_BUSY":
            raise
        raise StillRead from error
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StillRead
