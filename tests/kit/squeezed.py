"""A journal without room, in three ways: no page may be added, another holds the lock, the disk is full."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_S: Final = 60.0
DISK_BYTES: Final = 1024 * 1024
_PAGES_EACH: Final = 25


class Squeeze(Protocol):
    """One way to have no room."""

    @property
    def words(self) -> tuple[str, ...]:
        """Return what the alarm may say."""

    @property
    def at_start(self) -> bool:
        """Tell whether it is squeezed before the loop begins."""

    def on_opening(self, connection: sqlite3.Connection) -> None:
        """Do what is to be done to each connection of the loop."""

    def tighten(self, journal: Path) -> None:
        """Let there be no room."""

    def loosen(self) -> None:
        """Let there be room again."""


class Pages:
    """The file may not grow, and whatever is inserted needs more pages than there are."""

    words = ("full",)
    at_start = True

    def __init__(self) -> None:
        self._tight = threading.Event()

    def on_opening(self, connection: sqlite3.Connection) -> None:
        if not self._tight.is_set():
            return
        tables = [
            str(name)
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name not in ("ballast", "request_namespace", "sqlite_sequence")
        ]
        connection.execute("CREATE TABLE IF NOT EXISTS ballast (held BLOB)")
        for name in tables:
            filling = f"INSERT INTO ballast VALUES (zeroblob({_PAGES_EACH * 4096}))"  # noqa: S608 -- our own words
            connection.execute(
                f"CREATE TEMP TRIGGER fill_{name} AFTER INSERT ON main.{name} BEGIN {filling}; END"
            )
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def tighten(self, _journal: Path) -> None:
        self._tight.set()

    def loosen(self) -> None:
        self._tight.clear()


class Locked:
    """Another program holds the lock and does not let go."""

    words = ("locked",)
    at_start = True

    def on_opening(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA busy_timeout = 20")

    def tighten(self, journal: Path) -> None:
        self._other = sqlite3.connect(journal, isolation_level=None)
        self._other.execute("BEGIN IMMEDIATE")

    def loosen(self) -> None:
        self._other.execute("ROLLBACK")
        self._other.close()


class Disk:
    """A file system of its own, with a file on it that leaves no room."""

    # What SQLite says depends on which of its files it could not write.
    words = ("full", "io", "cannot_open")
    at_start = False

    def on_opening(self, _connection: sqlite3.Connection) -> None:
        """Nothing: the disk itself is full."""

    def tighten(self, journal: Path) -> None:
        self._filler = journal.parent / "filler"
        with suppress(OSError), self._filler.open("wb") as file:
            for _ in range(2 * DISK_BYTES // 512):
                file.write(b"x" * 512)
                file.flush()
        assert shutil.disk_usage(journal.parent).free < 4096

    def loosen(self) -> None:
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small file system; skip where this machine lets nobody do that."""
    folder.mkdir(parents=True)
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("needs mount(8) for a file system of its own that is full")
    command = [mount, "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603 -- our own words
        pytest.skip("needs the right to mount a file system of its own (root) that is full")
    try:
        yield folder
    finally:
        subprocess.run([umount, "--lazy", str(folder)], check=True)  # noqa: S603 -- our own words


@contextmanager
def squeezed(way: str, folder: Path) -> Iterator[tuple[Squeeze, Path]]:
    """Give a way to have no room, and the folder of state it is about."""
    if way == "disk":
        with small_disk(folder / "disk") as disk:
            yield Disk(), disk
    else:
        (folder / "state").mkdir(parents=True)
        yield Pages() if way == "pages" else Locked(), folder / "state"


WAYS = ["pages", "disk", pytest.param("locked", marks=pytest.mark.slow)]


@contextmanager
def running(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Let a loop run in a thread; it ends whatever happens, and what it raised is raised here."""
    stop = threading.Event()
    raised: list[BaseException] = []

    def loop() -> None:
        try:
            work(stop)
        except BaseException as error:  # noqa: BLE001 -- raised again below
            raised.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(WAIT_S)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def until(done: Callable[[], bool]) -> None:
    """Wait for something, within a generous bound."""
    ends = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < ends, "it did not come to that in time"
        time.sleep(0.01)
