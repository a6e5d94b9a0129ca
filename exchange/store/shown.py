"""The committed fields of a stored event, each with the salt that shows it.

Promises: a field is given only with a salt that opens its commitment in that leaf, so that nobody is handed
what nobody would take; a leaf of before fields were committed to, or of an older shape of the event, gives
none.
Source: design of the ledger, section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from exchange.ledger.commitments import commit_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.store.codec import Codec, Opened


class Committed(NamedTuple):
    """One field as its commitment holds it: days and moments are texts. `salt` is 32 bytes."""

    name: str
    value: object
    salt: bytes


def committed_fields(codec: Codec, opened: Opened, bound: tuple[bytes, ...]) -> Iterator[Committed]:
    """Yield the fields that `bound`, the commitments of the event's leaf, hold.

    Raises KeyDestroyed or KeyUnavailable.
    """
    event = opened.event
    for name in event.COMMITTED if bound else ():
        value = msgspec.to_builtins(getattr(event, name))
        # The leaf does not say under which version of the key it was made.
        for salt in codec.field_salts(event.resident, opened.event_id, name):
            if commit_field(salt, name, value) in bound:
                yield Committed(name, value, salt)
                break
