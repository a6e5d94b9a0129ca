"""Stored events read straight into what happened: one reading for each topic, without a map in between.

Promises: what is read so is what the codec makes of the same bytes. Whatever is not of the one shape that
this version writes is left to the codec, which reads or refuses it.
Source: exchange/decisions/0089-the-first-look.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime  # noqa: TC003 -- msgspec reads the annotations of its structs at run time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, get_type_hints

import msgspec

from exchange.domain import TOPICS
from exchange.domain.kernel import gathered
from exchange.keys.sealing import opener
from exchange.store.upcasts import UPCASTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.domain.kernel import Event
    from exchange.keys.keystore import KeyStore

# As `Stored` of the codec names them.
_NAMES: Final = {"organisation": "o", "task": "k", "clear": "d", "resident": "r", "sealed": "s"}
_RESIDENT: Final = "resident"
_Part = tuple[str, int, bytes]  # as `Sealed` of the codec
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


class Told(msgspec.Struct, gc=False, kw_only=True, rename=_NAMES):
    """What a fold asks of what is stored: what happened, when that was recorded, by whom."""

    id: str
    at: datetime
    organisation: str
    task: str
    clear: dict[str, Any]  # a map; to a `Reading` a struct
    resident: str = ""
    sealed: tuple[_Part, ...] = ()  # one, or none, to a `Reading`


class Reading(NamedTuple):
    """How the events of one topic are read."""

    told: Callable[[bytes], Told]
    words: Callable[[bytes], Any]  # of its sealed part
    made: Callable[..., Event]  # of the told, its clear part and, None where there is none, its words


class Openers(dict[tuple[str, str, str, int], Callable[[bytes, int, bytes], bytes]]):
    """What opens the parts of one stream, by topic, resident, category and version of the key.

    For one reading only, and to be cleared once an erasure began. Raises as the key store does.
    """

    def __init__(self, keys: KeyStore, stream: str) -> None:
        self._keys = keys
        self._stream = stream

    def __missing__(self, name: tuple[str, str, str, int]) -> Callable[[bytes, int, bytes], bytes]:
        """Return what opens them from now on."""
        topic, resident, category, version = name
        key = self._keys.open_key(resident, category, version)
        opens = self[name] = opener(key, self._stream, topic, category)
        return opens


def _reading(kind: type[Event]) -> Reading:
    own = [field.name for field in fields(kind)]
    resident = [name for name in own if name == _RESIDENT]
    sealed = [name for name in own if name in kind.SEALED]
    clear = [name for name in own if name not in kind.SEALED and name != _RESIDENT]
    shape: list[tuple[str, Any]] = [("clear", _struct(kind, clear))]
    if sealed:
        shape.append(("sealed", tuple[_Part]))
    told: Any = msgspec.defstruct(
        f"Told{kind.__name__}", shape, bases=(Told,), rename=_NAMES, gc=False, kw_only=True
    )
    return Reading(
        msgspec.json.Decoder(told).decode,
        msgspec.json.Decoder(_struct(kind, sealed)).decode,
        gathered(kind, resident, clear, sealed),
    )


def _struct(kind: type[Event], names: Iterable[str]) -> type[msgspec.Struct]:
    """Return some fields of an event as a shape: all of them must be there, and nothing else may.

    In the order in which the codec writes them: so they are found soonest.
    """
    hints = get_type_hints(kind)
    return msgspec.defstruct(
        kind.__name__, [(name, hints[name]) for name in names], forbid_unknown_fields=True, gc=False
    )


def reader_without(kind: type[_Shape], *names: str) -> Callable[[bytes], _Shape]:
    """Return what reads JSON of a shape without some of its parts: these are passed over."""
    parts = [
        (one.name, one.type) if one.required else (one.name, one.type, one.default)
        for one in msgspec.structs.fields(kind)
        if one.name not in names
    ]
    left: Any = msgspec.defstruct(f"{kind.__name__}Without", parts)
    read: Callable[[bytes], _Shape] = msgspec.json.Decoder(left).decode
    return read


class _Readings(dict[str, Reading]):
    """By topic, each made when it is first asked: a process reads a few of them."""

    def __missing__(self, topic: str) -> Reading:
        """Raise KeyError for a topic of which there is none: of events that are read as later ones."""
        if topic in UPCASTS:
            # That takes a map.
            raise KeyError(topic)
        reading = self[topic] = _reading(TOPICS[topic])
        return reading


READINGS: Final = _Readings()
