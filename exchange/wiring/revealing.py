"""One field of one event, with the salt that shows it: for who may see it, from a data folder.

Promises: only a field its event commits to; nothing else of the event; nothing of a resident whose keys are
destroyed. Nothing is written, and nobody is asked: whoever runs this holds the key folder.
Source: design of the ledger, section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from exchange.errors import LedgerDiffers, RequestInvalid
from exchange.keys.datakey import LEDGER_CATEGORY
from exchange.ledger.commitments import ShownField, commit_field
from exchange.ledger.leaf import parse_leaf
from exchange.ledger.receipt import parse_receipt
from exchange.wiring.history import open_history
from exchange.wiring.ledger import published_receipt

if TYPE_CHECKING:
    from exchange.keys.keystore import KeyStore
    from exchange.settings import Settings


def reveal(settings: Settings, index: int, name: str) -> ShownField:
    """Return a field of the event of leaf `index`.

    Raises RequestInvalid for a leaf or field that is not there, KeyDestroyed, KeyUnavailable, SettingsInvalid
    where no service ran, Unavailable before the first checkpoint, LedgerDiffers where leaf and event differ.
    """
    _, proof = published_receipt(settings, index)
    with open_history(settings) as history:
        # The leaf of position p has index p - 1.
        row = next(iter(history.reader.page(index, 1)), None)
        if row is None:
            raise LedgerDiffers("the store does not hold the event of this leaf", leaf=str(index))
        opened = history.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        event = opened.event
        if name not in event.COMMITTED:
            told = ", ".join(event.COMMITTED) or "none"
            raise RequestInvalid(f"{event.TOPIC} commits to: {told}", {"FIELD": "is not committed to"})
        value = msgspec.to_builtins(getattr(event, name))
        bound = parse_leaf(parse_receipt(proof).extra).fields
        if not bound:
            raise RequestInvalid(
                "this leaf is of before fields were committed to", {"INDEX": "commits to none"}
            )
        for salt in _salts(history.keys, event.resident, opened.event_id, name):
            if commit_field(salt, name, value) in bound:
                return ShownField(index, name, value, salt, proof)
    raise LedgerDiffers("no key of this resident opens the commitment of this field", leaf=str(index))


def _salts(keys: KeyStore, resident: str, event_id: bytes, name: str) -> list[bytes]:
    """Return the salt under each version of the key, newest first: a leaf does not say which it was."""
    newest = keys.obtain(resident, LEDGER_CATEGORY)
    older = (keys.open_key(resident, LEDGER_CATEGORY, one) for one in range(newest.version - 1, 0, -1))
    return [key.field_salt(event_id, name) for key in (newest, *older)]
