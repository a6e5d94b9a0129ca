"""Our log in the hands of others: software of four languages takes it, and refuses its forgeries."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.ledger.merkle import consistency_proof, inclusion_proof
from exchange.ledger.note import encode_base64
from tests.ledger.builders import ORIGIN, cosign, entry, exported, grown, members, signer, witness_vkey
from tests.ledger.foreign.verifiers import VERIFIERS, Case

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ledger.builders import Log

SIZE, OLDER, INDEX = 700, 300, 421


@pytest.fixture
def honest(log: Log) -> Case:
    """A log of three bundles with two witnesses, an entry with its proof, and an older checkpoint."""
    older = grown(log, OLDER)
    found = dict(members(exported(log, SIZE)))
    note = found["checkpoint"]
    body = note.partition(b"\n\n")[0].decode() + "\n"
    witnesses = [signer(f"w{number}.example", bytes([number]) * 32) for number in (1, 2)]
    read_hash = log.tiles.hash_reader(SIZE)
    return Case(
        vkey=log.signer.vkey,
        checkpoint=note + b"".join(cosign(body, one) for one in witnesses),
        files={name: content for name, content in found.items() if name.startswith("tile/")},
        entry=entry(INDEX),
        index=INDEX,
        proof=tuple(inclusion_proof(INDEX, SIZE, read_hash)),
        older_size=OLDER,
        older_root=older.checkpoint.root,
        consistency=tuple(consistency_proof(OLDER, SIZE, read_hash)),
        witnesses=tuple(witness_vkey(one) for one in witnesses),
    )


def _forged_root(case: Case) -> Case:
    line = case.checkpoint.split(b"\n")[2]
    return replace(case, checkpoint=case.checkpoint.replace(line, b64encode(bytes(32))))


def _wrong_key(case: Case) -> Case:
    text = case.checkpoint.partition(b"\n\n")[0].decode() + "\n"
    other = signer(ORIGIN, b"o" * 32)
    ours, theirs = case.vkey.split("+"), other.vkey.split("+")
    signed = other.sign(text)
    assert ours[1] != theirs[1]
    # Under the right name and even the right key id, but by another key.
    line = encode_base64(bytes.fromhex(ours[1]) + other._private.sign(text.encode()))
    return replace(case, checkpoint=signed.partition(b"\n\n")[0] + f"\n\n\u2014 {ORIGIN} {line}\n".encode())


def _forged_entry(case: Case) -> Case:
    other = entry(INDEX + 15_000)
    files = {name: content.replace(case.entry, other) for name, content in case.files.items()}
    assert files != case.files
    return replace(case, entry=other, files=files)


def _swapped(case: Case) -> Case:
    return replace(case, index=INDEX + 1)


def _truncated(case: Case) -> Case:
    return replace(case, checkpoint=case.checkpoint[: case.checkpoint.index(b"\n\n") + 60])


def _short_proof(case: Case) -> Case:
    return replace(case, proof=case.proof[:-1])


def _forked(case: Case) -> Case:
    return replace(case, older_root=bytes(32))


def _short_tile(case: Case) -> Case:
    name = "tile/0/002.p/188"
    return replace(case, files=case.files | {name: case.files[name][:-32]})


def _one_witness(case: Case) -> Case:
    return replace(case, checkpoint=case.checkpoint[: case.checkpoint.index("\u2014 w2".encode())])


FORGERIES: dict[str, Callable[[Case], Case]] = {
    "forged root": _forged_root,
    "wrong key, right name": _wrong_key,
    "truncated checkpoint": _truncated,
    "forged entry": _forged_entry,
    "another place": _swapped,
    "truncated proof": _short_proof,
    "forked past": _forked,
    "truncated tile": _short_tile,
    "a witness short": _one_witness,
}
# What each of them looks at; a forgery elsewhere is not its business.
SIGNATURE = ["forged root", "wrong key, right name", "truncated checkpoint"]
INCLUSION = [*SIGNATURE, "forged entry", "another place", "truncated proof"]
SEES = {
    "Go sumdb": [*INCLUSION, "forked past", "truncated tile"],
    "JavaScript sigstore": INCLUSION,
    "Python tlog-scales": [*INCLUSION, "forked past", "truncated tile"],
    "Python proofbundle": [*INCLUSION, "forked past", "a witness short"],
    "C OpenSSL": SIGNATURE,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VERIFIERS)
def test_a_stranger_takes_our_log_and_refuses_its_forgeries(name: str, honest: Case) -> None:
    accepts = VERIFIERS[name]
    assert accepts(honest)
    taken = [what for what in SEES[name] if accepts(FORGERIES[what](honest))]
    assert taken == []


def test_every_forgery_is_seen_by_three_of_them() -> None:
    """But for what only tiles or witnesses show: there are fewer who look at those."""
    seen = {what: sum(what in sees for sees in SEES.values()) for what in FORGERIES}
    assert {what for what, count in seen.items() if count < 3} == {"truncated tile", "a witness short"}
    assert min(seen.values()) >= 1
