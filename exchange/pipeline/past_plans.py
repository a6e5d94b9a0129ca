"""A plan as it was known: folded once, with marks on the way, so that every moment is near one.

Promises: what was known at a moment is the fold of the events before the first one recorded after it; what
was erased since is not in it; marks are kept in the hot cache, bounded with everything there, in memory only,
and go with the resident's keys. Safe between threads: it holds nothing itself.
Source: the domain's design section 2 (P7); GDPR 17.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import aggregate_of
from exchange.domain.kernel import evolve_at, skipped
from exchange.errors import KeyDestroyed, Unavailable
from exchange.pipeline.hot import ENTRY_BYTES_MIN, PAST_PREFIX, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from datetime import datetime

    from exchange.domain.kernel import Event
    from exchange.pipeline.hot import HotStates
    from exchange.pipeline.walk import View
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.reader import SQLiteReader

EVENTS_PER_MARK: Final = 128
NOT_FOLDED: Final = "the past of this plan was not looked up: ask again"
CHANGED_SINCE: Final = "something of this plan was erased while it was looked up: ask again"


class Mark(NamedTuple):
    """The plan after so many events, the latest of which was recorded at a moment."""

    version: int
    at: datetime
    state: Any


class Step(NamedTuple):
    """One event, and the plan it left behind. `by` is the recipient whose event it is, as a seal names it."""

    version: int
    topic: str
    at: datetime
    by: str
    event: Event
    state: Any


@dataclass(frozen=True, slots=True)
class Past:
    """What a question about the past is answered from, in the place of what stands now.

    `stands` tells whether nothing was erased since it was folded. Without `folded` it says nothing: of who
    does not work on the case nothing is looked up, so that the time it takes tells nobody that there is a
    plan.
    """

    state: Any = None
    folded: bool = False
    stands: Callable[[], bool] = lambda: True


class AsItWas:
    """A view in which one stream stands as it did. All else, and with it every right, is of now."""

    def __init__(self, view: View, anchor: str, past: Past) -> None:
        self._view = view
        self._anchor = anchor
        self._past = past

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state. Raises Unavailable where an erasure came between folding and this walk."""
        now = self._view.state(stream)
        if stream != self._anchor or now is None:
            return now
        if not self._past.stands():
            raise Unavailable(CHANGED_SINCE)
        return self._past.state

    def version(self, stream: str) -> int:
        """Return the version."""
        return self._view.version(stream)

    def scope(self, resident: str) -> tuple[str, ...]:
        """Return the streams linked to a resident."""
        return self._view.scope(resident)

    def derive(self, stream: str, name: Hashable, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401 -- whatever is made
        """Return what is made: of what was, made now; of what is, once for as long as it stays."""
        return make({}) if stream == self._anchor else self._view.derive(stream, name, make)


class PastPlans:
    """Looks up what was. Runs in a pool, never on the walk."""

    def __init__(self, reader: SQLiteReader, codec: Codec, hot: HotStates) -> None:
        self._reader = reader
        self._codec = codec
        self._hot = hot

    def witness(self) -> Callable[[], bool]:
        """Return what tells whether nothing was erased from now on; to be taken before anything is folded."""
        erasures, codec = self._codec.erasures, self._codec
        return lambda: codec.erasures == erasures

    def as_of(self, stream: str, moment: datetime) -> Any:  # noqa: ANN401 -- PlanState, or None
        """Return the plan as it was known at a moment; None before it was there."""
        marks = self._marks(stream)
        passed = bisect_right(marks, moment, key=lambda mark: mark.at)
        start = marks[passed - 1] if passed else None
        state = None if start is None else start.state
        # Everything up to the next mark, which is beyond the moment, may still have been there by then.
        end = marks[passed].version if passed < len(marks) else 0
        for step in self._steps(stream, start, end):
            if step.at > moment:
                break
            state = step.state
        return state

    def steps(self, stream: str, after_version: int, limit: int) -> list[Step]:
        """Return at most `limit` events after a version, those that were erased left out of them."""
        marks = self._marks(stream)
        passed = bisect_right(marks, after_version, key=lambda mark: mark.version)
        start = marks[passed - 1] if passed else None
        last = after_version + limit
        return [one for one in self._steps(stream, start, last) if one.version > after_version]

    def _marks(self, stream: str) -> tuple[Mark, ...]:
        """Return the marks up to now: those of before, and what came since folded on."""
        stands, name = self.witness(), PAST_PREFIX + stream
        known = self._hot.peek(name)
        if known is not None and not known.settled:
            known = None
        marks: tuple[Mark, ...] = () if known is None else known.state
        tail = self._reader.tail(stream, marks[-1].version if marks else 0)
        if len(tail.rows) < EVENTS_PER_MARK:
            return marks
        found = list(marks)
        for step in self._fold(stream, marks[-1] if marks else None, tail.rows):
            if step.version - (found[-1].version if found else 0) >= EVENTS_PER_MARK:
                found.append(Mark(step.version, step.at, step.state))
        size = ENTRY_BYTES_MIN if known is None else known.size
        size += sum(len(row.state) for row in tail.rows)
        entry = Entry(tuple(found), 0, tail.as_of, size)
        self._hot.put(name, entry)
        # An erasure throws away what is kept; what it found nothing of is not used, and thrown away here.
        if stands():
            entry.settled = True
        else:
            self._hot.evict((name,))
        return tuple(found)

    def _steps(self, stream: str, start: Mark | None, last_version: int) -> Iterator[Step]:
        """Yield what came after a mark, up to a version; 0 for all."""
        after = 0 if start is None else start.version
        rows: Sequence[Row]
        if last_version:
            page = self._reader.page_of_stream(stream, last_version + 1, max(0, last_version - after))
            # Where the stream ends before that, the page goes back beyond the mark.
            rows = [row for row in reversed(page) if row.version > after]
        else:
            rows = self._reader.tail(stream, after).rows
        return self._fold(stream, start, rows)

    def _fold(self, stream: str, start: Mark | None, rows: Sequence[Row]) -> Iterator[Step]:
        kind = aggregate_of(stream)
        state, latest = (None, None) if start is None else (start.state, start.at)
        for row in rows:
            try:
                opened = self._codec.decode(row.state, stream=stream, version=row.version, topic=row.topic)
            except KeyDestroyed:
                # Of its categories one was erased: it says nothing any more.
                state = skipped(kind, state)
                continue
            meta = opened.meta
            # A clock that was set back moves nothing to before what was there already.
            latest = meta.at if latest is None else max(latest, meta.at)
            state = evolve_at(kind, state, opened.event, meta.at)
            by = f"{meta.organisation}/{meta.task}"
            yield Step(row.version, row.topic, latest, by, opened.event, state)
