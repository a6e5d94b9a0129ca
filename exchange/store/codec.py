"""Stored form of an event: JSON with stable names, personal fields sealed per resident and category.

Promises: bytes are built once and hashed as stored; a sealed part opens only under its own envelope (stream,
version, topic, resident, category, event id); an unknown topic or shape is refused, never guessed.
Source: RFC 8259 (JSON), RFC 4648 (base64 of sealed parts).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime  # noqa: TC003 -- msgspec reads the annotations of its structs at run time
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from exchange.domain import TOPICS
from exchange.errors import HistoryUnreadable, KeyDestroyed
from exchange.keys.datakey import LEDGER_CATEGORY
from exchange.keys.sealing import envelope, open_sealed, seal
from exchange.ledger.leaf import Signed  # noqa: TC001 -- as for datetime
from exchange.store.packed import PACKS, UNPACKS
from exchange.store.typed import READINGS, Openers, Told, reader_without
from exchange.store.upcasts import UPCASTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from exchange.domain.kernel import Event
    from exchange.keys.datakey import DataKey
    from exchange.keys.keystore import KeyStore
    from exchange.store.batch import Row

EVENT_ID_BYTES: Final = 16
NECESSITY_CATEGORY: Final = "LOG"


class Asked(msgspec.Struct, array_like=True, frozen=True):
    """What a permitted command asked that no event says: with the streams as of its position, all its facts.

    `marks` are letters, each of them a fact that was so; `anchor` is the stream it was about, "=" where that
    is the event's own; `categories` are those it wrote, sorted. Of a decision: what was asked, no more.
    """

    marks: str
    anchor: str
    categories: tuple[str, ...] = ()


class Meta(msgspec.Struct, frozen=True):
    """What a walk says of all its events: who, for what, on which basis, by which decision."""

    at: datetime
    organisation: str
    task: str
    professional: str
    purpose: str
    legal_basis: str  # "WMO-2.3.2@1": the entry and version that let it happen
    decision_id: str
    policy_hash: str
    facts_position: int
    necessity: str = ""
    trace: str = ""  # "<trace id>-<span id>" of W3C Trace Context, where the caller told one
    evaluated: str = ""  # JSON: whose right was asked about and what was told; nothing of the resident
    asked: Asked | None = None  # in a decision; else in the first event of its permitted command
    answered: str = ""  # "GIVEN" or "NOTHING", where the caller was answered otherwise than the record says
    signed: Signed | None = None  # stands in the leaf, not in the event
    apart: bool = False  # in neither: the resident's own key does not find the leaf, whatever the event says


class Sealed(msgspec.Struct, array_like=True, gc=False):
    """One ciphertext: category, key version, nonce and ciphertext."""

    category: str
    key_version: int
    box: bytes


class Stored(msgspec.Struct, omit_defaults=True):
    """One event as stored. Names are permanent."""

    id: str
    at: datetime
    o: str
    k: str
    w: str
    p: str
    b: str
    g: tuple[str, str, int]
    d: dict[str, Any]
    r: str = ""
    s: list[Sealed] = []
    n: Sealed | None = None
    t: str = ""
    e: str = ""
    j: Asked | None = None
    a: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """One event read back, with what its walk said of it. `necessity` stays sealed unless asked for."""

    event: Event
    event_id: bytes
    meta: Meta


class Outline(msgspec.Struct, frozen=True):
    """What can be told of an event without opening it: whose it is, in which task, sealed under what."""

    resident: str
    task: str
    at: datetime
    legal_basis: str  # "WMO-2.3.2@1"
    parts: tuple[tuple[str, int], ...]  # (category, key version), the necessity's too


class _Outlined(msgspec.Struct):
    at: datetime
    k: str
    b: str
    r: str = ""
    s: list[Sealed] = []
    n: Sealed | None = None


_NAMES: Final = {topic: tuple(field.name for field in fields(kind)) for topic, kind in TOPICS.items()}
_SHAPES: Final = {topic: (kind, frozenset((*_NAMES[topic], "resident"))) for topic, kind in TOPICS.items()}
_Shape = TypeVar("_Shape", Stored, Told)


@cache
def _clear_names(topic: str, sealed: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in _NAMES[topic] if name not in sealed and name != "resident")


_encode = msgspec.json.Encoder().encode
_decode_stored = msgspec.json.Decoder(Stored).decode
_decode_unsealed = reader_without(Stored, "s", "n")
_decode_outline = msgspec.json.Decoder(_Outlined).decode
_convert = msgspec.convert
_decode_told = msgspec.json.Decoder(Told).decode
_decode_map = msgspec.json.Decoder(dict[str, Any]).decode


class Codec:
    """Turns events into stored bytes and back. Safe between threads: it holds no state but the key store."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def keys_of(self, event: Event, meta: Meta) -> dict[str, DataKey]:
        """Return the keys an event is sealed under, by category; those not there yet are made.

        They are pending until the key store's flush. Raises KeyDestroyed or KeyUnavailable.
        """
        resident, obtain = event.resident, self._keys.obtain
        named = dict.fromkeys(event.sealed_fields().values())
        keys = {category: obtain(resident, category) for category in named}
        if meta.necessity and resident and NECESSITY_CATEGORY not in keys:
            keys[NECESSITY_CATEGORY] = obtain(resident, NECESSITY_CATEGORY)
        return keys

    def encode(
        self,
        event: Event,
        *,
        event_id: bytes,
        stream: str,
        version: int,
        meta: Meta,
        keys: Mapping[str, DataKey] | None = None,
    ) -> bytes:
        """Return the stored bytes, sealed under what `keys_of` returns."""
        keys = self.keys_of(event, meta) if keys is None else keys
        kind = type(event)
        resident = event.resident
        sealed_in = event.sealed_fields()
        clear = {name: getattr(event, name) for name in _clear_names(kind.TOPIC, tuple(sealed_in))}
        stored = Stored(
            id=event_id.hex(),
            at=meta.at,
            o=meta.organisation,
            k=meta.task,
            w=meta.professional,
            p=meta.purpose,
            b=meta.legal_basis,
            g=(meta.decision_id, meta.policy_hash, meta.facts_position),
            d=clear,
            r=resident,
            t=meta.trace,
            e=meta.evaluated,
            j=meta.asked,
            a=meta.answered,
        )
        place = (stream, version, kind.TOPIC, event_id)
        if sealed_in:
            parts: dict[str, dict[str, Any]] = {}
            for name, category in sealed_in.items():
                parts.setdefault(category, {})[name] = getattr(event, name)
            pack = PACKS.get(kind.TOPIC, dict)
            stored.s = [_seal(keys[category], pack(part), place) for category, part in parts.items()]
        if meta.necessity and resident:
            stored.n = _seal(keys[NECESSITY_CATEGORY], meta.necessity, place, label="necessity")
        return _encode(stored)

    def decode(self, state: bytes, *, stream: str, version: int, topic: str) -> Opened:
        """Open stored bytes. Raises HistoryUnreadable, KeyDestroyed, KeyUnavailable or SealBroken."""
        stored, event_id = _parse(_decode_stored, state, stream, topic)
        data = stored.d
        data["resident"] = stored.r
        for part in stored.s:
            data |= _words(self._open(stored.r, part, (stream, version, topic, event_id)), topic, stream)
        return Opened(_build(topic, data, stream), event_id, _meta_of(stored))

    def read(self, stream: str, rows: Iterable[Row]) -> Iterator[tuple[Row, Event | None, Told]]:
        """Open the events of one stream, one by one, for a fold: None in the place of one that was erased.

        It refuses what `decode` refuses of what it looks at: what no fold asks, such as the necessity, is
        passed over. Raises HistoryUnreadable, KeyUnavailable or SealBroken.
        """
        keys, erasures = self._keys, self._keys.erasures
        openers = Openers(keys, stream)
        for row in rows:
            _, _, version, topic, state = row
            if erasures != keys.erasures:
                openers.clear()
                erasures = keys.erasures
            try:
                tells, words_of, made = READINGS[topic]
                told = tells(state)
                event_id = bytes.fromhex(told.id)
                if len(event_id) != EVENT_ID_BYTES:
                    raise _unknown_shape(topic, stream)
                words = None
                for category, key_version, box in told.sealed:
                    opens = openers[topic, told.resident, category, key_version]
                    words = words_of(opens(box, version, event_id))
                event: Event | None = made(told, told.clear, words)
            except KeyDestroyed:
                # Of its categories one was erased: it says nothing any more.
                event = None
            except (KeyError, ValueError):
                # Of a shape that is not written today: read, or refused, as `decode` does.
                event, told = _by_maps(row, openers)
            yield row, event, told

    @staticmethod
    def decode_clear(state: bytes, *, stream: str, topic: str) -> tuple[Mapping[str, Any], Meta, bytes]:
        """Read only what is not sealed: the clear fields, the walk's words, the event id."""
        stored, event_id = _parse(_decode_unsealed, state, stream, topic)
        return stored.d | ({"resident": stored.r} if stored.r else {}), _meta_of(stored), event_id

    def is_erased(self, resident: str) -> bool:
        """Tell whether all keys of this resident were destroyed: what is stored is about nobody then."""
        return self._keys.is_destroyed(resident)

    @property
    def erasures(self) -> int:
        """How many erasures began here since the start: nothing opened before one is used after it."""
        return self._keys.erasures

    @staticmethod
    def outline(state: bytes, *, stream: str, topic: str) -> Outline:
        """Return what is told without opening anything, quickly. Raises HistoryUnreadable."""
        try:
            told = _decode_outline(state)
        except ValueError as error:
            raise _unknown_shape(topic, stream) from error
        sealed = told.s if told.n is None else [*told.s, told.n]
        return Outline(
            told.r, told.k, told.at, told.b, tuple((part.category, part.key_version) for part in sealed)
        )

    def standing(self, outline: Outline) -> frozenset[str]:
        """Return the categories of an event's parts whose keys were not destroyed."""
        gone = self._keys.destroyed_up_to
        return frozenset(name for name, version in outline.parts if version > gone(outline.resident, name))

    def categories(self, state: bytes, *, stream: str, topic: str) -> frozenset[str]:
        """Return under which categories an event has words, without opening any; none of the log's own."""
        stored, _ = _parse(_decode_stored, state, stream, topic)
        return frozenset(part.category for part in stored.s) - {NECESSITY_CATEGORY}

    def necessity(self, state: bytes, *, stream: str, version: int, topic: str) -> str:
        """Open the necessity the caller gave; empty where there was none or the resident was erased."""
        stored, event_id = _parse(_decode_stored, state, stream, topic)
        if stored.n is None:
            return ""
        try:
            opened = self._open(stored.r, stored.n, (stream, version, topic, event_id), label="necessity")
        except KeyDestroyed:
            return ""
        try:
            return msgspec.json.decode(opened, type=str)
        except ValueError as error:
            raise _unknown_shape(topic, stream) from error

    def field_salts(self, resident: str, event_id: bytes, name: str) -> Iterator[bytes]:
        """Yield the salt of one field of one event under each version of the resident's key, newest first.

        Raises KeyDestroyed or KeyUnavailable.
        """
        newest = self._keys.obtain(resident, LEDGER_CATEGORY)
        yield newest.field_salt(event_id, name)
        for version in range(newest.version - 1, 0, -1):
            yield self._keys.open_key(resident, LEDGER_CATEGORY, version).field_salt(event_id, name)

    def _open(
        self, resident: str, part: Sealed, place: tuple[str, int, str, bytes], label: str = ""
    ) -> bytes:
        key = self._keys.open_key(resident, part.category, part.key_version)
        stream, version, topic, event_id = place
        return open_sealed(
            key, part.box, envelope(stream, version, topic, resident, label or part.category, event_id)
        )


