"""The second signature of a log, on ML-DSA-44: what it says, who takes it, and what a receipt leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from exchange.errors import ProofInvalid, SettingsInvalid
from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint, parse_policy, sign_checkpoint
from exchange.ledger.cosignature import split_time, whole_tree
from exchange.ledger.note import Cosigner, VerifierKey, encode_base64, parse_note, parse_vkey
from exchange.ledger.receipt import make_receipt, short_note, verify_receipt
from tests.ledger.builders import NOON, ORIGIN, entry, require_whole, second_signer, signer, witness

if TYPE_CHECKING:
    from tests.ledger.builders import Log

ROOT = b"r" * 32
HEAD = Checkpoint(ORIGIN, 7, ROOT)
AT = 1_769_860_800
SECOND = second_signer()
FIRST_LINE, SECOND_LINE = f"log {signer().vkey}\n", f"log {SECOND.vkey}\n"
PROOF_BYTES_MAX = 1_536
SMALLEST_PROOF_BYTES = 177  # the lines that are always there, without what they name


def both() -> bytes:
    return sign_checkpoint(HEAD, signer(), SECOND, AT).note


def test_the_message_is_laid_out_as_the_standard_says() -> None:
    name = ORIGIN.encode()
    assert whole_tree("w.example", AT, HEAD.body()) == (
        b"subtree/v1\n\x00"
        b"\x09w.example"
        + AT.to_bytes(8, "big")
        + bytes([len(name)])
        + name
        + bytes(8)
        + (7).to_bytes(8, "big")
        + ROOT
    )


def test_the_signature_is_one_of_fips_204_over_that_message() -> None:
    line = parse_note(both()).signatures[1]
    timed = split_time(line.signature, 2_420)
    assert timed is not None
    time_s, signature = timed
    message = whole_tree(ORIGIN, AT, HEAD.body())
    assert (line.name, line.key_id, time_s) == (ORIGIN, SECOND.key.id, AT)
    assert message is not None
    MLDSA44PublicKey.from_public_bytes(SECOND.key.public).verify(signature, message)


@pytest.mark.parametrize(
    "logs", [FIRST_LINE, SECOND_LINE, FIRST_LINE + SECOND_LINE, SECOND_LINE + FIRST_LINE]
)
def test_who_knows_either_key_or_both_accepts(logs: str) -> None:
    assert parse_policy(f"{logs}quorum none\n").accept(both()) == HEAD


def test_either_key_alone_is_enough_for_who_knows_both() -> None:
    policy = parse_policy(f"{FIRST_LINE}{SECOND_LINE}quorum none\n")
    parsed = parse_note(both())
    for line in parsed.signatures:
        assert policy.accept(parsed.with_lines([line])) == HEAD


@pytest.mark.parametrize("at", [0, 7, 8, 700, 2_427], ids=["time", "time's end", "first", "middle", "last"])
def test_a_changed_second_signature_refuses_the_note_for_who_knows_it_and_nobody_else(at: int) -> None:
    parsed = parse_note(both())
    first, second = parsed.signatures
    wrong = bytearray(second.signature)
    wrong[at] ^= 1
    note = parsed.with_lines([first, type(second)(second.name, second.key_id, bytes(wrong))])
    assert parse_policy(f"{FIRST_LINE}quorum none\n").accept(note) == HEAD
    with pytest.raises(ProofInvalid, match="does not verify"):
        parse_policy(f"{FIRST_LINE}{SECOND_LINE}quorum none\n").accept(note)


@pytest.mark.parametrize("cut", [slice(0, -1), slice(0, 8), slice(0, 72)])
def test_a_second_signature_of_another_length_is_none(cut: slice) -> None:
    line = parse_note(both()).signatures[1]
    assert not SECOND.key.accepts(HEAD.body(), line.signature[cut])
    assert not SECOND.key.accepts(HEAD.body(), line.signature + b"x")


def test_the_same_key_under_another_name_says_something_else() -> None:
    line = SECOND.cosign(HEAD.body(), AT)
    assert SECOND.key.accepts(HEAD.body(), line.signature)
    renamed = VerifierKey("other.example", SECOND.key.kind, SECOND.key.public)
    assert not renamed.accepts(HEAD.body(), line.signature)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        f"{ORIGIN}\n7\n{encode_base64(ROOT)}",
        f"{ORIGIN}\n7\n{encode_base64(ROOT)}\nextension\n",
        f"{ORIGIN}\n07\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n\u0667\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n-7\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n{2**63}\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n{'9' * 5000}\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n7\n{encode_base64(ROOT[1:])}\n",
        f"{ORIGIN}\n7\n{encode_base64(ROOT)[:-2]}D=\n",
        f"\n7\n{encode_base64(ROOT)}\n",
        f"{'o' * 256}\n7\n{encode_base64(ROOT)}\n",
    ],
)
def test_nothing_but_a_checkpoint_is_cosigned(text: str) -> None:
    for cosigner in (SECOND, witness(1)):
        with pytest.raises(ProofInvalid, match="only a checkpoint"):
            cosigner.cosign(text, AT)


def test_a_log_signs_a_second_time_under_its_own_name_only() -> None:
    with pytest.raises(ProofInvalid, match="its own origin"):
        sign_checkpoint(HEAD, signer(), second_signer("other.example"), AT)


def test_a_verifier_key_has_the_length_of_its_type() -> None:
    assert parse_vkey(SECOND.vkey) == SECOND.key
    for kind, public in ((6, SECOND.key.public[1:]), (6, b"p" * 32), (1, SECOND.key.public)):
        with pytest.raises(ProofInvalid, match="wrong length"):
            parse_vkey(str(VerifierKey(ORIGIN, kind, public)))


def test_one_key_in_two_lines_is_refused_in_a_policy_also_on_ml_dsa() -> None:
    for other in (f"log {SECOND.vkey}\n", f"witness W {SECOND.vkey}\n"):
        with pytest.raises(SettingsInvalid, match="same key"):
            parse_policy(f"{SECOND_LINE}{other}quorum none\n")


def test_a_witness_on_ml_dsa_counts() -> None:
    along = second_signer("w1.example", b"w" * 32)
    policy = parse_policy(f"{FIRST_LINE}witness W {along.vkey}\nquorum W\n")
    note = both() + str(along.cosign(HEAD.body(), AT)).encode()
    assert policy.accept(note) == HEAD
    with pytest.raises(ProofInvalid, match="too few"):
        policy.accept(both())


# --- the log, and its receipts ---


def test_a_log_gets_its_second_signature_from_one_checkpoint_to_the_next(log: Log) -> None:
    log.grow(3)
    before = log.integrator.integrate()
    log.grow(5)
    after = log.open(second=SECOND).integrate()
    require_whole(log, after)
    assert before is not None
    assert after is not None
    assert [len(parse_note(one.note).signatures) for one in (before, after)] == [1, 2]
    policy = parse_policy(f"{FIRST_LINE}{SECOND_LINE}quorum none\n")
    assert policy.accept(before.note).size == 3
    assert policy.accept(after.note).size == 5
    timed = split_time(parse_note(after.note).signatures[1].signature, 2_420)
    assert timed is not None
    assert timed[0] == int(NOON.timestamp())


def test_a_receipt_leaves_the_long_line_out_and_verifies_with_it_put_back(log: Log) -> None:
    log.grow(5)
    signed = log.open(second=SECOND).integrate()
    assert signed is not None
    proof = make_receipt(2, signed, log.tiles.hash_reader(5), entry(2))
    assert verify_receipt(None, proof, parse_policy(f"{FIRST_LINE}quorum none\n")).index == 2
    only_second = parse_policy(f"{SECOND_LINE}quorum none\n")
    with pytest.raises(ProofInvalid, match="no known log"):
        verify_receipt(None, proof, only_second)
    line = parse_note(signed.note).signatures[1]
    assert verify_receipt(None, proof + str(line).encode(), only_second).index == 2


def test_leaving_lines_out_changes_nothing_else() -> None:
    cosigned = both() + b"".join(str(witness(number).cosign(HEAD.body(), AT)).encode() for number in (1, 2))
    short = parse_note(short_note(cosigned))
    assert short.text == HEAD.body()
    assert [line.name for line in short.signatures] == [ORIGIN, "w1.example", "w2.example"]
    assert short_note(short_note(cosigned)) == short_note(cosigned)


def test_a_witness_on_ml_dsa_stays_in_a_receipt(log: Log) -> None:
    log.grow(5)
    signed = log.open(second=SECOND).integrate()
    assert signed is not None
    along = second_signer("w1.example", b"w" * 32)
    cosigned = signed.note + str(along.cosign(signed.checkpoint.body(), AT)).encode()
    proof = make_receipt(2, SignedCheckpoint(signed.checkpoint, cosigned), log.tiles.hash_reader(5), entry(2))
    policy = parse_policy(f"{FIRST_LINE}witness W {along.vkey}\nquorum W\n")
    assert verify_receipt(None, proof, policy).index == 2
    assert [line.name for line in parse_note(proof.partition(b"\n\n")[2]).signatures] == [
        ORIGIN,
        "w1.example",
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("w1.example", "w2.example", "w3.witness.x"),
        ("w1.example", "w2.example", "w3.witness.xy"),
        ("w" * 60,) * 3,
    ],
)
@pytest.mark.parametrize("size", [1_000, 1_000_000, 2**20])
def test_a_proof_is_as_long_as_the_readme_says(size: int, names: tuple[str, ...]) -> None:
    origin = "exchange.example/00000001003214345000/2026"
    head = Checkpoint(origin, size, ROOT)
    note = sign_checkpoint(head, signer(origin), second_signer(origin), AT).note
    for number, name in enumerate(names):
        note += str(
            Cosigner(name, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)).cosign(head.body(), AT)
        ).encode()
    index = size // 2
    proof = make_receipt(index, SignedCheckpoint(head, note), lambda *_: ROOT)
    hashes = (size - 1).bit_length()
    numbers = len(f"{size}{index}")
    lines = sum(110 + len(name) for name in names)
    assert len(proof) == SMALLEST_PROOF_BYTES + 45 * hashes + 2 * len(origin) + numbers + lines
    # A million leaves and an origin of 42 characters: 1.5 KB as long as three names have 32 together.
    if size == 1_000_000:
        assert (len(proof) <= PROOF_BYTES_MAX) is (sum(map(len, names)) <= 32)


@pytest.mark.parametrize(
    ("size", "fits"), [(1, True), (10_000, True), (2**19, True), (2**20, True), (2**20 + 1, False)]
)
def test_a_proof_with_three_witnesses_is_small(size: int, *, fits: bool) -> None:
    origin = "exchange.example/00000001003214345000/2026"
    head = Checkpoint(origin, size, ROOT)
    note = sign_checkpoint(head, signer(origin), second_signer(origin), AT).note
    note += b"".join(str(witness(number).cosign(head.body(), AT)).encode() for number in (1, 2, 3))
    proof = make_receipt(0, SignedCheckpoint(head, note), lambda *_: ROOT)
    # Each doubling of the log adds a hash of 45 bytes.
    assert (len(proof) <= PROOF_BYTES_MAX) is fits
