"""Checkpoints and the policy that trusts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import ProofInvalid, SettingsInvalid
from exchange.ledger.checkpoint import Checkpoint, parse_body, parse_policy, parse_size, sign_checkpoint
from exchange.ledger.merkle import EMPTY_ROOT, hash_leaf, root_of
from exchange.ledger.note import encode_base64
from exchange.ledger.tiles import split_bundle
from tests.ledger.builders import ORIGIN, cosign, signer, witness_vkey

if TYPE_CHECKING:
    from pathlib import Path

ROOT = b"r" * 32
HEAD = Checkpoint(ORIGIN, 7, ROOT)
WITNESSES = [signer(f"w{number}.example", bytes([number]) * 32) for number in range(1, 6)]
X1, X2, X3, Y1, Y2 = map(witness_vkey, WITNESSES)
LOG = f"log {signer().vkey}\n"
TWO_LEVELS = (
    f"# who we trust\n{LOG}\n"
    f"witness X1 {X1}\nwitness X2 {X2} https://x2.example/\n\twitness  X3\t{X3} \n"
    f"group X 2 X1 X2 X3\nwitness Y1 {Y1}\nwitness Y2 {Y2}\ngroup Y any Y1 Y2\n"
    "group X-and-Y all X Y\nquorum X-and-Y\n"
)


def note(*cosigners: int) -> bytes:
    lines = b"".join(cosign(HEAD.body(), WITNESSES[number]) for number in cosigners)
    return sign_checkpoint(HEAD, signer()).note + lines


def test_a_signed_checkpoint_is_accepted_by_a_policy_that_knows_the_log() -> None:
    assert parse_policy(LOG + "quorum none\n").accept(note()) == HEAD
    assert parse_policy(f"log {signer().vkey} https://log.example/\nquorum none\n").accept(note()) == HEAD


def test_the_published_checkpoints_and_entries_lead_to_each_other(vectors: Path) -> None:
    folder = vectors / "tessera" / "testdata" / "log"
    policy = parse_policy(
        "log example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx\nquorum none\n"
    )
    for size in range(1, 16):
        head = policy.accept((folder / f"checkpoint.{size}").read_bytes())
        bundle = (folder / "tile" / "entries" / "000.p" / str(size)).read_bytes()
        hashes = [hash_leaf(entry) for entry in split_bundle(bundle, size, "bundle")]
        assert (head.size, head.root) == (size, root_of(hashes))
        assert b"".join(hashes) == (folder / "tile" / "0" / "000.p" / str(size)).read_bytes()
    assert policy.accept((folder / "checkpoint.0").read_bytes()).root == EMPTY_ROOT


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{ORIGIN}\n7\n",
        f"{ORIGIN}\n7\n{encode_base64(ROOT)}",
        f"{ORIGIN}\n7\n{encode_base64(ROOT)}\nextension\n",
        f"{ORIGIN}\n7\n{encode_base64(ROOT)}\n\n",
        f"\n7\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n07\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n-7\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n+7\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n 7\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n\u0667\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n9223372036854775808\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n{'9' * 5000}\n{encode_base64(ROOT)}\n",
        f"{ORIGIN}\n7\n{encode_base64(ROOT[1:])}\n",
        f"{ORIGIN}\n7\n{encode_base64(ROOT)[:-1]}\n",
        f"{ORIGIN}\n0\n{encode_base64(ROOT)}\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ProofInvalid):
        parse_body(text)


def test_the_largest_size_is_read() -> None:
    assert parse_size("9223372036854775807", "here") == 2**63 - 1


def test_no_log_signs_for_another_or_for_nothing() -> None:
    with pytest.raises(ProofInvalid):
        sign_checkpoint(HEAD, signer("exchange.example/0014/2026"))
    with pytest.raises(ProofInvalid):
        sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), signer())


def test_a_known_log_cannot_speak_for_another_origin() -> None:
    other = signer("exchange.example/0014/2026", b"o" * 32)
    policy = parse_policy(f"{LOG}log {other.vkey}\nquorum none\n")
    with pytest.raises(ProofInvalid, match="under its origin"):
        policy.accept(other.sign(HEAD.body()))
    assert policy.accept(other.sign(Checkpoint(other.name, 1, ROOT).body())).origin == other.name


def test_a_log_nobody_listed_is_not_trusted() -> None:
    with pytest.raises(ProofInvalid, match="no known log"):
        parse_policy("quorum none\n").accept(note())


@pytest.mark.parametrize(
    ("cosigners", "enough"),
    [
        ((), False),
        ((0, 1), False),
        ((3,), False),
        ((0, 3), False),
        ((0, 0, 3), False),
        ((0, 1, 3), True),
        ((0, 2, 4), True),
        ((0, 1, 2, 3, 4), True),
    ],
)
def test_a_quorum_counts_each_witness_once(cosigners: tuple[int, ...], *, enough: bool) -> None:
    policy = parse_policy(TWO_LEVELS)
    if enough:
        assert policy.accept(note(*cosigners)) == HEAD
    else:
        with pytest.raises(ProofInvalid, match="too few"):
            policy.accept(note(*cosigners))


def test_one_witness_can_be_the_quorum() -> None:
    policy = parse_policy(f"{LOG}witness W {X1}\nquorum W\n")
    assert policy.accept(note(0)) == HEAD
    with pytest.raises(ProofInvalid):
        policy.accept(note(1))


def test_a_wrong_cosignature_of_a_known_witness_refuses_the_checkpoint() -> None:
    policy = parse_policy(f"{LOG}witness W {X1}\nquorum none\n")
    with pytest.raises(ProofInvalid, match="does not verify"):
        policy.accept(note() + cosign("other\n", WITNESSES[0]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        LOG,
        "quorum none\nquorum none\n",
        "quorum none",
        "quorum nobody\n",
        "quorum\n",
        "quorum none none\n",
        "quorum W\nwitness W " + X1 + "\n",
        "qourum none\n",
        "log\nquorum none\n",
        "log not-a-key\nquorum none\n",
        f"log {X1}\nquorum none\n",
        f"{LOG}{LOG}quorum none\n",
        f"log {signer().vkey} url more\nquorum none\n",
        f"log {signer().vkey}\nlog {signer('renamed.example').vkey}\nquorum none\n",
        f"witness W {signer().vkey}\nquorum none\n",
        f"{LOG}witness W {witness_vkey(signer())}\nquorum none\n",
        f"witness W {X1}\nwitness V {X1}\nquorum none\n",
        f"witness W {X1}\nwitness W {X2}\nquorum none\n",
        f"witness none {X1}\nquorum none\n",
        f"witness W {X1}\ngroup none any W\nquorum none\n",
        f"witness W {X1}\ngroup W any W\nquorum W\n",
        f"witness W {X1}\ngroup G any\nquorum none\n",
        f"witness W {X1}\ngroup G 0 W\nquorum G\n",
        f"witness W {X1}\ngroup G 2 W\nquorum G\n",
        f"witness W {X1}\ngroup G 01 W\nquorum G\n",
        f"witness W {X1}\ngroup G some W\nquorum G\n",
        f"witness W {X1}\ngroup G any W W\nquorum G\n",
        f"witness W {X1}\ngroup G any W none\nquorum G\n",
        f"witness W {X1}\ngroup G any W\ngroup H any W\nquorum G\n",
        f"group G any W\nwitness W {X1}\nquorum G\n",
        "quorum none\r\n",
        "quorum\x0bnone\n",
        "quorum\u00a0none\n",
        "# " + "x" * 300_000 + "\nquorum none\n",
    ],
)
def test_a_malformed_policy_is_refused(text: str) -> None:
    with pytest.raises(SettingsInvalid):
        parse_policy(text)


def test_a_refused_policy_names_the_line() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        parse_policy(f"# first\n{LOG}witnes W {X1}\nquorum none\n")
    assert refused.value.metadata["line"] == "3"


def test_a_policy_of_too_many_names_is_refused() -> None:
    keys = [witness_vkey(signer(f"w{number}", number.to_bytes(32, "big"))) for number in range(300)]
    lines = "".join(f"witness w{number} {key}\n" for number, key in enumerate(keys))
    with pytest.raises(SettingsInvalid, match="too many"):
        parse_policy(lines + "quorum none\n")


def test_names_are_opaque_octets() -> None:
    text = f"{LOG}witness K\udcff {X1}\nquorum K\udcff\n"
    assert parse_policy(text).accept(note(0)) == HEAD


@given(st.binary(max_size=300))
def test_no_note_of_noise_is_trusted_or_raises_anything_else(noise: bytes) -> None:
    with pytest.raises(ProofInvalid):
        parse_policy(LOG + "quorum none\n").accept(noise)
