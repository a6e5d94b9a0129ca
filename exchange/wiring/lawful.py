"""The audit of lawfulness on a data folder: the gate's own replay, and the simple check beside it.

Promises: makes nothing and records nothing; with packs, only what they prove is looked at, and there every
leaf of the store is the packs'; consents of before are the store's. Opens what decisions rested on, so it
needs the key folder.
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
    from collections.abc import Sequence
    from pathlib import Path

    from exchange.ledger.verify import Report
    from exchange.settings import Settings
    from exchange.wiring.history import History

_IN_WORDS: Final = "the gate does not come to this decision again: {found}"


def audit_lawful(settings: Settings, packs: Sequence[tuple[Path, Report]] = ()) -> Lawfulness:
    """Look at every disclosure of a store, or at those in packs that were verified, one for each log.

    Raises SettingsInvalid where no service ran, StoreUnavailable.
    """
    told = Lawfulness()
    with open_history(settings) as history:
        head = history.reader.head()[0]
        parts = [] if packs else [(0, head)]
        for pack, report in packs:
            start = _first_of(report)
            parts.append((min(start, head), min(start + report.size, head)))
            told.findings += _compare(history, pack, report)
        parts = sorted(set(parts))
        _look(history, parts, told)
        for start, stop in parts:
            differences = history.replay(start + 1, stop).differences if start < stop else []
            for difference in differences:
                if difference.found in FAULTS:
                    what = _IN_WORDS.format(found=str(difference.found).replace("_", " "))
                    told.findings.append(Finding(difference.position, difference.decision_id, what))
    told.findings.sort()
    return told


def _first_of(report: Report) -> int:
    """Return the number of a log's first leaf among all of the shard."""
    return 0 if report.former is None else report.former.first


def _look(history: History, parts: list[tuple[int, int]], told: Lawfulness) -> None:
    """Look at the events of the parts; what is before and between them is read for the consents in it."""
    audit, at = LawfulAudit(history.codec, history.registers), 0
    for start, stop in parts:
        _run(history, audit, (at, start), Lawfulness())
        _run(history, audit, (max(at, start), stop), told)
        at = max(at, stop)


def _run(history: History, audit: LawfulAudit, part: tuple[int, int], told: Lawfulness) -> None:
    start, stop = part
    for after in range(start, stop, ROWS_PER_PAGE):
        until = min(after + ROWS_PER_PAGE, stop)
        # Leaf i is that of position i + 1.
        leaves = {index + 1: entry for index, entry in history.reader.leaf_rows(after, until)}
        audit.run(history.reader.page(after, until - after), leaves, told)


def _compare(history: History, pack: Path, verified: Report) -> list[Finding]:
    """Hold the leaves of the store against the root that the pack proved."""
    tree, first = TreeBuilder(), _first_of(verified)
    for index, width in bundles_of(verified.size):
        start = first + index * TILE_WIDTH
        tree.add(b"".join(map(hash_leaf, history.reader.leaf_entries(start, start + width))))
    if (tree.size, tree.root()) == (verified.size, verified.root):
        return []
    return [Finding(_first_other(history, pack, verified), "", "the store has another leaf than the pack")]


def _first_other(history: History, pack: Path, verified: Report) -> int:
    """Return the position of the first leaf that differs; the pack was verified, so it can be read."""
    with zipfile.ZipFile(pack) as archive:
        for index, width in bundles_of(verified.size):
            start, name = _first_of(verified) + index * TILE_WIDTH, tile_path(ENTRIES, index, width)
            theirs = split_bundle(archive.read(name), width, name)
            ours = dict(history.reader.leaf_rows(start, start + width))
            for at, entry in enumerate(theirs, start):
                if ours.get(at) != entry:
                    return at + 1
    raise ProofInvalid("the pack changed after it was verified", place=pack.name)
