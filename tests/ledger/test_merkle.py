"""The tree against the standard's vectors, against a naive second implementation, and against liars."""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import ProofInvalid
from exchange.ledger import merkle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Inputs and roots of the first eight trees that Certificate Transparency logs are tested with.
LEAVES = [b"", b"\x00", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def hashes(size: int) -> list[bytes]:
    return [merkle.hash_leaf(str(number).encode()) for number in range(size)]


# --- a naive second implementation, word for word from RFC 6962 section 2.1 ---


def split(width: int) -> int:
    k = 1
    while k * 2 < width:
        k *= 2
    return k


def mth(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def reader(leaves: list[bytes]) -> Callable[[int, int], bytes]:
    def read_hash(level: int, index: int) -> bytes:
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level
        return mth(part)

    return read_hash


# --- roots ---


def test_the_known_trees_have_the_known_roots() -> None:
    leaf_hashes = [merkle.hash_leaf(leaf) for leaf in LEAVES]
    assert [merkle.root_of(leaf_hashes[:size]).hex() for size in range(1, 9)] == ROOTS
    assert merkle.root_of([]) == merkle.EMPTY_ROOT == merkle.Frontier().root()


@given(st.integers(0, 300))
def test_the_frontier_has_the_root_of_the_whole_tree(size: int) -> None:
    frontier = merkle.Frontier()
    frontier.extend(hashes(size))
    assert frontier.size == size
    assert frontier.root() == merkle.root_of(hashes(size)) == mth(hashes(size))


@given(st.integers(0, 200), st.integers(0, 50))
def test_a_stored_frontier_goes_on_where_it_was(before: int, after: int) -> None:
    frontier = merkle.Frontier()
    frontier.extend(hashes(before))
    again = merkle.Frontier.from_bytes(frontier.to_bytes())
    for leaf_hash in hashes(before + after)[before:]:
        again.append(leaf_hash)
    assert again.root() == mth(hashes(before + after))
    assert frontier.size == before


def test_a_copied_frontier_leaves_the_first_alone() -> None:
    frontier = merkle.Frontier()
    frontier.extend(hashes(5))
    twin = frontier.copy()
    twin.append(hashes(6)[5])
    assert (frontier.size, frontier.root()) == (5, mth(hashes(5)))
    assert (twin.size, twin.root()) == (6, mth(hashes(6)))
    assert len(frontier.hashes) == 2


@pytest.mark.parametrize(
    "stored", [b"", b"\0" * 7, b"\0" * 9, b"\0" * 7 + b"\x01", b"\0" * 7 + b"\x01" + b"h" * 33]
)
def test_a_broken_stored_frontier_is_refused(stored: bytes) -> None:
    with pytest.raises(ProofInvalid):
        merkle.Frontier.from_bytes(stored)


@pytest.mark.parametrize(
    ("size", "peaks"), [(1, ()), (0, (b"h" * 32,)), (1, (b"h" * 31,)), (-1, ()), (2**63, (b"h" * 32,))]
)
def test_an_impossible_frontier_is_refused(size: int, peaks: tuple[bytes, ...]) -> None:
    with pytest.raises(ProofInvalid):
        merkle.Frontier(size, peaks)


# --- proofs ---


@given(st.data())
def test_every_leaf_climbs_to_the_root(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    leaves = hashes(size)
    proof = merkle.inclusion_proof(index, size, reader(leaves))
    assert proof == path(index, leaves)
    merkle.verify_inclusion(index, size, leaves[index], proof, mth(leaves))


@given(st.data())
def test_every_tree_is_a_prefix_of_every_later_tree(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 130))
    old = data.draw(st.integers(1, new))
    leaves = hashes(new)
    proof = merkle.consistency_proof(old, new, reader(leaves))
    assert proof == subproof(old, leaves, whole=True)
    merkle.verify_consistency(old, new, mth(leaves[:old]), mth(leaves), proof)


@given(st.data())
def test_a_changed_proof_never_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 70))
    index = data.draw(st.integers(0, size - 1))
    leaves = hashes(size)
    proof = merkle.inclusion_proof(index, size, reader(leaves))
    at = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    for liar in ([*proof[:at], flipped, *proof[at + 1 :]], proof[:at] + proof[at + 1 :], [*proof, proof[at]]):
        with pytest.raises(ProofInvalid):
            merkle.verify_inclusion(index, size, leaves[index], liar, mth(leaves))


