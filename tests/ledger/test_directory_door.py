"""What a directory answers a log that hands checkpoints over: taken with a proof, else evidence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.cosigning import ask
from exchange.ledger.directory import Directory
from exchange.ledger.directory_door import DirectoryDoor
from exchange.ledger.evidence import EvidenceFolder
from exchange.ledger.witness import Outcome
from tests.ledger.builders import NOON, ORIGIN, signer
from tests.ledger.witnessing import HASHES, OTHERS, note, proof

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.ledger.witness import Answer

POLICY = parse_policy(f"log {signer().vkey}\nquorum none\n")


@dataclass
class Stand:
    directory: Directory
    evidence: EvidenceFolder
    published: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.door = DirectoryDoor(
            self.directory,
            POLICY,
            lambda: self.published.append(self.directory.ledger_head()[0]),
            lambda: NOON,
        )

    def hand(self, old: int, size: int, hashes: list[bytes] = HASHES) -> Answer:
        return self.door.add_checkpoint(ask(old, proof(old, size, hashes), note(size, hashes)))

    def kept(self) -> list[str]:
        return [name.partition("-")[0] for name in self.evidence.names()]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    evidence = EvidenceFolder(tmp_path / "evidence")
    directory = Directory(tmp_path / "directory.db", evidence)
    yield Stand(directory, evidence)
    directory.close()


def test_what_is_proved_to_add_is_taken_and_published_before_it_is_answered(stand: Stand) -> None:
    assert stand.hand(0, 3).outcome is Outcome.COSIGNED
    assert stand.hand(3, 7).body == b"1\n"
    # Handed over again it is the same entry.
    assert stand.hand(3, 7).body == b"1\n"
    assert stand.hand(7, 7).body == b"1\n"
    assert (stand.published, stand.kept()) == ([1, 2, 2, 2], [])
    assert stand.directory.leaf_entries(0, 2) == [note(3), note(7)]
    assert stand.door.checkpoint(sha256(ORIGIN.encode()).hexdigest()) == note(7)
    assert stand.door.checkpoint(sha256(b"other").hexdigest()) is None


@pytest.mark.parametrize("old", [0, 2, 4])
def test_whoever_begins_at_another_size_learns_what_is_held(stand: Stand, old: int) -> None:
    stand.hand(0, 3)
    answer = stand.hand(old, 7)
    assert (answer.outcome, answer.body) == (Outcome.SIZE_DIFFERS, b"3\n")
    assert (stand.published, stand.kept()) == ([1], [])
    assert stand.hand(3, 7).outcome is Outcome.COSIGNED


def test_a_fork_is_not_taken_and_both_notes_are_kept(stand: Stand) -> None:
    stand.hand(0, 7)
    assert stand.hand(7, 7, OTHERS).outcome is Outcome.NOT_CONSISTENT
    # A larger tree of the other history cannot be proved.
    assert stand.hand(7, 9, OTHERS).outcome is Outcome.NOT_CONSISTENT
    assert (stand.published, stand.kept()) == ([1], ["fork", "unproven"])
    told = json.loads((stand.evidence.folder / stand.evidence.names()[0]).read_text())
    assert (told["held"].encode(), told["shown"].encode()) == (note(7), note(7, OTHERS))


def test_a_smaller_tree_learns_what_is_held_and_is_kept(stand: Stand) -> None:
    stand.hand(0, 7)
    answer = stand.hand(3, 5)
    assert (answer.outcome, answer.body) == (Outcome.SIZE_DIFFERS, b"7\n")
    assert stand.kept() == ["rollback"]


def test_from_nothing_there_is_nothing_to_prove(stand: Stand) -> None:
    answer = stand.door.add_checkpoint(ask(0, proof(3, 7), note(7)))
    assert (answer.outcome, stand.published, stand.kept()) == (Outcome.NOT_CONSISTENT, [], [])


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", Outcome.MALFORMED),
        (b"old 0\n\nno note", Outcome.MALFORMED),
        (b"old x\n\n" + note(3), Outcome.MALFORMED),
        (ask(0, [], note(3, key=signer("stranger.example", b"s" * 32))), Outcome.NOT_SIGNED),
        (ask(0, [], note(3, key=signer(ORIGIN, b"s" * 32))), Outcome.NOT_SIGNED),
        (ask(0, [], note(3).replace(ORIGIN.encode(), b"other.example/2026")), Outcome.LOG_UNKNOWN),
    ],
    ids=range(6),
)
def test_what_is_no_checkpoint_of_a_known_log_is_refused_by_name(
    stand: Stand, body: bytes, outcome: Outcome
) -> None:
    answer = stand.door.add_checkpoint(body)
    assert (answer.outcome, stand.published, stand.kept()) == (outcome, [], [])
