"""Where in the events a moment lies: they stand in the order of their commits, and nearly in that of time.

Promises: behind the position that is returned stands every event of that moment or later, however far one
call waited for its commit.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

# No call waits longer than this between the moment it came in and its commit.
SLACK: Final = timedelta(seconds=60)


def position_before(reader: EventReader, codec: Codec, moment: datetime, until: int) -> int:
    """Return a position behind which every event of this moment or later stands; `until` is beyond the last.

    A bisection: its cost grows with the logarithm of the events.
    """
    low, high = 0, max(until - 1, 0)
    while low < high:
        middle = (low + high) // 2
        rows = reader.page(middle, 1)
        if rows and _at(codec, rows[0]) < moment - SLACK:
            low = middle + 1
        else:
            high = middle
    return low


def _at(codec: Codec, row: Row) -> datetime:
    _, meta, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
    return meta.at
