"""The logs of a shard, one for each year, integrated in order: each is closed at exactly its closed size.

Promises: nothing of a log is claimed before the former was signed at its end and published; more leaves under
a log that ended than it ended with are a fork; it may die at any step and be run again. A leaf has one number
in the shard; its index in a log is that number less the number of the log's first leaf.
Source: design of the ledger, section 3; exchange/decisions/0072-one-log-a-year.md.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from exchange.errors import LedgerDiffers, ProofInvalid, VersionConflict
from exchange.ledger.checkpoint import SignedCheckpoint, parse_body
from exchange.ledger.integrator import Integrator
from exchange.ledger.merkle import Frontier
from exchange.ledger.note import parse_note
from exchange.ledger.tiles import CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from exchange.ledger.checkpoints import CheckpointStore
    from exchange.ledger.note import Cosigner, NoteSigner, VerifierKey
    from exchange.ledger.tiles import TileStore

# How often it looks anew where another node claimed in between: it claimed the same, or more.
TRIES_MAX: Final = 4


class LogBegins(Protocol):
    """A log that followed another, as the store keeps it."""

    @property
    def first(self) -> int:
        """The number of its first leaf."""

    @property
    def origin(self) -> str:
        """Its name."""

    @property
    def former(self) -> bytes:
        """The frontier the former log ended with, as `Frontier.to_bytes` wrote it."""


class ShardHeads(Protocol):
    """How far the logs of a shard are, of one commit."""

    @property
    def position(self) -> int:
        """How many leaves the shard has."""

    @property
    def frontier(self) -> bytes:
        """That of the newest log."""

    @property
    def opened(self) -> Sequence[LogBegins]:
        """The logs after the first, in order."""


class ShardLeaves(Protocol):
    """What is read from the store: only what is committed."""

    def heads(self) -> ShardHeads:
        """Return how far the logs are."""
        ...

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        """Return the entries of leaves [start, stop) of the shard, in order."""
        ...


@dataclass(frozen=True, slots=True)
class YearLog:
    """One log of a shard: its name, the number of its first leaf, its files and its keys."""

    origin: str
    first: int
    tiles: TileStore
    signer: NoteSigner
    second: Cosigner | None

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The verifier keys of who signs it."""
        return (self.signer.key,) if self.second is None else (self.signer.key, self.second.key)

    def published(self) -> SignedCheckpoint | None:
        """Return what its file holds, None where that is nothing this log signed. Raises StoreUnavailable."""
        if not (self.tiles.folder / CHECKPOINT).exists():
            return None
        note = self.tiles.read(CHECKPOINT)
        try:
            parsed = parse_note(note, CHECKPOINT)
            head = parse_body(parsed.text, CHECKPOINT)
            ours = parsed.signers([self.signer.key])
        except ProofInvalid:
            return None
        return SignedCheckpoint(head, note) if ours and head.origin == self.origin else None


class Logs:
    """The logs that are known, oldest first. Safe from any thread."""

    def __init__(self, make: Callable[[str, int], YearLog], origin: str) -> None:
        self._make = make
        self._lock = Lock()
        self._all: tuple[YearLog, ...] = (make(origin, 0),)

    def learn(self, opened: Sequence[LogBegins]) -> None:
        """Take over the logs that were opened since."""
        with self._lock:
            added = [self._make(one.origin, one.first) for one in opened[len(self._all) - 1 :]]
            self._all = (*self._all, *added)

    def __iter__(self) -> Iterator[YearLog]:
        """Go through them, oldest first."""
        return iter(self._all)

    @property
    def first(self) -> YearLog:
        """The log the shard began with."""
        return self._all[0]

    @property
    def newest(self) -> YearLog:
        """The log that new leaves stand in, as far as is known."""
        return self._all[-1]

    def named(self, origin: str) -> YearLog | None:
        """Return the log of this name."""
        return next((one for one in self._all if one.origin == origin), None)

    def holding(self, number: int) -> YearLog:
        """Return the log that a leaf of this number stands in, if it is there."""
        return next(one for one in reversed(self._all) if one.first <= number)


