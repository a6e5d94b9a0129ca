"""The library's stored event, made in one place. Promises: no other floor imports `eventsourcing`."""

from __future__ import annotations

from eventsourcing.persistence import StoredEvent


def stored_event(stream: str, version: int, topic: str, state: bytes) -> StoredEvent:
    """Return the library's record of one event; `version` counts from 1 in each stream."""
    return StoredEvent(originator_id=stream, originator_version=version, topic=topic, state=state)
