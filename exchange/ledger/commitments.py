"""Field commitments: one field of an event, bound in its leaf, shown to somebody by one salt.

Promises: without its salt a commitment tells nothing of the value, however few values there are; with it
the value is bound, and its name with it; the salt of one field opens no other.
Source: design of the ledger, section 2; RFC 8785 (JSON, for texts, whole numbers, truths, null and lists).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import ProofInvalid
from exchange.ledger.leaf import Leaf, parse_leaf
from exchange.ledger.receipt import RECEIPT_BYTES_MAX, Proven, verify_receipt

if TYPE_CHECKING:
    from exchange.ledger.checkpoint import Policy

SALT_BYTES: Final = 32
SHOWN_BYTES_MAX: Final = RECEIPT_BYTES_MAX + 128 * 1024
PLACE: Final = "field"
_TAG: Final = b"fc1\0"
_KEYS: Final = frozenset({"index", "name", "value", "salt", "tlog_proof"})
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def commit_field(salt: bytes, name: str, value: object) -> bytes:
    """Return SHA-256("fc1", a zero byte, salt, JSON [name, value]); `value` as JSON holds it, dates as texts.

    `salt` is 32 bytes. Raises UnicodeEncodeError, TypeError or ValueError for what has no JSON in UTF-8.
    """
    return sha256(_TAG + salt + _encode([name, value]).encode()).digest()


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field as it is shown to somebody, nothing verified. `proof` is the `.tlog-proof` of its leaf."""

    index: int
    name: str
    value: object
    salt: bytes
    proof: bytes

    def text(self) -> str:
        """Return the JSON that `parse_shown` reads."""
        said = {"index": self.index, "name": self.name, "value": self.value, "salt": self.salt.hex()}
        return _encode(said | {"tlog_proof": self.proof.decode()})


def parse_shown(text: bytes) -> ShownField:
    """Read a shown field. Raises ProofInvalid."""
    try:
        said: Any = json.loads(text) if len(text) <= SHOWN_BYTES_MAX else None
        if not isinstance(said, dict) or said.keys() != _KEYS:
            raise ProofInvalid("not a shown field: index, name, value, salt and tlog_proof", place=PLACE)
        salt = bytes.fromhex(said["salt"])
        shown = ShownField(said["index"], said["name"], said["value"], salt, said["tlog_proof"].encode())
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise ProofInvalid("the shown field is not the JSON it should be", place=PLACE) from None
    if type(shown.index) is not int or not isinstance(shown.name, str) or len(shown.salt) != SALT_BYTES:
        raise ProofInvalid("a shown field has a whole index, a name and a salt of 32 bytes", place=PLACE)
    return shown


def verify_field(shown: ShownField, policy: Policy) -> tuple[Proven, Leaf]:
    """Check that the log proves this value of this field, in this leaf. Raises ProofInvalid."""
    proven = verify_receipt(None, shown.proof, policy)
    if proven.index != shown.index:
        raise ProofInvalid("the receipt is of another leaf than the field", place=PLACE)
    leaf = parse_leaf(proven.entry, PLACE)
    try:
        commitment = commit_field(shown.salt, shown.name, shown.value)
    except (ValueError, TypeError, RecursionError):
        raise ProofInvalid("the value has no JSON of its own", place=PLACE) from None
    if commitment not in leaf.fields:
        raise ProofInvalid("the leaf holds no commitment to this name, value and salt", place=PLACE)
    return proven, leaf
