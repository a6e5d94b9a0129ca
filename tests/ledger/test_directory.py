"""The directory: what it takes of which logs, and what it does not."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from exchange.errors import ExchangeError, ForkRefused, ProofInvalid
from exchange.ledger.checkpoint import Checkpoint, parse_policy, sign_checkpoint
from exchange.ledger.directory import Directory
from exchange.ledger.evidence import EvidenceFolder
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.ledger.note import parse_note
from tests.ledger.builders import NOON, second_signer, signer, witness
from tests.ledger.witnessing import OTHERS, head, note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = signer("exchange.example/0014/2026", b"o" * 32)
POLICY = parse_policy(f"log {signer().vkey}\nlog {OTHER.vkey}\nlog {second_signer().vkey}\nquorum none\n")


def other(size: int) -> bytes:
    return OTHER.sign(Checkpoint(OTHER.name, size, b"o" * 32).body())


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    made = Directory(tmp_path / "directory.db", EvidenceFolder(tmp_path / "evidence"))
    yield made
    made.close()


def test_checkpoints_of_many_logs_follow_one_another(directory: Directory) -> None:
    notes = [note(3), other(2), note(7), other(9)]
    assert [directory.record(one, POLICY, NOON) for one in notes] == [0, 1, 2, 3]
    assert directory.leaf_entries(0, 4) == notes
    frontier = Frontier()
    frontier.extend(map(hash_leaf, notes))
    assert directory.ledger_head() == (4, frontier.to_bytes())


def test_the_same_checkpoint_is_one_entry_however_it_was_cosigned_since(directory: Directory) -> None:
    assert directory.record(note(3), POLICY, NOON) == 0
    assert directory.record(note(7), POLICY, NOON) == 1
    later = note(3) + str(witness(1).cosign(head(3).body(), 1)).encode()
    assert directory.record(later, POLICY, NOON) == 0
    assert directory.ledger_head()[0] == 2


def test_an_entry_holds_the_lines_of_known_keys_and_no_long_one(directory: Directory) -> None:
    twice = sign_checkpoint(head(3), signer(), second_signer(), 1).note
    stranger = signer("stranger.example", b"s" * 32).sign(head(3).body()).partition(b"\n\n")[2]
    directory.record(twice + stranger, POLICY, NOON)
    assert directory.leaf_entries(0, 1) == [note(3)]


@pytest.mark.parametrize(
    ("shown", "kind"), [(note(7, OTHERS), "fork"), (note(5), "rollback"), (note(2, OTHERS), "rollback")]
)
def test_what_cannot_follow_is_refused_and_both_are_kept(
    directory: Directory, tmp_path: Path, shown: bytes, kind: str
) -> None:
    directory.record(note(7), POLICY, NOON)
    with pytest.raises(ForkRefused, match="both are kept"):
        directory.record(shown, POLICY, NOON)
    (file,) = (tmp_path / "evidence").iterdir()
    kept = json.loads(file.read_bytes())
    assert (kept["kind"], kept["held"].encode(), kept["shown"].encode()) == (kind, note(7), shown)
    assert directory.ledger_head()[0] == 1
    assert directory.record(note(9), POLICY, NOON) == 1


@pytest.mark.parametrize(
    "shown",
    [
        b"",
        note(3, key=signer(seed=b"i" * 32)),
        signer("stranger.example").sign(Checkpoint("stranger.example", 3, b"r" * 32).body()),
        OTHER.sign(head(3).body()),
        signer().sign(head(3).body() + "extension\n"),
        note(3).replace(b"\n3\n", b"\n4\n"),
    ],
)
def test_what_the_policy_does_not_trust_is_not_taken(directory: Directory, shown: bytes) -> None:
    with pytest.raises(ProofInvalid):
        directory.record(shown, POLICY, NOON)
    assert directory.ledger_head()[0] == 0


def test_a_quorum_of_the_policy_is_asked_here_too(directory: Directory) -> None:
    policy = parse_policy(f"log {signer().vkey}\nwitness W {witness(1).vkey}\nquorum W\n")
    with pytest.raises(ProofInvalid, match="too few"):
        directory.record(note(3), policy, NOON)
    cosigned = note(3) + str(witness(1).cosign(head(3).body(), 1)).encode()
    assert directory.record(cosigned, policy, NOON) == 0
    assert len(parse_note(directory.leaf_entries(0, 1)[0]).signatures) == 2


def test_a_failure_takes_nothing_and_the_next_goes_on(tmp_path: Path) -> None:
    class Full(EvidenceFolder):
        def keep(self, *_: object) -> bool:
            raise ExchangeError("no place")

    directory = Directory(tmp_path / "directory.db", Full(tmp_path / "evidence"))
    directory.record(note(7), POLICY, NOON)
    with pytest.raises(ExchangeError, match="no place"):
        directory.record(note(7, OTHERS), POLICY, NOON)
    assert directory.record(note(9), POLICY, NOON) == 1
    directory.close()


@pytest.mark.parametrize("statement", ["DELETE FROM entries", "UPDATE entries SET entry = zeroblob(9)"])
def test_sql_beside_us_cannot_change_an_entry(directory: Directory, tmp_path: Path, statement: str) -> None:
    directory.record(note(7), POLICY, NOON)
    with sqlite3.connect(tmp_path / "directory.db") as beside, pytest.raises(sqlite3.IntegrityError):
        beside.execute(statement)
    beside.close()
    assert directory.leaf_entries(0, 1) == [note(7)]
