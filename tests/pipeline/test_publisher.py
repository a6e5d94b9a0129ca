"""The publisher: who waits for a receipt gets it, what fails for a moment is tried again, a fork ends it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from exchange.errors import (
    ExchangeError,
    ForkRefused,
    KeyUnavailable,
    LedgerDiffers,
    ProofInvalid,
    RequestInvalid,
    StoreFull,
    Unavailable,
    VersionConflict,
)
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.receipt import verify_receipt
from exchange.pipeline import publisher as room
from exchange.pipeline.publisher import Publisher
from tests.registers import GENESIS_EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.ledger.years import YearlyIntegrator
    from exchange.pipeline.queue import Pipeline
    from tests.pipeline.shard import Shard

WAIT_MAX_S = 60
NEVER_S = 3_600.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let who asks for a receipt wait for a disk that stands still."""
    monkeypatch.setattr(room, "RECEIPT_WAIT_MAX_S", WAIT_MAX_S)


class Faulty:
    """The shard's integrator, that fails as often as it is told, or waits at a gate."""

    def __init__(self, integrator: YearlyIntegrator) -> None:
        self._integrator = integrator
        self.ended = integrator.ended
        self.failures: list[ExchangeError] = []
        self.calls = 0
        self.gate = threading.Event()
        self.gate.set()

    def integrate(self) -> SignedCheckpoint | None:
        assert self.gate.wait(WAIT_MAX_S)
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return self._integrator.integrate()


class Desk:
    """A publisher on a shard, and what it told of errors."""

    def __init__(self, shard: Shard, interval_s: float) -> None:
        self.shard = shard
        self.integrator = Faulty(shard.core.integrator)
        self.told: list[ExchangeError] = []
        self.heard = asyncio.Event()
        core = shard.core
        self.publisher = Publisher(
            cast("Any", self.integrator),
            core.ledger.logs,
            core.reader,
            interval_s=interval_s,
            on_error=self._hear,
        )

    def _hear(self, error: ExchangeError) -> None:
        self.told.append(error)
        self.heard.set()


@pytest.fixture
async def desk(shard: Shard) -> AsyncIterator[Desk]:
    """A publisher that comes by itself at once, or where somebody waits."""
    made = Desk(shard, 0.0)
    yield made
    made.integrator.failures.clear()
    await made.publisher.stop()


async def published(desk: Desk, size: int) -> None:
    """Wait until so many leaves are under a checkpoint."""
    async with asyncio.timeout(WAIT_MAX_S):
        while desk.publisher.size < size:
            await desk.publisher._published.wait()


async def test_what_is_there_is_published_before_the_start_is_over(desk: Desk, pipeline: Pipeline) -> None:
    assert (desk.publisher.size, desk.publisher.checkpoint()) == (0, None)
    await desk.publisher.start(pipeline)
    note = desk.publisher.checkpoint()
    assert desk.publisher.size == desk.shard.head == GENESIS_EVENTS
    assert note is not None
    assert note.startswith(f"{desk.shard.core.origin}\n{GENESIS_EVENTS}\n")


async def test_a_commit_is_followed(desk: Desk, pipeline: Pipeline) -> None:
    await desk.publisher.start(pipeline)
    await pipeline.submit(desk.shard.registration("a" * 32))
    await published(desk, desk.shard.head)
    assert desk.publisher.size == desk.shard.head > 1


async def test_who_waits_for_a_receipt_does_not_wait_for_the_interval(
    shard: Shard, pipeline: Pipeline
) -> None:
    desk = Desk(shard, NEVER_S)
    await desk.publisher.start(pipeline)
    await pipeline.submit(shard.registration("a" * 32))
    index = shard.head - 1
    async with asyncio.timeout(WAIT_MAX_S):
        proof = (await desk.publisher.receipt(index)).text
    (entry,) = shard.core.reader.leaf_entries(index, index + 1)
    policy = parse_policy(f"log {shard.core.signer.vkey}\nquorum none\n")
    assert verify_receipt(entry, proof.encode(), policy).index == index
    await desk.publisher.stop()


@pytest.mark.parametrize("beyond", [0, 1, 10**6])
async def test_there_is_no_receipt_beyond_the_store(beyond: int, desk: Desk, pipeline: Pipeline) -> None:
    await desk.publisher.start(pipeline)
    with pytest.raises(RequestInvalid, match="no such leaf"):
        await desk.publisher.receipt(desk.shard.head + beyond)


