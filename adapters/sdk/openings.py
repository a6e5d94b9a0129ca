"""How a log of a new year begins: its first leaf is of an event that names the end of the log before.

Shares no code with the exchange. Promises: the event is believed only as far as the leaf holds its hash;
anything else raises ProofRefused(opening).
Source: RFC 8259 (JSON); the ledger's design, one log for each municipality and year.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from adapters.sdk.proofs import HASH_BYTES, SIZE_MAX, Checkpoint, ProofRefused
from adapters.sdk.trust import years_apart

if TYPE_CHECKING:
    from adapters.sdk.calls import Blocking, LedgerCalls
    from adapters.sdk.trust import Trust

TOPIC: Final = "ledger.opened.v1"
_PLACE: Final = "opening"
_ROOT: Final = re.compile(rf"[0-9a-f]{{{2 * HASH_BYTES}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Opening:
    """The end of the log before, and the number of this log's first leaf among all of the shard."""

    former: Checkpoint
    first: int


def proven_first(ledger: LedgerCalls[Blocking], trust: Trust, origin: str) -> int:
    """Return the number of a log's first leaf, as that leaf proves it. Raises ProofRefused."""
    answer = ledger.get_checkpoint(origin=origin)
    if not answer.HasField("opening"):
        return 0
    entry = answer.opening.entry
    opening = read_opening(answer.opening.event, entry, origin)
    proof = ledger.get_receipt(leaf_index=opening.first).tlog_proof
    shown = trust.verify_log(proof.partition("\n\n")[2]).checkpoint.origin
    if (shown, trust.verify_receipt(entry, proof)) != (origin, 0):
        raise ProofRefused(_PLACE, "is not the first leaf of its log")
    return opening.first


def opens_a_log(entry: bytes) -> bool:
    """Tell whether a leaf says that it opens a log."""
    try:
        said = json.loads(entry)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("t") == TOPIC


def read_opening(event: bytes, entry: bytes, origin: str) -> Opening:
    """Return what `event`, whose leaf `entry` is, says of the log `origin`. Raises ProofRefused(opening)."""
    if not opens_a_log(entry) or json.loads(entry).get("ct") != sha256(event).hexdigest():
        raise ProofRefused(_PLACE, "is not what the first leaf is of")
    try:
        told = json.loads(event.decode())["d"]  # in UTF-8 alone
        name, before, root = told["origin"], told["former_origin"], told["former_root"]
        size, first = told["former_size"], told["first"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProofRefused(_PLACE, "cannot be read") from None
    if {type(one) for one in (name, before, root)} != {str} or {type(size), type(first)} != {int}:
        raise ProofRefused(_PLACE, "cannot be read")
    if name != origin or not years_apart(before, name) or before > name:
        raise ProofRefused(_PLACE, "opens another log than this one")
    if not _ROOT.fullmatch(root) or not 0 < size <= first <= SIZE_MAX:
        raise ProofRefused(_PLACE, "names an end that no log can have")
    return Opening(Checkpoint(before, size, bytes.fromhex(root)), first)
