"""Which subscriptions each organisation ever named: a list that only grows, read on from where it ended.

Promises: it holds names and nothing else; what became of them is in their streams.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from exchange.domain.delivery import DELIVERY, DeliverySubscribed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.store.ports import EventReader

ROWS_PER_LOOK: Final = 1_000


class Named:
    """Made once for a house. Safe between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._position = 0  # owned by the holder of _lock
        self._streams: dict[str, dict[str, None]] = {}  # by OIN, in the order they were named; likewise

    def of(self, oin: str, reader: EventReader) -> Sequence[str]:
        """Return the streams of an organisation's subscriptions. Raises StoreUnavailable."""
        with self._lock:
            while True:
                rows = reader.page(self._position, ROWS_PER_LOOK, (DeliverySubscribed.TOPIC,))
                for row in rows:
                    organisation = row.stream.removeprefix(f"{DELIVERY.name}-").partition("/")[0]
                    self._streams.setdefault(organisation, {})[row.stream] = None
                    self._position = row.position
                if len(rows) < ROWS_PER_LOOK:
                    return tuple(self._streams.get(oin, ()))
