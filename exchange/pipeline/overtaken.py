"""What another node wrote meanwhile: followed, so that whatever is judged next is judged over it.

Promises: of every stream that was written, and of all that was worked out of a resident it was about, nothing
older is used again; what nobody touched stays in memory. Where keys were destroyed, or more was written than
is worth looking at, everything is forgotten instead.
Source: exchange/decisions/0094-the-head-is-the-safety.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.erasure.decision import KeysDestroyed
from exchange.pipeline.hot import SCOPE_PREFIX

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.pipeline.hot import HotStates, Recent
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

ROWS_FOLLOWED_MAX: Final = 2_048


class Followed(NamedTuple):
    """The latest moment that was recorded, and whether keys were, or may have been, destroyed."""

    latest: datetime | None
    destroyed: bool


def follow(
    hot: HotStates, recent: Recent, after: int, position: int, *, reader: EventReader, codec: Codec
) -> Followed:
    """Forget what was written behind a position of one's own, up to the head. Raises StoreUnavailable.

    At the start, behind position 0, everything is.
    """
    few = 0 < position - after <= ROWS_FOLLOWED_MAX
    rows = reader.page(after if few else position - 1, ROWS_FOLLOWED_MAX) if after and position else []
    latest = max((_about(codec, row)[1] for row in rows), default=None)
    destroyed = not few or any(row.topic == KeysDestroyed.TOPIC for row in rows)
    if destroyed or not after:
        hot.clear()
        recent.forget_before(position)
        return Followed(latest, destroyed)
    touched: dict[str, int] = {}
    for row in rows:
        touched[row.stream] = row.position
        if resident := _about(codec, row)[0]:
            # Which streams are his, and what was worked out of his consents.
            touched[SCOPE_PREFIX + resident] = row.position
    for stream, at in touched.items():
        recent.note(stream, at)
    hot.evict(touched)
    return Followed(latest, destroyed=False)


def _about(codec: Codec, row: Row) -> tuple[str, datetime]:
    outline = codec.outline(row.state, stream=row.stream, topic=row.topic)
    return outline.resident, outline.at
