"""Event ↔ leaf ↔ bytes check: whether what is stored is what the ledger says, position by position.

Promises: reads every event and every leaf, folds the frontier of each log, and holds the end of each against
the event that opened the next; holds where an event stands and whom its stream is linked to against what it
says itself; reports each difference with its position and never a content.
Source: the design of the ledger, promise 1.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from exchange.domain.ledger import LogOpened
from exchange.errors import HistoryUnreadable, ProofInvalid
from exchange.ledger.leaf import parse_leaf
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.store.codec import Codec
from exchange.store.standing import Links, said_in, stands_in_its_own

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.store.batch import Heads, Row
    from exchange.store.ports import EventReader, Extent

PAGE_ROWS: Final = 5_000
PROBLEMS_MAX: Final = 1_000


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


class _Logs:
    """The logs of a store, one frontier after the other, while its leaves are read in order."""

    def __init__(self, heads: Heads, origin: str, report: StoreReport) -> None:
        self._coming = deque(heads.opened)
        self._begin = {one.first + 1 for one in heads.opened}
        self._report = report
        self._origin = origin  # of the log that is being folded; empty where nobody said
        self.frontier = Frontier()

    def add(self, start: int, entries: Mapping[int, bytes], rows: Mapping[int, Row], stop: int) -> None:
        """Fold the leaves of positions above `start` up to `stop`, and look at each log that begins there."""
        while self._coming and self._coming[0].first < stop:
            first = self._coming[0].first
            self.frontier.extend(hash_leaf(one) for at, one in entries.items() if start < at <= first)
            self._turn(rows.get(first + 1))
            start = first
        self.frontier.extend(hash_leaf(one) for at, one in entries.items() if at > start)
        for at, row in rows.items():
            if row.topic == LogOpened.TOPIC and at not in self._begin:
                self._report.say(at, "an event opens a log that the store does not have")

    def _turn(self, row: Row | None) -> None:
        opened = self._coming.popleft()
        position = opened.first + 1
        if opened.former != self.frontier.to_bytes():
            self._report.say(position, "the stored end of the former log is not that of its leaves")
        said = _opening(row)
        told = (said.get("origin"), said.get("first"), said.get("former_size"), said.get("former_root"))
        ended = (opened.origin, opened.first, self.frontier.size, self.frontier.root().hex())
        if told != ended or said.get("former_origin") != (self._origin or said.get("former_origin")):
            self._report.say(position, "the event does not open this log over the end of the former")
        self._origin, self.frontier = opened.origin, Frontier()

    def finish(self, stored: bytes) -> None:
        """Hold the newest frontier against the stored one, and look for logs that never began."""
        if self._coming:
            self._report.say(self._coming[0].first + 1, "the store has a log that no leaf is in")
        if self.frontier.to_bytes() != stored:
            self._report.say(self._report.position, "the stored frontier is not that of the leaves")


def _opening(row: Row | None) -> Mapping[str, object]:
    """Return what the event says that opens a log; nothing where it is none."""
    if row is None or row.topic != LogOpened.TOPIC or type(row.state) is not bytes:
        return {}
    try:
        clear, _, _ = Codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
    except HistoryUnreadable:
        return {}
    return clear


def verify_store(reader: EventReader, origin: str = "") -> StoreReport:
    """Check the whole store, as of its head now, against its own ledger. Raises StoreUnavailable.

    `origin` is the name of the first log, which lies apart from the store.
    """
    report = StoreReport()
    heads = reader.heads()
    report.position = heads.position
    logs = _Logs(heads, origin, report)
    links = Links()
    versions: dict[str, int] = {}
    for start in range(0, report.position, PAGE_ROWS):
        stop = min(start + PAGE_ROWS, report.position)
        rows = {row.position: row for row in reader.page(start, PAGE_ROWS) if row.position <= stop}
        entries = {index + 1: entry for index, entry in reader.leaf_rows(start, stop)}
        report.events += len(rows)
        report.leaves += len(entries)
        for position in range(start + 1, stop + 1):
            _compare(position, rows.get(position), entries.get(position), versions, report)
            _look_at_place(rows.get(position), links, report)
        logs.add(start, entries, rows, stop)
    logs.finish(heads.frontier)
    _say_extras(reader.extent(), report)
    for position, what in links.differences(reader.scope):
        report.say(position, what)
    report.root = logs.frontier.root().hex()
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
        told = bytes.fromhex(said_in(row.state).id)
    except ValueError:  # msgspec's errors are ValueErrors too
        report.say(position, "the event cannot be read")
        return
    if told != leaf.event_id:
        report.say(position, "event and leaf have other ids")


def _look_at_place(row: Row | None, links: Links, report: StoreReport) -> None:
    """Look where an event stands; one that cannot be read was told of before."""
    if row is None or type(row.state) is not bytes:
        return
    try:
        said = said_in(row.state)
    except ValueError:
        return
    links.add(row, said)
    if not stands_in_its_own(row.stream, row.topic, said):
        report.say(row.position, "the event stands in another stream than its own")