@given(st.data())
def test_a_rewritten_past_is_not_a_prefix(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, new))
    at = data.draw(st.integers(0, old - 1))
    leaves = hashes(new)
    other = [*leaves[:at], merkle.hash_leaf(b"another"), *leaves[at + 1 :]]
    proof = merkle.consistency_proof(old, new, reader(other))
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(old, new, mth(leaves[:old]), mth(other), proof)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (5, 3)])
def test_there_is_no_proof_for_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofInvalid):
        merkle.inclusion_proof(index, size, reader(hashes(8)))
    with pytest.raises(ProofInvalid):
        merkle.verify_inclusion(index, size, b"h" * 32, [], b"h" * 32)


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 1), (2, 1), (-1, 1)])
def test_there_is_no_consistency_between_these_sizes(old: int, new: int) -> None:
    with pytest.raises(ProofInvalid):
        merkle.consistency_proof(old, new, reader(hashes(8)))
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(old, new, b"h" * 32, b"h" * 32, [])


def test_equal_sizes_ask_equal_roots_and_an_empty_proof() -> None:
    merkle.verify_consistency(3, 3, b"a" * 32, b"a" * 32, [])
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(3, 3, b"a" * 32, b"b" * 32, [])
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(3, 3, b"a" * 32, b"a" * 32, [b"a" * 32])


@pytest.mark.parametrize("wrong", [b"", b"h" * 31, b"h" * 33])
def test_a_hash_of_another_length_is_refused(wrong: bytes) -> None:
    with pytest.raises(ProofInvalid, match="32 bytes"):
        merkle.verify_inclusion(0, 2, hashes(1)[0], [wrong], mth(hashes(2)))
    with pytest.raises(ProofInvalid, match="32 bytes"):
        merkle.verify_consistency(1, 2, hashes(1)[0], mth(hashes(2)), [wrong])


@given(st.data())
def test_every_node_of_a_tree_is_a_subtree_that_verifies(data: st.DataObject) -> None:
    level = data.draw(st.integers(0, 4))
    start = data.draw(st.integers(0, 5)) << level
    end = start + (1 << level)
    leaves = hashes(data.draw(st.integers(end, 120)))
    span = leaves[start:end]
    at = data.draw(st.integers(0, len(span) - 1))
    merkle.verify_subtree_inclusion(start + at, (start, end), span[at], path(at, span), mth(span))
    # The subtree is one node of the tree: the way up is that of its first leaf, without the lowest steps.
    way_up = path(start, leaves)[level:] if level else path(start, leaves)
    merkle.verify_subtree_consistency((start, end), len(leaves), mth(span), mth(leaves), way_up)


# --- the vectors ---


def raw(text: str | None) -> bytes:
    return b64decode(text or "")


def accepted(case: dict[str, Any]) -> bool:
    proof = [raw(text) for text in case["proof"] or []]
    try:
        if "treeSize" in case:
            root, leaf = raw(case["root"]), raw(case["leafHash"])
            merkle.verify_inclusion(case["leafIdx"], case["treeSize"], leaf, proof, root)
        elif "leafIdx" in case:
            root, leaf = raw(case["root"]), raw(case["leafHash"])
            merkle.verify_subtree_inclusion(case["leafIdx"], (case["start"], case["end"]), leaf, proof, root)
        elif "size1" in case:
            roots = raw(case["root1"]), raw(case["root2"])
            merkle.verify_consistency(case["size1"], case["size2"], *roots, proof)
        else:
            roots = raw(case["root1"]), raw(case["root2"])
            merkle.verify_subtree_consistency((case["start"], case["end"]), case["size"], *roots, proof)
    except ProofInvalid:
        return False
    return True


@pytest.mark.parametrize(
    ("family", "cases"),
    [("inclusion", 98), ("consistency", 98), ("subtreeinclusion", 204), ("subtreeconsistency", 118)],
)
def test_every_published_vector_gets_the_published_answer(vectors: Path, family: str, cases: int) -> None:
    files = sorted((vectors / "merkle" / "testdata" / family).rglob("*.json"))
    assert len(files) == cases
    loaded = [(file, json.loads(file.read_text())) for file in files]
    wrong = [str(file) for file, case in loaded if accepted(case) is case["wantErr"]]
    assert wrong == []
