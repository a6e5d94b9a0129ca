"""Merkle tree under the ledger: pure, no I/O.

Promises: a verifier here refuses whatever the standard does not allow (wrong length, spare hashes, size 0);
it raises ProofInvalid and never returns a verdict that could be overlooked.
Source: RFC 6962 section 2.1 (tree), RFC 9162 sections 2.1.3.2 and 2.1.4.2 (verification),
draft-ietf-plants-merkle-tree-certs (subtrees).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HASH_BYTES: Final = 32
SIZE_MAX: Final = 2**63 - 1  # other implementations keep sizes in a signed 64-bit integer
EMPTY_ROOT: Final = sha256(b"").digest()


def hash_leaf(entry: bytes) -> bytes:
    """Return SHA-256(00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def fold_perfect(hashes: bytes) -> bytes:
    """Return the root of a power of two of concatenated 32-byte hashes."""
    width = len(hashes) // HASH_BYTES
    assert len(hashes) % HASH_BYTES == 0
    assert width.bit_count() == 1
    while len(hashes) > HASH_BYTES:
        hashes = b"".join(
            [sha256(b"\x01" + hashes[at : at + 64]).digest() for at in range(0, len(hashes), 64)]
        )
    return hashes


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over all leaf hashes, in order; the root of none is `EMPTY_ROOT`."""
    if not leaf_hashes:
        return EMPTY_ROOT
    level = list(leaf_hashes)
    while len(level) > 1:
        # Pairing each level and carrying the odd one up gives the tree of RFC 6962.
        above = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        if len(level) & 1:
            above.append(level[-1])
        level = above
    return level[0]


def fold_right(peaks: Sequence[bytes]) -> bytes:
    """Return the root over perfect subtrees given from the largest to the smallest."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for left in reversed(peaks[:-1]):
        root = sha256(b"\x01" + left + root).digest()
    return root


class Frontier:
    """The compact right edge of a tree: one hash for each bit set in `size`, largest subtree first.

    Not thread-safe: owned by whoever appends.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if not 0 <= size <= SIZE_MAX or len(peaks) != size.bit_count():
            raise ProofInvalid("a frontier holds one hash for each bit of its size", place="frontier")
        if any(len(peak) != HASH_BYTES for peak in peaks):
            raise ProofInvalid("a frontier hash is not 32 bytes", place="frontier")
        self.size = size
        self._peaks = list(peaks)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, largest first."""
        return tuple(self._peaks)

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf hash (32 bytes; not checked, this is on the write path)."""
        peaks = self._peaks
        rest = self.size
        while rest & 1:
            leaf_hash = sha256(b"\x01" + peaks.pop() + leaf_hash).digest()
            rest >>= 1
        peaks.append(leaf_hash)
        self.size += 1

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        peaks = self._peaks
        size = self.size
        pop, push = peaks.pop, peaks.append
        for leaf_hash in leaf_hashes:
            node = leaf_hash
            rest = size
            while rest & 1:
                node = sha256(b"\x01" + pop() + node).digest()
                rest >>= 1
            push(node)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """Return the root of the tree; `EMPTY_ROOT` at size 0."""
        return fold_right(self._peaks)

    def copy(self) -> Frontier:
        """Return an independent frontier, to append to and perhaps drop."""
        twin = Frontier.__new__(Frontier)
        twin.size = self.size
        twin._peaks = self._peaks.copy()  # noqa: SLF001 -- our own class; __init__ would check again
        return twin

    def to_bytes(self) -> bytes:
        """Return size (8 bytes, big-endian) and the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self._peaks)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Frontier:
        """Read what `to_bytes` wrote. Raises ProofInvalid on anything else."""
        size = int.from_bytes(stored[:8], "big")
        if len(stored) != 8 + HASH_BYTES * size.bit_count():
            raise ProofInvalid("the stored frontier has the wrong length", place="frontier")
        return cls(size, [stored[at : at + HASH_BYTES] for at in range(8, len(stored), HASH_BYTES)])


# --- making proofs ------------------------------------------------------------------------------------


def range_hash(start: int, end: int, read_hash: Callable[[int, int], bytes]) -> bytes:
    """Return the hash of the subtree over leaves [start, end), as it stands in a tree that splits there.

    `read_hash(level, index)` gives the root over leaves [index << level, (index + 1) << level).
    """
    peaks: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(read_hash(level, start >> level))
        start += 1 << level
    return fold_right(peaks)


