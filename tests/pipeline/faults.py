"""Faults where the store or the key store stands: each write fails lost, or kept though reported lost."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from exchange.errors import KeyUnavailable, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from exchange.keys.keystore import KeyStore
    from exchange.store.batch import Batch
    from exchange.store.ports import EventReader, EventRecorder
    from tests.pipeline.shard import Shard


class FaultyRecorder:
    """Commits as the real one does, but for the faults it was told of, used up one by one."""

    def __init__(self, recorder: EventRecorder) -> None:
        self.recorder = recorder
        self.faults: list[str] = []
        self.commits: list[Batch] = []
        self.before: Callable[[], None] = lambda: None
        self.unsettled = False  # whether what can be read may be lost yet

    def commit(self, batch: Batch) -> None:
        self.before()
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "lost":
            raise StoreUnavailable("the commit failed on purpose")
        if fault == "defect":
            raise AssertionError("a bug on purpose")
        self.recorder.commit(batch)
        self.commits.append(batch)
        if fault == "kept":
            raise StoreUnavailable("the reply was lost on purpose")

    def settle(self) -> None:
        if self.unsettled:
            raise StoreUnavailable("no standby has it, on purpose")
        self.recorder.settle()

    def turn(self) -> AbstractContextManager[None]:
        return nullcontext()


class FaultyReader:
    """Reads as the real one does; while `down`, nothing answers. Counts its calls by name."""

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader
        self.down = False
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.calls.append(name)
        if self.down:
            raise StoreUnavailable("the reader fails on purpose")
        return getattr(self._reader, name)


class FaultyKeys:
    """Keys as the real store gives them; flushing fails once for each fault told."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self.flush_faults = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._keys, name)

    def flush(self) -> int:
        if self.flush_faults:
            self.flush_faults -= 1
            raise KeyUnavailable("the key database fails on purpose")
        return self._keys.flush()


def faulty_recorder(shard: Shard) -> FaultyRecorder:
    """Put faults before the store of a shard's writer."""
    recorder = FaultyRecorder(shard.core.recorder)
    for part in (shard.core.writer, shard.core.writer._answers):
        part._recorder = recorder  # type: ignore[assignment] # a fake that has the calls they use
    return recorder


def faulty_reader(shard: Shard) -> FaultyReader:
    """Put faults and a count before everything a shard's writer and loaders read."""
    reader = FaultyReader(shard.core.reader)
    for part in (shard.core.writer, shard.core.loader, shard.core.writer._answers):
        part._reader = reader  # type: ignore[assignment] # a fake that passes every call on
    return reader


def faulty_keys(shard: Shard) -> FaultyKeys:
    """Put faults before the flush of a shard's keys."""
    keys = FaultyKeys(shard.core.keys)
    shard.core.writer._keys = keys  # type: ignore[assignment] # a fake that passes every other call on
    return keys
