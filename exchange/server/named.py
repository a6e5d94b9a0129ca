"""Which subscriptions of each organisation stand: read on from where the last look ended.

Promises: it holds names and nothing else; where each is stands in its stream. One that was cancelled is in it
no more.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from exchange.domain.delivery import DELIVERY, DeliveryCancelled, DeliverySubscribed
from exchange.store.ports import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.store.ports import EventReader

ROWS_PER_LOOK: Final = 1_000
TOPICS: Final = (DeliveryCancelled.TOPIC, DeliverySubscribed.TOPIC)


class Named:
    """Made once for a house. Safe between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._position = 0  # owned by the holder of _lock
        self._streams: dict[str, dict[str, None]] = {}  # by OIN, in the order they were named; likewise

    def of(self, oin: str, reader: EventReader) -> Sequence[str]:
        """Return the streams of an organisation's subscriptions, oldest first. Raises StoreUnavailable."""
        with self._lock:
            self._read_on(reader)
            return tuple(self._streams.get(oin, ()))

    def every(self, reader: EventReader, oin: str = "") -> Sequence[str]:
        """Return the streams of all subscriptions, or of one organisation's. Raises StoreUnavailable."""
        with self._lock:
            self._read_on(reader)
            found = self._streams.values() if not oin else [self._streams.get(oin, {})]
            return tuple(stream for streams in found for stream in streams)

    def _read_on(self, reader: EventReader) -> None:
        head, _ = reader.head()
        while self._position < head:
            rows, place = look(reader, self._position, head, ROWS_PER_LOOK, TOPICS)
            for row in rows:
                organisation = row.stream.removeprefix(f"{DELIVERY.name}-").partition("/")[0]
                streams = self._streams.setdefault(organisation, {})
                if row.topic == DeliverySubscribed.TOPIC:
                    streams[row.stream] = None
                else:
                    streams.pop(row.stream, None)
            # Also where nothing was found: the next look does not go through the same again.
            self._position = place
