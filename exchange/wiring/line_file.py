"""A file that lines are appended to for good, by one process at a time.

Promises: what `append` returns from is on the disk; on a failure it takes back what it wrote; nothing that
was there is cut before whoever opened it has said that it is his.
Source: fsync(2), flock(2).
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TAIL_BYTES: Final = 64 * 1024  # longer than any line


class LineFile:
    """One open file: its last whole line, with its end, and what a death left torn after that."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor: Final = descriptor
        self.name: Final = name
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        whole = tail.rfind(b"\n") + 1
        self.torn: Final = tail[whole:]
        self.last: Final = tail[tail.rfind(b"\n", 0, max(whole - 1, 0)) + 1 : whole]
        self._end = size - len(self.torn)

    def cut(self) -> None:
        """Take away what was left torn."""
        os.ftruncate(self._descriptor, self._end)

    def append(self, lines: bytes) -> None:
        """Write lines and wait until the disk has them. Raises SettingsInvalid, with none of them there."""
        try:
            written = 0
            while written < len(lines):
                written += os.pwrite(self._descriptor, lines[written:], self._end + written)
            os.fsync(self._descriptor)
        except OSError as error:
            with suppress(OSError):
                self.cut()
            raise SettingsInvalid(
                "the file cannot be written", file=self.name, reason=str(error.strerror)
            ) from None
        self._end += len(lines)


@contextmanager
def open_line_file(file: Path) -> Iterator[LineFile]:
    """Hold a file for this process alone; a new one is for its own account only. Raises SettingsInvalid."""
    try:
        # Not blocking: what has a name but is no file, such as a pipe, could wait for ever.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(file, flags, 0o600)
    except OSError as error:
        raise SettingsInvalid("the file cannot be used", file=file.name, reason=str(error.strerror)) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SettingsInvalid("lines are kept in a file", file=file.name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsInvalid("another process writes this file", file=file.name) from None
        _keep_name(file)
        yield LineFile(descriptor, file.name)
    finally:
        os.close(descriptor)


def _keep_name(file: Path) -> None:
    """Let the file's name outlive its machine, as its lines do."""
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
