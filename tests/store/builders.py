"""Batches as the writer would make them, without a walk: valid by default."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from exchange.domain.ledger import LEDGER, OpenLog
from exchange.ledger.leaf import leaf_entry
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.store.batch import Batch, Opened, Request
from exchange.store.reader import SQLiteReader
from exchange.store.sqlite import SQLiteRecorder
from exchange.store.stored_event import stored_event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eventsourcing.persistence import StoredEvent

TOPIC = "plan.opened.v1"
OIN = "00000001003214345000"
FIRST_LOG = "exchange.example/00000001003214345000/2026"


def event(stream: str, version: int, seed: str = "", resident: str = "") -> StoredEvent:
    """Return a stored event that names its own id and stream, as every stored event does."""
    event_id = sha256(f"{stream}|{version}|{seed}".encode()).digest()[:16]
    kind, _, key = stream.partition("-")
    said: dict[str, object] = {"id": event_id.hex(), "d": {f"{kind}_id": key}}
    said |= {"r": resident} if resident else {}
    return stored_event(stream, version, f"{kind}.opened.v1", json.dumps(said).encode())


def opening(version: int, year: int, former: tuple[str, int, Frontier]) -> StoredEvent:
    """Return the event that opens the log of a year over the former: its name, first leaf and frontier."""
    origin, first, frontier = former
    command = OpenLog(
        now=datetime(year, 1, 1, tzinfo=UTC),
        oin=OIN,
        year=year,
        former_origin=origin,
        former_first=first,
        former_size=frontier.size,
        former_root=frontier.root().hex(),
    )
    (told,) = LEDGER.decide(command, None)
    stream = f"ledger-{OIN}"
    one = event(stream, version)
    said = {
        "at": f"{year}-01-01T00:00:00.000000Z",
        **dict.fromkeys("kp", "beheer"),
        "o": OIN,
        "w": "",
        "b": "LOG",
        "g": ["", "0" * 64, 0],
        "d": asdict(told),
    }
    return stored_event(stream, version, told.TOPIC, json.dumps(json.loads(one.state) | said).encode())


def leaf(one: StoredEvent) -> bytes:
    """Return the leaf of an event."""
    return leaf_entry(
        event_id=bytes.fromhex(json.loads(one.state)["id"]),
        topic=one.topic,
        organisation=OIN,
        task="college:WMO",
        purpose="wmo-onderzoek",
        basis="WMO-2.3.2@1",
        at="2026-03-02T10:00:00.000000Z",
        state=one.state,
        pseudonym=None,
    )


class Store:
    """A recorder and a reader of one file, with the head and frontier a writer would know."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recorder, self.reader = self._open()
        self.versions: dict[str, int] = {}
        self.frontier = Frontier()
        self.position = 0
        self.log = (FIRST_LOG, 0)  # its name, and its first leaf

    def _open(self) -> tuple[Any, Any]:
        """Return a recorder and a reader of it."""
        return SQLiteRecorder(self.path), SQLiteReader(self.path)

    def batch(
        self,
        *streams: str,
        requests: Sequence[str] = (),
        links: Sequence[tuple[str, str]] = (),
    ) -> Batch:
        """Return the next batch: one event on each stream named, in order."""
        batch = Batch(self.position)
        versions = dict(self.versions)
        for stream in streams:
            versions[stream] = versions.get(stream, 0) + 1
            batch.events.append(event(stream, versions[stream]))
        batch.leaves = [leaf(one) for one in batch.events]
        batch.requests = [Request(OIN, name, b"content", f"answer {name}".encode()) for name in requests]
        batch.links = list(links)
        frontier = self.frontier.copy()
        frontier.extend(map(hash_leaf, batch.leaves))
        batch.frontier = frontier.to_bytes()
        return batch

    def commit(self, batch: Batch) -> None:
        """Commit a batch and go on from it."""
        self.recorder.commit(batch)
        self.resume(batch)

    def resume(self, batch: Batch) -> None:
        """Go on from a batch that stands."""
        self.frontier = Frontier.from_bytes(batch.frontier)
        self.position = batch.head
        if batch.opens is not None:
            self.log = (batch.opens.origin, batch.opens.first)
        for one in batch.events:
            self.versions[str(one.originator_id)] = one.originator_version

    def turn(self, year: int) -> Batch:
        """Return the group that opens the log of a year."""
        origin, first = self.log
        version = self.versions.get(f"ledger-{OIN}", 0) + 1
        one = opening(version, year, (origin, first, self.frontier))
        batch = Batch(self.position, [one], [leaf(one)])
        frontier = Frontier()
        frontier.extend(map(hash_leaf, batch.leaves))
        batch.frontier = frontier.to_bytes()
        name = f"{origin.rpartition('/')[0]}/{year}"
        batch.opens = Opened(self.position, name, self.frontier.to_bytes())
        return batch

    def add(self, *streams: str) -> None:
        """Commit one event on each stream named."""
        self.commit(self.batch(*streams))

    def everything(self) -> dict[str, list[tuple[object, ...]]]:
        """Return every row of every table, on a connection of its own."""
        connection = sqlite3.connect(self.path)
        try:
            names = (
                *("streams", "stored_events", "leaves", "requests", "links"),
                *("head", "logs", "schema_version"),
            )
            return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}  # noqa: S608 -- the names above
        finally:
            connection.close()

    def tamper(self, *statements: str) -> None:
        """Change the file behind everybody's back."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            for statement in statements:
                connection.execute(statement)
        finally:
            connection.close()

    def put(self, position: int, **values: bytes | str) -> None:
        """Change the state or leaf at a position, or the frontier, behind everybody's back."""
        changes = {
            "state": ("UPDATE stored_events SET state = ? WHERE position = ?", position),
            "topic": ("UPDATE stored_events SET topic = ? WHERE position = ?", position),
            "entry": ("UPDATE leaves SET entry = ? WHERE leaf_index = ?", position - 1),
            "frontier": ("UPDATE head SET frontier = ? WHERE one = ?", 1),
        }
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            for name, value in values.items():
                statement, place = changes[name]
                connection.execute(statement, (value, place))
        finally:
            connection.close()

    def close(self) -> None:
        """Close both."""
        self.reader.close()
        self.recorder.close()
