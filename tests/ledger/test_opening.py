"""What opens a log, told falsely by who holds its key: no verifier takes it, or falls over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.packs import verify_pack as verify_again
from adapters.sdk.proofs import ProofRefused
from adapters.sdk.trust import parse_trust
from exchange.ledger.pack import PAGE
from exchange.ledger.verify import follow, verify_pack
from tests.ledger.browser import opened as browser
from tests.ledger.builders import Log, exported, grown, members, opened, places, rewritten, signer
from tests.ledger.test_mutations import FORMER, Desk, in_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 90
LIES: dict[str, dict[str, object]] = {
    "a number in quotes": {"former_size": str(SIZE)},
    "a number with a point": {"former_size": SIZE + 0.5},
    "a whole number with a point": {"former_size": float(SIZE), "first": SIZE},
    "a first leaf with an exponent": {"first": 1e22},
    "another encoding": {"encoding": "utf-16"},
    "a mark of byte order": {"encoding": "utf-8-sig"},
    "a word for a number": {"former_size": True},
    "a number without end": {"first": float("inf")},
    "a number no log reaches": {"first": 2**63},
    "a first leaf within the former log": {"first": SIZE - 1},
    "a root in capitals": {"former_root": "AB" * 32},
    "a root with spaces": {"former_root": "ab " * 32},
    "a root in a list": {"former_root": ["ab" * 32]},
    "a root of 31 bytes": {"former_root": "ab" * 31},
    "the log of another municipality": {"former_origin": "exchange.example/0344/2025"},
    "the log of another host": {"former_origin": "exchange.test/0363/2025"},
    "a log of a later year": {"former_origin": "exchange.example/0363/2027"},
    "a log without a year": {"former_origin": "exchange.example/0363"},
    "itself": {"former_origin": "exchange.example/0363/2026"},
    "a name in a list": {"former_origin": [FORMER]},
    "another log": {"origin": "exchange.example/0363/2028"},
}


@pytest.fixture
def former(tmp_path: Path) -> Iterator[Log]:
    (tmp_path / "former").mkdir()
    made = Log(tmp_path / "former", signer=signer(FORMER), origin=FORMER)
    yield made
    made.close()


def told(log: Log, former: Log, **lies: object) -> Path:
    """Return the pack of a log whose first leaf says so, canonical and signed."""
    event = opened(log, grown(former, SIZE).checkpoint, **lies)
    found = members(exported(log, 4))
    at = [name for name, _ in found].index(PAGE)
    return rewritten(log, [*found[:at], ("opening", event), *found[at:]])


def policy_of(log: Log, former: Log) -> str:
    return f"log {former.signer.vkey}\nlog {log.signer.vkey}\nquorum none\n"


@pytest.mark.parametrize("lie", LIES)
def test_no_verifier_takes_it(log: Log, former: Log, lie: str) -> None:
    pack, policy = told(log, former, **LIES[lie]), policy_of(log, former)
    assert places(verify_pack(pack, policy)) == ["opening"]
    with pytest.raises(ProofRefused, match="opening"):
        verify_again(pack, parse_trust(policy))


@pytest.mark.slow
def test_nor_does_the_page(tmp_path: Path, former: Log) -> None:
    taken = []
    with browser() as page:
        for lie in ("nothing", *LIES):
            (tmp_path / lie).mkdir()
            log = Log(tmp_path / lie)
            pack, policy = (
                told(log, former, **LIES.get(lie, {})).read_bytes(),
                policy_of(log, former).encode(),
            )
            log.close()
            if in_the_page(Desk(tmp_path, pack, b"", b"", policy), page, pack):
                taken.append(lie)
    assert taken == ["nothing"]


@pytest.mark.parametrize(("more", "holds"), [(0, True), (1, False)])
def test_the_first_leaf_has_the_number_that_the_former_pack_leads_to(
    log: Log, former: Log, more: int, *, holds: bool
) -> None:
    pack, policy = told(log, former, first=SIZE + more), policy_of(log, former)
    before = exported(former, SIZE)
    # Of itself it could be true: a log may have come before the former one.
    report = verify_pack(pack, policy)
    assert report.ok
    assert follow(report, verify_pack(before, policy)).ok is holds
    trust = parse_trust(policy)
    if holds:
        assert verify_again(pack, trust, former=before) == verify_again(pack, trust)
        return
    with pytest.raises(ProofRefused, match="another first leaf"):
        verify_again(pack, trust, former=before)
