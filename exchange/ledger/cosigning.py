"""The words between a log and a witness: what is asked, and what comes back.

Promises: each side reads only what the protocol allows, in bounded space; a line of a witness is taken only
when it verifies under the key that is known of it.
Source: c2sp.org/tlog-witness (add-checkpoint).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid
from exchange.ledger.checkpoint import parse_size
from exchange.ledger.merkle import HASH_BYTES
from exchange.ledger.note import decode_base64, encode_base64, parse_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.ledger.note import Signature, VerifierKey

ADD_CHECKPOINT: Final = "add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"
REQUEST_BYTES_MAX: Final = 64 * 1024
ANSWER_BYTES_MAX: Final = 64 * 1024
PROOF_LINES_MAX: Final = 63
_PLACE: Final = "request"


@dataclass(frozen=True, slots=True)
class Asked:
    """A parsed request, nothing verified."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes


def ask(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Return the body that asks a witness to go from size `old` to the checkpoint in `note`."""
    return "".join(f"{line}\n" for line in (f"old {old}", *map(encode_base64, proof), "")).encode() + note


def parse_asked(body: bytes) -> Asked:
    """Read a request. Raises ProofInvalid."""
    if len(body) > REQUEST_BYTES_MAX:
        raise ProofInvalid("the request is too large", place=_PLACE)
    head, blank, note = body.partition(b"\n\n")
    lines = head.decode("ascii", errors="replace").split("\n")
    if not blank or not lines[0].startswith("old "):
        raise ProofInvalid("a request is an old size, a proof, an empty line and a checkpoint", place=_PLACE)
    old = parse_size(lines.pop(0).removeprefix("old "), "old size")
    if len(lines) > PROOF_LINES_MAX:
        raise ProofInvalid("the consistency proof is too long", place=_PLACE)
    proof = tuple(decode_base64(line, "consistency proof") for line in lines)
    if any(len(value) != HASH_BYTES for value in proof):
        raise ProofInvalid("a proof hash is not 32 bytes", place=_PLACE)
    return Asked(old, proof, note)


def read_cosignature(answer: bytes, text: str, key: VerifierKey) -> Signature:
    """Return the line of `key` over a checkpoint's text. Raises ProofInvalid where none holds."""
    parsed = parse_note((text + "\n").encode() + answer, "answer of a witness", ANSWER_BYTES_MAX)
    if parsed.text != text or not parsed.signers([key]):
        raise ProofInvalid("a witness answered without its cosignature", place="answer of a witness")
    return parsed.lines_of([key])[0]


def read_held_size(answer: bytes) -> int:
    """Return the size that a witness says it has. Raises ProofInvalid."""
    text, newline, more = answer.decode("ascii", errors="replace").partition("\n")
    # Without its end a number may be a part of one.
    return parse_size(text if newline and not more else "", "answer of a witness")
