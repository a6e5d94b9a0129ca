"""Tiles: the tree and its entries as files that never change.

Promises: a full tile is written once; a file is either whole or absent (temporary file, fsync, rename, fsync
of the folder); the builder here computes every tile from leaf hashes, for integrator and verifier alike.
Source: c2sp.org/tlog-tiles.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid, StoreFull, StoreUnavailable
from exchange.ledger.merkle import EMPTY_ROOT, HASH_BYTES, fold_perfect, fold_right

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
ENTRY_BYTES_MAX: Final = 0xFFFF
ENTRIES: Final = "entries"
CHECKPOINT: Final = "checkpoint"


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """Return `tile/<level>/<index>[.p/<width>]`; `level` is a number or "entries"."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{name}{partial}"


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (level, index, width) of every hash tile of a tree of `size`, lowest level first."""
    level, count = 0, size
    while count:
        full, rest = divmod(count, TILE_WIDTH)
        for index in range(full):
            yield level, index, TILE_WIDTH
        if rest:
            yield level, full, rest
        level, count = level + 1, full


def bundles_of(size: int) -> Iterator[tuple[int, int]]:
    """Yield (index, width) of every entry bundle of a tree of `size`."""
    full, rest = divmod(size, TILE_WIDTH)
    for index in range(full):
        yield index, TILE_WIDTH
    if rest:
        yield full, rest


def join_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the entries, each after its length as two big-endian bytes. Raises ProofInvalid above 64 KiB."""
    if any(len(entry) > ENTRY_BYTES_MAX for entry in entries):
        raise ProofInvalid("an entry is too long for a bundle", place="entry")
    parts: list[bytes] = []
    for entry in entries:
        parts.append(len(entry).to_bytes(2, "big"))
        parts.append(entry)
    return b"".join(parts)


def split_bundle(bundle: bytes, width: int, place: str) -> list[bytes]:
    """Return the `width` entries that fill a bundle exactly. Raises ProofInvalid naming `place`."""
    entries: list[bytes] = []
    at, end = 0, len(bundle)
    for _ in range(width):
        start = at + 2
        if start > end:
            raise ProofInvalid("an entry bundle ends too early", place=place)
        at = start + (bundle[at] << 8 | bundle[at + 1])
        entries.append(bundle[start:at])
    if at != end:
        raise ProofInvalid("an entry bundle is longer or shorter than its entries", place=place)
    return entries


