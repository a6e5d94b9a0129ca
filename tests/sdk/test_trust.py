"""The second verifier's policy: who must have signed, counted by key; beside the exchange's own reading."""

from __future__ import annotations

from base64 import b64encode
from itertools import count, permutations
from typing import TYPE_CHECKING

import pytest
from tlog_scales.signing import MLDSA44CosignatureSigner
from tlog_scales.tlog import Checkpoint as ForeignCheckpoint

from adapters.sdk.proofs import ProofRefused, parse_key
from adapters.sdk.trust import parse_trust
from exchange.errors import ExchangeError, SettingsInvalid
from exchange.ledger.checkpoint import Checkpoint, parse_policy, sign_checkpoint
from exchange.ledger.merkle import hash_leaf, root_of
from exchange.ledger.note import Signature, VerifierKey
from exchange.ledger.receipt import make_receipt
from tests.ledger.builders import ORIGIN, cosign, entry, signer, witness_vkey

if TYPE_CHECKING:
    from collections.abc import Iterable

LOG = signer()
W = {name: signer(f"{name}.example", name.encode() * 16) for name in ("w1", "w2", "w3")}
ENTRIES = [entry(number) for number in range(5)]
HEAD = Checkpoint(ORIGIN, 5, root_of([hash_leaf(one) for one in ENTRIES]))
SIGNED = sign_checkpoint(HEAD, LOG)
WITNESSES = "".join(f"witness {name} {witness_vkey(one)}\n" for name, one in W.items())
POLICY = f"log {LOG.vkey}\n{WITNESSES}group g 2 w1 w2 w3\nquorum g\n"


def note(who: Iterable[str], time_s: int = 1_769_860_800) -> str:
    return (SIGNED.note + b"".join(cosign(HEAD.body(), W[name], time_s) for name in who)).decode()


def both(policy: str, text: str) -> bool:
    """Return what the two verifiers say, which must be the same."""
    try:
        mine = parse_trust(policy).verify(text).checkpoint.size == 5
    except ProofRefused:
        mine = False
    try:
        theirs = parse_policy(policy).accept(text.encode(errors="surrogatepass")).size == 5
    except ExchangeError:
        theirs = False
    assert mine is theirs
    return mine


@pytest.mark.parametrize("who", [(), ("w1",), ("w1", "w2"), ("w3", "w1"), ("w1", "w2", "w3"), ("w1", "w1")])
def test_a_quorum_is_met_by_as_many_keys_as_it_asks(who: tuple[str, ...]) -> None:
    assert both(POLICY, note(who)) is (len(set(who)) >= 2)


@pytest.mark.parametrize("key", [bytes(32), b"\1" + bytes(31), b"\1" + bytes(30) + b"\x80"])
def test_a_witness_that_is_everybody_is_refused_whoever_signed(key: bytes) -> None:
    everybody = VerifierKey("w4.example", 4, key)
    line = str(Signature(everybody.name, everybody.id, (17).to_bytes(8, "big") + b"\1" + bytes(63)))
    policy = f"log {LOG.vkey}\nwitness w4 {everybody}\nquorum w4\n"
    assert not both(policy, note(()) + line)
    with pytest.raises(ProofRefused, match="anybody can sign"):
        parse_trust(policy)
    with pytest.raises(SettingsInvalid, match="anybody can sign"):
        parse_policy(policy)


def test_a_log_that_is_everybody_is_refused() -> None:
    everybody = VerifierKey(ORIGIN, 1, b"\1" + bytes(31))
    with pytest.raises(ProofRefused, match="anybody can sign"):
        parse_key(str(everybody))
    assert not both(f"log {everybody}\nquorum none\n", note(()))


def test_it_says_when_each_cosigned() -> None:
    said = parse_trust(POLICY).verify(note(["w2", "w1"], 17)).cosigned
    assert said == {"w2": 17, "w1": 17}


@pytest.mark.parametrize(
    ("quorum", "met"),
    [
        ("quorum none\n", True),
        ("quorum w1\n", True),
        ("quorum w3\n", False),
        ("group g all w1 w2\nquorum g\n", True),
        ("group g all w1 w3\nquorum g\n", False),
        ("group g any w3 w2\nquorum g\n", True),
        ("group g 3 w1 w2 w3\nquorum g\n", False),
        ("group a any w1 w3\ngroup b all a w2\nquorum b\n", True),
        ("group a all w1 w3\ngroup b all a w2\nquorum b\n", False),
        ("# a comment\n\n \t\n\tgroup  g\t2 w1 w2 \nquorum g\n", True),
    ],
    ids=count(),
)
def test_groups_of_witnesses(quorum: str, *, met: bool) -> None:
    assert both(f"log {LOG.vkey} https://log.example/\n{WITNESSES}{quorum}", note(["w1", "w2"])) is met


