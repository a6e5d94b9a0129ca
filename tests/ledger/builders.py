"""Builders: entries, signers, a log in a folder whose source can be made to lie, and its audit packs."""

from __future__ import annotations

import json
import zipfile
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from exchange.ledger.archive import ArchiveWriter
from exchange.ledger.checkpoint import Checkpoint, parse_policy
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.integrator import Integrator
from exchange.ledger.leaf import leaf_entry
from exchange.ledger.merkle import Frontier, hash_leaf, root_of
from exchange.ledger.note import Cosigner, NoteSigner, VerifierKey
from exchange.ledger.opening import OPENED_TOPIC
from exchange.ledger.pack import MANIFEST, export_pack, manifest_text
from exchange.ledger.tiles import TileStore, bundles_of, tiles_of

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.ledger.verify import Report

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


def second_signer(name: str = ORIGIN, seed: bytes = b"q" * 32) -> Cosigner:
    return Cosigner(name, MLDSA44PrivateKey.from_seed_bytes(seed))


def witness(number: int) -> Cosigner:
    """Return witness 1 to 9, each with a key of its own."""
    return Cosigner(f"w{number}.example", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


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
    origin: str = ORIGIN

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
        second: Cosigner | None = None,
    ) -> Integrator:
        return Integrator(
            self.source,
            tiles or self.tiles,
            checkpoints or self.checkpoints,
            note_signer or self.signer,
            origin=self.origin,
            clock=lambda: NOON,
            second=second,
        )

    def grow(self, size: int) -> None:
        self.source.entries += [entry(number) for number in range(len(self.source.entries), size)]

    def close(self) -> None:
        self.checkpoints.close()


# --- audit packs ---

Members = list[tuple[str, bytes]]


def grown(log: Log, size: int) -> SignedCheckpoint:
    log.grow(size)
    signed = log.integrator.integrate()
    assert signed is not None
    return signed


def exported(log: Log, size: int, since: int = 0, opening: bytes = b"") -> Path:
    out = log.folder / f"pack-{size}-{since}.zip"
    export_pack(log.tiles, grown(log, size), since, out, log.signer, opening=opening)
    return out


def opened(log: Log, former: Checkpoint, **lies: object) -> bytes:
    """Begin an empty log over the end of another; return the event its first leaf is of."""
    told = {
        "origin": log.origin,
        "first": former.size,
        "former_origin": former.origin,
        "former_size": former.size,
        "former_root": former.root.hex(),
    }
    encoding = str(lies.pop("encoding", "utf-8"))
    event = json.dumps({"d": told | lies}).encode(encoding)
    leaf = leaf_entry(
        event_id=bytes(16),
        topic=OPENED_TOPIC,
        organisation="00000001234567890000",
        task="beheer",
        purpose="beheer",
        basis="LOG",
        at="2026-01-01T00:00:00.000000Z",
        state=event,
        pseudonym=None,
    )
    log.source.entries.append(leaf)
    return event


def members(pack: Path) -> Members:
    with zipfile.ZipFile(pack) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def rewritten(log: Log, found: Members, *, key: NoteSigner | None = None, sign: bool = True) -> Path:
    """Write members as a canonical pack, with a manifest that fits them."""
    out = log.folder / "rewritten.zip"
    kept = [(name, content) for name, content in found if name != MANIFEST or not sign]
    with out.open("wb") as file:
        archive = ArchiveWriter(file)
        for name, content in kept:
            archive.add(name, content)
        if sign:
            listed = [(name, len(content), sha256(content).hexdigest()) for name, content in kept]
            archive.add(MANIFEST, (key or log.signer).sign(manifest_text(ORIGIN, listed)))
        archive.close()
    return out


def places(report: Report) -> list[str]:
    assert not report.ok
    return [problem.place for problem in report.problems]


# --- what is in the folder ---


def require_whole(log: Log, signed: SignedCheckpoint | None) -> None:
    """The published file, the tiles and the entries are exactly those of the source."""
    entries = log.source.entries
    hashes = [hash_leaf(leaf) for leaf in entries]
    assert signed is not None
    assert signed.checkpoint == Checkpoint(ORIGIN, len(entries), root_of(hashes))
    assert log.tiles.read("checkpoint") == signed.note
    assert parse_policy(log.policy).accept(signed.note) == signed.checkpoint
    for level, index, width in tiles_of(len(entries)):
        tile = log.tiles.read_tile(level, index, width)
        if level == 0:
            assert tile == b"".join(hashes[index * 256 : index * 256 + width])
    for index, width in bundles_of(len(entries)):
        assert log.tiles.read_entries(index, width) == entries[index * 256 : index * 256 + width]


def files(log: Log) -> dict[str, str]:
    folder = log.folder / "log"
    found = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".tmp"]
    return {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in found}
