"""One field shown by one salt: both verifiers take what was recorded, and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from adapters.sdk import fields as sdk
from adapters.sdk.proofs import ProofRefused
from exchange.domain import TOPICS
from exchange.domain.values import Purpose
from exchange.errors import ProofInvalid
from exchange.gate.register import Register
from exchange.ledger.checkpoint import Checkpoint, parse_policy, sign_checkpoint
from exchange.ledger.commitments import SHOWN_BYTES_MAX, ShownField, commit_field, parse_shown, verify_field
from exchange.ledger.leaf import LEAF_BYTES_MAX, Signed, leaf_entry
from exchange.ledger.merkle import hash_leaf, root_of
from exchange.ledger.note import NoteSigner
from exchange.ledger.receipt import make_receipt

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGIN = "exchange.example/0599/2026"
SIGNER = NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
POLICY = parse_policy(f"log {SIGNER.vkey}\nquorum none\n")
SALT = bytes(range(32))
OTHER_SALT = bytes(32)


def leaf(*fields: bytes) -> bytes:
    return leaf_entry(
        event_id=b"i" * 16,
        topic="consent.requested.v2",
        organisation="00000001003214345000",
        task="college:WMO",
        purpose="wmo-onderzoek",
        basis="WMO-2.3.2@1",
        at="2026-01-31T12:00:00Z",
        state=b"",
        pseudonym=None,
        fields=fields,
    )


def shown(
    name: str = "purpose", value: object = "wmo-levering", *, signer: NoteSigner = SIGNER, entry: bytes = b""
) -> ShownField:
    """Return a field of the only leaf of a log, beside another field."""
    entry = entry or leaf(commit_field(OTHER_SALT, "volume", 3), commit_field(SALT, name, value))
    signed = sign_checkpoint(Checkpoint(ORIGIN, 1, root_of([hash_leaf(entry)])), signer)
    proof = make_receipt(0, signed, lambda _level, _index: hash_leaf(entry), entry)
    return ShownField(0, name, value, SALT, proof)


def taken(text: str) -> None:
    """Let both verifiers take it, and say the same of it."""
    field = parse_shown(text.encode())
    proven, found = verify_field(field, POLICY)
    told = sdk.verify_field(text, SIGNER.vkey)
    assert (told.index, told.topic, told.at) == (proven.index, found.topic, found.at)
    assert (told.name, told.value) == (field.name, field.value)


def refused(text: str) -> str:
    """Let both verifiers refuse it; return what ours says."""
    with pytest.raises(ProofRefused):
        sdk.verify_field(text, SIGNER.vkey)
    with pytest.raises(ProofInvalid) as ours:
        verify_field(parse_shown(text.encode("utf-8", "surrogatepass")), POLICY)
    return ours.value.message


def test_the_commitment_is_the_hash_the_design_tells() -> None:
    told = b"fc1\0" + SALT + b'["recipients",["a","\xc3\xa9\\u001f"]]'
    assert commit_field(SALT, "recipients", ("a", "é\x1f")) == sha256(told).digest()
    assert commit_field(SALT, "end_date", None) == sha256(b"fc1\0" + SALT + b'["end_date",null]').digest()


VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(max_size=5), max_size=4)


@given(st.text(max_size=20), VALUES)
def test_what_was_committed_is_taken_and_another_value_is_not(name: str, value: object) -> None:
    field = shown(name, value)
    taken(field.text())
    assert "no commitment" in refused(replace(field, value=[value]).text())
    assert "no commitment" in refused(replace(field, name=name + "x").text())
    assert "no commitment" in refused(replace(field, salt=OTHER_SALT).text())


@pytest.mark.parametrize(
    ("value", "other"), [(1, True), (0, False), (3, 3.0), (3, "3"), (None, ""), ([], "")]
)
def test_values_that_only_look_alike_are_told_apart(value: object, other: object) -> None:
    assert "no commitment" in refused(
        shown(value=value).text().replace(f'"value":{json.dumps(value)}', f'"value":{json.dumps(other)}')
    )


def test_the_salt_of_one_field_opens_no_other() -> None:
    assert "no commitment" in refused(replace(shown(), name="volume", value=3).text())
    taken(replace(shown(), name="volume", value=3, salt=OTHER_SALT).text())


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no object": lambda said: [said],
    "a key too many": lambda said: said | {"more": 1},
    "a key too few": lambda said: {key: said[key] for key in said if key != "salt"},
    "index as text": lambda said: said | {"index": "0"},
    "index as a truth": lambda said: said | {"index": False},
    "another index": lambda said: said | {"index": 1},
    "name that is none": lambda said: said | {"name": 1},
    "salt too short": lambda said: said | {"salt": "00" * 31},
    "salt not hexadecimal": lambda said: said | {"salt": "zz" * 32},
    "salt that is no text": lambda said: said | {"salt": 7},
    "proof that is no text": lambda said: said | {"tlog_proof": None},
    "proof that is none": lambda said: said | {"tlog_proof": "proof"},
    "a surrogate": lambda said: said | {"value": "\ud800"},
    "no number": lambda said: said | {"value": float("nan")},
    "too deep": lambda said: said | {"value": eval("[" * 90 + "]" * 90)},  # noqa: S307 -- a literal
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_misshapen_field_is_refused_by_both(change: str) -> None:
    refused(json.dumps(CHANGES[change](json.loads(shown().text()))))


def test_what_is_no_json_or_too_long_is_refused() -> None:
    refused("{")
    refused("[" * 100_000)
    taken(shown().text() + " ")
    refused(shown().text() + " " * SHOWN_BYTES_MAX)


def test_another_log_or_a_leaf_without_commitments_proves_nothing() -> None:
    refused(shown(signer=STRANGER).text())
    assert "no commitment" in refused(shown(entry=leaf()).text())


@pytest.mark.parametrize("entry", [b"[]", b"\xff", b'{"f":"abc","t":"","at":""}'])
def test_a_log_that_signed_no_leaf_proves_nothing(entry: bytes) -> None:
    assert refused(shown(entry=entry).text())


def test_a_field_is_put_together_from_a_leaf_and_a_proof_with_or_without_it() -> None:
    field = shown()
    bare = re.sub(rb"extra [^\n]+\n", b"", field.proof).decode()
    entry = leaf(commit_field(OTHER_SALT, "volume", 3), commit_field(SALT, "purpose", "wmo-levering"))
    for proof in (bare, field.proof.decode()):
        text = sdk.show_field(field.name, field.value, field.salt, entry, proof)
        assert text == field.text()
        taken(text)


@pytest.mark.parametrize(
    "proof", ["", "c2sp.org/tlog-proof@v1\n", "x\nindex \ny", "x\nindex -1\ny", "x\nindex 1"]
)
def test_a_field_is_not_put_together_from_no_proof(proof: str) -> None:
    with pytest.raises(ProofRefused):
        sdk.show_field("purpose", "x", SALT, leaf(), proof)


def test_without_its_receipts_entry_nothing_is_proven() -> None:
    bare = re.sub(rb"extra [^\n]+\n", b"", shown().proof)
    refused(replace(shown(), proof=bare).text())


def test_the_longest_leaf_there_can_be_fits() -> None:
    # Words as the token, the register and the domain allow them at most.
    bases = [f"{entry.id}@{entry.version}" for entry in Register.load().entries()]
    purposes = [purpose.value for purpose in Purpose]
    for topic, event in TOPICS.items():
        entry = leaf_entry(
            event_id=b"i" * 16,
            topic=topic,
            organisation="0" * 20,
            task="t" * 40,
            purpose=max(purposes, key=len),
            basis=max(bases, key=len) + "00",
            at="2026-01-31T12:00:00.000000Z",
            state=b"",
            pseudonym=b"p" * 16,
            fields=[SALT] * len(event.COMMITTED),
            signed=Signed(b"r" * 32, b"s" * 64),
        )
        assert len(entry) <= LEAF_BYTES_MAX
