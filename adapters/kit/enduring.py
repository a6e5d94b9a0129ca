"""A loop that stands still where its disk is full, and goes on by itself when there is room again.

Promises: where the adapter's own files cannot be written, read or locked, the pass under way ends, and the
next begins as after a restart, on what the journal holds: nothing that was not written down counts as taken,
told or done. It waits between, longer each time, to half a minute; alarms each time; and shows it in a file
of fixed size, which needs no room. What no waiting can mend (a file that is no database) ends the loop.
Source: SQLite result codes; POSIX ENOSPC, EDQUOT.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Final

from adapters.kit.figures import Figures
from adapters.kit.journal import wait_before_retry_ms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.kit.rates import Limits
    from adapters.sdk.logs import AdapterLog

ATTEMPTS_MAX: Final = 6  # the wait doubles from one second to 32
LIGHT: Final = "light"
WELL: Final = "well"
_LIGHT_BYTES: Final = 32
_OF_SQLITE: Final = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_PROTOCOL: "locked",
    sqlite3.SQLITE_IOERR: "io",
    sqlite3.SQLITE_CANTOPEN: "cannot_open",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_NOMEM: "no_memory",
}
_OF_FILES: Final = {errno.ENOSPC: "full", errno.EDQUOT: "full", errno.EROFS: "read_only", errno.EIO: "io"}


def fault_of(error: OSError | sqlite3.Error) -> str:
    """Return a word for what ails our own files; empty for what no waiting can mend."""
    if isinstance(error, OSError):
        return _OF_FILES.get(error.errno or 0, "file")
    # The low byte is the kind; what lies above it says where within SQLite.
    return _OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")


class Light:
    """Whether an adapter stands still, in a file that `status` reads."""

    def __init__(self, state: Path) -> None:
        self._path: Final = state / LIGHT

    def show(self, what: str) -> None:
        """Write it over what stood there: the file never grows, so it needs no room."""
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(file, what.ljust(_LIGHT_BYTES - 1).encode("ascii") + b"\n", 0)
            finally:
                os.close(file)
        except OSError:
            # The alarm in the log tells it all the same.
            return

    def seen(self) -> str:
        """Return why the adapter stands still; empty where it does not, or never ran."""
        try:
            told = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""
        return "" if told == WELL else told


class Enduring:
    """The outermost loop of one adapter. Owned by the thread that runs it."""

    def __init__(
        self,
        state: Path,
        log: AdapterLog,
        limits: Limits,
        stopping: threading.Event,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._light: Final = Light(state)
        self._log: Final = log
        self._stopping: Final = stopping
        self._pause: Final = pause
        self._figures: Final = Figures(state / "metrics.prom", limits)
        self._attempt = 0
        self._faults = 0

    def run(self, work: Callable[[], None]) -> None:
        """Let it work until it returns; again and again where our own files fail it.

        `work` opens what it needs, and calls `well` after each pass.
        """
        # Made while there is room, so that it can be written when there is none.
        self._light.show(WELL)
        while not self._stopping.is_set():
            try:
                work()
            except (OSError, sqlite3.Error) as error:
                what = fault_of(error)
                if not what:
                    raise
                self._stand_still(what)
            else:
                return

    def _stand_still(self, what: str) -> None:
        self._attempt += 1
        self._faults += 1
        wait_ms = wait_before_retry_ms(min(self._attempt, ATTEMPTS_MAX), 0.0)
        self._light.show(what)
        self._log.error("store_fault", code=what, attempt=self._attempt, wait_ms=wait_ms)
        self._figures.write(self._faults, still=True)
        self._pause(self._stopping, wait_ms / 1_000)

    def well(self) -> None:
        """Tell that a whole pass went as it should."""
        if self._attempt:
            self._log.info("store_well", attempt=self._attempt)
            self._attempt = 0
            self._figures.write(self._faults, still=False)
            # Last: whoever sees it well finds figures that say so.
            self._light.show(WELL)
        self._figures.write_now_and_then(self._faults)
