"""The audit pack: everything an officer needs to check the log alone, in one file.

Promises: the same log gives the same bytes, but for a signature on ML-DSA-44, which is made with chance;
every member is named, with its length and SHA-256, in a manifest that the log signed, and where its
checkpoint is signed with the second key, the members before are too. The first line of either keeps it from
ever being read as a checkpoint. A pack is of one log; where that followed another, the event behind its first
leaf rides along, which says how the former ended. The page that checks and the text that explains ride along;
neither can vouch for the pack it came in.
Source: design of the ledger, section 4; c2sp.org/tlog-tiles, c2sp.org/signed-note@v1.0.0.
"""

from __future__ import annotations

import os
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid, RequestInvalid, StoreUnavailable
from exchange.ledger.archive import ArchiveWriter
from exchange.ledger.checkpoint import SignedCheckpoint, parse_body, parse_size
from exchange.ledger.cosignature import TIME_BYTES
from exchange.ledger.merkle import HASH_BYTES, consistency_proof
from exchange.ledger.note import decode_base64, encode_base64, parse_note
from exchange.ledger.opening import read_opening
from exchange.ledger.tiles import (
    CHECKPOINT,
    ENTRIES,
    TILE_WIDTH,
    TileStore,
    bundles_of,
    join_bundle,
    tile_path,
    tiles_of,
)
from exchange.ledger.timestamp import read_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from exchange.ledger.note import Cosigner, NoteSigner
    from exchange.ledger.timestamp import Stamp

OPENING: Final = "opening"
CONSISTENCY: Final = "consistency"
STAMPS: Final = "timestamp/"
PAGE: Final = "verify.html"
README: Final = "LEESMIJ.txt"
SECOND: Final = "manifest.mldsa"
MANIFEST: Final = "manifest"
_PROOF_HASHES_MAX: Final = 128


def manifest_text(origin: str, members: Iterable[tuple[str, int, str]]) -> str:
    """Return what the log signs; `members` are (name, bytes, SHA-256 in hex) in the order of the pack."""
    # A space in the first line: no key has such a name, so no verifier takes this for a checkpoint.
    return f"audit-pack/v1 {origin}\n" + "".join(
        f"{digest} {size} {name}\n" for name, size, digest in members
    )


def second_text(origin: str, members: Sequence[tuple[str, int, str]]) -> str:
    """Return what the log's second key cosigns: how many members stand before it, and the hash of their list.

    Type 0x06 signs nothing but a tree under an origin; no log has an origin with a space, so it is no log's.
    """
    digest = sha256(manifest_text(origin, members).encode()).digest()
    return f"audit-pack/v1 {origin}\n{len(members)}\n{encode_base64(digest)}\n"


def _second_note(
    signed: SignedCheckpoint, second: Cosigner | None, members: Sequence[tuple[str, int, str]]
) -> bytes:
    """Return the member with the second signature, of the time of the checkpoint's own; empty without one."""
    lines = parse_note(signed.note, CHECKPOINT).lines_of([second.key] if second else [])
    if second is None or not lines:
        return b""
    text = second_text(signed.checkpoint.origin, members)
    time_s = int.from_bytes(lines[0].signature[:TIME_BYTES], "big")
    return f"{text}\n{second.cosign(text, time_s)}".encode()


def consistency_text(since: int, proof: Sequence[bytes]) -> bytes:
    """Return the member that proves the tree of size `since` to be a prefix."""
    return "".join(f"{line}\n" for line in [f"since {since}", *map(encode_base64, proof)]).encode()


def parse_consistency(content: bytes) -> tuple[int, list[bytes]]:
    """Read what `consistency_text` wrote. Raises ProofInvalid."""
    lines = content.decode("ascii", errors="replace").split("\n")
    if lines.pop() or not lines or not lines[0].startswith("since ") or len(lines) > _PROOF_HASHES_MAX:
        raise ProofInvalid("not a consistency proof", place=CONSISTENCY)
    since = parse_size(lines.pop(0).removeprefix("since "), CONSISTENCY)
    proof = [decode_base64(line, CONSISTENCY) for line in lines]
    if any(len(value) != HASH_BYTES for value in proof):
        raise ProofInvalid("a proof hash is not 32 bytes", place=CONSISTENCY)
    return since, proof


