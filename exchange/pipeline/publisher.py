"""Publisher: integrates what was committed into tiles and a signed checkpoint, and hands out proofs.

Promises: a checkpoint at most one interval after a commit, at once when somebody waits for a receipt; what
failed for a moment is tried again after an interval; a refused fork stops publishing for good and stays
visible, while writing goes on only until the operator acts. Where there are witnesses, the published file
holds a checkpoint once enough have cosigned it or the bound has passed; nobody waits for them unasked. A log
that ended is asked for until enough have, and its leaves are proven under its last checkpoint.
Source: the design of the ledger, section 3; c2sp.org/tlog-proof@v1.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from exchange.errors import (
    ExchangeError,
    KeyUnavailable,
    ProofInvalid,
    RequestInvalid,
    Unavailable,
    VersionConflict,
)
from exchange.ledger.merkle import consistency_proof
from exchange.ledger.receipt import make_receipt
from exchange.pipeline.cosigning import Witnessed
from exchange.pipeline.waiting import come

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.ledger.years import Logs, ShardLeaves, YearLog, YearlyIntegrator
    from exchange.pipeline.cosigning import Cosigners
    from exchange.pipeline.queue import Pipeline

RECEIPT_WAIT_MAX_S: Final = 5.0
ASK_AGAIN_S: Final = 1.0  # who was missing is asked again after so long


@dataclass(frozen=True, slots=True)
class Proof:
    """The text of a `.tlog-proof`, the log it is of, and how far its checkpoint was cosigned."""

    text: str
    origin: str
    missing: tuple[str, ...]
    quorum: bool


class Publisher:
    """Owned by one event loop; the integrator runs in a thread of its own."""

    def __init__(
        self,
        integrator: YearlyIntegrator,
        logs: Logs,
        source: ShardLeaves,
        *,
        interval_s: float,
        on_error: Callable[[ExchangeError], None],
        cosigners: Callable[[YearLog], Cosigners] | None = None,
        on_missing: Callable[[Witnessed], None] = lambda _: None,
        may: Callable[[], bool] = lambda: True,
    ) -> None:
        """With `cosigners`, of each log, the integrator must not publish by itself.

        `on_missing` is told of a change. `may` says whether it is this node that publishes now, among many.
        """
        self._may = may
        self._integrator = integrator
        self._logs = logs
        self._source = source
        self._interval_s = interval_s
        self._on_error = on_error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="integrator")
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="proofs")
        self._signed: SignedCheckpoint | None = None
        self._published = asyncio.Event()  # replaced after each new checkpoint
        self._wanted = asyncio.Event()  # somebody waits for a receipt
        self._cosigners = None if cosigners is None else _OfEach(cosigners)
        self._on_missing = on_missing
        self._cosigned: Witnessed | None = None  # the newest that went through a round
        self._ended: dict[str, Witnessed] = {}  # the last of each log that ended, by its name, oldest first
        self._uncosigned = asyncio.Event()  # there is one that did not
        self._tasks: list[asyncio.Task[None]] = []
        self.stopped_by: ExchangeError | None = None

    async def start(self, pipeline: Pipeline) -> None:
        """Publish what is there, then follow. Raises ForkRefused or LedgerDiffers: then nothing is served."""
        committed = pipeline.committed
        try:
            await self._begin()
        except BaseException:
            self._close_threads()
            raise
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._follow(pipeline, committed)))
        if self._cosigners is not None:
            self._tasks.append(loop.create_task(self._cosign(self._cosigners)))

    async def _begin(self) -> None:
        """Integrate once, whoever publishes: it is how a store that differs from what was signed is found."""
        while True:  # each time it is overtaken another node went on
            with suppress(VersionConflict):
                await self.integrate()
                return

    def wake(self) -> None:
        """Look now: this node may be the one that publishes from here on."""
        self._wanted.set()

    async def stop(self) -> None:
        """Publish what was committed last and stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if self.stopped_by is None and self._may():
                signed, before = await self.integrate(), None
                # Where a log ends here, the next one begins when that is published.
                while self._cosigners is not None and signed is not None and signed is not before:
                    await self._round(self._cosigners, signed)
                    before, signed = signed, await self.integrate()
        finally:
            self._close_threads()

    def _log_of(self, signed: SignedCheckpoint) -> YearLog:
        log = self._logs.named(signed.checkpoint.origin)
        assert log is not None, "only what was signed here is looked at"
        return log

    def _end_of(self, signed: SignedCheckpoint) -> int:
        """Return how many leaves the shard had under a checkpoint."""
        return self._log_of(signed).first + signed.checkpoint.size

    def _close_threads(self) -> None:
        self._thread.shutdown(wait=True)
        self._readers.shutdown(wait=True)

    async def integrate(self) -> SignedCheckpoint | None:
        """Integrate now; return the newest checkpoint."""
        signed = await asyncio.get_running_loop().run_in_executor(self._thread, self._integrator.integrate)
        self._note_ended()
        if signed is not None and signed is not self._signed:
            self._signed = signed
            self._uncosigned.set()
            self._tell_published()
        return signed

    def _note_ended(self) -> None:
        for origin, last in tuple(self._integrator.ended.items()):
            if origin in self._ended:
                continue
            cosigned = self._cosigned
            if cosigned is not None and cosigned.signed == last:
                self._ended[origin] = cosigned
            elif self._cosigners is None:
                self._ended[origin] = Witnessed(last)
            else:
                self._ended[origin] = self._cosigners.of(self._log_of(last)).under(last)

    def _tell_published(self) -> None:
        published, self._published = self._published, asyncio.Event()
        published.set()

    # --- what the door asks ---------------------------------------------------------------------------

    def newest(self) -> Witnessed | None:
        """Return the newest signed checkpoint with what has come under it, None while the log is empty."""
        signed, cosigned = self._signed, self._cosigned
        if signed is None:
            return None
        if cosigned is not None and cosigned.signed.checkpoint == signed.checkpoint:
            return cosigned
        if self._cosigners is None:
            return Witnessed(signed)
        return self._cosigners.of(self._log_of(signed)).alone(signed)

    def newest_of(self, origin: str) -> Witnessed | None:
        """Return the newest of one log, None where nothing was signed of it; of the newest where unnamed."""
        newest = self.newest()
        if not origin or (newest is not None and newest.signed.checkpoint.origin == origin):
            return newest
        return self._ended.get(origin)

    def log_of(self, found: Witnessed) -> YearLog:
        """Return the log of what `newest` gave."""
        return self._log_of(found.signed)

    def published(self) -> SignedCheckpoint | None:
        """Return what is published: where there are witnesses, the newest that went through a round."""
        if self._cosigners is None:
            return self._signed
        return None if self._cosigned is None else self._cosigned.signed

    def published_after(self, last: SignedCheckpoint | None) -> SignedCheckpoint | None:
        """Return what was published after `last`: the end of a log that ended since, else the newest."""
        before = 0 if last is None else self._end_of(last)
        ends = (one.signed for one in self._ended.values() if last is not None)
        for found in (*ends, self.published()):
            if found is not None and self._end_of(found) > before:
                return found
        return None

    async def published_beyond(self, last: SignedCheckpoint | None) -> SignedCheckpoint:
        """Return what `published_after` does, once there is something."""
        while True:
            waiting, found = self._published, self.published_after(last)
            if found is not None:
                return found
            await waiting.wait()

    def checkpoint(self) -> str | None:
        """Return the note of the newest checkpoint, None while the log is empty."""
        newest = self.newest()
        return None if newest is None else newest.signed.note.decode()

    @property
    def size(self) -> int:
        """Leaves of the newest log under its newest checkpoint."""
        return 0 if self._signed is None else self._signed.checkpoint.size

    async def receipt(self, leaf_index: int, *, await_quorum: bool = False, whole: bool = False) -> Proof:
        """Return the `.tlog-proof` of a leaf, its entry left out, waiting for a checkpoint that covers it.

        With `await_quorum` for one that enough witnesses cosigned, up to the bound; then as it is.
        `whole`: with the log's second signature.
        """
        found = await self._covering(leaf_index, await_quorum=await_quorum)
        loop, log = asyncio.get_running_loop(), self._log_of(found.signed)
        read_hash = log.tiles.hash_reader(found.signed.checkpoint.size)
        made = partial(make_receipt, leaf_index - log.first, found.signed, read_hash, whole=whole)
        proof = await loop.run_in_executor(self._readers, made)
        return Proof(proof.decode(), log.origin, found.missing, found.quorum)

    async def consistency(self, from_size: int, origin: str = "") -> tuple[str, list[bytes]]:
        """Return the newest checkpoint of a log, of the newest where unnamed, and the proof from a size."""
        newest = self.newest_of(origin)
        signed = None if newest is None else newest.signed
        if signed is None or not 0 < from_size <= signed.checkpoint.size:
            # Of nothing there is no checkpoint either.
            raise RequestInvalid(
                "no checkpoint of that size was published", {"from_size": "from 1 to the log's size"}
            )
        size = signed.checkpoint.size
        if from_size == size:
            return signed.note.decode(), []
        read_hash = self._log_of(signed).tiles.hash_reader(size)
        loop = asyncio.get_running_loop()
        hashes = await loop.run_in_executor(self._readers, consistency_proof, from_size, size, read_hash)
        return signed.note.decode(), list(hashes)

    async def _covering(self, leaf_index: int, *, await_quorum: bool) -> Witnessed:
        heads = self._source.heads()
        self._logs.learn(heads.opened)
        if not 0 <= leaf_index < heads.position:
            raise RequestInvalid("there is no such leaf", {"leaf_index": "from 0, below the log's size"})
        loop = asyncio.get_running_loop()
        until = loop.time() + RECEIPT_WAIT_MAX_S
        while True:
            found = self._best(leaf_index)
            if found is not None and (found.quorum or not await_quorum):
                return found
            if self.stopped_by is not None or loop.time() > until:
                break
            published = self._published
            if found is None:
                self._wanted.set()
            await come(published, until - loop.time())
        if found is None:
            raise Unavailable("no checkpoint covers this leaf yet")
        return found

    def _best(self, leaf_index: int) -> Witnessed | None:
        """Return what covers a leaf: the newest that went through a round, else the newest signed.

        Of a log that ended, its last.
        """
        log = self._logs.holding(leaf_index)
        for found in (self._ended.get(log.origin), self._cosigned, self.newest()):
            head = None if found is None else found.signed.checkpoint
            if head is not None and head.origin == log.origin and head.size > leaf_index - log.first:
                return found
        return None

    # --- cosignatures -----------------------------------------------------------------------------------

    async def _cosign(self, cosigners: _OfEach) -> None:
        while True:
            await self._uncosigned.wait()
            self._uncosigned.clear()
            if self._signed is None:
                continue
            await self._round(cosigners, self._signed)
            for ended in [one for one in self._ended.values() if not one.quorum]:
                await self._round(cosigners, ended.signed)
            behind = any(not one.quorum for one in self._ended.values())
            if behind or (self._cosigned is not None and self._cosigned.missing):
                await come(self._uncosigned, ASK_AGAIN_S)
                self._uncosigned.set()

    async def _round(self, cosigners: _OfEach, signed: SignedCheckpoint) -> None:
        """Collect cosignatures and publish what came: once there are enough, and again at the end."""
        publishing: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        found = await cosigners.of(self._log_of(signed)).collect(
            signed,
            lambda: self.size_of(signed),
            lambda early: publishing.append(loop.create_task(self._publish(early))),
        )
        await asyncio.gather(*publishing)
        await self._publish(found)

    def size_of(self, signed: SignedCheckpoint) -> int:
        """Return how far the log of a checkpoint was signed."""
        found = self.newest_of(signed.checkpoint.origin)
        return signed.checkpoint.size if found is None else found.signed.checkpoint.size

    async def _publish(self, found: Witnessed) -> None:
        origin = found.signed.checkpoint.origin
        before = self._ended.get(origin, self._cosigned)
        if found == before:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._thread, self._integrator.publish, found.signed
            )
        except Unavailable as error:
            # Those who ask are answered from memory; the file follows with the next round.
            self._on_error(error)
        if origin in self._ended:
            self._ended[origin] = found
        else:
            self._cosigned = found
            if self._log_of(found.signed) is not self._logs.newest:
                # The end of a log: the next one begins now, whether or not anybody writes.
                self._wanted.set()
        if found.missing != (() if before is None else before.missing):
            self._on_missing(found)
        self._tell_published()

    # --- following --------------------------------------------------------------------------------------

    async def _follow(self, pipeline: Pipeline, committed: asyncio.Event) -> None:
        while True:
            await self._sleep_until_needed(committed)
            # Taken before integrating: what is committed meanwhile wakes the next turn.
            committed = pipeline.committed
            if not self._may():
                continue
            try:
                await self.integrate()
            except (Unavailable, KeyUnavailable, ProofInvalid, VersionConflict) as error:
                self._on_error(error)
                await asyncio.sleep(self._interval_s)
                committed = _already()
            except ExchangeError as error:
                # A fork or a difference: never sign again until a person has looked.
                self.stopped_by = error
                self._on_error(error)
                self._tell_published()
                return

    async def _sleep_until_needed(self, committed: asyncio.Event) -> None:
        wanted = asyncio.ensure_future(self._wanted.wait())
        changed = asyncio.ensure_future(committed.wait())
        try:
            await asyncio.wait((wanted, changed), return_when=asyncio.FIRST_COMPLETED)
            if not wanted.done():
                await asyncio.wait((wanted,), timeout=self._interval_s)
        finally:
            wanted.cancel()
            changed.cancel()
        self._wanted.clear()


class _OfEach:
    """The witnesses as each log asks them."""

    def __init__(self, make: Callable[[YearLog], Cosigners]) -> None:
        self._make = make
        self._made: dict[str, Cosigners] = {}

    def of(self, log: YearLog) -> Cosigners:
        """Return those of a log."""
        if log.origin not in self._made:
            self._made[log.origin] = self._make(log)
        return self._made[log.origin]


def _already() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
