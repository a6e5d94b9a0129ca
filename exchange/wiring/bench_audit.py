"""How long it takes an officer to check a long log, beside only reading and hashing its bytes.

Promises: the pack is a whole one, made by the export that officers get theirs from, and checked by the
verifier of `exchange audit verify`; both figures are of the same file in the same run, in turns. A pack that
does not verify is an error, no figure.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import LedgerDiffers
from exchange.ledger.checkpoint import Checkpoint, sign_checkpoint
from exchange.ledger.leaf import leaf_entry
from exchange.ledger.merkle import hash_leaf
from exchange.ledger.note import NoteSigner
from exchange.ledger.pack import export_pack
from exchange.ledger.tiles import TILE_WIDTH, TileStore, TreeBuilder, bundles_of
from exchange.ledger.verify import verify_pack

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES: Final = 1_000_000
ROUNDS: Final = 3
READ_BYTES: Final = 1 << 20
ORIGIN: Final = "bench.example/log"
FIGURE: Final = "audit_verify_s"
PLAIN: Final = "audit_hash_bytes_s"
RATIO: Final = "audit_verify_vs_hashing"


def with_audit(report: dict[str, Any]) -> dict[str, Any]:
    """Return the report with the figures of the audit among baselines, results and ratios."""
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        pack, policy = make_pack(Path(name), ENTRIES)
        verified, hashed = [], []
        for _ in range(ROUNDS):
            hashed.append(_hash_s(pack))
            verified.append(_verify_s(pack, policy))
        size = pack.stat().st_size
    entries = {"entries": ENTRIES, "bytes": size}
    report["baselines"][PLAIN] = _seconds(hashed) | entries
    report["results"][FIGURE] = _seconds(verified) | entries
    report["ratios"][RATIO] = round(statistics.median(verified) / statistics.median(hashed), 1)
    return report


class MadeUpLog(TileStore):
    """A log whose tiles are in memory and whose entries are made up each time they are asked for."""

    def __init__(self, size: int) -> None:
        super().__init__(Path())
        self._tiles: dict[tuple[int, int], bytes] = {}
        tree = TreeBuilder()
        for index, width in bundles_of(size):
            hashes = b"".join(map(hash_leaf, self.read_entries(index, width)))
            self._keep(tree.add(hashes))
        self._keep(tree.partials())
        self.root = tree.root()

    def _keep(self, tiles: Iterator[tuple[int, int, bytes]] | list[tuple[int, int, bytes]]) -> None:
        self._tiles.update({(level, index): content for level, index, content in tiles})

    def read_tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        """Return a tile; there is one of each, as wide as the tree makes it."""
        del width
        return self._tiles[level, index]

    def read_entries(self, index: int, width: int = TILE_WIDTH) -> list[bytes]:
        """Return the entries of a bundle."""
        first = index * TILE_WIDTH
        return [_entry(number) for number in range(first, first + width)]


def _entry(number: int) -> bytes:
    seed = sha256(number.to_bytes(8, "big")).digest()
    return leaf_entry(
        event_id=seed[:16],
        topic="plan.goal_set.v1",
        organisation="00000001234567890000",
        task="college:WMO",
        purpose="wmo-onderzoek",
        basis="WMO-2.3.2@1",
        at="2026-01-31T12:00:00.000000Z",
        state=seed,
        pseudonym=seed[16:],
    )


def make_pack(folder: Path, entries: int) -> tuple[Path, str]:
    """Write a pack of so many entries; return it and the policy that trusts it."""
    log = MadeUpLog(entries)
    signer = NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
    signed = sign_checkpoint(Checkpoint(ORIGIN, entries, log.root), signer)
    pack = folder / "pack.zip"
    export_pack(log, signed, max(entries // 2, 1), pack, signer)
    return pack, f"log {signer.vkey}\nquorum none\n"


def _verify_s(pack: Path, policy: str) -> float:
    started = time.perf_counter()
    verdict = verify_pack(pack, policy)
    took = time.perf_counter() - started
    if not verdict.ok or verdict.bytes_checked != pack.stat().st_size:
        raise LedgerDiffers("the pack of the bench does not verify", position=str(verdict.leaves_checked))
    return took


def _hash_s(pack: Path) -> float:
    started = time.perf_counter()
    digest = sha256()
    with pack.open("rb") as file:
        while part := file.read(READ_BYTES):
            digest.update(part)
    digest.digest()
    return time.perf_counter() - started


def _seconds(runs: list[float]) -> dict[str, Any]:
    rounded = [round(one, 3) for one in runs]
    return {"median": statistics.median(rounded), "unit": "s", "runs": rounded}