def _split(start: int, end: int) -> int:
    """Return where RFC 6962 splits leaves [start, end): the largest power of two smaller than the width."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def inclusion_proof(index: int, size: int, read_hash: Callable[[int, int], bytes]) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of `size`, sibling of the leaf first."""
    if not 0 <= index < size <= SIZE_MAX:
        raise ProofInvalid("there is no such leaf in a tree of this size", place=f"leaf {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            path.append(range_hash(middle, end, read_hash))
            end = middle
        else:
            path.append(range_hash(start, middle, read_hash))
            start = middle
    path.reverse()
    return path


def consistency_proof(old: int, new: int, read_hash: Callable[[int, int], bytes]) -> list[bytes]:
    """Return the proof that the tree of size `old` is a prefix of the tree of size `new`; 1 <= old <= new."""
    if not 1 <= old <= new <= SIZE_MAX:
        raise ProofInvalid("no consistency proof exists between these sizes", place=f"size {old}")
    path: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = _split(start, end)
        if old <= middle:
            path.append(range_hash(middle, end, read_hash))
            end = middle
        else:
            path.append(range_hash(start, middle, read_hash))
            start, whole = middle, False
    if not whole:
        path.append(range_hash(start, end, read_hash))
    path.reverse()
    return path


# --- verifying proofs ---------------------------------------------------------------------------------


def _require_hashes(proof: Sequence[bytes], place: str) -> None:
    if any(len(value) != HASH_BYTES for value in proof):
        raise ProofInvalid("a proof hash is not 32 bytes", place=place)


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check an audit path (RFC 9162 section 2.1.3.2). Raises ProofInvalid."""
    place = f"leaf {index}"
    _require_hashes((leaf_hash, root, *proof), place)
    if not 0 <= index < size <= SIZE_MAX:
        raise ProofInvalid("there is no such leaf in a tree of this size", place=place)
    here, last, node = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the inclusion proof is too long", place=place)
        if here & 1 or here == last:
            node = hash_node(sibling, node)
            while not here & 1:  # here is not 0: it equals last, which is not
                here >>= 1
                last >>= 1
        else:
            node = hash_node(node, sibling)
        here >>= 1
        last >>= 1
    if last != 0:
        raise ProofInvalid("the inclusion proof is too short", place=place)
    if node != root:
        raise ProofInvalid("the inclusion proof leads to another root", place=place)


def _require_subtree(start: int, end: int, place: str) -> None:
    """Check that `start` is a multiple of the smallest power of two that holds the width."""
    if not 0 <= start < end <= SIZE_MAX or start & ((1 << (end - start - 1).bit_length()) - 1):
        raise ProofInvalid("these leaves are not a subtree", place=place)


def verify_subtree_inclusion(
    index: int, span: tuple[int, int], leaf_hash: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that leaf `index` is under the subtree over `span` (end not included). Raises ProofInvalid."""
    start, end = span
    _require_subtree(start, end, f"subtree {start}-{end}")
    if not start <= index < end:
        raise ProofInvalid("the leaf is outside the subtree", place=f"leaf {index}")
    verify_inclusion(index - start, end - start, leaf_hash, proof, root)


def _climb(
    trail: tuple[int, int, int], seed: bytes, proof: Sequence[bytes], place: str
) -> tuple[bytes, bytes]:
    """Return the smaller and the larger root that `proof` leads to; `trail` is (first, here, last)."""
    first, here, last = trail
    old = new = seed
    for value in proof:
        if last == 0:
            raise ProofInvalid("the consistency proof is too long", place=place)
        if here & 1 or here == last:
            if first < here:
                old = hash_node(value, old)
            new = hash_node(value, new)
            while not here & 1:  # here is not 0: it equals last, which is not
                first, here, last = first >> 1, here >> 1, last >> 1
        else:
            new = hash_node(new, value)
        first, here, last = first >> 1, here >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the consistency proof is too short", place=place)
    return old, new


def verify_subtree_consistency(
    span: tuple[int, int], size: int, subtree_root: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the subtree over `span` (end not included) belongs to the tree of `size`.

    An empty span has the root of the empty tree, takes no proof and says nothing about `root`.
    Roots are compared, never parsed: the caller knows where they came from. Raises ProofInvalid.
    """
    start, end = span
    place = f"subtree {start}-{end} of {size}"
    if 0 <= start == end <= size and subtree_root == EMPTY_ROOT and not proof:
        return
    _require_subtree(start, end, place)
    _require_hashes(proof, place)
    if not end <= size <= SIZE_MAX:
        raise ProofInvalid("the larger tree is smaller", place=place)
    first, here, last = start, end - 1, size - 1
    while first != here and (here == last or here & 1):
        first, here, last = first >> 1, here >> 1, last >> 1
    if first == here:
        # A subtree that is one node of the larger tree is its own starting point.
        old, new = _climb((first, here, last), subtree_root, proof, place)
    elif proof:
        old, new = _climb((first, here, last), proof[0], proof[1:], place)
    else:
        raise ProofInvalid("the consistency proof is too short", place=place)
    if old != subtree_root or new != root:
        raise ProofInvalid("the consistency proof leads to other roots", place=place)


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of size `old` is a prefix of the tree of size `new` (RFC 9162 section 2.1.4.2).

    Equal sizes ask equal roots and an empty proof; size 0 is always refused. Raises ProofInvalid.
    """
    if old < 1:
        raise ProofInvalid("no consistency proof exists from an empty tree", place=f"size {old}")
    verify_subtree_consistency((0, old), new, old_root, new_root, proof)
