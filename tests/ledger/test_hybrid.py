"""A policy that asks both keys of a log: checkpoint, receipt and pack, one signature missing or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.packs import verify_pack as verify_again
from adapters.sdk.proofs import ProofRefused
from adapters.sdk.trust import parse_trust
from exchange.errors import ProofInvalid
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.note import parse_note
from exchange.ledger.pack import MANIFEST, SECOND, export_pack
from exchange.ledger.receipt import make_receipt, verify_receipt
from exchange.ledger.verify import verify_pack
from tests.ledger.builders import cosign, entry, members, rewritten, second_signer, signer, witness_vkey
from tests.ledger.test_page import PATH, Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.ledger.checkpoint import SignedCheckpoint
    from tests.ledger.browser import Page
    from tests.ledger.builders import Log, Members

TWO = second_signer()
FIRST, SECOND_KEY = f"log {signer().vkey}\n", f"log {TWO.vkey}\n"
W = signer("w.example", b"w" * 32)
BOTH = f"{FIRST}witness pq {TWO.vkey}\nquorum pq\n"
BOTH_AND_W = f"{FIRST}witness pq {TWO.vkey}\nwitness W {witness_vkey(W)}\ngroup g all pq W\nquorum g\n"
EITHER = f"{FIRST}{SECOND_KEY}quorum none\n"


def signed_twice(log: Log, size: int = 5) -> SignedCheckpoint:
    log.grow(size)
    signed = log.open(second=TWO).integrate()
    assert signed is not None
    return signed


def both_say(policy: str, note: bytes) -> bool:
    """Return what the two verifiers say of a checkpoint, which must be the same."""
    try:
        ours = parse_policy(policy).accept(note).size > 0
    except ProofInvalid:
        ours = False
    try:
        again = parse_trust(policy).verify(note.decode()).checkpoint.size > 0
    except ProofRefused:
        again = False
    assert ours is again
    return ours


def test_the_second_key_as_a_witness_of_the_quorum_means_both(log: Log) -> None:
    signed = signed_twice(log)
    parsed = parse_note(signed.note)
    one, two = (parsed.with_lines([line]) for line in parsed.signatures)
    cosigned = signed.note + cosign(signed.checkpoint.body(), W)
    assert [both_say(BOTH, note) for note in (signed.note, one, two)] == [True, False, False]
    assert [both_say(EITHER, note) for note in (signed.note, one, two)] == [True, True, True]
    assert [both_say(BOTH_AND_W, note) for note in (signed.note, cosigned)] == [False, True]
    assert not both_say(BOTH_AND_W, one + cosign(signed.checkpoint.body(), W))


def test_a_receipt_holds_under_both_keys_where_it_was_asked_whole(log: Log) -> None:
    signed = signed_twice(log)
    read_hash = log.tiles.hash_reader(5)
    whole = make_receipt(2, signed, read_hash, entry(2), whole=True)
    short = make_receipt(2, signed, read_hash, entry(2))
    assert verify_receipt(None, whole, parse_policy(BOTH)).index == 2
    assert parse_trust(BOTH).verify_receipt(None, whole.decode()) == 2
    with pytest.raises(ProofInvalid, match="too few"):
        verify_receipt(None, short, parse_policy(BOTH))
    with pytest.raises(ProofRefused, match="without the cosignature of pq"):
        parse_trust(BOTH).verify_receipt(None, short.decode())


# --- the pack --------------------------------------------------------------------------------------------


def twice(log: Log) -> Path:
    out = log.folder / "twice.zip"
    export_pack(log.tiles, signed_twice(log), 0, out, log.signer, second=TWO)
    return out


def pack_is_good(pack: Path, policy: str) -> bool:
    """Return what the two verifiers say of a pack, which must be the same."""
    ours = verify_pack(pack, policy).ok
    try:
        again = verify_again(pack, parse_trust(policy)).checkpoint.size > 0
    except ProofRefused:
        again = False
    assert ours is again
    return ours


@pytest.mark.parametrize("policy", [BOTH, EITHER, f"{FIRST}quorum none\n", f"{SECOND_KEY}quorum none\n"])
def test_the_list_of_members_is_signed_with_both_keys(log: Log, policy: str) -> None:
    pack = twice(log)
    assert [name for name, _ in members(pack)][-2:] == [SECOND, MANIFEST]
    assert pack_is_good(pack, policy)


def test_a_pack_without_the_second_signature_is_good_for_who_does_not_ask_it(log: Log) -> None:
    out = log.folder / "once.zip"
    export_pack(log.tiles, signed_twice(log), 0, out, log.signer)
    assert SECOND not in dict(members(out))
    assert [pack_is_good(out, one) for one in (f"{FIRST}quorum none\n", EITHER, BOTH)] == [True, True, False]
    assert "did not sign the members" in verify_pack(out, BOTH).problems[0].what
    assert not pack_is_good(out, f"{SECOND_KEY}quorum none\n")


def test_a_key_that_did_not_sign_the_checkpoint_signs_no_list(log: Log) -> None:
    log.grow(5)
    signed = log.open().integrate()
    assert signed is not None
    out = log.folder / "before.zip"
    export_pack(log.tiles, signed, 0, out, log.signer, second=TWO)
    assert SECOND not in dict(members(out))


def _with(change: Callable[[bytes], bytes]) -> Callable[[Members], Members]:
    return lambda found: [(name, change(one) if name == SECOND else one) for name, one in found]


def _other_note(text: str, key: str = "") -> bytes:
    cosigner = second_signer(seed=b"o" * 32) if key else TWO
    return f"{text}\n{cosigner.cosign(text, 17)}".encode()


FORGED: list[Callable[[Members], Members]] = [
    _with(lambda note: note[:200] + (b"A" if note[200:201] != b"A" else b"B") + note[201:]),
    _with(lambda note: _other_note(parse_note(note).text, "another key")),
    _with(lambda note: _other_note(parse_note(note).text.replace("audit-pack/v1 ", ""))),
    _with(lambda note: note + note[note.index("—".encode()) :]),
    lambda found: [(name, one + b" " if name == "LEESMIJ.txt" else one) for name, one in found],
]


@pytest.mark.parametrize("forge", FORGED, ids=["byte", "key", "checkpoint", "doubled", "member"])
def test_who_holds_the_first_key_alone_makes_no_pack_for_who_asks_both(
    log: Log, forge: Callable[[Members], Members]
) -> None:
    pack = rewritten(log, forge(members(twice(log))))
    assert not pack_is_good(pack, BOTH)
    assert not pack_is_good(pack, f"{SECOND_KEY}quorum none\n")


def test_the_page_never_says_good_to_who_asks_both_for_no_browser_knows_the_second(
    page: Page, log: Log
) -> None:
    desk, pack = Desk(page, log), twice(log)
    assert desk.check(f"{FIRST}quorum none\n", pack) == "good"
    page.open(PATH)
    assert desk.check(BOTH, pack) == "bad"
    assert "gevraagd: pq; ondertekend door 0" in desk.text()
