"""A second verifier of the ledger: checkpoints, inclusion, consistency and receipts, offline.

It shares no code with the exchange, so that a mistake there is not repeated here. It accepts strictly what
the exchange promises: checkpoints without extension lines, signed with Ed25519 under the origin's own name.
One key is all that is trusted here; `trust.py` reads a policy with witnesses, `packs.py` a whole log.
Promises: malformed or hostile input of any size raises ProofRefused, naming the place, and nothing else.
Source: C2SP signed-note v1, tlog-checkpoint v1, tlog-proof v1; RFC 6962 section 2.1; RFC 9162 sections
2.1.3.2 and 2.1.4.2; RFC 8032 (Ed25519).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HASH_BYTES: Final = 32
NOTE_CHARACTERS_MAX: Final = 256 * 1024
RECEIPT_CHARACTERS_MAX: Final = 384 * 1024
SIGNATURES_MAX: Final = 64
PROOF_HASHES_MAX: Final = 63
SIZE_MAX: Final = 2**63 - 1

_ED25519: Final = 1
_SIGNATURE_BYTES: Final = 64
_KEY_ID_BYTES: Final = 4
_PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"
_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,18})", re.ASCII)
# Surrogates are no characters: they come from text that was never UTF-8.
_KEY_NAME: Final = re.compile(r"[^\s+\ud800-\udfff]+")
_SIGNATURE_LINE: Final = re.compile(r"\u2014 (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/=]+)")
_CHECKPOINT_LINES: Final = 3
_FIELD: Final = 2**255 - 19
# The height of a point of order 8 on the curve.
_EIGHTH: Final = int.from_bytes(
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
)


class ProofRefused(ValueError):
    """A proof does not hold. `place` names the part that failed."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place


@dataclass(frozen=True, slots=True)
class LogKey:
    """The key of one log, from its vkey text; it must reach the verifier out of band."""

    name: str
    key_id: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified statement of the log: so many leaves, this root (32 bytes)."""

    origin: str
    size: int
    root: bytes


def parse_key(vkey: str) -> LogKey:
    """Read `name+hex(id)+base64(type||key)`. Raises ProofRefused(log key)."""
    name, _, rest = vkey.partition("+")
    hex_id, _, encoded = rest.partition("+")
    material = canonical_base64(encoded, "log key")
    if not _KEY_NAME.fullmatch(name) or not re.fullmatch(r"[0-9a-f]{8}", hex_id):
        raise ProofRefused("log key", "is not name+id+key")
    if len(material) != 1 + HASH_BYTES or material[0] != _ED25519:
        raise ProofRefused("log key", "is not an Ed25519 key")
    key_id = sha256(name.encode() + b"\n" + material).digest()[:_KEY_ID_BYTES]
    if key_id.hex() != hex_id:
        raise ProofRefused("log key", "has an id of another key")
    if is_weak_key(material[1:]):
        raise ProofRefused("log key", "is one under which anybody can sign")
    return LogKey(name, key_id, material[1:])


def is_weak_key(public: bytes) -> bool:
    """Tell whether an Ed25519 key (32 bytes) is a point of small order, or an unusual spelling of one.

    What anybody signed verifies under it (RFC 8032 does not forbid such keys): it proves nothing of anybody.
    """
    height = int.from_bytes(public, "little") % 2**255
    return height >= _FIELD or any(height in {one, _FIELD - one} for one in (0, 1, _EIGHTH))


def verify_checkpoint(note: str, log_vkey: str) -> Checkpoint:
    """Return the checkpoint of a signed note. Raises ProofRefused(log key, checkpoint or signature)."""
    key = parse_key(log_vkey)
    text, signatures = split_note(note)
    _verify_signatures(text, signatures, key)
    # The text is read only now: what nobody signed is not worth understanding.
    checkpoint = read_body(text)
    if checkpoint.origin != key.name:
        raise ProofRefused("checkpoint", "is of another log")
    return checkpoint


def read_body(text: str) -> Checkpoint:
    """Read the text of a note as a checkpoint; who signed it is not looked at. Raises ProofRefused."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) != _CHECKPOINT_LINES:
        raise ProofRefused("checkpoint", "has not exactly the lines origin, size and root")
    origin, size, root = lines
    root_hash = hash_of_text(root, "checkpoint")
    leaves = plain_number(size, "checkpoint")
    if not leaves:
        raise ProofRefused("checkpoint", "is of an empty log")
    return Checkpoint(origin, leaves, root_hash)


def verify_receipt(entry: bytes | None, proof: str, log_vkey: str) -> int:
    """Return the index at which the log holds `entry`, from a `.tlog-proof`. Raises ProofRefused.

    Give the entry where it is known from elsewhere; None takes the one the receipt carries: that says only
    that the log holds it.
    """
    opened = open_receipt(entry, proof)
    return opened.prove(verify_checkpoint(opened.note, log_vkey))


