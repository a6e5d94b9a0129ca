"""What one commit holds: events, leaves, request ids and links of a whole group of walks, or nothing of it.

Promises: positions and leaf indexes are gapless and one apart: the leaf of position p has index p - 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from eventsourcing.persistence import StoredEvent


class Row(NamedTuple):
    """One stored event as read back."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes


class Request(NamedTuple):
    """A command that was answered: same id and content, same answer."""

    organisation: str
    request_id: str
    content: bytes
    answer: bytes

    @property
    def name(self) -> bytes:
        """What the answer is found by."""
        return request_name(self.organisation, self.request_id)


class Opened(NamedTuple):
    """A log that followed another: number of its first leaf, its name, the frontier the former ended with."""

    first: int
    origin: str
    former: bytes


class Heads(NamedTuple):
    """How far the shard's logs are, of one moment: `frontier` is that of the newest."""

    position: int
    frontier: bytes
    opened: tuple[Opened, ...]  # in order; the first log of a shard was opened by nothing


def request_name(organisation: str, request_id: str) -> bytes:
    """Return 16 bytes that stand for an organisation's request id; nobody can make two that agree."""
    return sha256(f"{organisation}\n{request_id}".encode()).digest()[:16]


@dataclass(slots=True)
class Batch:
    """Lists grow while a group is walked; `base` is the position the group was judged on."""

    base: int
    events: list[StoredEvent] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)  # (resident, stream), for first events
    frontier: bytes = b""  # of the log that the leaves stand in, after this batch
    opens: Opened | None = None  # the log of which the first leaf here is the first

    @property
    def head(self) -> int:
        """Position after this batch."""
        return self.base + len(self.events)
