"""What a group of walks sees: committed state with the effects of the walks before it laid over.

Promises: a group walked while the one before it is being committed sees that one's effects too, and never
outlives it; dropped whole when a commit fails; the hot cache only ever learns what was committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from exchange.domain import aggregate_of, stream_of
from exchange.domain.erasure.decision import KeysDestroyed
from exchange.domain.kernel import evolve_at
from exchange.domain.limits.compartments import NOTHING_KEPT
from exchange.pipeline.drafts import Drafts
from exchange.pipeline.facts import RESIDENT_PREFIX
from exchange.pipeline.heard import CONSENT_PREFIX
from exchange.pipeline.hot import DISCLOSURE_PREFIX, ENTRY_BYTES_MIN, PAST_PREFIX, SCOPE_PREFIX, Entry
from exchange.pipeline.registers import LEGAL_BASIS_PREFIX
from exchange.store.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from datetime import datetime

    from exchange.domain.kernel import Event
    from exchange.domain.limits.compartments import Kept
    from exchange.keys.keystore import KeyStore
    from exchange.pipeline.drafts import Numbered
    from exchange.pipeline.hot import HotStates, Loader, Recent
    from exchange.pipeline.registers import Recorded
    from exchange.pipeline.walk import CommandWalk, StoredAnswer
    from exchange.store.codec import Codec, Meta


class Overlay:
    """One group's view and its growing drafts. Owned by the writer thread; lives for one group.

    The batch is empty but for its links until `finish`.
    """

    drafting: ClassVar[type[Drafts]] = Drafts

    def __init__(
        self,
        base: int,
        *,
        hot: HotStates,
        loader: Loader,
        recent: Recent,
        codec: Codec,
        keys: KeyStore,
        fresh_id: Callable[[], bytes],
        below: Mapping[str, Entry] | None = None,
    ) -> None:
        self.batch = Batch(base)
        self.changes: dict[str, Entry] = {}
        self.used: list[str] = []  # streams whose committed entries this group looked at
        self._seen: dict[str, Entry] = {}  # newest entry of every stream looked at or changed
        self._below = below or {}  # changes of the group being committed
        self.of_register: list[Recorded] = []  # events after which nothing may be judged by the old register
        self.destroyed: list[KeysDestroyed] = []  # after which the residents' keys are destroyed
        self.outdated: list[str] = []  # streams that fold to less once those keys are gone
        self._hot = hot
        self._loader = loader
        self._recent = recent
        self._drafts = self.drafting(codec, keys)
        self._fresh_id = fresh_id

    # --- what walks see -------------------------------------------------------------------------

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state, None where the stream is empty."""
        return (self._seen.get(stream) or self._looked_up(stream)).state

    def version(self, stream: str) -> int:
        """Return the version, 0 where the stream is empty."""
        return (self._seen.get(stream) or self._looked_up(stream)).version

    def scope(self, resident: str) -> tuple[str, ...]:
        """Return the streams linked to a resident."""
        name = SCOPE_PREFIX + resident
        streams: tuple[str, ...] = (self._seen.get(name) or self._looked_up(name)).state
        return streams

    def derive(self, stream: str, name: Hashable, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401 -- whatever is made
        """Return what is made of a state, made once for as long as it stays the same."""
        return (self._seen.get(stream) or self._looked_up(stream)).derive(name, make)

    @property
    def position(self) -> int:
        """Position as of the walk that is being judged: effects before it included."""
        return self.batch.base + len(self._drafts)

    # --- what a walk does -----------------------------------------------------------------------

    def append(self, appends: Sequence[tuple[str, Sequence[Event]]], meta: Meta) -> int:
        """Draft all events of one walk, then fold them; nothing is kept when they cannot be drafted.

        Returns how many events. Raises what `Drafts.add` raises.
        """
        numbered: list[Numbered] = []
        versions: dict[str, int] = {}
        for stream, events in appends:
            for event in events:
                version = versions.get(stream) or self.version(stream)
                version = versions[stream] = version + 1
                numbered.append((stream, version, event, self._fresh_id(), self._kept(event.resident)))
        self._drafts.add(numbered, meta)
        self._fold(numbered, meta.at)
        return len(numbered)

    def answer(self, walk: CommandWalk, answer: StoredAnswer) -> None:
        """Record what a command is answered; the leaf is put into it by `finish`."""
        self._drafts.answer(walk, answer)

    def finish(self) -> None:
        """Seal and leave what the walks of the group did: then the batch is whole."""
        for stream, size in self._drafts.finish(self.batch).items():
            entry = self.changes[stream]
            if entry.state is not None:
                entry.grow(size)

    def _kept(self, resident: str) -> Kept:
        """Return what was kept from the resident in person before the walk."""
        state = self.state(RESIDENT_PREFIX + resident) if resident else None
        kept: Kept = NOTHING_KEPT if state is None else state.compartments.in_person
        return kept

    def _fold(self, numbered: Sequence[Numbered], at: datetime) -> None:
        first = self.position - len(numbered) + 1
        for position, (stream, version, event, _, _) in enumerate(numbered, first):
            entry = self._seen.get(stream) or self._looked_up(stream)
            state, size = None, ENTRY_BYTES_MIN
            if not stream.startswith(DISCLOSURE_PREFIX):
                state = evolve_at(aggregate_of(stream), entry.state, event, at)
                size = ENTRY_BYTES_MIN if state is None else entry.size
                if stream.startswith(LEGAL_BASIS_PREFIX):
                    self.of_register.append((position, stream, event))
                if version == 1 and event.resident:
                    self._link(event.resident, stream, position)
            changed = Entry(state, version, position, size, settled=True)
            changed.lasting, changed.weighed = entry.lasting, entry.weighed
            self._change(stream, changed)
            if stream.startswith(CONSENT_PREFIX):
                self._renew_scope(event.resident, position)
            if isinstance(event, KeysDestroyed):
                self._end(event, position)

    def _end(self, event: KeysDestroyed, position: int) -> None:
        """Let the resident be nobody from here on; where a part was erased, fold his streams anew."""
        self.destroyed.append(event)
        streams = (stream_of("resident", event.resident), *self.scope(event.resident))
        self.outdated += [PAST_PREFIX + stream for stream in streams]
        if event.categories:
            self.outdated += (*streams, SCOPE_PREFIX + event.resident)
            return
        for stream in streams:
            self._change(stream, Entry(None, self.version(stream), position, ENTRY_BYTES_MIN, settled=True))
        self._change(SCOPE_PREFIX + event.resident, Entry((), 0, position, ENTRY_BYTES_MIN, settled=True))

    def _link(self, resident: str, stream: str, position: int) -> None:
        if stream == stream_of("resident", resident):
            return
        name = SCOPE_PREFIX + resident
        linked = self.scope(resident)
        if stream not in linked:
            self.batch.links.append((resident, stream))
            streams = tuple(sorted((*linked, stream)))
            self._change(name, Entry(streams, len(streams), position, ENTRY_BYTES_MIN, settled=True))

    def _renew_scope(self, resident: str, position: int) -> None:
        """Let what was worked out of the resident's consents be worked out anew: one of them changed."""
        # Another tuple of the same streams: who remembers by the very object finds nothing either.
        streams = (*self.scope(resident),)
        entry = Entry(streams, len(streams), position, ENTRY_BYTES_MIN, settled=True)
        self._change(SCOPE_PREFIX + resident, entry)

    def _change(self, stream: str, entry: Entry) -> None:
        self.changes[stream] = self._seen[stream] = entry

    def _looked_up(self, stream: str) -> Entry:
        """Return the entry of a stream seen for the first time."""
        entry = self._seen[stream] = self._below.get(stream) or self._committed(stream)
        return entry

    def _committed(self, stream: str) -> Entry:
        entry = self._hot.peek(stream)
        if entry is not None and not entry.settled and not self._recent.is_fresh(stream, entry.as_of):
            self._hot.evict((stream,))
            entry = None
        if entry is None:
            entry = self._load(stream)
        entry.settled = True
        self.used.append(stream)
        return entry

    def _load(self, stream: str) -> Entry:
        # Rare: evicted between the pool's load and this walk. The base is committed, so this is current.
        entry = self._loader.load(stream)
        entry.settled = True
        self._hot.put(stream, entry)
        return entry