def _seal(key: DataKey, content: object, place: tuple[str, int, str, bytes], label: str = "") -> Sealed:
    stream, version, topic, event_id = place
    bound = envelope(stream, version, topic, key.resident_ref, label or key.category, event_id)
    return Sealed(key.category, key.version, seal(key, _encode(content), bound))


def _parse(decode: Callable[[bytes], _Shape], state: bytes, stream: str, topic: str) -> tuple[_Shape, bytes]:
    try:
        stored = decode(state)
        event_id = bytes.fromhex(stored.id)
    except ValueError as error:  # msgspec's errors are ValueErrors too
        raise _unknown_shape(topic, stream) from error
    if len(event_id) != EVENT_ID_BYTES:
        raise _unknown_shape(topic, stream)
    return stored, event_id


def _by_maps(row: Row, openers: Openers) -> tuple[Event | None, Told]:
    """Read an event of whatever shape there was: None in its place where it was erased. Raises as `read`."""
    _, stream, version, topic, state = row
    told, event_id = _parse(_decode_told, state, stream, topic)
    data = told.clear
    data["resident"] = told.resident
    try:
        for category, key_version, box in told.sealed:
            opens = openers[topic, told.resident, category, key_version]
            data |= _words(opens(box, version, event_id), topic, stream)
    except KeyDestroyed:
        return None, told
    return _build(topic, data, stream), told


