"""Receipts: proof for a counterparty that its entry is in the log, to be checked without us.

Promises: a receipt verifies with nothing but itself and a policy obtained elsewhere; the entry rides in the
extra line, which is trusted only because its hash climbs to the signed root. Its checkpoint carries the log's
line on Ed25519 and every cosignature, and not the log's line on ML-DSA-44, unless it was asked whole: that
line is longer than all the rest, and stands under the same text in the published checkpoint.
Source: c2sp.org/tlog-proof@v1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid
from exchange.ledger.checkpoint import Policy, SignedCheckpoint, parse_size
from exchange.ledger.merkle import HASH_BYTES, hash_leaf, inclusion_proof, verify_inclusion
from exchange.ledger.note import NOTE_BYTES_MAX, decode_base64, encode_base64, is_long, parse_note

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE: Final = "receipt"
_HEADER: Final = "c2sp.org/tlog-proof@v1"
_PATH_HASHES_MAX: Final = 63
_EXTRA_BYTES_MAX: Final = 64 * 1024
RECEIPT_BYTES_MAX: Final = NOTE_BYTES_MAX + 2 * _EXTRA_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Receipt:
    """A parsed receipt, nothing verified. `extra` is the entry, or empty when it travels apart."""

    extra: bytes
    index: int
    path: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True, slots=True)
class Proven:
    """What a verified receipt says: this entry is leaf `index` of the log `origin`, seen at `size`."""

    origin: str
    size: int
    root: bytes
    index: int
    entry: bytes


def make_receipt(
    index: int,
    signed: SignedCheckpoint,
    read_hash: Callable[[int, int], bytes],
    entry: bytes = b"",
    *,
    whole: bool = False,
) -> bytes:
    """Return the `.tlog-proof` of leaf `index` under `signed`; with `entry` it needs no second file.

    `whole`: with the log's line on ML-DSA-44, for who asks both of its keys; 3.3 kB more.
    """
    path = inclusion_proof(index, signed.checkpoint.size, read_hash)
    if entry:
        # Never hand out what its receiver would refuse.
        verify_inclusion(index, signed.checkpoint.size, hash_leaf(entry), path, signed.checkpoint.root)
    lines = [
        _HEADER,
        *([f"extra {encode_base64(entry)}"] if entry else []),
        f"index {index}",
        *map(encode_base64, path),
    ]
    return "\n".join(lines).encode() + b"\n\n" + (signed.note if whole else short_note(signed.note))


def short_note(note: bytes) -> bytes:
    """Return a checkpoint without the log's own line on ML-DSA-44; whatever else there is stays as it is."""
    parsed = parse_note(note, f"{PLACE} checkpoint")
    origin = parsed.text.partition("\n")[0]
    return parsed.with_lines(line for line in parsed.signatures if line.name != origin or not is_long(line))


def parse_receipt(proof: bytes) -> Receipt:
    """Read a `.tlog-proof`. Raises ProofInvalid."""
    if len(proof) > RECEIPT_BYTES_MAX:
        raise ProofInvalid("the receipt is too large", place=PLACE)
    head, blank, note = proof.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ProofInvalid("the receipt is not ASCII above its checkpoint", place=PLACE) from None
    if lines.pop(0) != _HEADER or not blank or not lines:
        raise ProofInvalid("not a receipt of version 1", place=PLACE)
    extra = b""
    if lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "), PLACE)
    if not lines or not lines[0].startswith("index "):
        raise ProofInvalid("the receipt has no index line", place=PLACE)
    index = parse_size(lines.pop(0).removeprefix("index "), PLACE)
    if len(lines) > _PATH_HASHES_MAX:
        raise ProofInvalid("the inclusion proof is too long", place=PLACE)
    path = tuple(decode_base64(line, PLACE) for line in lines)
    if any(len(value) != HASH_BYTES for value in path):
        raise ProofInvalid("a proof hash is not 32 bytes", place=PLACE)
    return Receipt(extra, index, path, note)


def verify_receipt(entry: bytes | None, proof: bytes, policy: Policy) -> Proven:
    """Check that the log proves `entry`; None takes the one the receipt carries. Raises ProofInvalid."""
    receipt = parse_receipt(proof)
    if entry is None:
        entry = receipt.extra
    elif receipt.extra and receipt.extra != entry:
        raise ProofInvalid("the receipt carries another entry than the one shown", place=PLACE)
    if not entry:
        raise ProofInvalid("the receipt carries no entry and none was shown", place=PLACE)
    head = policy.accept(receipt.note, place=f"{PLACE} checkpoint")
    verify_inclusion(receipt.index, head.size, hash_leaf(entry), receipt.path, head.root)
    return Proven(head.origin, head.size, head.root, receipt.index, entry)