def shipped(name: str) -> bytes:
    """Return `PAGE` or `README` as this version ships it."""
    return files("exchange.ledger").joinpath(name).read_bytes()


def stamp_members(size: int) -> tuple[str, str]:
    """Return the names of a stamped checkpoint of `size` leaves and of its token."""
    return f"{STAMPS}{size}/{CHECKPOINT}", f"{STAMPS}{size}/token.tsr"


def _stamped(stamps: Sequence[Stamp], head: SignedCheckpoint) -> Iterator[tuple[str, bytes]]:
    sized = {parse_body(parse_note(stamp.note, STAMPS).text, STAMPS).size: stamp for stamp in stamps}
    for size, stamp in sorted(sized.items()):
        if size > head.checkpoint.size or len(sized) != len(stamps):
            raise ProofInvalid("a time stamp is over a later checkpoint, or two over one", place=STAMPS)
        if read_token(stamp.token, STAMPS).imprint != sha256(stamp.note).digest():
            raise ProofInvalid("a time stamp is over something else than its checkpoint", place=STAMPS)
        yield from zip(stamp_members(size), (stamp.note, stamp.token), strict=True)


def _members(
    tiles: TileStore, signed: SignedCheckpoint, since: int, stamps: Sequence[Stamp], opening: bytes
) -> Iterator[tuple[str, bytes]]:
    size = signed.checkpoint.size
    yield CHECKPOINT, signed.note
    for level, index, width in tiles_of(size):
        yield tile_path(level, index, width), tiles.read_tile(level, index, width)
    for index, width in bundles_of(size):
        yield tile_path(ENTRIES, index, width), join_bundle(tiles.read_entries(index, width))
    if opening:
        read_opening(
            opening, tiles.read_entries(0, min(TILE_WIDTH, size))[0], signed.checkpoint.origin, OPENING
        )
        yield OPENING, opening
    if since:
        yield CONSISTENCY, consistency_text(since, consistency_proof(since, size, tiles.hash_reader(size)))
    yield from _stamped(stamps, signed)
    for name in (PAGE, README):
        yield name, shipped(name)


def export_pack(
    tiles: TileStore,
    signed: SignedCheckpoint,
    since: int,
    out: Path,
    signer: NoteSigner,
    *,
    stamps: Sequence[Stamp] = (),
    second: Cosigner | None = None,
    opening: bytes = b"",
) -> None:
    """Write the pack to `out`, whole or not at all. `since` is the size the officer last checked, 0 for none.

    `stamps` are over this or earlier checkpoints, each of another size; `second` signs where it signed the
    checkpoint; `opening` is the stored event that opened a log which followed another. Raises RequestInvalid
    for a size the log has not reached, ProofInvalid for a stamp that is not over its checkpoint or an opening
    that is not of the first leaf, RequestTooLarge, StoreUnavailable.
    """
    head = signed.checkpoint
    if not 0 <= since <= head.size or head.size == 0:
        raise RequestInvalid("the log has not reached this size", {"since": f"0 to {head.size}"})
    if signer.name != head.origin:
        raise ProofInvalid("a pack is signed by the log it is of", place=MANIFEST)
    temporary = out.with_name(out.name + ".tmp")
    listed: list[tuple[str, int, str]] = []
    try:
        with temporary.open("wb") as file:
            archive = ArchiveWriter(file)
            for name, content in _members(tiles, signed, since, stamps, opening):
                archive.add(name, content)
                listed.append(_listing(name, content))
            if cosigned := _second_note(signed, second, listed):
                archive.add(SECOND, cosigned)
                listed.append(_listing(SECOND, cosigned))
            archive.add(MANIFEST, signer.sign(manifest_text(head.origin, listed)))
            archive.close()
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out)
    except OSError as error:
        raise StoreUnavailable("the pack could not be written", file=out.name) from error
    finally:
        temporary.unlink(missing_ok=True)


def _listing(name: str, content: bytes) -> tuple[str, int, str]:
    return name, len(content), sha256(content).hexdigest()
