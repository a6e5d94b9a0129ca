"""Signed notes: the standard's example, our own, and everything that must be refused."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import ProofInvalid
from exchange.ledger.note import NoteSigner, VerifierKey, decode_base64, parse_note, parse_vkey
from tests.ledger.builders import cosign, signer, witness_vkey

if TYPE_CHECKING:
    from collections.abc import Callable

# The example of the standard, and two signatures that are not the key's.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_LINE = (
    "example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
)
EXAMPLE = f"This is an example message.\n\n\u2014 {EXAMPLE_LINE}\n".encode()


def test_the_example_of_the_standard_verifies() -> None:
    key = parse_vkey(EXAMPLE_KEY)
    assert str(key) == EXAMPLE_KEY
    note = parse_note(EXAMPLE)
    assert note.text == "This is an example message.\n"
    assert note.signers([key]) == (key,)


def test_what_we_sign_verifies_and_signing_again_gives_the_same_bytes() -> None:
    log = signer()
    note = log.sign("one\n\ntwo\n")
    assert note == log.sign("one\n\ntwo\n")
    parsed = parse_note(note)
    assert parsed.text == "one\n\ntwo\n"
    assert parsed.signers([parse_vkey(log.vkey)]) == (log.key,)


def test_a_signature_of_an_unknown_key_is_passed_over() -> None:
    log, stranger = signer(), signer("stranger.example", b"s" * 32)
    line = stranger.sign("text\n").partition(b"\n\n")[2]
    assert parse_note(log.sign("text\n") + line).signers([log.key]) == (log.key,)
    assert parse_note(stranger.sign("text\n")).signers([log.key]) == ()


def test_the_same_name_with_another_key_is_another_key() -> None:
    log, impostor = signer(), signer(seed=b"i" * 32)
    assert parse_note(impostor.sign("text\n")).signers([log.key]) == ()


def test_a_wrong_signature_of_a_known_key_refuses_the_whole_note() -> None:
    log, other = signer(), signer("other.example", b"o" * 32)
    lines = log.sign("other text\n").partition(b"\n\n")[2]
    with pytest.raises(ProofInvalid, match="does not verify"):
        parse_note(other.sign("text\n") + lines).signers([log.key, other.key])


def test_two_signatures_of_one_key_count_once() -> None:
    log = signer()
    note = log.sign("text\n")
    assert parse_note(note + note.partition(b"\n\n")[2]).signers([log.key]) == (log.key,)


def test_a_cosignature_signs_its_time() -> None:
    witness = signer("witness.example", b"w" * 32)
    key = parse_vkey(witness_vkey(witness))
    line = cosign("a\n1\nb\n", witness)
    assert parse_note(b"a\n1\nb\n\n" + line).signers([key]) == (key,)
    early = VerifierKey(key.name, key.kind, key.public)
    material = decode_base64(line.decode().split(" ")[2].strip(), "line")
    later = material[:11] + bytes([material[11] ^ 1]) + material[12:]
    assert early.accepts("a\n1\nb\n", material[4:])
    assert not early.accepts("a\n1\nb\n", later[4:])
    assert not early.accepts("a\n1\nb\n", material[4:-1])
    for time_s, good in ((2**63 - 1, True), (2**63, False)):
        line = cosign("a\n1\nb\n", witness, time_s)
        material = decode_base64(line.decode().split(" ")[2].strip(), "line")
        assert early.accepts("a\n1\nb\n", material[4:]) is good


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note[:0],
        lambda note: note[:-1],
        lambda note: note.replace(b"\n\n", b"\n"),
        lambda note: note + b"\n",
        lambda note: note + b"extra\n",
        lambda note: note.replace(b"\xe2\x80\x94 ", b"- "),
        lambda note: note.replace("\u2014 example.com/foo".encode(), "\u2014 ".encode()),
        lambda note: note.replace(b"example.com/foo", b"example.com/f+o"),
        lambda note: note.replace(b"example.com/foo", "example.com/f\u00a0o".encode()),
        lambda note: note.replace(b"yaQM=", b"yaQM"),
        lambda note: note.replace(b"yaQM=", b"yaQN="),
        lambda note: note.replace(b"yaQM=", b"ya QM="),
        lambda note: note.replace(b"This", b"\xffhis"),
        lambda note: note.replace(b"This", b"T\tis"),
        lambda note: note.replace(b"This", b"T\ris"),
        lambda note: note.replace(b"This", b"T\x00is"),
        lambda note: note.replace(b" Uw2QOkn8", b" Uw2Q\nOkn8"),
        lambda note: b"x" * 300_000 + note,
        lambda note: note + b"\xe2\x80\x94 a.example AAAAAAA=\n" * 64,
        lambda note: note + b"\xe2\x80\x94 a.example AAAAAA==\n",
    ],
)
def test_a_malformed_note_is_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ProofInvalid) as refused:
        parse_note(change(EXAMPLE), "here")
    assert refused.value.metadata["place"] == "here"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/foo",
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("530d903a", "530D903A"),
        EXAMPLE_KEY.replace("example.com/foo", "example.com/bar"),
        EXAMPLE_KEY.replace("example.com/foo", ""),
        EXAMPLE_KEY.replace("example.com/foo", "example.com/ foo"),
        EXAMPLE_KEY.replace("example.com/foo", "example.com/\udcff"),
        EXAMPLE_KEY[:-4],
        EXAMPLE_KEY[:-1] + "l",
        EXAMPLE_KEY + "\n",
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(ProofInvalid):
        parse_vkey(text)


@pytest.mark.parametrize("kind", [0x00, 0x02, 0x05, 0xFF])
def test_a_key_of_an_unknown_type_is_refused(kind: int) -> None:
    with pytest.raises(ProofInvalid, match="type not known"):
        parse_vkey(str(VerifierKey("a.example", kind, b"p" * 32)))


def test_a_key_that_is_no_point_accepts_nothing() -> None:
    assert not VerifierKey("a.example", 1, b"p" * 31).accepts("text\n", b"s" * 64)


@pytest.mark.parametrize("text", ["QQ=", "QQ", "QR==", "Q Q==", "QQ==\n", "QQ==QQ==", "é", "-_=="])
def test_base64_has_one_form(text: str) -> None:
    assert decode_base64("QQ==", "here") == b"A"
    with pytest.raises(ProofInvalid):
        decode_base64(text, "here")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "x" * 256])
def test_a_key_name_that_no_note_can_carry_is_refused(name: str) -> None:
    with pytest.raises(ProofInvalid):
        NoteSigner(name, Ed25519PrivateKey.from_private_bytes(b"k" * 32))


@pytest.mark.parametrize("text", ["", "no newline", "tab\there\n"])
def test_a_text_that_no_note_can_carry_is_not_signed(text: str) -> None:
    with pytest.raises(ProofInvalid):
        signer().sign(text)


def test_the_smallest_signature_has_a_byte() -> None:
    tiny = "\u2014 a.example " + b64encode(b"1234s").decode()
    assert parse_note(f"text\n\n{tiny}\n".encode()).signatures[0].signature == b"s"
