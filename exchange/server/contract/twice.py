"""Fields that a message says twice: protobuf lets the last one win, a door where consent is asked must not.

Promises: a field that holds one value holds one, in the message and in what is nested in it; which of two was
meant is never guessed. Looks at bytes that were parsed before, so it meets no broken ones.
Source: the protobuf encoding (records, wire types); one consent is one purpose (GDPR 4(11), 7).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.errors import RequestInvalid, RequestTooLarge

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

# Each record is looked at on the event loop: no request that asks this has fields for more.
BYTES_MAX: Final = 64 * 1024
_VARINT: Final = 0
_EIGHT_BYTES: Final = 1
_LENGTH: Final = 2
_FOUR_BYTES: Final = 5
_MORE: Final = 0x80


class _Single(NamedTuple):
    name: str
    nested: Descriptor | None


@cache
def _singles(descriptor: Descriptor) -> dict[int, _Single]:
    return {
        field.number: _Single(field.name, field.message_type)
        for field in descriptor.fields
        if not field.is_repeated
    }


def refuse_twice(raw: bytes, descriptor: Descriptor) -> None:
    """Raise RequestInvalid naming the first field that holds one value and is said twice."""
    if len(raw) > BYTES_MAX:
        raise RequestTooLarge("this request is larger than its fields can be", limit=str(BYTES_MAX))
    twice = said_twice(raw, descriptor)
    if twice:
        message = "a field that holds one value is said twice"
        raise RequestInvalid(message, fields={twice: "must be said once: put a question of its own for each"})


def said_twice(raw: bytes, descriptor: Descriptor, path: str = "") -> str:
    """Return the path of the first field that holds one value and is said twice, or nothing."""
    singles = _singles(descriptor)
    seen: set[int] = set()
    at = 0
    while at < len(raw):
        tag, at = _number(raw, at)
        number, kind = tag >> 3, tag & 7
        start, at = _skip(raw, at, kind)
        single = singles.get(number)
        if single is None:
            continue
        if number in seen:
            return path + single.name
        seen.add(number)
        if single.nested is not None and kind == _LENGTH:
            inside = said_twice(raw[start:at], single.nested, f"{path}{single.name}.")
            if inside:
                return inside
    return ""


def _number(raw: bytes, at: int) -> tuple[int, int]:
    """Return a varint and where it ends."""
    value = shift = 0
    while raw[at] & _MORE:
        value |= (raw[at] & ~_MORE) << shift
        shift += 7
        at += 1
    return value | raw[at] << shift, at + 1


def _skip(raw: bytes, at: int, kind: int) -> tuple[int, int]:
    """Return where the value of a record starts and where it ends."""
    if kind == _VARINT:
        return at, _number(raw, at)[1]
    if kind == _LENGTH:
        length, start = _number(raw, at)
        return start, start + length
    if kind == _EIGHT_BYTES:
        return at, at + 8
    # What is left are the groups of long ago, which no message of this contract has: look no further.
    return at, at + 4 if kind == _FOUR_BYTES else len(raw)
