"""Where an event stands and whom its stream is linked to, held against what the event says itself.

A leaf binds the bytes of an event and its number, and not the stream it stands in, nor which streams are a
resident's: who writes in the tables could move a withdrawal to another consent. Promises: told from the clear
words alone, without a key. A cursor, a count and a table say no key of their own: of them the kind is held.
Source: the design of the ledger, promise 1; GDPR 5(1)(f).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.domain.kernel import STREAM_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.store.batch import Row
    from exchange.store.ports import Scope

OF_RESIDENT: Final = "resident"
OF_NOBODY_KNOWN: Final = "unknown"
OF_QUESTIONS: Final = "disclosure"
# What the key of a stream is called in its events, where it is not <kind>_id.
KEYS: Final = {
    **dict.fromkeys(("organisation", "ledger", "service_keys"), "oin"),
    "legal_basis": "basis_id",
    "delivery": "subscription_id",
}


class Said(msgspec.Struct):
    """What an event says in the clear: its id, its resident, its words."""

    id: str
    r: str = ""
    d: dict[str, Any] = {}


said_in = msgspec.json.Decoder(Said).decode


def stands_in_its_own(stream: str, topic: str, said: Said) -> bool:
    """Tell whether an event is in the stream that its topic and words name."""
    kind, _, key = stream.partition(STREAM_SEPARATOR)
    if topic.partition(".")[0] != kind:
        return False
    if kind in {OF_RESIDENT, OF_QUESTIONS}:
        return key == (said.r or OF_NOBODY_KNOWN)
    own = said.d.get(KEYS.get(kind, f"{kind}_id"))
    # What an organisation names itself stands behind its number.
    return own is None or key == own or key.endswith(f"/{own}")


class Links:
    """The streams of each resident as their first events tell them, while the events are read in order."""

    def __init__(self) -> None:
        self._streams: dict[str, dict[str, int]] = {}  # by resident: stream, and where it begins
        self._whose: dict[str, str] = {}

    def add(self, row: Row, said: Said) -> None:
        """Take over a stream that begins with this event and is about somebody."""
        kind = row.stream.partition(STREAM_SEPARATOR)[0]
        if row.version == 1 and said.r and kind not in {OF_RESIDENT, OF_QUESTIONS}:
            self._streams.setdefault(said.r, {})[row.stream] = row.position
            self._whose[row.stream] = said.r

    def differences(self, scope_of: Callable[[str], Scope]) -> Iterator[tuple[int, str]]:
        """Yield where the links in the store are others: of everybody who is in an event."""
        for resident, own in self._streams.items():
            linked = set(scope_of(resident).streams)
            for stream, position in own.items():
                if stream not in linked:
                    yield position, "a stream of a resident is not linked to him"
            for stream in linked - own.keys():
                # One that began since is nobody's here.
                if self._whose.get(stream, resident) != resident:
                    yield self._streams[self._whose[stream]][stream], "a stream is linked to somebody else"
