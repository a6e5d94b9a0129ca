"""Blinding: the adapter's side of RFC 9497 against the exchange's side, and against answers that lie."""

from __future__ import annotations

import json
from hashlib import sha512
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import rbcl
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sdk.blinding import Blinder, BlindingRefused, blind_with, remove_blinding, verify_proof
from adapters.sdk.bsn import Bsn, passes_eleven_proof
from exchange.keys.identity import IdentityKeys
from exchange.keys.voprf import Mode, blind_evaluate_proved, derive_key_pair

if TYPE_CHECKING:
    from pathlib import Path

ORDER = 2**252 + 27742317777372353535851937790883648493
MUNICIPALITY, PROVIDER = "00000001001234567000", "00000003123456780000"
EXCHANGE = IdentityKeys(bytes(range(32)))
ANNA = Bsn("999993653")


def first_bsn_from(number: int) -> Bsn:
    return Bsn(next(digits for digits in (f"{n:09d}" for n in count(number)) if passes_eleven_proof(digits)))


bsns = st.integers(1, 999_999_000).map(first_bsn_from)
few = settings(max_examples=20, deadline=None)


def pseudonym_at(oin: str, bsn: Bsn) -> bytes:
    blinder = Blinder(EXCHANGE.public_key(oin))
    blinded, state = blinder.blind(bsn)
    answer = EXCHANGE.evaluate(oin, blinded)
    return blinder.unblind(state, answer.element, answer.proof)


@few
@given(bsn=bsns)
def test_a_resident_has_one_pseudonym_at_each_organisation(bsn: Bsn) -> None:
    mine, theirs = pseudonym_at(MUNICIPALITY, bsn), pseudonym_at(PROVIDER, bsn)
    assert pseudonym_at(MUNICIPALITY, bsn) == mine != theirs
    assert EXCHANGE.translate(MUNICIPALITY, PROVIDER, mine) == theirs
    assert EXCHANGE.root(MUNICIPALITY, mine) == EXCHANGE.root(PROVIDER, theirs)


@few
@given(one=bsns, other=bsns)
def test_two_residents_share_no_pseudonym(one: Bsn, other: Bsn) -> None:
    assert (pseudonym_at(PROVIDER, one) == pseudonym_at(PROVIDER, other)) == (one == other)


def test_what_travels_is_never_twice_the_same_and_holds_no_bsn() -> None:
    sent = [Blinder(EXCHANGE.public_key(PROVIDER)).blind(ANNA) for _ in range(50)]
    assert len({blinded for blinded, _ in sent}) == 50
    blinded, state = sent[0]
    assert ANNA.reveal().encode() not in blinded
    assert state.scalar.hex() not in repr(state)
    assert repr(state.scalar) not in repr(state)


def answered() -> tuple[Blinder, Any, bytes, bytes]:
    blinder = Blinder(EXCHANGE.public_key(PROVIDER))
    blinded, state = blinder.blind(ANNA)
    answer = EXCHANGE.evaluate(PROVIDER, blinded)
    return blinder, state, answer.element, answer.proof


def test_an_answer_under_another_key_is_refused() -> None:
    blinder, state, _, _ = answered()
    for liar, oin in ((EXCHANGE, MUNICIPALITY), (IdentityKeys(bytes(32)), PROVIDER)):
        lie = liar.evaluate(oin, state.blinded)
        with pytest.raises(BlindingRefused, match="public key"):
            blinder.unblind(state, lie.element, lie.proof)


def test_an_answer_to_another_question_is_refused() -> None:
    blinder, state, element, proof = answered()
    _, other, other_element, other_proof = answered()
    for mixed in ((other, element, proof), (state, other_element, proof), (state, element, other_proof)):
        with pytest.raises(BlindingRefused):
            blinder.unblind(*mixed)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_altered_bit_of_the_proof_is_refused(data: st.DataObject) -> None:
    blinder, state, element, proof = answered()
    bit = data.draw(st.integers(0, 511))
    altered = bytearray(proof)
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BlindingRefused):
        blinder.unblind(state, element, bytes(altered))


