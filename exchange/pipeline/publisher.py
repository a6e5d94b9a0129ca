"""Publisher: integrates what was committed into tiles and a signed checkpoint, and hands out proofs.

Promises: a checkpoint at most one interval after a commit, at once when somebody waits for a receipt; what
failed for a moment is tried again after an interval; a refused fork stops publishing for good and stays
visible, while writing goes on only until the operator acts.
Source: the design of the ledger, section 3; c2sp.org/tlog-proof@v1.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from exchange.errors import ExchangeError, ProofInvalid, RequestInvalid, Unavailable, VersionConflict
from exchange.ledger.merkle import consistency_proof
from exchange.ledger.receipt import make_receipt

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.ledger.integrator import Integrator, LeafSource
    from exchange.ledger.tiles import TileStore
    from exchange.pipeline.queue import Pipeline

RECEIPT_WAIT_MAX_S: Final = 5.0


class Publisher:
    """Owned by one event loop; the integrator runs in a thread of its own."""

    def __init__(
        self,
        integrator: Integrator,
        tiles: TileStore,
        source: LeafSource,
        *,
        interval_s: float,
        on_error: Callable[[ExchangeError], None],
    ) -> None:
        self._integrator = integrator
        self._tiles = tiles
        self._source = source
        self._interval_s = interval_s
        self._on_error = on_error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="integrator")
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="proofs")
        self._signed: SignedCheckpoint | None = None
        self._published = asyncio.Event()  # replaced after each new checkpoint
        self._wanted = asyncio.Event()  # somebody waits for a receipt
        self._task: asyncio.Task[None] | None = None
        self.stopped_by: ExchangeError | None = None

    async def start(self, pipeline: Pipeline) -> None:
        """Publish what is there, then follow. Raises ForkRefused or LedgerDiffers: then nothing is served."""
        committed = pipeline.committed
        try:
            await self.integrate()
        except BaseException:
            self._close_threads()
            raise
        self._task = asyncio.get_running_loop().create_task(self._follow(pipeline, committed))

    async def stop(self) -> None:
        """Publish what was committed last and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            if self.stopped_by is None:
                await self.integrate()
        finally:
            self._close_threads()

    def _close_threads(self) -> None:
        self._thread.shutdown(wait=True)
        self._readers.shutdown(wait=True)

    async def integrate(self) -> SignedCheckpoint | None:
        """Integrate now; return the newest checkpoint."""
        signed = await asyncio.get_running_loop().run_in_executor(self._thread, self._integrator.integrate)
        if signed is not None and signed is not self._signed:
            self._signed = signed
            self._tell_published()
        return signed

    def _tell_published(self) -> None:
        published, self._published = self._published, asyncio.Event()
        published.set()

    # --- what the door asks ---------------------------------------------------------------------------

    def checkpoint(self) -> str | None:
        """Return the newest signed checkpoint, None while the log is empty."""
        return None if self._signed is None else self._signed.note.decode()

    @property
    def size(self) -> int:
        """Leaves under the newest checkpoint."""
        return 0 if self._signed is None else self._signed.checkpoint.size

    async def receipt(self, leaf_index: int) -> str:
        """Return the `.tlog-proof` of a leaf, its entry left out, waiting for a checkpoint that covers it."""
        signed = await self._covering(leaf_index)
        loop = asyncio.get_running_loop()
        read_hash = self._tiles.hash_reader(signed.checkpoint.size)
        proof = await loop.run_in_executor(self._readers, make_receipt, leaf_index, signed, read_hash)
        return proof.decode()

    async def consistency(self, from_size: int) -> tuple[str, list[bytes]]:
        """Return the newest checkpoint and the proof from an earlier size."""
        signed = self._signed
        if signed is None or not 0 < from_size <= signed.checkpoint.size:
            # Of nothing there is no checkpoint either.
            raise RequestInvalid(
                "no checkpoint of that size was published", {"from_size": "from 1 to the log's size"}
            )
        size = signed.checkpoint.size
        if from_size == size:
            return signed.note.decode(), []
        read_hash = self._tiles.hash_reader(size)
        loop = asyncio.get_running_loop()
        hashes = await loop.run_in_executor(self._readers, consistency_proof, from_size, size, read_hash)
        return signed.note.decode(), list(hashes)

    # --- following --------------------------------------------------------------------------------------

    async def _covering(self, leaf_index: int) -> SignedCheckpoint:
        head, _ = self._source.ledger_head()
        if not 0 <= leaf_index < head:
            raise RequestInvalid("there is no such leaf", {"leaf_index": "from 0, below the log's size"})
        loop = asyncio.get_running_loop()
        until = loop.time() + RECEIPT_WAIT_MAX_S
        while self._signed is None or self._signed.checkpoint.size <= leaf_index:
            if self.stopped_by is not None or loop.time() > until:
                raise Unavailable("no checkpoint covers this leaf yet")
            published = self._published
            self._wanted.set()
            try:
                await asyncio.wait_for(published.wait(), timeout=until - loop.time())
            except TimeoutError:
                continue
        return self._signed

    async def _follow(self, pipeline: Pipeline, committed: asyncio.Event) -> None:
        while True:
            await self._sleep_until_needed(committed)
            # Taken before integrating: what is committed meanwhile wakes the next turn.
            committed = pipeline.committed
            try:
                await self.integrate()
            except (Unavailable, ProofInvalid, VersionConflict) as error:
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


def _already() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
