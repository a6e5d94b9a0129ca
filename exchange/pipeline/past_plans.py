"""A plan as it was known: folded once, with marks on the way, so that every moment is near one.

Promises: what was known at a moment is the fold of the events before the first one recorded after it; what
was erased since is not in it; what was corrected since is put in its place on the walk itself, so that nobody
is given what was wrong; marks are kept in the hot cache, bounded with everything there, in memory only, and
go with the resident's keys. Safe between threads: it holds nothing itself.
Source: the domain's design section 2 (P7); GDPR 16, 17.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import aggregate_of
from exchange.domain.kernel import evolve_at, skipped, with_changes
from exchange.domain.plan.rectified import NAMED_BY, Noted, rectified, since
from exchange.errors import Unavailable
from exchange.pipeline import hot
from exchange.pipeline.hot import Marking

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from datetime import datetime

    from exchange.domain.kernel import Event
    from exchange.domain.plan.rectified import Correction
    from exchange.pipeline.hot import HotStates, Mark
    from exchange.pipeline.walk import View
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader
    from exchange.store.typed import Told

ROWS_PER_PAGE: Final = 1_024
NOT_FOLDED: Final = "the past of this plan was not looked up: ask again"
CHANGED_SINCE: Final = "something of this plan was erased while it was looked up: ask again"


class Step(NamedTuple):
    """One event, and the plan it left behind. `by` is the recipient whose event it is, as a seal names it."""

    version: int
    topic: str
    at: datetime
    by: str
    event: Event
    state: Any


class Rectifying:
    """Puts right what one question finds in the past, and says of each element by what it did.

    It holds what it was given, for as long as the question lasts: an element is found again by being it.
    """

    def __init__(self) -> None:
        self._by: dict[int, tuple[Any, tuple[Correction, ...]]] = {}

    @property
    def took(self) -> bool:
        """Whether anything was put right."""
        return bool(self._by)

    def element(self, collection: str, element: Any, version: int, noted: Noted) -> Any:  # noqa: ANN401 -- any element of a plan
        """Return an element as of a version of the plan by what was corrected after it."""
        right, by = rectified(collection, element, version, noted.since(version, collection, element))
        if by:
            self._by[id(right)] = right, by
        return right

    def plan(self, plan: Any, now: Any) -> Any:  # noqa: ANN401 -- PlanStates, or None
        """Return a plan as it was by the corrections that stand in it now."""
        later = () if plan is None else since(now.corrections, plan.version)
        if not later:
            return plan
        noted = Noted(later)
        changes = {
            name: tuple(self.element(name, one, plan.version, noted) for one in getattr(plan, name))
            for name in NAMED_BY
        }
        return with_changes(plan, **changes)

    def by(self, element: Any, links: frozenset[str]) -> tuple[Correction, ...]:  # noqa: ANN401 -- any element of a plan
        """Return the corrections an element was put right by; none of whoever is behind a sealed link."""
        _, found = self._by.get(id(element), (None, ()))
        return tuple(one for one in found if one.by not in links)


@dataclass(frozen=True, slots=True)
class Past:
    """What a question about the past is answered from, in the place of what stands now.

    `stands` tells whether nothing was erased since it was folded. Without `folded` it says nothing: of who
    does not work on the case nothing is looked up, so that the time it takes tells nobody that there is a
    plan. `right` makes of what was found, and of the plan as it stands, what may be told: with nothing in it
    that was corrected by then.
    """

    state: Any = None
    folded: bool = False
    stands: Callable[[], bool] = lambda: True
    right: Callable[[Any, Any], Any] = lambda was, now: Rectifying().plan(was, now)


class AsItWas:
    """A view in which one stream stands as it did. All else, and with it every right, is of now.

    So is what was corrected: by the plan as this walk sees it, not as it was when its past was looked up.
    """

    def __init__(self, view: View, anchor: str, past: Past) -> None:
        self._view = view
        self._anchor = anchor
        self._past = past
        self._right: tuple[Any, Any] | None = None  # what stands now, and what is told beside it

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state. Raises Unavailable where an erasure came between folding and this walk."""
        now = self._view.state(stream)
        if stream != self._anchor or now is None:
            return now
        if not self._past.stands():
            raise Unavailable(CHANGED_SINCE)
        if self._right is None or self._right[0] is not now:
            self._right = now, self._past.right(self._past.state, now)
        return self._right[1]

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

    def __init__(self, reader: EventReader, codec: Codec, hot: HotStates) -> None:
        self._reader = reader
        self._codec = codec
        self._hot = hot

    def witness(self) -> Callable[[], bool]:
        """Return what tells whether nothing was erased from now on; to be taken before anything is folded."""
        erasures, codec = self._codec.erasures, self._codec
        return lambda: codec.erasures == erasures

    def as_of(self, stream: str, moment: datetime) -> Any:  # noqa: ANN401 -- PlanState, or None
        """Return the plan as it was known at a moment; None before it was there."""
        marks = self._marks(stream, lambda mark: mark.at > moment)
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
        marks = self._marks(stream, lambda mark: mark.version >= after_version)
        passed = bisect_right(marks, after_version, key=lambda mark: mark.version)
        start = marks[passed - 1] if passed else None
        last = after_version + limit
        return [one for one in self._steps(stream, start, last) if one.version > after_version]

    def _marks(self, stream: str, enough: Callable[[Mark], bool]) -> list[Mark]:
        """Return the marks of before, folded on until one is enough or there is nothing more."""
        marking = Marking(self._hot, self._codec, stream)
        found = marking.found
        last = found[-1] if found else None
        if last is not None and enough(last):
            return found
        first = self._reader.tail(stream, 0 if last is None else last.version, ROWS_PER_PAGE).rows
        if len(first) < hot.EVENTS_PER_MARK:
            return found
        since = 0
        for row, _, _, at, state in self._fold(stream, last, self._pages(stream, first)):
            since += len(row.state)
            if row.version < marking.due:
                continue
            marking.note(row, at, state, since)
            since = 0
            if enough(found[-1]):
                break
        marking.keep()
        return found

    def _pages(self, stream: str, first: list[Row]) -> Iterator[Row]:
        """Yield the events of a page and all that come after it; they are not all in memory at once."""
        rows = first
        while rows:
            yield from rows
            if len(rows) < ROWS_PER_PAGE:
                return
            rows = self._reader.tail(stream, rows[-1].version, ROWS_PER_PAGE).rows

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
        for row, event, told, at, state in self._fold(stream, start, rows):
            by = f"{told.organisation}/{told.task}"
            yield Step(row.version, row.topic, at, by, event, state)

    def _fold(
        self, stream: str, start: Mark | None, rows: Iterable[Row]
    ) -> Iterator[tuple[Row, Event, Told, datetime, Any]]:
        """Yield each event that says something, the moment it was known by, and the plan it left behind."""
        kind = aggregate_of(stream)
        state, latest = (None, None) if start is None else (start.state, start.at)
        for row, event, told in self._codec.read(stream, rows):
            if event is None:
                # Of its categories one was erased: it says nothing any more.
                state = skipped(kind, state)
                continue
            at = told.at
            # A clock that was set back moves nothing to before what was there already.
            if latest is None or latest < at:
                latest = at
            state = evolve_at(kind, state, event, at)
            yield row, event, told, latest, state
