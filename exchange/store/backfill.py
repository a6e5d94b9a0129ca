"""Copies what was committed from the log of an SQLite file back into the file, beside those who commit.

Promises: no commit waits for it and none depends on it: it holds no lock that a writer or reader asks for,
and what it did not copy stays in the log, from where SQLite reads it, and a later commit copies it. It syncs
as commits do, and ends with its store. Whoever commits last before the log is full still takes the log back
to its beginning; what is left for him is what came in the last tenth of a second.
Source: sqlite.org/wal.html (checkpointing), pragma.html#pragma_wal_checkpoint (PASSIVE).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

REST_S: Final = 0.1


class Backfill:
    """One thread with a connection of its own; both begin with the first commit. Told by one who commits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = Event()
        self._ended = Event()
        self._thread: Thread | None = None

    def wake(self) -> None:
        """Tell that something was committed."""
        if self._thread is None:
            # A daemon: what was never closed must not keep a process from ending.
            self._thread = Thread(target=self._run, name="backfill", daemon=True)
            self._thread.start()
        self._written.set()

    def close(self) -> None:
        """End, and let go of the file: the last to close it clears its log away."""
        self._ended.set()
        self._written.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        # Where it cannot look, those who commit copy all of it, as without it.
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(self._path, isolation_level=None)) as connection,
        ):
            connection.execute("PRAGMA synchronous=FULL")
            while not self._ended.is_set():
                self._written.wait()
                if self._ended.wait(REST_S):
                    break
                # Before copying: what is committed meanwhile wakes the next turn. An end that came just now
                # goes down with it, and is asked for again above.
                self._written.clear()
                with suppress(sqlite3.Error):
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
