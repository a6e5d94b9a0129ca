"""What opened a log: its first leaf and the event behind it name how the former log ended.

Promises: nothing is believed of the event but what the leaf's hash of it stands for; a log that begins with
such a leaf is read with the event, or not at all. The event is the operator's own and about nobody.
Source: exchange/decisions/0072-one-log-a-year.md; RFC 8259 (JSON).
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.errors import ProofInvalid
from exchange.ledger.checkpoint import are_years_of_one
from exchange.ledger.leaf import parse_leaf
from exchange.ledger.merkle import HASH_BYTES, SIZE_MAX

if TYPE_CHECKING:
    from exchange.ledger.checkpoint import Checkpoint

OPENED_TOPIC: Final = "ledger.opened.v1"
OPENING_BYTES_MAX: Final = 64 * 1024
_MARK: Final = b'"t":"ledger.opened.v1","v":1}'
_is_root = re.compile(rf"[0-9a-f]{{{2 * HASH_BYTES}}}", re.ASCII).fullmatch


class Former(NamedTuple):
    """The log before: its name, and the size and root it ended with; `first` is where the next one begins."""

    origin: str
    size: int
    root: bytes
    first: int

    def is_end(self, head: Checkpoint) -> bool:
        """Tell whether a checkpoint is the end of that log."""
        return (head.origin, head.size, head.root) == (self.origin, self.size, self.root)


def opens_a_log(entry: bytes) -> bool:
    """Tell whether a leaf is of the event that opens a log."""
    return entry.endswith(_MARK)


def read_opening(event: bytes, entry: bytes, origin: str, place: str) -> Former:
    """Return what opened the log `origin`; `entry` is its first leaf. Raises ProofInvalid naming `place`."""
    leaf = parse_leaf(entry, place)
    if leaf.topic != OPENED_TOPIC or leaf.state_hash != sha256(event).digest():
        raise ProofInvalid("this is not the event that the first leaf is of", place=place)
    try:
        said: Any = json.loads(event.decode())["d"]  # in UTF-8 alone
        numbers, names = (said["former_size"], said["first"]), (said["origin"], said["former_origin"])
        root = said["former_root"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProofInvalid("the event that opened the log cannot be read", place=place) from None
    # As they were written, and never what could be made of them: each verifier has to read the same.
    if {type(one) for one in numbers} != {int} or {type(one) for one in (root, *names)} != {str}:
        raise ProofInvalid("the event that opened the log cannot be read", place=place)
    (size, first), (named, former) = numbers, names
    if named != origin or not are_years_of_one(named, former) or former > named or not _is_root(root):
        raise ProofInvalid("the event opens another log than this one", place=place)
    if not 0 < size <= first <= SIZE_MAX:
        raise ProofInvalid("the event tells of a former log that cannot be", place=place)
    return Former(former, size, bytes.fromhex(root), first)