def _words(opened: bytes, topic: str, stream: str) -> dict[str, Any]:
    try:
        return UNPACKS.get(topic, _decode_map)(opened)
    except ValueError as error:
        raise _unknown_shape(topic, stream) from error


def _build(topic: str, data: dict[str, Any], stream: str) -> Event:
    while topic in UPCASTS:
        topic, data = UPCASTS[topic](data)
    shape = _SHAPES.get(topic)
    if shape is None:
        raise HistoryUnreadable("a stored event has an unknown topic", topic=topic, aggregate=_kind(stream))
    kind, known = shape
    # A field this version does not know may change what the others mean: refused, never dropped.
    if not known.issuperset(data):
        raise _unknown_shape(topic, stream)
    try:
        return _convert(data, kind)
    except (msgspec.ValidationError, TypeError) as error:
        raise _unknown_shape(topic, stream) from error


def _unknown_shape(topic: str, stream: str) -> HistoryUnreadable:
    return HistoryUnreadable("a stored event has an unknown shape", topic=topic, aggregate=_kind(stream))


def _meta_of(stored: Stored) -> Meta:
    decision_id, policy_hash, facts_position = stored.g
    return Meta(
        stored.at,
        stored.o,
        stored.k,
        stored.w,
        stored.p,
        stored.b,
        decision_id,
        policy_hash,
        facts_position,
        trace=stored.t,
        evaluated=stored.e,
        asked=stored.j,
        answered=stored.a,
    )


def _kind(stream: str) -> str:
    # Only the aggregate's name: the rest of a stream id may be a resident's ref.
    return stream.partition("-")[0]
