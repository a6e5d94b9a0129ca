"""The second verifier: the standards' vectors, a naive tree, and the exchange's own ledger beside it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from functools import partial
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sdk import proofs
from adapters.sdk.proofs import Checkpoint, ProofRefused
from exchange.errors import ProofInvalid
from exchange.ledger import receipt as exchange_receipt
from exchange.ledger.checkpoint import Checkpoint as ExchangeCheckpoint
from exchange.ledger.checkpoint import parse_policy, sign_checkpoint
from exchange.ledger.merkle import hash_leaf, root_of
from exchange.ledger.note import NoteSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

ORIGIN = "exchange.example/0599/2026"
SIGNER = NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
POLICY = parse_policy(f"log {SIGNER.vkey}\nquorum none\n")
sizes = st.integers(1, 70)
few = settings(max_examples=60, deadline=None)


# --- a naive tree, written from the definitions of RFC 6962 section 2.1 -----------------------------------


def leaves(size: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(size)]


def split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def tree(entries: Sequence[bytes]) -> bytes:
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    middle = split(len(entries))
    return sha256(b"\x01" + tree(entries[:middle]) + tree(entries[middle:])).digest()


def path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    if len(entries) == 1:
        return []
    middle = split(len(entries))
    if index < middle:
        return [*path(index, entries[:middle]), tree(entries[middle:])]
    return [*path(index - middle, entries[middle:]), tree(entries[:middle])]


def extension(older: int, entries: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    if older == len(entries):
        return [] if whole else [tree(entries)]
    middle = split(len(entries))
    if older <= middle:
        return [*extension(older, entries[:middle], whole=whole), tree(entries[middle:])]
    return [*extension(older - middle, entries[middle:], whole=False), tree(entries[:middle])]


def receipt(index: int, size: int, *, signer: NoteSigner = SIGNER, carry: bool = False) -> str:
    entries = leaves(size)
    signed = sign_checkpoint(
        ExchangeCheckpoint(ORIGIN, size, root_of([hash_leaf(each) for each in entries])), signer
    )

    def read_hash(level: int, position: int) -> bytes:
        return tree(entries[position << level : (position + 1) << level])

    return exchange_receipt.make_receipt(index, signed, read_hash, entries[index] if carry else b"").decode()


def note(text: str, signer: NoteSigner = SIGNER) -> str:
    return signer.sign(text).decode()


def base64(value: bytes) -> str:
    return b64encode(value).decode()


# --- the standards' vectors -------------------------------------------------------------------------------


def refused(check: Callable[[], object]) -> bool:
    try:
        check()
    except ProofRefused:
        return True
    return False


def verify_vector(vector: dict[str, Any]) -> None:
    hashes = [b64decode(value) for value in vector["proof"] or []]
    raw = {key: b64decode(vector.get(key) or "") for key in ("leafHash", "root", "root1", "root2")}
    if "treeSize" in vector:
        index, size = vector["leafIdx"], vector["treeSize"]
        proofs.verify_inclusion(raw["leafHash"], index, size, hashes, raw["root"])
    elif "leafIdx" in vector:
        span = vector["start"], vector["end"]
        proofs.verify_subtree_inclusion(raw["leafHash"], vector["leafIdx"], span, hashes, raw["root"])
    elif "size1" in vector:
        older, newer = vector["size1"], vector["size2"]
        proofs.verify_consistency(older, newer, hashes, raw["root1"], raw["root2"])
    else:
        span = vector["start"], vector["end"]
        proofs.verify_subtree_consistency(span, vector["size"], hashes, raw["root1"], raw["root2"])


@pytest.mark.parametrize(
    ("family", "cases"),
    [("inclusion", 98), ("consistency", 98), ("subtreeinclusion", 204), ("subtreeconsistency", 118)],
)
def test_every_published_vector_gets_the_published_answer(
    standards_dir: Path, family: str, cases: int
) -> None:
    folder = standards_dir / "vectors" / "merkle" / "testdata" / family
    if not folder.is_dir():
        pytest.skip("the merkle vectors are not in this copy of the standards")
    vectors = {file: json.loads(file.read_text()) for file in folder.rglob("*.json")}
    assert len(vectors) == cases
    wrong = [
        file.name
        for file, vector in vectors.items()
        if refused(partial(verify_vector, vector)) is not vector["wantErr"]
    ]
    assert wrong == []


def test_the_checkpoints_of_another_log(standards_dir: Path) -> None:
    folder = standards_dir / "vectors" / "tessera" / "testdata" / "log"
    if not folder.is_dir():
        pytest.skip("the tessera log is not in this copy of the standards")
    vkey = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
    hashes = (folder / "tile" / "0" / "000.p" / "15").read_bytes()
    found = {}
    for size in range(1, 16):
        text = (folder / f"checkpoint.{size}").read_text(encoding="utf-8")
        found[size] = proofs.verify_checkpoint(text, vkey)
        assert found[size].size == size
        assert found[size].root == root_of([hashes[at : at + 32] for at in range(0, 32 * size, 32)])
        with pytest.raises(ProofRefused):
            proofs.verify_checkpoint(text, SIGNER.vkey)
    with pytest.raises(ProofRefused, match="empty log"):
        proofs.verify_checkpoint((folder / "checkpoint.0").read_text(encoding="utf-8"), vkey)
    with pytest.raises(ProofRefused):
        proofs.verify_extension(found[3], found[9], [])


# --- laws -------------------------------------------------------------------------------------------------


@few
@given(size=sizes, data=st.data())
def test_every_leaf_climbs_to_the_root_and_no_other_does(size: int, data: st.DataObject) -> None:
    entries = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    proof, root = path(index, entries), tree(entries)
    leaf = proofs.leaf_hash(entries[index])
    proofs.verify_inclusion(leaf, index, size, proof, root)
    other = data.draw(st.integers(0, size + 3).filter(lambda number: number != index))
    assert refused(lambda: proofs.verify_inclusion(leaf, other, size, proof, root))
    assert refused(lambda: proofs.verify_inclusion(bytes(32), index, size, proof, root))
    assert refused(lambda: proofs.verify_inclusion(leaf, index, size, [*proof, bytes(32)], root))
    if proof:
        spoiled = data.draw(st.integers(0, len(proof) - 1))
        altered = [*proof[:spoiled], bytes(32), *proof[spoiled + 1 :]]
        assert refused(lambda: proofs.verify_inclusion(leaf, index, size, altered, root))
        assert refused(lambda: proofs.verify_inclusion(leaf, index, size, proof[:-1], root))


@few
@given(newer=sizes, data=st.data())
def test_a_log_that_only_grew_is_consistent_and_no_other_is(newer: int, data: st.DataObject) -> None:
    entries = leaves(newer)
    older = data.draw(st.integers(1, newer))
    proof = extension(older, entries)
    before, after = Checkpoint("log", older, tree(entries[:older])), Checkpoint("log", newer, tree(entries))
    proofs.verify_extension(before, after, proof)
    forked = Checkpoint("log", older, tree([b"another", *entries[1:older]]))
    assert refused(lambda: proofs.verify_extension(forked, after, proof))
    assert refused(lambda: proofs.verify_extension(before, after, [*proof, bytes(32)]))
    assert refused(lambda: proofs.verify_extension(Checkpoint("other", older, before.root), after, proof))
    if older < newer:
        assert refused(lambda: proofs.verify_extension(after, before, proof))
        assert refused(lambda: proofs.verify_extension(before, after, proof[:-1]))


@few
@given(size=sizes, data=st.data(), carry=st.booleans())
def test_a_receipt_of_the_exchange_verifies(size: int, data: st.DataObject, *, carry: bool) -> None:
    index = data.draw(st.integers(0, size - 1))
    text = receipt(index, size, carry=carry)
    assert proofs.verify_receipt(leaves(size)[index], text, SIGNER.vkey) == index
    with pytest.raises(ProofRefused):
        proofs.verify_receipt(b"never recorded", text, SIGNER.vkey)
    if carry:
        assert proofs.verify_receipt(None, text, SIGNER.vkey) == index
    else:
        with pytest.raises(ProofRefused, match="no entry"):
            proofs.verify_receipt(None, text, SIGNER.vkey)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_both_verifiers_refuse_the_same_altered_receipts(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 9))
    index = data.draw(st.integers(0, size - 1))
    whole = receipt(index, size, carry=data.draw(st.booleans()))
    at = data.draw(st.integers(0, len(whole) - 1))
    added = data.draw(st.sampled_from(["", "\n", " ", "0", "A", "=", "+", "\u2014", "\t", "\x00", "\ud800"]))
    removed = data.draw(st.integers(0, 2))
    text = whole[:at] + added + whole[at + removed :]
    entry = leaves(size)[index]
    mine = not refused(lambda: proofs.verify_receipt(entry, text, SIGNER.vkey))
    try:
        raw = text.encode(errors="surrogatepass")
        theirs = exchange_receipt.verify_receipt(entry, raw, POLICY).index == index
    except ProofInvalid:
        theirs = False
    assert mine == theirs
    assert mine or text != whole


# --- bad input --------------------------------------------------------------------------------------------

ROOT = base64(tree(leaves(3)))


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n0\n{ROOT}\n",
        f"{ORIGIN}\n03\n{ROOT}\n",
        f"{ORIGIN}\n+3\n{ROOT}\n",
        f"{ORIGIN}\n3 \n{ROOT}\n",
        f"{ORIGIN}\n\u0663\n{ROOT}\n",
        f"{ORIGIN}\n9223372036854775808\n{ROOT}\n",
        f"{ORIGIN}\n{'9' * 5000}\n{ROOT}\n",
        f"{ORIGIN}\n3\n{ROOT}\nextension\n",
        f"{ORIGIN}\n3\n{ROOT}\n\nmore\n",
        f"{ORIGIN}\n3\n",
        f"\n{ORIGIN}\n3\n{ROOT}\n",
        f"{ORIGIN}\n3\n{ROOT[:-4]}\n",
        f"{ORIGIN}\n3\n{ROOT.rstrip('=')}\n",
        f"{ORIGIN}\n3\n{ROOT[:-2]}{chr(ord(ROOT[-2]) + 1)}=\n",
        f"{ORIGIN}\n3\n {ROOT}\n",
        f"exchange.example/0363/2026\n3\n{ROOT}\n",
    ],
    ids=count(),
)
def test_a_checkpoint_of_another_form_is_refused_though_signed(text: str) -> None:
    with pytest.raises(ProofRefused) as refusal:
        proofs.verify_checkpoint(note(text), SIGNER.vkey)
    assert refusal.value.place == "checkpoint"


GOOD = note(f"{ORIGIN}\n3\n{ROOT}\n")
BODY, SIGNATURE = GOOD.split("\n\n")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "checkpoint"),
        (BODY + "\n", "checkpoint"),
        (GOOD[:-1], "checkpoint"),
        (GOOD.replace("\n", "\r\n"), "checkpoint"),
        (GOOD.replace("3", "3\x00", 1), "checkpoint"),
        (GOOD + "x" * proofs.NOTE_CHARACTERS_MAX, "checkpoint"),
        (BODY + "\n\n" + "\n", "checkpoint"),
        (BODY + "\n\n" + SIGNATURE.replace("\u2014", "-"), "signature"),
        (BODY + "\n\n" + SIGNATURE.replace(" ", "  ", 1), "signature"),
        (BODY + f"\n\n\u2014 {ORIGIN} AAAA\n", "signature"),
        (BODY + f"\n\n\u2014 {ORIGIN} AAA\n", "signature"),
        (BODY + "\n\n" + SIGNATURE * (proofs.SIGNATURES_MAX + 1), "signature"),
        (GOOD.replace("\n3\n", "\n4\n"), "signature"),
        (note(BODY + "\n", STRANGER), "signature"),
        (BODY + "\n\n" + SIGNATURE.replace(ORIGIN, "exchange.example/other"), "signature"),
        ("\ud800" + GOOD, "checkpoint"),
    ],
    ids=count(),
)
def test_a_note_that_the_log_did_not_sign_is_refused(text: str, place: str) -> None:
    with pytest.raises(ProofRefused) as refusal:
        proofs.verify_checkpoint(text, SIGNER.vkey)
    assert refusal.value.place == place


def test_signatures_of_strangers_are_passed_over_and_a_false_one_of_the_log_is_not() -> None:
    stranger = note(BODY + "\n", STRANGER).split("\n\n")[1]
    assert proofs.verify_checkpoint(BODY + "\n\n" + stranger + SIGNATURE, SIGNER.vkey).size == 3
    raw = bytearray(b64decode(SIGNATURE.split()[-1]))
    raw[-1] ^= 1
    false = f"\u2014 {ORIGIN} {base64(bytes(raw))}\n"
    with pytest.raises(ProofRefused, match="does not verify"):
        proofs.verify_checkpoint(BODY + "\n\n" + SIGNATURE + false, SIGNER.vkey)


NAME, KEY_ID, MATERIAL = SIGNER.vkey.split("+", 2)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        NAME,
        f"{NAME}+{KEY_ID}",
        f"+{KEY_ID}+{MATERIAL}",
        f"a b+{KEY_ID}+{MATERIAL}",
        f"\ud800+{KEY_ID}+{MATERIAL}",
        f"{NAME}+00000000+{MATERIAL}",
        f"{NAME}+{KEY_ID.upper()}x+{MATERIAL}",
        f"other+{KEY_ID}+{MATERIAL}",
        f"{NAME}+{KEY_ID}+{MATERIAL[:-4]}",
        f"{NAME}+{KEY_ID}+{MATERIAL}\n",
        f"{NAME}+{KEY_ID}+BA" + MATERIAL[2:],
        f"{NAME}+{KEY_ID}+\u00e9",
    ],
    ids=count(),
)
def test_a_malformed_key_is_refused(vkey: str) -> None:
    with pytest.raises(ProofRefused) as refusal:
        proofs.verify_checkpoint(GOOD, vkey)
    assert refusal.value.place == "log key"


RECEIPT = receipt(1, 3, carry=True)
HEADER, EXTRA, INDEX, FIRST, *_ = RECEIPT.split("\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (HEADER, "c2sp.org/tlog-proof@v2"),
        (HEADER + "\n", ""),
        ("\n\n", "\n"),
        (EXTRA, EXTRA + "="),
        (EXTRA, f"extra {base64(b'another entry')}"),
        (INDEX, "index -1"),
        (INDEX, "index 01"),
        (INDEX, "index 2"),
        (INDEX, "index 3"),
        (INDEX + "\n", ""),
        (f"{EXTRA}\n{INDEX}", f"{INDEX}\n{EXTRA}"),
        (FIRST, base64(bytes(31))),
        (FIRST, base64(bytes(32))),
        (FIRST + "\n", (FIRST + "\n") * 64),
        (FIRST + "\n", ""),
        ("index", "x" * proofs.RECEIPT_CHARACTERS_MAX),
    ],
    ids=count(),
)
def test_a_malformed_receipt_is_refused(old: str, new: str) -> None:
    assert old in RECEIPT
    entry = leaves(3)[1]
    assert proofs.verify_receipt(entry, RECEIPT, SIGNER.vkey) == 1
    with pytest.raises(ProofRefused) as refusal:
        proofs.verify_receipt(entry, RECEIPT.replace(old, new, 1), SIGNER.vkey)
    assert refusal.value.place in {"receipt", "inclusion proof"}


def test_a_receipt_under_another_key_is_refused() -> None:
    with pytest.raises(ProofRefused):
        proofs.verify_receipt(leaves(3)[1], receipt(1, 3, signer=STRANGER), SIGNER.vkey)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (2**63, 2**63 + 1), (0, 2**200)])
def test_numbers_outside_a_tree_are_refused(index: int, size: int) -> None:
    with pytest.raises(ProofRefused, match="outside the tree"):
        proofs.verify_inclusion(bytes(32), index, size, [], bytes(32))


@pytest.mark.parametrize(("older", "newer"), [(0, 3), (-1, 3), (4, 3), (1, 2**63), (0, 0)])
def test_sizes_out_of_order_are_refused(older: int, newer: int) -> None:
    with pytest.raises(ProofRefused, match="out of order"):
        proofs.verify_consistency(older, newer, [], bytes(32), bytes(32))
