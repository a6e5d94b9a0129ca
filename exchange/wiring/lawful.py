"""The audit of lawfulness on a data folder: the gate's own replay, and the simple check beside it.

Promises: makes nothing and records nothing; with a pack, only what the pack proves is looked at, and every
leaf of the store is the pack's. Opens what decisions rested on, so it needs the key folder.
Source: design of the ledger, section 4; GDPR 5(2), 24.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid
from exchange.ledger.merkle import hash_leaf
from exchange.ledger.tiles import ENTRIES, TILE_WIDTH, TreeBuilder, bundles_of, split_bundle, tile_path
from exchange.pipeline.lawful import Finding, LawfulAudit, Lawfulness
from exchange.pipeline.replay import FAULTS
from exchange.wiring.history import ROWS_PER_PAGE, open_history

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.ledger.verify import Report
    from exchange.settings import Settings
    from exchange.wiring.history import History

_IN_WORDS: Final = "the gate does not come to this decision again: {found}"


def audit_lawful(settings: Settings, pack: tuple[Path, Report] | None = None) -> Lawfulness:
    """Look at every disclosure of a store, or at those up to the size of a pack that was verified.

    Raises SettingsInvalid where no service ran, StoreUnavailable.
    """
    told = Lawfulness()
    with open_history(settings) as history:
        stop = history.reader.head()[0]
        if pack is not None:
            stop = min(stop, pack[1].size)
            told.findings += _compare(history, *pack)
        _look(history, stop, told)
        for difference in history.replay(1, stop).differences:
            if difference.found in FAULTS:
                what = _IN_WORDS.format(found=str(difference.found).replace("_", " "))
                told.findings.append(Finding(difference.position, difference.decision_id, what))
    told.findings.sort()
    return told


def _look(history: History, stop: int, told: Lawfulness) -> None:
    audit = LawfulAudit(history.codec, history.registers)
    for after in range(0, stop, ROWS_PER_PAGE):
        until = min(after + ROWS_PER_PAGE, stop)
        # Leaf i is that of position i + 1.
        leaves = {index + 1: entry for index, entry in history.reader.leaf_rows(after, until)}
        audit.run(history.reader.page(after, until - after), leaves, told)


def _compare(history: History, pack: Path, verified: Report) -> list[Finding]:
    """Hold the leaves of the store against the root that the pack proved."""
    tree = TreeBuilder()
    for index, width in bundles_of(verified.size):
        start = index * TILE_WIDTH
        tree.add(b"".join(map(hash_leaf, history.reader.leaf_entries(start, start + width))))
    if (tree.size, tree.root()) == (verified.size, verified.root):
        return []
    return [
        Finding(_first_other(history, pack, verified.size), "", "the store has another leaf than the pack")
    ]


def _first_other(history: History, pack: Path, size: int) -> int:
    """Return the position of the first leaf that differs; the pack was verified, so it can be read."""
    with zipfile.ZipFile(pack) as archive:
        for index, width in bundles_of(size):
            start, name = index * TILE_WIDTH, tile_path(ENTRIES, index, width)
            theirs = split_bundle(archive.read(name), width, name)
            ours = dict(history.reader.leaf_rows(start, start + width))
            for at, entry in enumerate(theirs, start):
                if ours.get(at) != entry:
                    return at + 1
    raise ProofInvalid("the pack changed after it was verified", place=pack.name)