@dataclass(frozen=True, slots=True)
class OpenedReceipt:
    """A receipt that was read, and proves nothing until its checkpoint is trusted."""

    entry: bytes
    index: int
    hashes: tuple[bytes, ...]
    note: str

    def prove(self, checkpoint: Checkpoint) -> int:
        """Return the index of the entry under a checkpoint that the caller verified. Raises ProofRefused."""
        leaf = leaf_hash(self.entry)
        verify_inclusion(leaf, self.index, checkpoint.size, self.hashes, checkpoint.root)
        return self.index


def open_receipt(entry: bytes | None, proof: str) -> OpenedReceipt:
    """Read a `.tlog-proof`; its checkpoint is not looked at. Raises ProofRefused."""
    if len(proof) > RECEIPT_CHARACTERS_MAX:
        raise ProofRefused("receipt", "is too long")
    head, separator, note = proof.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != _PROOF_HEADER:
        raise ProofRefused("receipt", "is not a tlog-proof of version 1")
    # Nobody signed the extra line. Ours carries the entry, and the hash of the entry is what is proven.
    carried = canonical_base64(lines.pop(0)[len("extra ") :], "receipt") if _starts(lines, "extra ") else b""
    if not _starts(lines, "index "):
        raise ProofRefused("receipt", "has no index line")
    index = plain_number(lines.pop(0)[len("index ") :], "receipt")
    if len(lines) > PROOF_HASHES_MAX:
        raise ProofRefused("receipt", "has too many hashes")
    hashes = tuple(hash_of_text(line, "receipt") for line in lines)
    proven = carried if entry is None else entry
    if not proven or (carried and carried != proven):
        raise ProofRefused("receipt", "carries no entry, or another than the one shown")
    return OpenedReceipt(proven, index, hashes, note)


def verify_extension(older: Checkpoint, newer: Checkpoint, proof: Sequence[bytes]) -> None:
    """Raise ProofRefused unless `newer` holds all of `older`, of the same log, in the same order."""
    if older.origin != newer.origin:
        raise ProofRefused("consistency proof", "is between two logs")
    verify_consistency(older.size, newer.size, proof, older.root, newer.root)


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry, as the tree holds it."""
    return sha256(b"\x00" + entry).digest()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ProofRefused unless the tree of `size` leaves with `root` has `leaf` (a hash) at `index`."""
    place = "inclusion proof"
    _require_hashes(place, (leaf, root), proof)
    if not 0 <= index < size <= SIZE_MAX:
        raise ProofRefused(place, "has an index outside the tree")
    current = leaf
    for sibling, on_the_left in _climb(place, index, size - 1, proof):
        current = _node(sibling, current) if on_the_left else _node(current, sibling)
    if current != root:
        raise ProofRefused(place, "leads to another root")


def verify_consistency(
    older: int, newer: int, proof: Sequence[bytes], older_root: bytes, newer_root: bytes
) -> None:
    """Raise ProofRefused unless the tree of `newer` leaves begins with the tree of `older` leaves."""
    place = "consistency proof"
    if not 1 <= older <= newer <= SIZE_MAX:
        raise ProofRefused(place, "has sizes out of order")
    if older == newer:
        if proof or older_root != newer_root:
            raise ProofRefused(place, "of equal sizes must be empty, with equal roots")
        return
    _require_hashes(place, (older_root, newer_root), proof)
    # When the older tree is complete its root is the first node, and the proof leaves it out.
    path = [older_root, *proof] if not older & (older - 1) else list(proof)
    if not path:
        raise ProofRefused(place, "is too short")
    position, last = older - 1, newer - 1
    while position % 2:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for node, on_the_left in _climb(place, position, last, path[1:]):
        old = _node(node, old) if on_the_left else old
        new = _node(node, new) if on_the_left else _node(new, node)
    if old != older_root or new != newer_root:
        raise ProofRefused(place, "leads to other roots")


def verify_subtree_inclusion(
    leaf: bytes, index: int, span: tuple[int, int], proof: Sequence[bytes], root: bytes
) -> None:
    """Raise ProofRefused unless the subtree over `span` (end not included) has `leaf` at `index`."""
    start, end = _subtree("inclusion proof", span, span[1])
    verify_inclusion(leaf, index - start, end - start, proof, root)


