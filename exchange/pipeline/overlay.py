"""What a group of walks sees: committed state with the effects of the walks before it laid over.

Promises: a group walked while the one before it is being committed sees that one's effects too, and never
outlives it; dropped whole when a commit fails; the hot cache only ever learns what was committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins
from msgspec.structs import replace

from exchange.domain import aggregate_of, stream_of
from exchange.domain.erasure.decision import KeysDestroyed
from exchange.domain.kernel import evolve_at
from exchange.keys.datakey import LEDGER_CATEGORY
from exchange.ledger.commitments import commit_field
from exchange.ledger.leaf import event_pseudonym, leaf_entry
from exchange.pipeline.apart import is_kept_apart
from exchange.pipeline.hot import DISCLOSURE_PREFIX, ENTRY_BYTES_MIN, PAST_PREFIX, SCOPE_PREFIX, Entry
from exchange.pipeline.registers import LEGAL_BASIS_PREFIX
from exchange.store.batch import Batch
from exchange.store.stored_event import stored_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from exchange.domain.kernel import Event
    from exchange.keys.datakey import DataKey
    from exchange.keys.keystore import KeyStore
    from exchange.pipeline.hot import HotStates, Loader, Recent
    from exchange.pipeline.registers import Recorded
    from exchange.store.codec import Codec, Meta


class Overlay:
    """One group's view and its growing batch. Owned by the writer thread; lives for one group."""

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
        self._codec = codec
        self._keys = keys
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

    @property
    def position(self) -> int:
        """Position as of the walk that is being judged: effects before it included."""
        return self.batch.head

    # --- what a walk does -----------------------------------------------------------------------

    def append(self, appends: Sequence[tuple[str, Sequence[Event]]], meta: Meta) -> tuple[int, bytes]:
        """Encode, seal and leave all events of one walk, then fold them; nothing is kept when encoding fails.

        Returns how many events, and the last leaf entry.
        """
        prepared = [(stream, event) for stream, events in appends for event in events]
        at = meta.at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
        versions: dict[str, int] = {}
        stored, leaves = [], []
        later = replace(meta, necessity="", asked=None) if len(prepared) > 1 else meta
        for number, (stream, event) in enumerate(prepared):
            version = versions.get(stream) or self.version(stream)
            version = versions[stream] = version + 1
            event_id = self._fresh_id()
            # What was asked stands once, in the first event of the walk.
            said = meta if number == 0 else later
            state = self._codec.encode(event, event_id=event_id, stream=stream, version=version, meta=said)
            stored.append(stored_event(stream, version, event.TOPIC, state))
            leaves.append(self._leaf(event, event_id, state, meta, at))
        self.batch.events += stored
        self.batch.leaves += leaves
        self._fold(prepared, [len(one.state) for one in stored], meta.at)
        return len(prepared), leaves[-1]

    def _leaf(self, event: Event, event_id: bytes, state: bytes, meta: Meta, at: str) -> bytes:
        pseudonym = None
        fields: tuple[bytes, ...] = ()
        if event.resident:
            key = self._keys.obtain(event.resident, LEDGER_CATEGORY)
            pseudonym = event_pseudonym(self._pseudonym_key(key, event, meta), event_id)
            if event.COMMITTED:
                fields = _commitments(event, event_id, key)
        return leaf_entry(
            event_id=event_id,
            topic=event.TOPIC,
            organisation=meta.organisation,
            task=meta.task,
            purpose=meta.purpose,
            basis=meta.legal_basis,
            at=at,
            state=state,
            pseudonym=pseudonym,
            fields=fields,
            signed=meta.signed,
        )

    def _pseudonym_key(self, key: DataKey, event: Event, meta: Meta) -> bytes:
        """Return the key that finds the leaf: the resident's own, or the one for what is kept from him."""
        resident = self.state(stream_of("resident", event.resident))
        seals = () if resident is None else resident.seals
        apart = is_kept_apart(event, meta, seals)
        return key.ledger_key_apart if apart else key.ledger_key

    def _fold(self, prepared: Sequence[tuple[str, Event]], sizes: Sequence[int], at: datetime) -> None:
        first = self.batch.head - len(prepared) + 1
        for position, ((stream, event), size) in enumerate(zip(prepared, sizes, strict=True), first):
            entry = self._seen.get(stream) or self._looked_up(stream)
            if stream.startswith(DISCLOSURE_PREFIX):
                state = None
            else:
                state = evolve_at(aggregate_of(stream), entry.state, event, at)
                if stream.startswith(LEGAL_BASIS_PREFIX):
                    self.of_register.append((position, stream, event))
                if entry.version == 0 and event.resident:
                    self._link(event.resident, stream, position)
            grown = ENTRY_BYTES_MIN if state is None else entry.size + size
            self._change(stream, Entry(state, entry.version + 1, position, grown, settled=True))
            if isinstance(event, KeysDestroyed):
                self._end(event, position)

    def _end(self, event: KeysDestroyed, position: int) -> None:
        """Let the resident be nobody from here on; where a part was erased, fold his streams anew."""
        self.destroyed.append(event)
        streams = (stream_of("resident", event.resident), *self.scope(event.resident))
        self.outdated += [PAST_PREFIX + stream for stream in streams]
        if event.categories:
            self.outdated += streams
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


def _commitments(event: Event, event_id: bytes, key: DataKey) -> tuple[bytes, ...]:
    """Return a commitment to each field of the event that can be shown, as it is stored."""
    return tuple(
        commit_field(key.field_salt(event_id, name), name, to_builtins(getattr(event, name)))
        for name in event.COMMITTED
    )
