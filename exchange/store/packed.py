"""The sealed words of a decision as they are stored: the names of its fields once, and of each what became.

Promises: what is read back is what was to be stored, to the letter, or it is stored as it came; packed or
not is told by the first bytes. The same steps whatever was released.
Source: exchange/decisions/0194-what-fields-share-is-told-once.md.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import compress
from operator import not_
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.domain.asked_fields import NAME, listed
from exchange.domain.disclosure import DisclosureDecided

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Pack = Callable[[Mapping[str, Any]], msgspec.Raw | Mapping[str, Any]]
    Unpack = Callable[[bytes], dict[str, Any]]

# A request that tells its fields by kinds begins so, and its fields end where it tells which are sealed.
ASKED: Final = '{"asked":'
BEHIND_ASKED: Final = ',"sealed":['
_PACKED: Final = b'{"passes":'
# By whether a field passed; permanent.
_MARKS: Final = "-+"
NAMES_KEPT_MAX: Final = 1_024
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_as_it_is = msgspec.json.Decoder(msgspec.Raw).decode


class _Packed(msgspec.Struct, forbid_unknown_fields=True):
    passes: str
    request: msgspec.Raw
    subject: str


_decode_packed = msgspec.json.Decoder(_Packed).decode


def _pack(words: Mapping[str, Any]) -> msgspec.Raw | Mapping[str, Any]:
    request, released, withheld = words["request"], words["released"], words["withheld"]
    if not request.startswith(ASKED):
        return words
    try:
        names = _names_of(request.partition(BEHIND_ASKED)[0])
        whole = bytes(_as_it_is(request)) == request.encode()
    except (ValueError, TypeError, AttributeError):
        # Nothing of ours: kept as it is.
        return words
    passes = [*map(frozenset(released).__contains__, names)]
    if not (
        whole
        and tuple(compress(names, passes)) == released
        and tuple(compress(names, map(not_, passes))) == withheld
    ):
        return words
    told = _Packed("".join(map(_MARKS.__getitem__, passes)), msgspec.Raw(request), words["subject"])
    return msgspec.Raw(_encode(told))


def _unpack(opened: bytes) -> dict[str, Any]:
    if not opened.startswith(_PACKED):
        words: dict[str, Any] = _decode(opened)
        return words
    packed = _decode_packed(opened)
    request = bytes(packed.request).decode()
    try:
        names = _names_of(request.partition(BEHIND_ASKED)[0])
    except (TypeError, AttributeError) as error:
        raise ValueError("what was asked is not of its form") from error
    passes = [*map(_MARKS.index, packed.passes)]
    if len(passes) != len(names):
        raise ValueError("as many marks as fields")
    return {
        "request": request,
        "subject": packed.subject,
        "released": tuple(compress(names, passes)),
        "withheld": tuple(compress(names, map(not_, passes))),
    }


# By what was asked, nothing of which is about one resident: few ask alike.
@lru_cache(maxsize=NAMES_KEPT_MAX)
def _names_of(asked: str) -> tuple[str, ...]:
    """Return the names of the fields. Raises ValueError, TypeError or AttributeError."""
    return tuple(one[NAME] for one in listed(_decode(asked.removeprefix(ASKED))))


PACKS: Final[Mapping[str, Pack]] = MappingProxyType({DisclosureDecided.TOPIC: _pack})
UNPACKS: Final[Mapping[str, Unpack]] = MappingProxyType({DisclosureDecided.TOPIC: _unpack})
