"""One service to a data folder, files for its own account only, and no end by a word that means: look again.

Promises: the hold is the kernel's: it ends with the process, however that ends, and no file left behind can
keep the next one out. What only reads a shard's files (audit, doctor, store verify) asks for no hold.
Source: flock(2), umask(2), signal(7); GDPR 32(1)(b).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvloop

from exchange.errors import DataFolderInUse, SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_FILE: Final = "service.lock"
_MASK: Final = 0o077


@contextmanager
def private_files() -> Iterator[None]:
    """Let all that is made meanwhile be 0600, folders 0700. It is the whole process's, not a thread's."""
    before = os.umask(_MASK)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def looping() -> Iterator[asyncio.Runner]:
    """Give what runs a loop; SIGTERM and SIGINT are heard afterwards as before.

    A closed loop of uvloop keeps what it listened for, and tells nobody of it.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            yield runner
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def never_hung_up() -> Iterator[None]:
    """Let SIGHUP end nothing meanwhile: a reload may come before anybody listens for it, and after.

    Whoever listens takes it over, and leaves it so to the end of his loop.
    """
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold a data folder, which is made where it is missing. Raises DataFolderInUse, SettingsInvalid."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        # Never removed: who removed it could let two hold two files of one name.
        lock = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsInvalid(
            "the data folder cannot be used", data=data.name, reason=str(error.strerror)
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise DataFolderInUse("another service runs on this data folder", data=data.name) from None
    try:
        yield
    finally:
        os.close(lock)
