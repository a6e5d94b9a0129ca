"""The clock of a story that takes years: eight bytes in a file that the service reads as well.

Promises: goes forward only; between two moves it runs as the machine's does.
"""

from __future__ import annotations

import struct
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

OFFSET: Final = struct.Struct("<q")  # seconds ahead of the machine's clock


class ClockSetBack(Exception):
    """The story asked for a moment that was over."""


class StoryClock:
    """Tells the time of the story, and moves it for everybody who reads the same file."""

    def __init__(self, file: Path) -> None:
        self._file: Final = file

    def seconds(self) -> float:
        """Return seconds since 1970, UTC, in the story."""
        (ahead_s,) = OFFSET.unpack(self._file.read_bytes())
        return time.time() + int(ahead_s)

    def now(self) -> datetime:
        """Return the time of the story, UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def forward_to(self, moment: datetime) -> None:
        """Move to a moment. Raises ClockSetBack where it is over."""
        ahead = moment - datetime.fromtimestamp(time.time(), UTC)
        if moment < self.now():
            raise ClockSetBack("a story goes forward only")
        # In place: whoever has mapped the file reads the new bytes at once, and eight are written as one.
        with self._file.open("r+b", buffering=0) as opened:
            opened.write(OFFSET.pack(int(ahead / timedelta(seconds=1))))
