"""Hot cache: folded state of the streams the walk names, so that the walk never loads.

Promises: bounded in bytes; holds plain text only in memory; an older state never replaces a newer one. An
entry the writer wrote or checked is `settled` and stays right while it is here: every write goes through it.
Who folds a plan leaves marks of its past on the way, which go with the resident's keys as all that is here.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import aggregate_of
from exchange.domain.kernel import skipped
from exchange.domain.plan import PLAN
from exchange.pipeline.weighing import LOADED_MIN, LOOKED_AT_MIN, weight

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from exchange.domain.kernel import Event
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader
    from exchange.store.typed import Told

HOT_BYTES_MAX: Final = 64 * 1024 * 1024
ENTRY_BYTES_MIN: Final = 600
# As many as those who look at one resident differ in what is kept from them; then from the beginning.
DERIVED_MAX: Final = 16
SCOPE_PREFIX: Final = "scope-"
DISCLOSURE_PREFIX: Final = "disclosure-"
# Of what a plan was: no stream has such a name.
PAST_PREFIX: Final = "past-"
EVENTS_PER_MARK: Final = 128
ROWS_PER_PAGE: Final = 1_024
RECENT_STREAMS_MAX: Final = 100_000
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
NEVER: Final = 2**63
_NOT_MADE: Final = object()


@dataclass(slots=True)
class Entry:
    """Folded state of one stream. `state` of a scope is the tuple of linked streams.

    `derived` is what was made of it, for the writer thread alone: it goes when the entry goes. `lasting` is
    what was made of its parts: it goes along to the next state of the stream, and goes with the last of them.
    `size` is that of its events, or what the state takes: it was looked at when it was `weighed`.
    """

    state: Any
    version: int
    as_of: int
    size: int
    settled: bool = False
    derived: dict[Hashable, Any] | None = None
    lasting: dict[Hashable, dict[str, Any]] | None = None
    weighed: int = LOOKED_AT_MIN

    def grow(self, size: int) -> None:
        """Count bytes of events that were folded in; look at the state where it seems to have doubled."""
        self.size += size
        if self.size >= 2 * self.weighed:
            self.size = weight(self.state, self.size)
            self.weighed = max(self.size, LOOKED_AT_MIN)

    def derive(self, name: Hashable, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401 -- whatever is made
        """Return what was made under this name, made once."""
        if self.derived is None:
            self.derived = {}
        found = self.derived.get(name, _NOT_MADE)
        if found is _NOT_MADE:
            if self.lasting is None:
                self.lasting = {}
            for memory in (self.derived, self.lasting):
                if len(memory) >= DERIVED_MAX:
                    memory.clear()
            found = self.derived[name] = make(self.lasting.setdefault(name, {}))
        return found


class HotStates:
    """Least recently used entries go first when the bound is passed. Safe between threads."""

    def __init__(self, bytes_max: int = HOT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._lock = Lock()
        self._entries: OrderedDict[str, Entry] = OrderedDict()  # owned by the holder of _lock
        self._bytes = 0  # owned by the holder of _lock
        # No entry is older than this position. What was committed after it is in the store, and not yet here.
        self.as_of = 0  # written by who commits, or by the writer when nothing is being committed
        # Told after entries were forgotten: whoever keeps what was made of them forgets it too.
        self.when_evicted: list[Callable[[], None]] = []

    def touch(self, streams: Iterable[str]) -> None:
        """Mark entries used."""
        with self._lock:
            for stream in streams:
                if stream in self._entries:
                    self._entries.move_to_end(stream)

    def peek(self, stream: str) -> Entry | None:
        """Return the entry without marking it used; one dictionary read, no lock."""
        return self._entries.get(stream)

    def put(self, stream: str, entry: Entry) -> None:
        """Keep a loaded entry unless a newer one is there."""
        with self._lock:
            present = self._entries.get(stream)
            if present is not None and present.as_of >= entry.as_of:
                return
            self._replace(stream, entry)

    def apply(self, changes: Mapping[str, Entry], as_of: int) -> None:
        """Take over what the writer committed, up to a position."""
        with self._lock:
            for stream, entry in changes.items():
                self._replace(stream, entry)
        self.as_of = as_of

    def evict(self, streams: Iterable[str]) -> None:
        """Forget entries: after a failed commit, a seal, an erasure."""
        with self._lock:
            for stream in streams:
                entry = self._entries.pop(stream, None)
                if entry is not None:
                    self._bytes -= entry.size
        for forget in self.when_evicted:
            forget()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    @property
    def size(self) -> tuple[int, int]:
        """Entries and bytes held."""
        return len(self._entries), self._bytes

    def _replace(self, stream: str, entry: Entry) -> None:
        old = self._entries.pop(stream, None)
        if old is not None:
            self._bytes -= old.size
        self._entries[stream] = entry
        self._bytes += entry.size
        while self._bytes > self._bytes_max and len(self._entries) > 1:
            _, gone = self._entries.popitem(last=False)
            self._bytes -= gone.size


class Mark(NamedTuple):
    """The plan after so many events, the latest of which was recorded at a moment."""

    version: int
    at: datetime
    state: Any


class Marking:
    """The marks of one plan's past, and those that one fold adds to them.

    To be made before anything is opened: an erasure throws away what is kept, and what a fold opened before
    one is not kept after it.
    """

    def __init__(self, hot: HotStates, codec: Codec, stream: str) -> None:
        self._hot = hot
        self._codec = codec
        self._erasures = codec.erasures
        self._name = PAST_PREFIX + stream
        known = hot.peek(self._name)
        if known is not None and not known.settled:
            known = None
        self.found: list[Mark] = [] if known is None else list(known.state)
        self._size = ENTRY_BYTES_MIN if known is None else known.size
        self._position = 0  # of the last event marked
        self.due = (self.found[-1].version if self.found else 0) + EVENTS_PER_MARK

    def note(self, row: Row, at: datetime, state: Any, size: int) -> None:  # noqa: ANN401 -- each aggregate has its own state class
        """Add a mark at an event, so many bytes of events after the one before; asked where one is due."""
        self.found.append(Mark(row.version, at, state))
        self._size += size
        self._position = row.position
        self.due = row.version + EVENTS_PER_MARK

    def keep(self) -> None:
        """Keep what was added."""
        if not self._position:
            return
        entry = Entry(tuple(self.found), 0, self._position, self._size)
        self._hot.put(self._name, entry)
        # What an erasure found nothing of is not used, and thrown away here.
        if self._codec.erasures == self._erasures:
            entry.settled = True
        else:
            self._hot.evict((self._name,))


class _Fold:
    """One stream, folded page by page. Of plans alone the past is marked."""

    def __init__(self, stream: str, marking: Marking, is_erased: Callable[[str], bool]) -> None:
        self.marking = marking
        self.version = 0
        self.state: Any = None
        self.size = ENTRY_BYTES_MIN
        self.about: set[str] = set()  # residents
        self._kind = aggregate_of(stream)
        self._is_erased = is_erased
        # What is marked already is not marked again.
        self._due = marking.due if self._kind is PLAN and not marking.found else NEVER
        self._since = ENTRY_BYTES_MIN  # the size at the last mark
        self._latest = LONG_AGO

    def page(self, opened: Iterable[tuple[Row, Event | None, Told]]) -> bool:
        """Fold opened events; False once one is about somebody erased."""
        kind, state, size, latest, due = self._kind, self.state, self.size, self._latest, self._due
        fold, own, there = kind.fold, False, None
        for row, event, told in opened:
            if event is None:
                # Of its categories one was erased: it says nothing any more.
                state = skipped(kind, state)
                continue
            if told.resident != there:
                there = told.resident
                self.about.add(there)
                if self._is_erased(there):
                    return False
            at = told.at
            after = fold(state, event, at, own)
            # Made here, and shown to nobody: until a mark keeps it the next event may write into it.
            own = own or after is not state
            state = after
            size += len(row[4])
            latest = max(latest, at)
            if row[2] >= due:
                self.marking.note(row, latest, state, size - self._since)
                due, self._since, own = self.marking.due, size, False
        self.state, self.size, self._latest, self._due = state, size, latest, due
        return True


class Loader:
    """Brings one stream into memory: read, open, fold. Runs in a pool, or in the writer when it must."""

    def __init__(self, reader: EventReader, codec: Codec, hot: HotStates) -> None:
        self._reader = reader
        self._codec = codec
        self._hot = hot

    def load(self, stream: str) -> Entry:
        """Return the folded entry as of now; of somebody erased there is nothing, under the version it has.

        Raises StoreUnavailable, KeyUnavailable, HistoryUnreadable.
        """
        if stream.startswith(SCOPE_PREFIX):
            resident = stream.removeprefix(SCOPE_PREFIX)
            scope = self._reader.scope(resident)
            if self._codec.is_erased(resident):
                return Entry((), 0, scope.as_of, ENTRY_BYTES_MIN)
            return Entry(scope.streams, len(scope.streams), scope.as_of, ENTRY_BYTES_MIN)
        if stream.startswith(DISCLOSURE_PREFIX):
            # Decisions are appended, never folded on the walk: only their count matters here.
            return self._of_nobody(stream)
        return self._folded(stream)

    def _folded(self, stream: str) -> Entry:
        fold = _Fold(stream, Marking(self._hot, self._codec, stream), self._codec.is_erased)
        # It only grows: what the last page ends with is all there was at its moment.
        while True:
            as_of, rows = self._reader.tail(stream, fold.version, ROWS_PER_PAGE)
            if not fold.page(self._codec.read(stream, rows)):
                return self._of_nobody(stream)
            if rows:
                fold.version = rows[-1].version
            if len(rows) < ROWS_PER_PAGE:
                break
        fold.marking.keep()
        # Again: it may have begun meanwhile.
        if any(map(self._codec.is_erased, fold.about)):
            return self._of_nobody(stream)
        entry = Entry(fold.state, fold.version, as_of, fold.size)
        if fold.size >= LOADED_MIN:
            entry.grow(0)
        return entry

    def _of_nobody(self, stream: str) -> Entry:
        as_of, version = self._reader.last_version(stream)
        return Entry(None, version, as_of, ENTRY_BYTES_MIN)


class Recent:
    """Last position written to each of the streams written lately. Owned by the writer thread."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()
        self._start = 0  # writes up to here may be forgotten

    def note(self, stream: str, position: int) -> None:
        """Remember a committed write."""
        self._last[stream] = position
        self._last.move_to_end(stream)
        if len(self._last) > RECENT_STREAMS_MAX:
            _, self._start = self._last.popitem(last=False)

    def is_fresh(self, stream: str, as_of: int) -> bool:
        """Tell whether nothing was written to the stream after a position."""
        return as_of >= self._start and self._last.get(stream, 0) <= as_of

    def forget_before(self, position: int) -> None:
        """Trust nothing loaded before a position: after another writer moved the head."""
        self._last.clear()
        self._start = position
