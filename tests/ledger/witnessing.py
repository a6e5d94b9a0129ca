"""A witness in a folder, and a log of forty leaves with a history beside it that forks after two."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.cosigning import ask
from exchange.ledger.evidence import EvidenceFolder
from exchange.ledger.merkle import consistency_proof, hash_leaf, root_of
from exchange.ledger.witness import Answer, Witness
from exchange.ledger.witness_store import WitnessStore
from tests.ledger.builders import NOON, ORIGIN, entry, signer, witness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exchange.ledger.note import NoteSigner

HASHES = [hash_leaf(entry(number)) for number in range(40)]
OTHERS = [*HASHES[:2], *map(hash_leaf, (entry(number) for number in range(100, 138)))]
COSIGNER = witness(1)


def proof(old: int, new: int, hashes: Sequence[bytes] = HASHES) -> list[bytes]:
    def read(level: int, index: int) -> bytes:
        return root_of(hashes[index << level : (index + 1) << level])

    return consistency_proof(old, new, read) if 0 < old < new else []


def head(size: int, hashes: Sequence[bytes] = HASHES) -> Checkpoint:
    return Checkpoint(ORIGIN, size, root_of(hashes[:size]))


def note(size: int, hashes: Sequence[bytes] = HASHES, key: NoteSigner | None = None) -> bytes:
    return (key or signer()).sign(head(size, hashes).body())


@dataclass
class Stand:
    """A witness in a folder; `open()` is a restart."""

    folder: Path
    logs: list[NoteSigner] = field(default_factory=lambda: [signer()])
    now = NOON

    def __post_init__(self) -> None:
        self.store = WitnessStore(self.folder / "witness.db")
        self.evidence = EvidenceFolder(self.folder / "evidence")
        self.witness = self.open()

    def open(self, store: WitnessStore | None = None) -> Witness:
        keys = [log.key for log in self.logs]
        return Witness(COSIGNER, keys, store or self.store, self.evidence, lambda: self.now)

    def ask(self, old: int, size: int, hashes: Sequence[bytes] = HASHES) -> Answer:
        return self.witness.add_checkpoint(ask(old, proof(old, size, hashes), note(size, hashes)))

    def kept(self) -> list[dict[str, str]]:
        return [json.loads((self.evidence.folder / name).read_bytes()) for name in self.evidence.names()]
