"""Builders: entries, signers, and a log in a folder whose source can be made to lie."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.integrator import Integrator
from exchange.ledger.leaf import leaf_entry
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.ledger.note import NoteSigner, VerifierKey
from exchange.ledger.tiles import TileStore

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "exchange.example/0363/2026"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def entry(number: int) -> bytes:
    seed = sha256(f"event {number}".encode()).digest()
    return leaf_entry(
        event_id=seed[:16],
        topic="consent.given.v1",
        organisation="00000001234567890000",
        task="college:WMO",
        purpose="wmo-onderzoek",
        basis="WMO-2.3.2@1",
        at="2026-01-31T12:00:00.000000Z",
        state=seed,
        pseudonym=seed[16:] if number % 3 else None,
        fields=[seed] if number % 5 == 0 else (),
    )


def signer(name: str = ORIGIN, seed: bytes = b"k" * 32) -> NoteSigner:
    return NoteSigner(name, Ed25519PrivateKey.from_private_bytes(seed))


def cosign(text: str, cosigner: NoteSigner, time_s: int = 1_769_860_800) -> bytes:
    """Return a witness's signature line under a checkpoint's text (type 0x04), built by hand."""
    message = f"cosignature/v1\ntime {time_s}\n{text}".encode()
    key = VerifierKey(cosigner.name, 0x04, cosigner.key.public)
    blob = key.id + time_s.to_bytes(8, "big") + cosigner._private.sign(message)
    return f"\u2014 {cosigner.name} {b64encode(blob).decode()}\n".encode()


def witness_vkey(cosigner: NoteSigner) -> str:
    return str(VerifierKey(cosigner.name, 0x04, cosigner.key.public))


@dataclass
class Source:
    """A store of leaves, in memory."""

    entries: list[bytes] = field(default_factory=list)

    def ledger_head(self) -> tuple[int, bytes]:
        frontier = Frontier()
        frontier.extend(map(hash_leaf, self.entries))
        return frontier.size, frontier.to_bytes()

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        return self.entries[start:stop]


@dataclass
class Log:
    """Everything one log needs; `open()` is a restart."""

    folder: Path
    source: Source = field(default_factory=Source)
    signer: NoteSigner = field(default_factory=signer)

    def __post_init__(self) -> None:
        self.tiles = TileStore(self.folder / "log")
        self.checkpoints = CheckpointStore(self.folder / "checkpoints.sqlite")
        self.integrator = self.open()

    @property
    def policy(self) -> str:
        return f"log {self.signer.vkey}\nquorum none\n"

    def open(
        self,
        tiles: TileStore | None = None,
        checkpoints: CheckpointStore | None = None,
        note_signer: NoteSigner | None = None,
    ) -> Integrator:
        return Integrator(
            self.source,
            tiles or self.tiles,
            checkpoints or self.checkpoints,
            note_signer or self.signer,
            origin=ORIGIN,
            clock=lambda: NOON,
        )

    def grow(self, size: int) -> None:
        self.source.entries += [entry(number) for number in range(len(self.source.entries), size)]

    def close(self) -> None:
        self.checkpoints.close()
