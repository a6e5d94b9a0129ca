"""Receipts: each leaf has one, it needs nothing but a policy, and no changed byte passes."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.errors import ProofInvalid
from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint, parse_policy, sign_checkpoint
from exchange.ledger.receipt import make_receipt, parse_receipt, verify_receipt
from tests.ledger.builders import ORIGIN, cosign, entry, signer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ledger.builders import Log

POLICY = parse_policy(f"log {signer().vkey}\nquorum none\n")


def receipt(log: Log, index: int, size: int, *, with_entry: bool = True) -> bytes:
    log.grow(size)
    signed = log.integrator.integrate()
    assert signed is not None
    return make_receipt(index, signed, log.tiles.hash_reader(size), entry(index) if with_entry else b"")


@pytest.mark.parametrize(
    ("index", "size"), [(0, 1), (0, 2), (1, 2), (6, 7), (255, 256), (256, 257), (299, 600)]
)
def test_a_receipt_proves_its_entry(log: Log, index: int, size: int) -> None:
    proven = verify_receipt(None, receipt(log, index, size), POLICY)
    assert (proven.origin, proven.size, proven.index, proven.entry) == (ORIGIN, size, index, entry(index))


def test_a_receipt_without_its_entry_proves_the_one_shown(log: Log) -> None:
    proof = receipt(log, 2, 5, with_entry=False)
    assert b"extra" not in proof
    assert verify_receipt(entry(2), proof, POLICY).index == 2
    with pytest.raises(ProofInvalid, match="another root"):
        verify_receipt(entry(3), proof, POLICY)
    with pytest.raises(ProofInvalid, match="no entry"):
        verify_receipt(None, proof, POLICY)


def test_an_entry_that_is_not_the_one_carried_is_refused(log: Log) -> None:
    with pytest.raises(ProofInvalid, match="another entry"):
        verify_receipt(entry(3), receipt(log, 2, 5), POLICY)


def test_no_receipt_is_given_for_what_is_not_there(log: Log) -> None:
    receipt(log, 2, 5)
    signed = log.integrator.integrate()
    assert signed is not None
    with pytest.raises(ProofInvalid):
        make_receipt(5, signed, log.tiles.hash_reader(5))
    with pytest.raises(ProofInvalid):
        make_receipt(1, signed, log.tiles.hash_reader(5), entry(2))


def test_a_receipt_of_a_log_nobody_trusts_is_refused(log: Log) -> None:
    stranger = parse_policy(f"log {signer(seed=b's' * 32).vkey}\nquorum none\n")
    with pytest.raises(ProofInvalid, match="no known log"):
        verify_receipt(None, receipt(log, 2, 5), stranger)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.integers(0), st.sampled_from(["flip", "insert", "delete"]), st.integers(0, 255))
def test_a_changed_byte_never_passes(log: Log, place: int, how: str, byte: int) -> None:
    whole = receipt(log, 2, 5)
    at = place % len(whole)
    if how == "flip":
        changed = whole[:at] + bytes([whole[at] ^ (byte or 1)]) + whole[at + 1 :]
    elif how == "insert":
        changed = whole[:at] + bytes([byte]) + whole[at:]
    else:
        changed = whole[:at] + whole[at + 1 :]
    with pytest.raises(ProofInvalid):
        verify_receipt(None, changed, POLICY)


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: proof[:0],
        lambda proof: proof[:23],
        lambda proof: b"c2sp.org/tlog-proof@v1\n\n" + proof.partition(b"\n\n")[2],
        lambda proof: proof.replace(b"@v1", b"@v2"),
        lambda proof: proof.replace(b"index 2", b"index 02"),
        lambda proof: proof.replace(b"index 2", b"index 3"),
        lambda proof: proof.replace(b"index 2", b"index 9"),
        lambda proof: proof.replace(b"index 2\n", b""),
        lambda proof: proof.replace(b"extra ", b"extra  "),
        lambda proof: proof.replace(b"index 2\n", b"index 2\n" + b64encode(b"h" * 32) + b"\n"),
        lambda proof: proof.replace(b"index 2\n", b"index 2\n" + b64encode(b"h" * 31) + b"\n"),
        lambda proof: proof.replace(b"index 2\n", b"index 2\n" + (b64encode(b"h" * 32) + b"\n") * 70),
        lambda proof: proof.replace(b"index 2\n", b"index 2\n\n"),
        lambda proof: proof.replace(b"index 2", "index ²".encode()),
        lambda proof: proof + b"x" * 1_000_000,
        lambda proof: b"\n" + proof,
    ],
)
def test_a_malformed_receipt_is_refused(log: Log, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ProofInvalid):
        verify_receipt(None, change(receipt(log, 2, 5)), POLICY)


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(ProofInvalid):
        parse_receipt(b"c2sp.org/tlog-proof@v1\n" + noise)


def test_the_proof_of_one_of_a_million_entries_with_three_witnesses_is_small() -> None:
    """Signatures of Ed25519 only; the entry itself travels apart."""
    signed = sign_checkpoint(Checkpoint(ORIGIN, 1_000_000, b"r" * 32), signer())
    names = ("zorg.example", "gemeente.example", "toezicht.example")
    lines = [cosign(signed.checkpoint.body(), signer(name, name.encode()[:1] * 32)) for name in names]
    witnessed = SignedCheckpoint(signed.checkpoint, signed.note + b"".join(lines))
    proof = make_receipt(0, witnessed, lambda _level, _index: b"h" * 32)
    assert len(parse_receipt(proof).path) == 20
    assert len(proof) <= 1536
