"""Folded state as of a position of the past, for judging again what was judged there.

Promises: what is seen at a position is the fold of the events up to it and of nothing after; going forward
folds each event once, going back begins anew. Bounded in streams. Owned by one thread.
Source: the gate's law P6; GDPR 5(2).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import aggregate_of
from exchange.domain.kernel import evolve_at
from exchange.pipeline.hot import DISCLOSURE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

STREAMS_KEPT_MAX: Final = 2_000


@dataclass(slots=True)
class _Folded:
    """One stream: its state, and the events that are still to come."""

    state: Any = None
    version: int = 0
    position: int = 0  # of the last event folded
    read: int = 0  # position up to which the stream was read
    ahead: deque[Row] = field(default_factory=deque)


class Past:
    """A view that is moved from position to position."""

    def __init__(self, reader: EventReader, codec: Codec) -> None:
        self._reader = reader
        self._codec = codec
        self._streams: OrderedDict[str, _Folded] = OrderedDict()
        self._scopes: OrderedDict[str, tuple[int, tuple[str, ...]]] = OrderedDict()
        self.position = 0
        self.opened = 0  # events folded since the beginning

    def at(self, position: int) -> Past:
        """Move to a position."""
        self.position = position
        return self

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state, None where the stream was empty. Raises as the codec does."""
        # Decisions are appended and never folded on a walk.
        return None if stream.startswith(DISCLOSURE_PREFIX) else self._folded(stream).state

    def version(self, stream: str) -> int:
        """Return the version, 0 where the stream was empty."""
        return 0 if stream.startswith(DISCLOSURE_PREFIX) else self._folded(stream).version

    def scope(self, resident: str) -> tuple[str, ...]:
        """Return the streams linked to a resident; those that came later are there and have no state."""
        read, streams = self._scopes.get(resident, (0, ()))
        if read < self.position:
            found = self._reader.scope(resident)
            streams = found.streams
            self._scopes[resident] = (found.as_of, streams)
            if len(self._scopes) > STREAMS_KEPT_MAX:
                self._scopes.popitem(last=False)
        return streams

    def derive(self, stream: str, name: Hashable, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401, ARG002 -- whatever is made; a view that moves remembers nothing
        """Return what is made, made now."""
        return make({})

    def row(self, position: int) -> Row | None:
        """Return the event at a position."""
        rows = self._reader.page(position - 1, 1)
        return rows[0] if rows and rows[0].position == position else None

    def _folded(self, stream: str) -> _Folded:
        found = self._streams.get(stream)
        if found is None or found.position > self.position:
            found = self._streams[stream] = _Folded()
            if len(self._streams) > STREAMS_KEPT_MAX:
                self._streams.popitem(last=False)
        self._streams.move_to_end(stream)
        if found.read < self.position:
            tail = self._reader.tail(stream, found.version + len(found.ahead))
            found.ahead.extend(tail.rows)
            found.read = tail.as_of
        self._fold(stream, found)
        return found

    def _fold(self, stream: str, found: _Folded) -> None:
        kind = aggregate_of(stream)
        while found.ahead and found.ahead[0].position <= self.position:
            row = found.ahead[0]
            opened = self._codec.decode(row.state, stream=stream, version=row.version, topic=row.topic)
            found.state = evolve_at(kind, found.state, opened.event, opened.meta.at)
            # Only what was folded is taken off: what cannot be opened is met again, and raises again.
            found.ahead.popleft()
            found.version, found.position = row.version, row.position
            self.opened += 1
