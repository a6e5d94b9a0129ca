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
    from exchange.store.reader import Extent, SQLiteReader

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
    """Check the whole store, as of its head now, against its own ledger. Raises StoreUnavailable."""
    report = StoreReport()
    report.position, stored = reader.head()
    frontier = Frontier()
    versions: dict[str, int] = {}
    for start in range(0, report.position, PAGE_ROWS):
        stop = min(start + PAGE_ROWS, report.position)
        rows = {row.position: row for row in reader.page(start, PAGE_ROWS) if row.position <= stop}
        entries = {index + 1: entry for index, entry in reader.leaf_rows(start, stop)}
        report.events += len(rows)
        report.leaves += len(entries)
        for position in range(start + 1, stop + 1):
            _compare(position, rows.get(position), entries.get(position), versions, report)
        frontier.extend(map(hash_leaf, entries.values()))
    if frontier.to_bytes() != stored:
        report.say(report.position, "the stored frontier is not that of the leaves")
    _say_extras(reader.extent(), report)
    report.root = frontier.root().hex()
    return report


def _say_extras(extent: Extent, report: StoreReport) -> None:
    """Look for rows no position counts; the extent may be of a later moment, so it is held against itself."""
    position, events, last_event, leaves, last_leaf = extent
    # As many as the last one's number, and the last one counted: no row stands before the first either.
    if last_event > position or events > position:
        report.say(position + 1, "there are more events than the head counts")
    if last_leaf > position or leaves > position:
        report.say(position + 1, "there are more leaves than the head counts")


def _compare(
    position: int, row: Row | None, entry: bytes | None, versions: dict[str, int], report: StoreReport
) -> None:
    if row is None:
        report.say(position, "the event is missing")
    elif row.version != versions.get(row.stream, 0) + 1:
        report.say(position, "a version is missing or doubled in its stream")
    if row is not None:
        versions[row.stream] = row.version
    if entry is None:
        report.say(position, "the leaf is missing")
    if row is not None and entry is not None:
        _compare_bytes(row, entry, report)


def _compare_bytes(row: Row, entry: bytes, report: StoreReport) -> None:
    position = row.position
    if type(row.state) is not bytes or type(entry) is not bytes:
        report.say(position, "the event or the leaf is not stored as bytes")
        return
    try:
        leaf = parse_leaf(entry)
    except ProofInvalid:
        report.say(position, "the leaf cannot be read")
        return
    if leaf.state_hash != sha256(row.state).digest():
        report.say(position, "the event's bytes are not those the leaf was made of")
    if leaf.topic != row.topic:
        report.say(position, "event and leaf have other topics")
    try:
        told = bytes.fromhex(_id_of(row.state).id)
    except ValueError:  # msgspec's errors are ValueErrors too
        report.say(position, "the event cannot be read")
        return
    if told != leaf.event_id:
        report.say(position, "event and leaf have other ids")