async def test_a_receipt_is_given_up_after_its_time(
    desk: Desk, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.publisher.start(pipeline)
    desk.integrator.gate.clear()
    await pipeline.submit(desk.shard.registration("a" * 32))
    monkeypatch.setattr(room, "RECEIPT_WAIT_MAX_S", 0.01)
    with pytest.raises(Unavailable, match="no checkpoint covers this leaf yet"):
        await desk.publisher.receipt(desk.shard.head - 1)
    desk.integrator.gate.set()
    await published(desk, desk.shard.head)
    assert await desk.publisher.receipt(desk.shard.head - 1)


@pytest.mark.parametrize(
    "error",
    [
        StoreFull("the disk is full"),
        Unavailable("the store did not answer"),
        ProofInvalid("a tile has the wrong length", place="tile"),
        VersionConflict("another integrator claimed a checkpoint first"),
        KeyUnavailable("the hardware module does not answer"),
    ],
)
async def test_what_failed_for_a_moment_is_tried_again(
    error: ExchangeError, desk: Desk, pipeline: Pipeline
) -> None:
    await desk.publisher.start(pipeline)
    desk.integrator.failures = [error] * 3
    await pipeline.submit(desk.shard.registration("a" * 32))
    await published(desk, desk.shard.head)
    assert desk.told == [error] * 3
    assert desk.publisher.stopped_by is None


@pytest.mark.parametrize(
    "error",
    [ForkRefused("the store was rolled back"), LedgerDiffers("a leaf is missing", position="2")],
)
async def test_a_difference_ends_publishing_for_good(
    error: ExchangeError, desk: Desk, pipeline: Pipeline
) -> None:
    await desk.publisher.start(pipeline)
    before, size = desk.publisher.checkpoint(), desk.publisher.size
    desk.integrator.failures = [error]
    await pipeline.submit(desk.shard.registration("a" * 32))
    async with asyncio.timeout(WAIT_MAX_S):
        await desk.heard.wait()
    calls = desk.integrator.calls
    await pipeline.submit(desk.shard.registration("b" * 32))
    with pytest.raises(Unavailable):
        await desk.publisher.receipt(desk.shard.head - 1)
    assert (desk.told, desk.publisher.stopped_by) == ([error], error)
    # What was proven before still is.
    assert (desk.publisher.checkpoint(), desk.publisher.size) == (before, size)
    assert await desk.publisher.receipt(0)
    await desk.publisher.stop()
    assert desk.integrator.calls == calls


async def test_who_waits_when_a_fork_is_found_is_told_at_once(desk: Desk, pipeline: Pipeline) -> None:
    await desk.publisher.start(pipeline)
    desk.integrator.gate.clear()
    desk.integrator.failures = [ForkRefused("the store was rolled back")]
    await pipeline.submit(desk.shard.registration("a" * 32))
    waiting = asyncio.create_task(desk.publisher.receipt(desk.shard.head - 1))
    await asyncio.sleep(0)
    desk.integrator.gate.set()
    # Well within RECEIPT_WAIT_MAX_S: nobody waits for what will not come.
    async with asyncio.timeout(room.RECEIPT_WAIT_MAX_S / 2):
        with pytest.raises(Unavailable):
            await waiting


@pytest.mark.parametrize("error", [ForkRefused("rolled back"), StoreFull("the disk is full")])
async def test_a_start_that_is_refused_leaves_no_thread(
    error: ExchangeError, shard: Shard, pipeline: Pipeline
) -> None:
    desk = Desk(shard, NEVER_S)
    desk.integrator.failures = [error]
    with pytest.raises(type(error)):
        await desk.publisher.start(pipeline)
    assert [one.name for one in threading.enumerate() if one.name.startswith("integrator")] == []


async def test_of_many_nodes_the_holder_publishes_and_another_goes_on_where_it_takes_over(
    shard: Shard, pipeline: Pipeline
) -> None:
    desk, held = Desk(shard, 0.0), [False]
    desk.publisher = Publisher(
        cast("Any", desk.integrator),
        shard.core.ledger.logs,
        shard.core.reader,
        interval_s=0.0,
        on_error=desk._hear,
        may=lambda: held[0],
    )
    # At its start it looks once whether the store is what was signed, whoever publishes meanwhile.
    desk.integrator.failures = [VersionConflict("another claimed first")] * 2
    await desk.publisher.start(pipeline)
    assert desk.publisher.size == GENESIS_EVENTS
    calls = desk.integrator.calls
    for ref in "ab":
        await pipeline.submit(shard.registration(ref * 32))
        desk.publisher.wake()
        await asyncio.sleep(0)
    assert desk.integrator.calls == calls
    held[0] = True
    desk.publisher.wake()
    await published(desk, shard.head)
    held[0] = False
    calls = desk.integrator.calls
    await pipeline.submit(shard.registration("c" * 32))
    await desk.publisher.stop()
    assert (desk.integrator.calls, desk.publisher.size) == (calls, shard.head - 1)
    assert desk.told == []


async def test_stopping_publishes_what_was_committed_last(shard: Shard, pipeline: Pipeline) -> None:
    desk = Desk(shard, NEVER_S)
    await desk.publisher.start(pipeline)
    await pipeline.submit(shard.registration("a" * 32))
    await desk.publisher.stop()
    assert desk.publisher.size == shard.head > 1
    assert [one.name for one in threading.enumerate() if one.name.startswith(("integrator", "proofs"))] == []


async def test_an_earlier_size_is_proven_to_be_a_prefix(desk: Desk, pipeline: Pipeline) -> None:
    await desk.publisher.start(pipeline)
    await pipeline.submit(desk.shard.registration("a" * 32))
    await published(desk, desk.shard.head)
    size = desk.publisher.size
    note, hashes = await desk.publisher.consistency(1)
    assert note == desk.publisher.checkpoint()
    assert hashes
    assert await desk.publisher.consistency(size) == (note, [])
    with pytest.raises(RequestInvalid, match="no checkpoint of that size"):
        await desk.publisher.consistency(size + 1)


async def test_nothing_is_proven_before_the_first_checkpoint(desk: Desk) -> None:
    with pytest.raises(RequestInvalid):
        await desk.publisher.consistency(0)
