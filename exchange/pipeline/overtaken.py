"""What another node wrote meanwhile: followed, so that whatever is judged next is judged over it.

Promises: what is in memory goes on from where it was, event by event, or is forgotten; nothing older is used
again, of a stream that was written or of what was worked out of its resident's. What nobody touched stays.
Where keys were destroyed, or more was written than is worth looking at, everything is forgotten instead.
Source: exchange/decisions/0094-the-head-is-the-safety.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import aggregate_of
from exchange.domain.erasure.decision import KeysDestroyed
from exchange.domain.kernel import evolve_at, skipped
from exchange.pipeline.hot import DISCLOSURE_PREFIX, ENTRY_BYTES_MIN, SCOPE_PREFIX, Entry

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
    """Take over what was written behind a position of one's own, up to the head. Raises StoreUnavailable.

    At the start, behind position 0, nothing is in memory that could go on.
    """
    few = 0 < position - after <= ROWS_FOLLOWED_MAX
    rows = reader.page(after if few else position - 1, ROWS_FOLLOWED_MAX) if after and position else []
    rows = [row for row in rows if row.position <= position]
    outlines = [codec.outline(row.state, stream=row.stream, topic=row.topic) for row in rows]
    latest = max((one.at for one in outlines), default=None)
    if not few or not after or any(row.topic == KeysDestroyed.TOPIC for row in rows):
        hot.clear()
        recent.forget_before(position)
        return Followed(latest, destroyed=True)
    streams: dict[str, list[Row]] = {}
    for row in rows:
        streams.setdefault(row.stream, []).append(row)
    # Which streams are a resident's, and what was worked out of his consents.
    scopes = {SCOPE_PREFIX + about.resident: row.position for about, row in zip(outlines, rows, strict=True)}
    for stream, at in scopes.items():
        recent.note(stream, at)
    going_on = {}
    for stream, written in streams.items():
        recent.note(stream, written[-1].position)
        entry = hot.peek(stream)
        if entry is not None and entry.version + 1 == written[0].version:
            going_on[stream] = _gone_on(entry, stream, written, codec)
    hot.evict((*scopes, *streams))
    hot.apply(going_on, rows[-1].position)
    return Followed(latest, destroyed=False)


def _gone_on(entry: Entry, stream: str, written: list[Row], codec: Codec) -> Entry:
    version, position = written[-1].version, written[-1].position
    if stream.startswith(DISCLOSURE_PREFIX):
        return Entry(None, version, position, ENTRY_BYTES_MIN, settled=True)
    kind = aggregate_of(stream)
    state: Any = entry.state
    for _, event, told in codec.read(stream, written):
        state = skipped(kind, state) if event is None else evolve_at(kind, state, event, told.at)
    size = entry.size + sum(len(row.state) for row in written)
    return Entry(state, version, position, size, settled=True, lasting=entry.lasting)
