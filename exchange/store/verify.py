"""Event ↔ leaf ↔ bytes check: whether what is stored is what the ledger says, position by position.

Promises: reads every event and every leaf; reports each difference with its position and never a content.
Source: the design of the ledger, promise 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from exchange.errors import ProofInvalid
from exchange.ledger.leaf import parse_leaf
from exchange.ledger.merkle import Frontier, hash_leaf

if TYPE_CHECKING:
    from exchange.store.batch import Row
    from exchange.store.reader import SQLiteReader

PAGE_ROWS: Final = 5_000
PROBLEMS_MAX: Final = 1_000


class _Named(msgspec.Struct):
    id: str


_id_of = msgspec.json.Decoder(_Named).decode


@dataclass(slots=True)
class StoreReport:
    """What was found. `problems` pairs a position with what is wrong there; at most a thousand."""

    position: int = 0
    events: int = 0
    leaves: int = 0
    root: str = ""
    problems: list[tuple[int, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return not self.problems

    def say(self, position: int, what: str) -> None:
        """Note a difference."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append((position, what))


def verify_store(reader: SQLiteReader) -> StoreReport:
    """Check the whole store against its own ledger. Raises StoreUnavailable."""
    report = StoreReport()
    report.position, stored = reader.head()
    frontier = Frontier()
    versions: dict[str, int] = {}
    for start in range(0, report.position, PAGE_ROWS):
        stop = min(start + PAGE_ROWS, report.position)
        rows = [row for row in reader.page(start, PAGE_ROWS) if row.position <= stop]
        entries = reader.leaf_entries(start, stop)
        report.events += len(rows)
        report.leaves += len(entries)
        if len(rows) != stop - start or len(entries) != stop - start:
            report.say(stop, f"{len(rows)} events and {len(entries)} leaves where {stop - start} are counted")
        for row, entry in zip(rows, entries, strict=False):
            _compare(row, entry, versions, report)
        frontier.extend(map(hash_leaf, entries))
    if reader.page(report.position, 1) or reader.leaf_entries(report.position, report.position + 1):
        report.say(report.position + 1, "there is more than the head counts")
    if frontier.to_bytes() != stored:
        report.say(report.position, "the stored frontier is not that of the leaves")
    report.root = frontier.root().hex()
    return report


def _compare(row: Row, entry: bytes, versions: dict[str, int], report: StoreReport) -> None:
    version = versions[row.stream] = versions.get(row.stream, 0) + 1
    if row.version != version:
        report.say(row.position, "a version is missing or doubled in its stream")
    try:
        leaf = parse_leaf(entry)
    except ProofInvalid:
        report.say(row.position, "the leaf cannot be read")
        return
    if leaf.state_hash != sha256(row.state).digest():
        report.say(row.position, "the event's bytes are not those the leaf was made of")
    if leaf.topic != row.topic:
        report.say(row.position, "event and leaf have other topics")
    try:
        told = _id_of(row.state).id
    except msgspec.DecodeError:
        report.say(row.position, "the event cannot be read")
        return
    if bytes.fromhex(told) != leaf.event_id:
        report.say(row.position, "event and leaf have other ids")