@pytest.mark.parametrize(
    "proof",
    [
        b"",
        bytes(63),
        bytes(65),
        bytes(64),
        b"\xff" * 64,
        ORDER.to_bytes(32, "little") * 2,
        bytes(32) + (1).to_bytes(32, "little"),
        (1).to_bytes(32, "little") + bytes(32),
    ],
)
def test_a_malformed_or_degenerate_proof_is_refused(proof: bytes) -> None:
    blinder, state, element, _ = answered()
    with pytest.raises(BlindingRefused):
        blinder.unblind(state, element, proof)


def test_a_scalar_with_a_second_encoding_is_refused() -> None:
    blinder, state, element, proof = answered()
    answer = int.from_bytes(proof[32:], "little") + ORDER
    with pytest.raises(BlindingRefused, match="scalars"):
        blinder.unblind(state, element, proof[:32] + answer.to_bytes(32, "little"))


def bad_elements() -> list[bytes]:
    good = rbcl.crypto_core_ristretto255_random()
    return [
        b"",
        good[:31],
        good + b"\x00",
        bytes(32),
        b"\x01" + bytes(31),
        b"\xff" * 32,
        good[:31] + bytes((good[31] | 128,)),
    ]


@pytest.mark.parametrize("bad", bad_elements(), ids=range(7))
def test_what_is_no_element_is_refused(bad: bytes) -> None:
    blinder, state, _, proof = answered()
    with pytest.raises(BlindingRefused, match="answer"):
        blinder.unblind(state, bad, proof)
    with pytest.raises(BlindingRefused, match="public key"):
        Blinder(bad)


def test_no_refusal_holds_the_bsn() -> None:
    blinder, state, element, _ = answered()
    with pytest.raises(BlindingRefused) as refused:
        blinder.unblind(state, element, bytes(64))
    assert ANNA.reveal() not in str(refused.value)
    assert element.hex() not in str(refused.value)


@few
@given(size=st.integers(1, 5), altered=st.integers(0, 4))
def test_one_wrong_answer_in_a_batch_spoils_its_proof(size: int, altered: int) -> None:
    keys = derive_key_pair(bytes(32), b"batch", Mode.VOPRF)
    blinded = [rbcl.crypto_core_ristretto255_random() for _ in range(size)]
    answer = blind_evaluate_proved(keys, blinded)
    pairs = list(zip(blinded, answer.elements, strict=True))
    verify_proof(keys.public, pairs, answer.proof)
    index = altered % size
    pairs[index] = (pairs[index][0], rbcl.crypto_core_ristretto255_random())
    with pytest.raises(BlindingRefused):
        verify_proof(keys.public, pairs, answer.proof)


@pytest.mark.parametrize(("mode", "count"), [(0, 2), (1, 3)], ids=["OPRF", "VOPRF"])
def test_the_vectors_of_the_standard(standards_dir: Path, mode: int, count: int) -> None:
    path = standards_dir / "vectors" / "rfc9497-allVectors.json"
    if not path.exists():
        pytest.skip("the vectors of RFC 9497 are not in this copy of the standards")
    (suite,) = (
        suite
        for suite in json.loads(path.read_text())
        if suite["identifier"] == "ristretto255-SHA512" and suite["mode"] == mode
    )
    assert len(suite["vectors"]) == count
    context = b"OPRFV1-" + bytes((mode,)) + b"-ristretto255-SHA512"
    for vector in suite["vectors"]:
        columns = [
            [bytes.fromhex(part) for part in vector[name].split(",")]
            for name in ("Input", "Blind", "BlindedElement", "EvaluationElement", "Output")
        ]
        for message, scalar, expected, evaluated, output in zip(*columns, strict=True):
            blinded, state = blind_with(message, scalar, context)
            assert blinded == expected
            unblinded = remove_blinding(state, evaluated)
            # The output of the standard is a hash of what is unblinded: it is the right element.
            hashed = len(message).to_bytes(2, "big") + message + b"\x00\x20" + unblinded + b"Finalize"
            assert sha512(hashed).digest() == output
        if mode == 1:
            proof = bytes.fromhex(vector["Proof"]["proof"])
            verify_proof(bytes.fromhex(suite["pkSm"]), zip(columns[2], columns[3], strict=True), proof)