@pytest.mark.parametrize(
    "policy",
    [
        "",
        "quorum none",
        f"log {LOG.vkey}\n",
        f"log {LOG.vkey}\nquorum none\nquorum none\n",
        f"log {LOG.vkey}\nquorum w1\n",
        f"log {LOG.vkey}\nlog {LOG.vkey}\nquorum none\n",
        f"log {LOG.vkey} a b\nquorum none\n",
        f"log {witness_vkey(LOG)}\nquorum none\n",
        f"log {LOG.vkey}\nwitness w {LOG.vkey}\nquorum w\n",
        f"log {LOG.vkey}\nwitness w {witness_vkey(LOG)}\nquorum w\n",
        f"log {LOG.vkey}\nwitness none {witness_vkey(W['w1'])}\nquorum none\n",
        f"log {LOG.vkey}\nwitness a {witness_vkey(W['w1'])}\nwitness b {witness_vkey(W['w1'])}\nquorum a\n",
        f"log {LOG.vkey}\n{WITNESSES}group g 0 w1\nquorum g\n",
        f"log {LOG.vkey}\n{WITNESSES}group g 2 w1\nquorum g\n",
        f"log {LOG.vkey}\n{WITNESSES}group g 1 w1 w1\nquorum g\n",
        f"log {LOG.vkey}\n{WITNESSES}group g 1 w1\ngroup h 1 w1\nquorum h\n",
        f"log {LOG.vkey}\n{WITNESSES}group w1 1 w2\nquorum w1\n",
        f"log {LOG.vkey}\n{WITNESSES}group g 1 g\nquorum g\n",
        f"log {LOG.vkey}\n{WITNESSES}group g\nquorum g\n",
        f"log {LOG.vkey}\r\nquorum none\n",
        f"log {LOG.vkey}\x00\nquorum none\n",
        f"log {LOG.vkey[:-4]}\nquorum none\n",
        f"log {LOG.vkey.replace('+', '-', 1)}\nquorum none\n",
        "frobnicate\nquorum none\n",
        "#" * 300_000 + "\nquorum none\n",
    ],
    ids=count(),
)
def test_a_policy_that_is_none_is_refused(policy: str) -> None:
    with pytest.raises(ProofRefused, match="policy"):
        parse_trust(policy)
    assert not both(policy, note(["w1", "w2"]))


def test_more_names_than_a_policy_may_have_are_refused() -> None:
    groups = "".join(f"group g{number} 1 {f'g{number - 1}' if number else 'w1'}\n" for number in range(252))
    assert both(f"log {LOG.vkey}\n{WITNESSES}{groups}quorum g251\n", note(["w1"]))
    with pytest.raises(ProofRefused, match="too many"):
        parse_trust(f"log {LOG.vkey}\n{WITNESSES}{groups}group x 1 g251\ngroup y 1 x\nquorum y\n")


def test_a_false_cosignature_of_a_known_key_refuses_the_whole_note() -> None:
    good, false = note(["w1", "w2"]), note(["w3"], 5).splitlines(keepends=True)[-1]
    assert both(POLICY, good + false)
    later = cosign(HEAD.body(), W["w3"], 2**63).decode()
    assert not both(POLICY, good + later)
    assert not both(POLICY, good + cosign("another\n", W["w3"]).decode())


def test_the_right_name_with_another_key_counts_for_nothing() -> None:
    thief = signer("w2.example", b"thief" * 6 + b"!!")
    assert not both(POLICY, note(["w1"]) + cosign(HEAD.body(), thief).decode())
    forged = signer(seed=b"o" * 32).sign(HEAD.body()).decode()
    assert not both(POLICY, forged + note(["w1", "w2"]).partition("\n\n")[2].partition("\n")[2])


def test_lines_may_stand_in_any_order() -> None:
    body, _, lines = note(["w1", "w2"]).partition("\n\n")
    for order in permutations(lines.splitlines(keepends=True)):
        assert both(POLICY, body + "\n\n" + "".join(order))


def test_a_receipt_under_a_policy() -> None:
    def read_hash(level: int, index: int) -> bytes:
        span = ENTRIES[index << level : (index + 1) << level]
        return root_of([hash_leaf(one) for one in span])

    proof = make_receipt(3, SIGNED, read_hash, ENTRIES[3]).decode()
    lines = note(["w1", "w2"]).partition("\n\n")[2].split("\n", 1)[1]
    trust = parse_trust(POLICY)
    assert trust.verify_receipt(None, proof + lines) == 3
    assert trust.verify_receipt(ENTRIES[3], proof + lines) == 3
    with pytest.raises(ProofRefused, match="quorum"):
        trust.verify_receipt(None, proof)
    with pytest.raises(ProofRefused):
        trust.verify_receipt(ENTRIES[2], proof + lines)


# --- ML-DSA-44, signed by an implementation that is not ours -----------------------------------------------


def ml_dsa(name: str) -> tuple[str, str]:
    """Return a vkey of type 0x06 and its signature line under the checkpoint."""
    key = MLDSA44CosignatureSigner(name, bytes(range(32)))
    made = key.sign(ForeignCheckpoint(HEAD.origin, HEAD.size, HEAD.root, []))
    material = b64encode(bytes([6]) + key.vkey.pubkey).decode()
    return f"{name}+{key.vkey.key_id:08x}+{material}", made.serialize() + "\n"


def test_a_witness_of_ml_dsa_counts() -> None:
    vkey, line = ml_dsa("pq.example")
    trust = parse_trust(f"log {LOG.vkey}\nwitness pq {vkey}\nquorum pq\n")
    assert trust.verify(note([]) + line).cosigned["pq"] > 1_700_000_000
    with pytest.raises(ProofRefused, match="quorum"):
        trust.verify(note([]))
    encoded = line.split(" ")[2]
    false = line.replace(encoded, b64encode(b"\0" * 20).decode() + encoded[28:])
    with pytest.raises(ProofRefused):
        trust.verify(note([]) + false)
    forged = note([]).replace("\n5\n", "\n6\n") + line
    with pytest.raises(ProofRefused):
        trust.verify(forged)


def test_a_signature_of_ml_dsa_by_the_log_is_passed_over_by_who_does_not_know_its_key() -> None:
    _, line = ml_dsa(ORIGIN)
    assert both(POLICY, note(["w1", "w2"]) + line)
