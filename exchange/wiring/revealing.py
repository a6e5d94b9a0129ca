"""One field of one event, with the salt that shows it: for who may see it, from a data folder.

Promises: only a field its event commits to; nothing else of the event; nothing of a resident whose keys are
destroyed. Nothing is written, and nobody is asked: whoever runs this holds the key folder.
Source: design of the ledger, section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.errors import LedgerDiffers, RequestInvalid
from exchange.ledger.commitments import ShownField
from exchange.ledger.leaf import parse_leaf
from exchange.ledger.receipt import parse_receipt
from exchange.store.shown import committed_fields
from exchange.wiring.history import open_history
from exchange.wiring.published import published_receipt

if TYPE_CHECKING:
    from exchange.settings import Settings


def reveal(settings: Settings, index: int, name: str) -> ShownField:
    """Return a field of the event of leaf `index` of the shard; what shows it names its index in its log.

    Raises RequestInvalid for a leaf or field that is not there, KeyDestroyed, KeyUnavailable, SettingsInvalid
    where no service ran, Unavailable before the first checkpoint, LedgerDiffers where leaf and event differ.
    """
    _, proof = published_receipt(settings, index)
    receipt = parse_receipt(proof)
    bound = parse_leaf(receipt.extra).fields
    with open_history(settings) as history:
        # The leaf of position p has index p - 1.
        row = next(iter(history.reader.page(index, 1)), None)
        if row is None:
            raise LedgerDiffers("the store does not hold the event of this leaf", leaf=str(index))
        opened = history.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        committed = opened.event.COMMITTED if bound else ()
        if name not in committed:
            told = ", ".join(committed) or "none"
            raise RequestInvalid(f"{row.topic} commits to: {told}", {"FIELD": "is not committed to"})
        for field in committed_fields(history.codec, opened, bound):
            if field.name == name:
                return ShownField(receipt.index, name, field.value, field.salt, proof)
    raise LedgerDiffers("no key of this resident opens the commitment of this field", leaf=str(index))
