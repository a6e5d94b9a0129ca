"""Evidence: two signed notes that cannot both stand, as files that anybody can check elsewhere.

Promises: each is whole or absent, and never overwritten; the same pair is one file, however often it is
shown; of one log and kind the first hundred are kept, so that nobody fills the disk with what others signed.
Source: c2sp.org/tlog-witness (a request that fails a check of consistency might be proof of misbehaviour).
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from exchange.errors import StoreUnavailable, VersionConflict

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from exchange.ledger.checkpoints import CheckpointStore

PER_KIND_MAX: Final = 100
_DIGITS: Final = 16
_LISTS: Final = "evidence/"


@dataclass(frozen=True, slots=True)
class Conflict:
    """What was held and what was shown, as signed notes; `kind` is one word, `what` a sentence."""

    kind: str
    what: str
    origin: str
    held: bytes
    shown: bytes


class Evidence(Protocol):
    """Where conflicts are kept. Safe from any thread."""

    def keep(self, conflict: Conflict, now: datetime) -> bool:
        """Keep a conflict; False where its kind is full. Raises StoreUnavailable."""

    def names(self) -> list[str]:
        """Return the names of what is kept, in order."""


class EvidenceFolder:
    """Files `<kind>-<log>-<pair>.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def keep(self, conflict: Conflict, now: datetime) -> bool:
        """Keep a conflict; False where its kind is full. Raises StoreUnavailable."""
        of_log, pair, content = _named(conflict, now)
        file = self.folder / f"{of_log}{pair}.json"
        try:
            with self._lock:
                self.folder.mkdir(parents=True, exist_ok=True)
                if file.exists():
                    return True
                if len(list(self.folder.glob(f"{of_log}*.json"))) >= PER_KIND_MAX:
                    return False
                _write(file, content)
        except OSError as error:
            raise StoreUnavailable("evidence could not be written", file=file.name) from error
        return True

    def names(self) -> list[str]:
        """Return the names of what is kept, in order."""
        return sorted(file.name for file in self.folder.glob("*.json"))


class SharedEvidence:
    """Lists `evidence/<kind>-<log>-<pair>` in the database of what was signed, of one line each."""

    def __init__(self, checkpoints: CheckpointStore) -> None:
        self._checkpoints = checkpoints

    def keep(self, conflict: Conflict, now: datetime) -> bool:
        """Keep a conflict; False where its kind is full. Raises StoreUnavailable."""
        of_log, pair, content = _named(conflict, now)
        kept = self._checkpoints.lists(f"{_LISTS}{of_log}")
        if f"{_LISTS}{of_log}{pair}" in kept:
            return True
        if len(kept) >= PER_KIND_MAX:
            return False
        # Another node may have kept the same just now.
        with suppress(VersionConflict):
            self._checkpoints.add_line(f"{_LISTS}{of_log}{pair}", 1, content)
        return True

    def names(self) -> list[str]:
        """Return the names of what is kept, in order."""
        return [name.removeprefix(_LISTS) for name in self._checkpoints.lists(_LISTS)]


def _named(conflict: Conflict, now: datetime) -> tuple[str, str, bytes]:
    """Return what it is called: of which kind and log, and which pair; and what is kept."""
    of_log = f"{conflict.kind}-{_digest(conflict.origin.encode())}-"
    # By the texts: a signature made anew over the same text is no news.
    pair = b"".join(note.partition(b"\n\n")[0] + b"\n\n" for note in (conflict.held, conflict.shown))
    told = {
        "kind": conflict.kind,
        "what": conflict.what,
        "origin": conflict.origin,
        "found_at": now.isoformat(),
        "held": conflict.held.decode("utf-8", errors="replace"),
        "shown": conflict.shown.decode("utf-8", errors="replace"),
    }
    return of_log, _digest(pair), json.dumps(told, ensure_ascii=False, indent=1).encode()


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:_DIGITS]


def _write(file: Path, content: bytes) -> None:
    partial = file.with_suffix(".partial")
    with partial.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
