"""What a group is going to store, in the order of its positions: sealed and left once all of it is known.

Promises: what can refuse one walk (a key that is gone, words no leaf can hold) refuses it when its events
are drafted, and nothing of it is kept; nobody sees an outcome before its leaf stands in it. Sealing, leaves
and answers are loops over a whole group, whose code and tables stay in the processor's cache.
Source: exchange/decisions/0047-sealed-and-left-by-the-group.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec import to_builtins
from msgspec.structs import force_setattr, replace

from exchange.keys.datakey import LEDGER_CATEGORY
from exchange.ledger.commitments import commit_field
from exchange.ledger.leaf import alike_in, entry_of, event_pseudonym, refuse_unfit
from exchange.pipeline.answers import stored_form
from exchange.pipeline.apart import is_kept_apart
from exchange.store.batch import Request
from exchange.store.stored_event import stored_event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from exchange.domain.kernel import Event
    from exchange.domain.limits.compartments import Kept
    from exchange.keys.datakey import DataKey
    from exchange.keys.keystore import KeyStore
    from exchange.ledger.leaf import Alike
    from exchange.pipeline.walk import CommandWalk, StoredAnswer
    from exchange.store.batch import Batch
    from exchange.store.codec import Codec, Meta


_WHOLE_SECOND: Final = len("2026-01-31T12:00:00")
_encode = msgspec.json.Encoder().encode


# Stream, version, event, its id, and what was kept from its resident before the walk.
Numbered = tuple[str, int, "Event", bytes, "Kept"]


class Draft(NamedTuple):
    """One event with its place, the keys it will be sealed under, and what its leaf needs.

    `ledger_key` is None for an event about nobody.
    """

    stream: str
    version: int
    event: Event
    event_id: bytes
    kept: Kept
    meta: Meta
    keys: Mapping[str, DataKey]
    ledger_key: DataKey | None


class Drafts:
    """Owned by the writer thread; lives for one group."""

    def __init__(self, codec: Codec, keys: KeyStore) -> None:
        self._codec = codec
        self._keys = keys
        self._events: list[Draft] = []
        self._answers: list[tuple[CommandWalk, StoredAnswer]] = []

    def __len__(self) -> int:
        """How many events."""
        return len(self._events)

    def add(self, numbered: Sequence[Numbered], meta: Meta) -> None:
        """Draft the events of one walk.

        Raises KeyDestroyed, KeyUnavailable, RequestInvalid for a word no leaf can hold, RequestTooLarge.
        """
        # What was asked stands once, in the first event of the walk.
        later = replace(meta, necessity="", asked=None) if len(numbered) > 1 else meta
        drafts, said = [], meta
        for stream, version, event, event_id, kept in numbered:
            keys = self._codec.keys_of(event, said)
            ledger_key = self._ledger_key(event, said)
            drafts.append(Draft(stream, version, event, event_id, kept, said, keys, ledger_key))
            said = later
        self._events += drafts

    def answer(self, walk: CommandWalk, answer: StoredAnswer) -> None:
        """Draft what a command is answered under its request id."""
        self._answers.append((walk, answer))

    def finish(self, batch: Batch) -> dict[str, int]:
        """Fill the batch, put the leaves in the outcomes; return by stream how many bytes its events take."""
        grown: dict[str, int] = {}
        encode = self._codec.encode
        for stream, version, event, event_id, _, meta, keys, _ in self._events:
            state = encode(event, event_id=event_id, stream=stream, version=version, meta=meta, keys=keys)
            batch.events.append(stored_event(stream, version, event.TOPIC, state))
            grown[stream] = grown.get(stream, 0) + len(state)
        self._leave(batch)
        for walk, answer in self._answers:
            # Without the leaf, which stands in the ledger, committed with it.
            text = stored_form(answer)
            batch.requests.append(Request(walk.caller.organisation, walk.request_id, walk.content, text))
            if answer.done is not None and batch.leaves:
                # Frozen, but nobody has seen it yet.
                force_setattr(answer.done, "leaf_entry", batch.leaves[answer.done.leaf_index - batch.base])
        return grown

    def _ledger_key(self, event: Event, meta: Meta) -> DataKey | None:
        """Return the key of the leaf's resident. Raises also what the leaf itself would raise."""
        refuse_unfit(
            meta.organisation,
            meta.legal_basis,
            meta.task,
            meta.purpose,
            event.TOPIC,
            len(event.COMMITTED),
            bool(event.resident),
            meta.signed is not None,
        )
        return self._keys.obtain(event.resident, LEDGER_CATEGORY) if event.resident else None

    def _leave(self, batch: Batch) -> None:
        """Build the leaves, and give them to the batch."""
        said: Meta | None = None
        alike: Alike
        for (_, _, event, event_id, kept, meta, _, key), stored in zip(
            self._events, batch.events, strict=True
        ):
            if meta is not said:
                # The events of one walk come one after another.
                said, alike = meta, _alike(meta)
            pseudonym: bytes | None = None
            fields: Sequence[bytes] = ()
            if key is not None:
                apart = is_kept_apart(event, meta, kept) or meta.apart
                pseudonym = event_pseudonym(key.ledger_key_apart if apart else key.ledger_key, event_id)
                if event.COMMITTED:
                    fields = _commitments(event, event_id, key)
            batch.leaves.append(entry_of(alike, event_id, event.TOPIC, stored.state, pseudonym, fields))


def _alike(meta: Meta) -> Alike:
    """Return what all leaves of a walk have alike; its time is in UTC."""
    return alike_in(
        organisation=meta.organisation,
        task=meta.task,
        purpose=meta.purpose,
        basis=meta.legal_basis,
        at=_microseconds(meta.at),
        signed=meta.signed,
    )


def _microseconds(at: datetime) -> str:
    """Return a moment in UTC as `isoformat` writes it with six digits and Z, in a tenth of the time."""
    text = _encode(at).decode()[1:-2]  # RFC 3339 in quotes; of a whole second without a fraction
    return f"{text}Z" if len(text) > _WHOLE_SECOND else f"{text}.000000Z"


def _commitments(event: Event, event_id: bytes, key: DataKey) -> tuple[bytes, ...]:
    """Return a commitment to each field of the event that can be shown, as it is stored."""
    return tuple(
        commit_field(key.field_salt(event_id, name), name, to_builtins(getattr(event, name)))
        for name in event.COMMITTED
    )
