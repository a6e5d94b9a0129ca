"""A store that is behind what was signed or published over it: refused before anything is written to it.

Promises: every log of the shard is looked at, and every log that anything was signed or published of is one
of the store's; what came back from before a year was opened would else open it once more, over another root.
Source: design of the ledger, section 3; c2sp.org/tlog-checkpoint (a log never signs two histories).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.errors import ForkRefused, ProofInvalid
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.integrator import BATCH_LEAVES
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.ledger.note import parse_note
from exchange.ledger.tiles import CHECKPOINT, TileStore
from exchange.ledger.years import LeavesOf, ends_of
from exchange.wiring.ledger import ORIGIN
from exchange.wiring.places import CHECKPOINT_FILE, has_signed, noted
from exchange.wiring.published import published_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.ledger.checkpoint import Checkpoint
    from exchange.ledger.years import ShardHeads, ShardLeaves
    from exchange.settings import Settings
    from exchange.wiring.ledger import Ledger


def refuse_lost_checkpoints(settings: Settings, position: int) -> None:
    """Raise ForkRefused when there are events and nothing that tells what was signed over them."""
    there = {ORIGIN: noted(settings, ORIGIN) is not None, CHECKPOINT_FILE: has_signed(settings)}
    for file, found in there.items():
        if position and not found:
            raise ForkRefused(
                "there are events, but what was signed over them is gone: restore the checkpoint folder, "
                "because a log that forgot what it signed could sign another history",
                folder=settings.checkpoints_folder.name,
                file=file,
            )


def refuse_rollback(ledger: Ledger, heads_now: Callable[[], ShardHeads]) -> ShardHeads:
    """Return how far the logs are, asked once it is known what was signed.

    Raises ForkRefused when the store holds less of a log than was signed, or lacks a log that was signed.
    More leaves signed under a log that ended than it ended with are a fork, and found here as well.
    """
    # First what was signed: what another node signs meanwhile is over more than is read here.
    signed = {origin: ledger.checkpoints.last(origin) for origin in sorted(ledger.checkpoints.origins())}
    heads = heads_now()
    ledger.logs.learn(heads.opened)
    # Others may have learnt of a later log meanwhile.
    for log, (size, _) in zip(ledger.logs, ends_of(heads), strict=False):
        found = signed.get(log.origin)
        if found is not None and size < found[0].size:
            raise _rolled_back(log.origin, str(found[0].size), str(size))
    for origin, found in signed.items():
        if ledger.logs.named(origin) is None:
            raise _rolled_back(origin, "" if found is None else str(found[0].size), "0")
    return heads


def _rolled_back(origin: str, signed: str, stored: str) -> ForkRefused:
    return ForkRefused(
        "the store holds less than was signed: it was rolled back",
        origin=origin,
        signed=signed,
        stored=stored,
    )


def refuse_forgotten(settings: Settings, ledger: Ledger, leaves: ShardLeaves) -> None:
    """Raise ForkRefused where more was published than the checkpoint store tells, and the events lack it.

    The published checkpoint is one more place that knows: a checkpoint store that came back with the events
    of its day would else sign a second history in the face of the first. Reads every leaf of a log where the
    two differ, and takes a store that holds what was published.
    """
    heads = leaves.heads()
    ledger.logs.learn(heads.opened)
    ends = dict(zip((log.origin for log in ledger.logs), ends_of(heads), strict=True))
    for head in _published(settings, ledger):
        if ledger.checkpoints.claimed(head):
            continue
        log = ledger.logs.named(head.origin)
        size = 0 if log is None else ends[log.origin][0]
        if log is None or size < head.size or not _begins_with(LeavesOf(leaves, log.first), head):
            raise ForkRefused(
                "a checkpoint was published that neither the checkpoint store nor the events know: both came "
                "back from before; restore the newest of both, and keep what was published as evidence",
                origin=head.origin,
                signed=str(head.size),
            )


def _published(settings: Settings, ledger: Ledger) -> Iterator[Checkpoint]:
    """Yield what was published and this shard's key signed, of whichever log. Raises ProofInvalid."""
    for folder in published_folders(settings):
        parsed = parse_note(TileStore(folder).read(CHECKPOINT), CHECKPOINT)
        head = parse_body(parsed.text)
        try:
            signed = parsed.signers([ledger.signer.named(head.origin).key])
        except ProofInvalid:
            continue
        if signed:
            yield head


def _begins_with(leaves: LeavesOf, head: Checkpoint) -> bool:
    frontier = Frontier()
    for at in range(0, head.size, BATCH_LEAVES):
        frontier.extend(map(hash_leaf, leaves.leaf_entries(at, min(at + BATCH_LEAVES, head.size))))
    return (frontier.size, frontier.root()) == (head.size, head.root)