class TreeBuilder:
    """The right edge of a tiled tree: takes leaf hashes, gives out each tile as it fills.

    Not thread-safe: owned by whoever adds.
    """

    def __init__(self, edge: Sequence[bytes] = ()) -> None:
        """`edge` is what `edge()` gave: the partial tile of each level, lowest first."""
        self._levels = [bytearray(part) for part in edge]
        self._counts = [0] * len(self._levels)
        for level in reversed(range(len(self._levels))):
            above = self._counts[level + 1] if level + 1 < len(self._levels) else 0
            self._counts[level] = above * TILE_WIDTH + len(self._levels[level]) // HASH_BYTES

    @property
    def size(self) -> int:
        """How many leaves were added."""
        return self._counts[0] if self._counts else 0

    def add(self, leaf_hashes: bytes) -> list[tuple[int, int, bytes]]:
        """Add concatenated leaf hashes; return the tiles they filled as (level, index, bytes)."""
        filled: list[tuple[int, int, bytes]] = []
        self._add(0, leaf_hashes, filled)
        return filled

    def _add(self, level: int, hashes: bytes, filled: list[tuple[int, int, bytes]]) -> None:
        if not hashes:
            return
        if level == len(self._levels):
            self._levels.append(bytearray())
            self._counts.append(0)
        edge = self._levels[level]
        edge += hashes
        index = self._counts[level] // TILE_WIDTH
        self._counts[level] += len(hashes) // HASH_BYTES
        roots: list[bytes] = []
        at = 0
        while len(edge) - at >= TILE_BYTES:
            tile = bytes(edge[at : at + TILE_BYTES])
            filled.append((level, index, tile))
            roots.append(fold_perfect(tile))
            at += TILE_BYTES
            index += 1
        del edge[:at]
        self._add(level + 1, b"".join(roots), filled)

    def edge(self) -> list[bytes]:
        """Return the partial tile of each level, lowest first; empty where a level ends on a full tile."""
        return [bytes(part) for part in self._levels]

    def partials(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (level, index, bytes) of the partial tiles at the right edge."""
        for level, part in enumerate(self._levels):
            if part:
                yield level, self._counts[level] // TILE_WIDTH, bytes(part)

    def root(self) -> bytes:
        """Return the root of the whole tree; `EMPTY_ROOT` at size 0."""
        peaks: list[bytes] = []
        for part in reversed(self._levels):
            at, width = 0, len(part) // HASH_BYTES
            while width:
                step = 1 << (width.bit_length() - 1)
                peaks.append(fold_perfect(bytes(part[at : at + step * HASH_BYTES])))
                at += step * HASH_BYTES
                width -= step
        return fold_right(peaks) if peaks else EMPTY_ROOT


def tile_reader(size: int, read_tile: Callable[[int, int, int], bytes]) -> Callable[[int, int], bytes]:
    """Return `read_hash(level, index)` over the tiles of a tree of `size`; reads each tile once."""
    seen: dict[tuple[int, int], bytes] = {}

    def read_hash(level: int, index: int) -> bytes:
        tile_level, inner = divmod(level, TILE_HEIGHT)
        first = index << inner  # of the hashes at the tile's own level
        tile_index, at = divmod(first, TILE_WIDTH)
        key = (tile_level, tile_index)
        if key not in seen:
            count = (size >> (TILE_HEIGHT * tile_level)) - tile_index * TILE_WIDTH
            seen[key] = read_tile(tile_level, tile_index, min(count, TILE_WIDTH))
        tile = seen[key]
        part = tile[at * HASH_BYTES : (at + (1 << inner)) * HASH_BYTES]
        if len(part) != HASH_BYTES << inner:
            raise ProofInvalid("the tree is too small for this hash", place=tile_path(tile_level, tile_index))
        return fold_perfect(part)

    return read_hash


class TileStore:
    """Tiles, entry bundles and the published checkpoint in a folder. One writer; readers need no lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unsynced: set[Path] = set()  # owned by the writer

    # --- reading ---

    def read(self, path: str) -> bytes:
        """Return one file. Raises StoreUnavailable if it is absent."""
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            raise StoreUnavailable("a file of the ledger cannot be read", file=path) from error

    def _read_wide(self, level: int | str, index: int, width: int) -> tuple[bytes, int]:
        """Return a tile's content and width: the partial file, or the full one that has replaced it."""
        if width < TILE_WIDTH:
            with suppress(StoreUnavailable):
                return self.read(tile_path(level, index, width)), width
        return self.read(tile_path(level, index)), TILE_WIDTH

    def read_tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        """Return the first `width` hashes of a tile."""
        tile, found = self._read_wide(level, index, width)
        if len(tile) != found * HASH_BYTES:
            raise ProofInvalid("a tile has the wrong length", place=tile_path(level, index, found))
        return tile[: width * HASH_BYTES]

    def read_entries(self, index: int, width: int = TILE_WIDTH) -> list[bytes]:
        """Return the first `width` entries of a bundle."""
        bundle, found = self._read_wide(ENTRIES, index, width)
        return split_bundle(bundle, found, tile_path(ENTRIES, index, found))[:width]

    def hash_reader(self, size: int) -> Callable[[int, int], bytes]:
        """Return `read_hash` for proofs in the tree of `size`."""
        return tile_reader(size, self.read_tile)

    # --- writing ---

    def write(self, path: str, content: bytes) -> None:
        """Put a whole file in place; `sync` makes its name durable. Raises StoreFull, StoreUnavailable."""
        target = self.folder / path
        try:
            missing = [place for place in target.parents if not place.exists()]
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(target.name + ".tmp")
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            raise _store_error(error, path) from error
        self._unsynced.update(place.parent for place in missing)
        self._to_sync(target)

    def write_once(self, path: str, content: bytes) -> None:
        """Write unless the same bytes are there already; other bytes there are replaced.

        The caller knows that nothing was published over what it replaces.
        """
        target = self.folder / path
        if target.is_file() and target.read_bytes() == content:
            # Whoever put it there may have died before its name was durable.
            self._to_sync(target)
        else:
            self.write(path, content)

    def _to_sync(self, target: Path) -> None:
        folder = target.parent
        while folder != self.folder:
            self._unsynced.add(folder)
            folder = folder.parent
        self._unsynced.add(folder)

    def drop_partials(self, level: int | str, index: int) -> None:
        """Remove the partial files of a tile that is full and durable."""
        shutil.rmtree(self.folder / (tile_path(level, index) + ".p"), ignore_errors=True)

    def sync(self) -> None:
        """Make every rename since the last call durable."""
        try:
            for folder in sorted(self._unsynced):
                _sync_folder(folder)
        except OSError as error:
            raise _store_error(error, "folder") from error
        self._unsynced.clear()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _store_error(error: OSError, path: str) -> StoreUnavailable:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    kind = StoreFull if full else StoreUnavailable
    return kind("a file of the ledger could not be written", file=path)