def verify_subtree_consistency(
    span: tuple[int, int], size: int, proof: Sequence[bytes], subtree_root: bytes, root: bytes
) -> None:
    """Raise ProofRefused unless the subtree over `span` (end not included) is part of the tree of `size`.

    An empty span has the root of the empty tree, takes no proof and says nothing about `root`.
    """
    place = "consistency proof"
    if 0 <= span[0] == span[1] <= size and subtree_root == sha256().digest() and not proof:
        return
    start, end = _subtree(place, span, size)
    _require_hashes(place, (), proof)
    # Up to the smallest node that is whole in both trees; where that is the subtree, the proof omits it.
    steps = 0
    while start >> steps != (end - 1) >> steps and (end == size or (end - 1) >> steps & 1):
        steps += 1
    first, here, last = start >> steps, (end - 1) >> steps, (size - 1) >> steps
    path = [subtree_root, *proof] if first == here else list(proof)
    if not path:
        raise ProofRefused(place, "is too short")
    small = large = path[0]
    for node, on_the_left, risen in _rise(place, here, last, path[1:]):
        small = _node(node, small) if on_the_left and first >> risen < here >> risen else small
        large = _node(node, large) if on_the_left else _node(large, node)
    if small != subtree_root or large != root:
        raise ProofRefused(place, "leads to other roots")


def _subtree(place: str, span: tuple[int, int], size: int) -> tuple[int, int]:
    start, end = span
    if not 0 <= start < end <= size <= SIZE_MAX or start % (1 << (end - start - 1).bit_length()):
        raise ProofRefused(place, "is about leaves that are no subtree of this tree")
    return start, end


def _climb(place: str, position: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each node of a proof with its side, from a node up to the root; refuse any other length."""
    return ((node, on_the_left) for node, on_the_left, _ in _rise(place, position, last, proof))


def _rise(place: str, position: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool, int]]:
    """Yield each node of a proof with its side, and how many levels up it is met."""
    risen = 0
    for node in proof:
        if not last >> risen:
            raise ProofRefused(place, "is too long")
        here = position >> risen
        on_the_left = here % 2 == 1 or here == last >> risen
        yield node, on_the_left, risen
        # On the right edge a node without right sibling climbs unchanged.
        while on_the_left and here and not here % 2:
            risen, here = risen + 1, here >> 1
        risen += 1
    if last >> risen:
        raise ProofRefused(place, "is too short")


def split_note(note: str, most: int = NOTE_CHARACTERS_MAX) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the text of a note and its signature lines, nothing verified. Raises ProofRefused."""
    if len(note) > most:
        raise ProofRefused("checkpoint", "is too long")
    if any(character < " " and character != "\n" for character in note):
        raise ProofRefused("checkpoint", "holds control characters")
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise ProofRefused("checkpoint", "is not a signed note")
    lines = tail.removesuffix("\n").split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise ProofRefused("signature", "is one of too many")
    signatures = []
    for line in lines:
        matched = _SIGNATURE_LINE.fullmatch(line)
        if matched is None:
            raise ProofRefused("signature", "is not a signature line")
        signature = canonical_base64(matched["signature"], "signature")
        if len(signature) <= _KEY_ID_BYTES:
            raise ProofRefused("signature", "is too short")
        signatures.append((matched["name"], signature))
    return text + "\n", signatures


def _verify_signatures(text: str, signatures: Sequence[tuple[str, bytes]], key: LogKey) -> None:
    ours = [
        signature[_KEY_ID_BYTES:]
        for name, signature in signatures
        if name == key.name and signature[:_KEY_ID_BYTES] == key.key_id
    ]
    if not ours:
        raise ProofRefused("signature", "of the log's key is missing")
    try:
        public = Ed25519PublicKey.from_public_bytes(key.public_key)
        signed = text.encode()
        for signature in ours:
            public.verify(signature, signed)
    except InvalidSignature:
        raise ProofRefused("signature", "of the log's key does not verify") from None
    except ValueError:
        raise ProofRefused("checkpoint", "is not text in UTF-8") from None


def _require_hashes(place: str, ends: tuple[bytes, ...], proof: Sequence[bytes]) -> None:
    if len(proof) > PROOF_HASHES_MAX or any(len(value) != HASH_BYTES for value in (*ends, *proof)):
        raise ProofRefused(place, "holds too many hashes or one that is not 32 bytes")


def _starts(lines: Sequence[str], word: str) -> bool:
    return bool(lines) and lines[0].startswith(word)


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def plain_number(text: str, place: str) -> int:
    """Read a decimal without leading zeroes. Raises ProofRefused naming `place`."""
    if not _NUMBER.fullmatch(text) or int(text) > SIZE_MAX:
        raise ProofRefused(place, "has a number that is not plain decimal")
    return int(text)


def hash_of_text(text: str, place: str) -> bytes:
    """Read the base64 of 32 bytes. Raises ProofRefused naming `place`."""
    value = canonical_base64(text, place)
    if len(value) != HASH_BYTES:
        raise ProofRefused(place, "has a hash that is not 32 bytes")
    return value


def canonical_base64(text: str, place: str) -> bytes:
    """Decode; only the one canonical spelling is taken. Raises ProofRefused naming `place`."""
    try:
        value = b64decode(text.encode("ascii"), validate=True)
    except (NotBase64, UnicodeEncodeError):
        raise ProofRefused(place, "holds malformed base64") from None
    if b64encode(value).decode() != text:
        raise ProofRefused(place, "holds base64 that is not canonical")
    return value
