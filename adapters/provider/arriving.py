"""One body, or file, on its way to the inbox: what it carries is written to disk by pieces.

Promises: it lies in the inbox whole, under its name, or not at all; no size fills memory.
Source: link(2), fsync(2).
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from adapters.provider.errors import FileRefused
from adapters.provider.folders import sync_folder
from adapters.provider.parsing import MESSAGE_BYTES_MAX
from adapters.provider.stuf import Reader, is_envelope

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.provider.config import Config
    from adapters.provider.stuf import Told

# A name with a dot in front: the loop leaves it alone.
PASSING: Final = ".passing-"
_HEAD_BYTES: Final = 4 * 1024


def clear_passing(config: Config) -> None:
    """Take away what was on its way at a kill: who sent it was told nothing, or its file is still there."""
    config.inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in config.inbox.glob(f"{PASSING}*"):
        left.unlink(missing_ok=True)


class TooLarge(Exception):
    """More bytes than a message may have."""


class Arriving:
    """One body on its way to the inbox: written by pieces, then put there whole or taken away."""

    def __init__(self, config: Config, name: str) -> None:
        self._config: Final = config
        self._passing: Final[Path] = config.inbox / f"{PASSING}{name}.part"
        self._file: Final = self._passing.open("xb")
        os.fchmod(self._file.fileno(), 0o600)
        self._digest: Final = hashlib.sha256()
        self._head = b""
        self._size = 0
        self.reader: Reader | None = None
        self._decided = False

    def feed(self, piece: bytes) -> None:
        """Take the next bytes. Raises what the reader of an envelope does, and TooLarge."""
        if not self._decided:
            self._head += piece
            if len(self._head) < _HEAD_BYTES:
                return
            piece = self._decide()
        self._take(piece)

    def _decide(self) -> bytes:
        self._decided = True
        if self._config.ggk is not None and is_envelope(self._head):
            self.reader = Reader(self._write)
        return self._head

    def _take(self, piece: bytes) -> None:
        if self.reader is not None:
            self.reader.feed(piece)
        else:
            self._write(piece)

    def _write(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > MESSAGE_BYTES_MAX:
            raise TooLarge
        self._digest.update(piece)
        self._file.write(piece)

    def whole(self) -> tuple[Told | None, bytes]:
        """Flush it; return what its envelope says and the SHA-256 of what it carries. Raises as `feed`."""
        if not self._decided:
            self._take(self._decide())
        told = None if self.reader is None else self.reader.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        return told, self._digest.digest()

    def put(self, name: str) -> None:
        """Let it be a file of the inbox. The same again is the same file. Raises FileRefused for another."""
        target = self._config.inbox / name
        # What lies there may be taken by the loop between the two.
        while not (self._is_linked(target) or self._lies_at(target)):
            pass
        sync_folder(self._config.inbox)

    def _is_linked(self, target: Path) -> bool:
        try:
            os.link(self._passing, target)
        except FileExistsError:
            return False
        return True

    def _lies_at(self, target: Path) -> bool:
        try:
            lies = hashlib.sha256(target.read_bytes()).digest()
        except FileNotFoundError:
            return False
        if lies != self._digest.digest():
            raise FileRefused("this name is taken by a file with other content")
        return True

    def end(self) -> None:
        """Leave nothing on the way."""
        self._file.close()
        self._passing.unlink(missing_ok=True)
