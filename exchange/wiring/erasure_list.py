"""The list of erasures: chained lines, in a file or in the database of what was signed.

Promises: it only grows; a line that was altered, or taken out of its midst, is found; nobody writes one
without a secret of the key database. Of two nodes that append at once both lines stand, in one order.
Source: GDPR 5(2); RFC 2104 (HMAC), FIPS 180-4 (SHA-256); the design of the ledger, section 5.
"""

from __future__ import annotations

import hmac
import json
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from exchange.errors import ErasureListBroken, VersionConflict

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.ledger.checkpoints import CheckpointStore

FIRST: Final = "0" * 64
LIST: Final = "erasures"


class Erased(NamedTuple):
    """One erasure that was decided; `categories` is empty for all."""

    erasure_id: str
    resident: str
    categories: tuple[str, ...]
    at: str


class Lines(Protocol):
    """Where the lines are; each ends with its line feed."""

    @property
    def name(self) -> str:
        """What errors call it."""

    def read(self, after: int) -> list[bytes]:
        """Return the whole lines behind so many, oldest first."""

    def append(self, number: int, line: bytes) -> None:
        """Append a line as this number, from 1, durably.

        Raises VersionConflict where another process was first; OSError, StoreUnavailable.
        """


class FileLines:
    """A file, written by one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name: Final = path.name
        self._whole = 0  # bytes of whole lines: what lies behind them was never acknowledged

    def read(self, after: int) -> list[bytes]:
        """Return the whole lines behind so many."""
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().splitlines(keepends=True)
        # A last line without its end was being written when the process died: its event is still there.
        whole = [line for line in lines if line.endswith(b"\n")]
        self._whole = sum(map(len, whole))
        return whole[after:]

    def append(self, number: int, line: bytes) -> None:
        """Append a line. Raises OSError."""
        del number  # nobody else writes here
        made = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, self._whole)
            os.pwrite(descriptor, line, self._whole)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if made:
            _sync_folder(self._path.parent)
        self._whole += len(line)


class SharedLines:
    """Rows of the database in which nodes keep what they signed."""

    def __init__(self, checkpoints: CheckpointStore) -> None:
        self._checkpoints = checkpoints
        self.name: Final = LIST

    def read(self, after: int) -> list[bytes]:
        """Return the lines behind so many. Raises StoreUnavailable."""
        return self._checkpoints.lines(LIST, after)

    def append(self, number: int, line: bytes) -> None:
        """Append a line. Raises VersionConflict, StoreUnavailable."""
        self._checkpoints.add_line(LIST, number, line)


class ErasureList:
    """Lines of JSON, each with an HMAC-SHA-256 over itself and that of the line before.

    Last lines that are cut off leave an older list, which is as whole as it was then.
    """

    def __init__(self, lines: Lines, key: bytes) -> None:
        """Read the list; raise ErasureListBroken where a line was altered or taken out, or is of another key.

        `key` is 32 bytes: a service secret, which every backup of the key database holds too.
        """
        self._lines = lines
        self._key = key
        self._last = FIRST
        self._count = 0
        self.entries: dict[str, Erased] = {}
        self.learn()

    @property
    def is_there(self) -> bool:
        """Tell whether anything was ever written."""
        return self._count > 0

    def learn(self) -> None:
        """Take over what another process appended. Raises ErasureListBroken."""
        for line in self._lines.read(self._count):
            self._take(line)

    def add(self, erased: Erased) -> None:
        """Append one erasure, durably; of one that is listed nothing changes.

        Raises OSError, StoreUnavailable; ErasureListBroken for what another process appended.
        """
        while erased.erasure_id not in self.entries:
            line = self._line(erased)
            try:
                self._lines.append(self._count + 1, line)
            except VersionConflict:
                self.learn()
            else:
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            names = {name: told[name] for name in Erased._fields}
            erased = Erased(**{**names, "categories": tuple(names["categories"])})
        except (ValueError, KeyError, TypeError):
            raise self._broken("a line cannot be read") from None
        if not hmac.compare_digest(line, self._line(erased)):
            raise self._broken("a line is missing, was altered, or was not written by this service")
        self._last = told["sum"]
        self._count += 1
        self.entries[erased.erasure_id] = erased

    def _line(self, erased: Erased) -> bytes:
        told = erased._asdict()
        chained = hmac.new(self._key, json.dumps([self._last, told], sort_keys=True).encode(), sha256)
        return json.dumps({**told, "sum": chained.hexdigest()}, sort_keys=True).encode() + b"\n"

    def _broken(self, what: str) -> ErasureListBroken:
        return ErasureListBroken(
            f"the erasure list is not whole: {what}", file=self._lines.name, line=str(self._count + 1)
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
