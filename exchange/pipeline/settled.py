"""The leaves that are signed: none that a failover could lose.

Promises: what a checkpoint is made over was acknowledged, or stands before what was.
Source: exchange/decisions/0120-an-unknown-outcome-is-settled-by-a-write.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange.store.batch import Heads
    from exchange.store.ports import EventReader, EventRecorder


class SettledLeaves:
    """The store as the ledger reads it; writes only where nobody here knows yet that what is there lasts."""

    def __init__(self, reader: EventReader, recorder: EventRecorder) -> None:
        self._reader = reader
        self._recorder = recorder

    def heads(self) -> Heads:
        """Return how far the logs are, for good. Raises StoreUnavailable."""
        heads = self._reader.heads()
        self._recorder.settle(heads.position)
        return heads

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        """Return the entries of leaves [start, stop), in order."""
        return self._reader.leaf_entries(start, stop)
