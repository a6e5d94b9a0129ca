"""The integrator: turns committed leaves into tiles and a signed checkpoint.

Promises: a checkpoint is signed only after its tiles are durable, its root equals the frontier the store
committed, and its size was claimed in a place apart from the store; it may die at any step and be run again.
Invariant: never two different checkpoints of one size, never one that is not an extension of the last.
Source: design of the ledger, section 3; c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from exchange.errors import ForkRefused, LedgerDiffers, ProofInvalid, StoreUnavailable
from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint, parse_body, sign_checkpoint
from exchange.ledger.merkle import HASH_BYTES, Frontier, hash_leaf
from exchange.ledger.note import parse_note
from exchange.ledger.tiles import (
    CHECKPOINT,
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    TileStore,
    TreeBuilder,
    join_bundle,
    tile_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from types import EllipsisType

    from exchange.ledger.checkpoints import CheckpointStore
    from exchange.ledger.note import Cosigner, NoteSigner

Claimed = tuple[Checkpoint, bytes] | None
BATCH_LEAVES: Final = 16 * TILE_WIDTH


class LeafSource(Protocol):
    """What the integrator reads from the store: only what is committed."""

    def ledger_head(self) -> tuple[int, bytes]:
        """Return the number of leaves and the frontier as `Frontier.to_bytes` wrote it, from one commit."""
        ...

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        """Return the entries of leaves [start, stop), in order."""
        ...


class Integrator:
    """One for each log, called by one thread at a time; it has no thread of its own."""

    def __init__(
        self,
        source: LeafSource,
        tiles: TileStore,
        checkpoints: CheckpointStore,
        signer: NoteSigner,
        *,
        origin: str,
        clock: Callable[[], datetime],
        second: Cosigner | None = None,
        publishes: bool = True,
    ) -> None:
        """Where it does not publish by itself, whoever collects cosignatures calls `publish`."""
        if signer.name != origin:
            raise ProofInvalid("a log signs under its own origin only", place="checkpoint")
        self._source = source
        self._tiles = tiles
        self._checkpoints = checkpoints
        self._signer = signer
        self._second = second  # signs along on ML-DSA-44
        self._origin = origin
        self._clock = clock
        self._publishes = publishes
        self._signed: SignedCheckpoint | None = None  # what this integrator is through with
        self._tree: TreeBuilder | None = None  # the tree of the last claimed checkpoint; None: read it again

    def claimed(self) -> Claimed:
        """Return the largest claimed checkpoint and its note, for `integrate`: read before the store is.

        Among many nodes another one signs over what it committed meanwhile: the store is then as far, too.
        """
        return self._checkpoints.last(self._origin)

    def integrate(self, claimed: Claimed | EllipsisType = ...) -> SignedCheckpoint | None:
        """Sign a checkpoint over everything committed; None while the log is empty.

        `claimed` was read before the head that the source tells.

        Raises ForkRefused when the store is behind or beside the last signed checkpoint, LedgerDiffers when
        the entries do not lead to the committed frontier, StoreUnavailable when a disk or database fails.
        """
        if claimed is ...:
            claimed = self.claimed()
        size, stored = self._source.ledger_head()
        frontier = Frontier.from_bytes(stored)
        if frontier.size != size:
            raise LedgerDiffers("the stored frontier has another size than the store", position=str(size))
        last = None if claimed is None else claimed[0]
        if last is not None and size < last.size:
            raise _fork(last, f"the store holds {size} leaves")
        if size == 0:
            return None
        head = Checkpoint(self._origin, size, frontier.root())
        if last is not None and size == last.size and head.root != last.root:
            raise _fork(last, "its root at that size is another")
        if last is None or size > last.size:
            self._extend(last, head)
            self._checkpoints.claim(last, head, self._clock())
            return self._sign(head, b"")
        if self._tree is None or self._tree.size != size:
            self._tree = self._reopen(last)
        return self._sign(head, claimed[1] if claimed is not None else b"")

    def confirm(self) -> None:
        """Raise ForkRefused unless the store holds what was signed. Reads every leaf, writes nothing."""
        claimed = self._checkpoints.last(self._origin)
        if claimed is not None and self._root_at(claimed[0].size) != claimed[0].root:
            raise _fork(claimed[0], "its root at that size is another")

    # --- the tree -------------------------------------------------------------------------------------

    def _extend(self, last: Checkpoint | None, head: Checkpoint) -> None:
        """Write the tiles from `last` to `head`; on any failure the tree is read from the files next time."""
        tree, self._tree = self._tree, None
        start = 0 if last is None else last.size
        if tree is None or tree.size != start:
            tree = self._reopen(last)
        opened = self._open_entries(start)
        if last is not None and b"".join(map(hash_leaf, opened)) != b"".join(tree.edge()[:1]):
            raise _fork(last, "its newest entries are others")
        if not self._grow(tree, start, head, opened):
            self._explain_difference(last, head)
        self._tree = tree

    def _grow(self, tree: TreeBuilder, start: int, head: Checkpoint, opened: list[bytes]) -> bool:
        """Write the tiles from a size to a checkpoint; tell whether they lead to it."""
        for index, entries in self._bundles(start, head.size, opened):
            added = entries[len(opened) :] if index == start // TILE_WIDTH else entries
            self._write_bundle(tree, index, entries, added)
        self._write_edge(tree)
        if tree.root() != head.root:
            return False
        for level, index in _now_full(start, head.size):
            self._tiles.drop_partials(level, index)
        return True

    def _write_bundle(
        self, tree: TreeBuilder, index: int, entries: Sequence[bytes], added: Sequence[bytes]
    ) -> None:
        self._tiles.write_once(tile_path(ENTRIES, index, len(entries)), join_bundle(entries))
        for level, at, tile in tree.add(b"".join(map(hash_leaf, added))):
            self._tiles.write_once(tile_path(level, at), tile)

    def _write_edge(self, tree: TreeBuilder) -> None:
        for level, index, part in tree.partials():
            self._tiles.write_once(tile_path(level, index, len(part) // HASH_BYTES), part)
        self._tiles.sync()

    def _open_entries(self, start: int) -> list[bytes]:
        """Return the entries of the bundle that `start` stands in, so that its next file can be whole."""
        first = start - start % TILE_WIDTH
        return self._read(first, start) if first < start else []

    def _bundles(self, start: int, stop: int, opened: list[bytes]) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (index, all entries) of each bundle that changes between `start` and `stop`."""
        pending = list(opened)
        index = start // TILE_WIDTH
        for at in range(start, stop, BATCH_LEAVES):
            pending += self._read(at, min(at + BATCH_LEAVES, stop))
            whole = len(pending) - len(pending) % TILE_WIDTH
            for cut in range(0, whole, TILE_WIDTH):
                yield index, pending[cut : cut + TILE_WIDTH]
                index += 1
            del pending[:whole]
        if pending:
            yield index, pending

    def _read(self, start: int, stop: int) -> list[bytes]:
        entries = self._source.leaf_entries(start, stop)
        if len(entries) != stop - start:
            raise LedgerDiffers(
                "the store holds fewer leaves than it counts", position=str(start + len(entries))
            )
        return entries

    def _reopen(self, last: Checkpoint | None) -> TreeBuilder:
        """Return the tree of `last` from its tiles, and from the store as far as they do not lead to it."""
        if last is None:
            return TreeBuilder()
        return self._read_tree(last) or self._gone_on(last) or self._rebuild(last)

    def _read_tree(self, head: Checkpoint) -> TreeBuilder | None:
        try:
            tree = TreeBuilder(list(self._edge(head.size)))
        except (StoreUnavailable, ProofInvalid):
            return None
        return tree if tree.root() == head.root else None

    def _gone_on(self, last: Checkpoint) -> TreeBuilder | None:
        """Return the tree of what another node signed, gone on to from what this one's own tiles hold."""
        mine = self._published()
        if mine is None or mine.size >= last.size or not self._checkpoints.claimed(mine):
            return None
        tree = self._read_tree(mine)
        if tree is None:
            return None
        opened = self._open_entries(mine.size)
        if b"".join(map(hash_leaf, opened)) != b"".join(tree.edge()[:1]):
            return None
        return tree if self._grow(tree, mine.size, last, opened) else None

    def _published(self) -> Checkpoint | None:
        try:
            return parse_body(parse_note(self._tiles.read(CHECKPOINT), CHECKPOINT).text, CHECKPOINT)
        except (StoreUnavailable, ProofInvalid):
            return None

    def _edge(self, size: int) -> Iterator[bytes]:
        level = 0
        while size >> (TILE_HEIGHT * level):
            index, width = divmod(size >> (TILE_HEIGHT * level), TILE_WIDTH)
            yield self._tiles.read_tile(level, index, width) if width else b""
            level += 1

    def _rebuild(self, last: Checkpoint) -> TreeBuilder:
        """Write every tile below `last` again; the store must still lead to what was signed."""
        if self._root_at(last.size) != last.root:
            raise _fork(last, "its root at that size is another")
        tree = TreeBuilder()
        for index, entries in self._bundles(0, last.size, []):
            self._write_bundle(tree, index, entries, entries)
        self._write_edge(tree)
        return tree

    def _root_at(self, size: int) -> bytes:
        frontier = Frontier()
        for at in range(0, size, BATCH_LEAVES):
            frontier.extend(map(hash_leaf, self._read(at, min(at + BATCH_LEAVES, size))))
        return frontier.root()

    def _explain_difference(self, last: Checkpoint | None, head: Checkpoint) -> None:
        """Raise what is the matter: a rewritten past, or a frontier that is not that of the entries."""
        if last is not None and self._root_at(last.size) != last.root:
            raise _fork(last, "its root at that size is another")
        raise LedgerDiffers("the entries do not lead to the committed frontier", position=str(head.size))

    # --- signing --------------------------------------------------------------------------------------

    def _sign(self, head: Checkpoint, note: bytes) -> SignedCheckpoint:
        """Sign what was claimed, keep the note, and put it in the file; each step may be done again."""
        if self._signed is not None and self._signed.checkpoint == head:
            return self._signed
        if not note:
            time_s = int(self._clock().timestamp())
            note = sign_checkpoint(head, self._signer, self._second, time_s).note
            # Where another node signed it too, everybody is shown the same note.
            note = self._checkpoints.keep_note(head, note)
        signed = SignedCheckpoint(head, note)
        if self._publishes:
            self.publish(signed)
        self._signed = signed
        return signed

    def publish(self, signed: SignedCheckpoint) -> None:
        """Put a signed checkpoint in the file for whoever asks; its tiles are durable."""
        self._tiles.write_once(CHECKPOINT, signed.note)
        self._tiles.sync()


def _fork(last: Checkpoint, found: str) -> ForkRefused:
    return ForkRefused(
        f"a checkpoint of {last.size} leaves was signed before, but {found}: this store was rolled back or "
        "rewritten; restore the newest backup, keep the checkpoint store as evidence",
        origin=last.origin,
        signed=str(last.size),
    )


def _now_full(start: int, size: int) -> Iterator[tuple[int | str, int]]:
    """Yield (level, index) of each tile whose last hash came in between the two sizes."""
    for bundle in range(start // TILE_WIDTH, size // TILE_WIDTH):
        yield ENTRIES, bundle
    level = 0
    while size >> (TILE_HEIGHT * level):
        span = TILE_HEIGHT * (level + 1)
        for index in range(start >> span, size >> span):
            yield level, index
        level += 1
