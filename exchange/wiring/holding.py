"""One service to a data folder, and files for its own account only.

Promises: the hold is the kernel's: it ends with the process, however that ends, and no file left behind can
keep the next one out. What only reads a shard's files (audit, doctor, store verify) asks for no hold.
Source: flock(2), umask(2); GDPR 32(1)(b).
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

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