class LeavesOf:
    """The leaves of one log, by their index in it; `head` is as far as they are taken now."""

    def __init__(self, source: ShardLeaves, first: int) -> None:
        self._source = source
        self._first = first
        self.head = (0, Frontier().to_bytes())

    def ledger_head(self) -> tuple[int, bytes]:
        """Return size and frontier, as set."""
        return self.head

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        """Return entries [start, stop) of the log."""
        return self._source.leaf_entries(self._first + start, self._first + stop)


def ends_of(heads: ShardHeads) -> list[tuple[int, bytes]]:
    """Return size and frontier of each log, oldest first. Raises LedgerDiffers where they do not add up."""
    stored = [*(one.former for one in heads.opened), heads.frontier]
    firsts = [0, *(one.first for one in heads.opened), heads.position]
    sizes = [after - before for before, after in pairwise(firsts)]
    for first, size, frontier in zip(firsts, sizes, stored, strict=False):
        if Frontier.from_bytes(frontier).size != size:
            what = "the stored frontier has another size than the store"
            raise LedgerDiffers(what, position=str(first + size))
    return list(zip(sizes, stored, strict=True))


class YearlyIntegrator:
    """One for each shard, called by one thread at a time; it has no thread of its own."""

    def __init__(
        self,
        source: ShardLeaves,
        logs: Logs,
        checkpoints: CheckpointStore,
        *,
        clock: Callable[[], datetime],
        publishes: bool = True,
    ) -> None:
        """Where it does not publish by itself, whoever collects cosignatures calls `publish`."""
        self.logs = logs
        self.ended: dict[str, SignedCheckpoint] = {}  # what each log that ended was published at, by its name
        self._source = source
        self._checkpoints = checkpoints
        self._clock = clock
        self._publishes = publishes
        self._parts: dict[str, tuple[LeavesOf, Integrator]] = {}

    def integrate(self) -> SignedCheckpoint | None:
        """Sign a checkpoint over everything committed of the oldest log that is not published to its end.

        Goes on to the next where it publishes by itself; else the next begins once `publish` was called. None
        while the log is empty. Raises as `Integrator.integrate`.
        """
        for _ in range(TRIES_MAX - 1):
            with suppress(VersionConflict):
                return self._integrated()
        return self._integrated()

    def _integrated(self) -> SignedCheckpoint | None:
        # First what was claimed: what another node claims meanwhile is over more than is read here.
        logs = [log for log in self.logs if log.origin not in self.ended]
        known = {log.origin: self._part(log)[1].claimed() for log in logs}
        heads = self._source.heads()
        self.logs.learn(heads.opened)
        ends = ends_of(heads)
        # Others may have learnt of a later log meanwhile: it is not of the moment that is looked at here.
        logs = list(self.logs)[: len(ends)]
        for log, end in zip(logs, ends, strict=True):
            if log.origin in self.ended:
                continue
            if log.origin not in known:
                # Learnt of between the two looks: once more, in their order.
                return self._integrated()
            leaves, integrator = self._part(log)
            leaves.head = end
            signed = integrator.integrate(known[log.origin])
            if log is logs[-1] or signed is None:
                return signed
            published = log.published()
            if published is None or published.checkpoint != signed.checkpoint:
                return signed
            self.ended[log.origin] = published
        raise AssertionError("the newest log never ends")

    def confirm(self) -> None:
        """Raise ForkRefused unless the store holds what was signed of every log. Writes nothing."""
        self.logs.learn(self._source.heads().opened)
        for log in self.logs:
            self._part(log)[1].confirm()

    def publish(self, signed: SignedCheckpoint) -> None:
        """Put a signed checkpoint in the file of its log; its tiles are durable."""
        origin = signed.checkpoint.origin
        log = self.logs.named(origin)
        assert log is not None, "only what was signed here is published here"
        self._part(log)[1].publish(signed)
        if origin in self.ended:
            self.ended[origin] = signed

    def _part(self, log: YearLog) -> tuple[LeavesOf, Integrator]:
        if log.origin not in self._parts:
            leaves = LeavesOf(self._source, log.first)
            integrator = Integrator(
                leaves,
                log.tiles,
                self._checkpoints,
                log.signer,
                origin=log.origin,
                clock=self._clock,
                second=log.second,
                publishes=self._publishes,
            )
            self._parts[log.origin] = (leaves, integrator)
        return self._parts[log.origin]
