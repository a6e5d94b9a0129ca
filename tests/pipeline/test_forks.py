"""A real log behind the publisher: receipts and proofs verify, a forked or restored store is refused."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import (
    ExchangeError,
    ForkRefused,
    LedgerDiffers,
    ProofInvalid,
    RequestInvalid,
    StoreUnavailable,
)
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.merkle import verify_consistency
from exchange.ledger.receipt import verify_receipt
from exchange.pipeline.publisher import Publisher
from exchange.pipeline.walk import CommandOutcome
from exchange.wiring.core import publisher_of
from tests.pipeline.shard import Shard
from tests.registers import GENESIS_EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint
    from exchange.pipeline.queue import Pipeline


class Faulty:
    """An integrator that fails as told, and otherwise integrates."""

    def __init__(self, shard: Shard) -> None:
        self._integrator = shard.core.integrator
        self.ended = shard.core.integrator.ended
        self.faults: list[ExchangeError] = []
        self.after: Any = lambda: None

    def integrate(self) -> SignedCheckpoint | None:
        if self.faults:
            raise self.faults.pop(0)
        signed = self._integrator.integrate()
        self.after()
        return signed


def faulty_publisher(shard: Shard, interval_s: float) -> tuple[Faulty, Publisher, list[ExchangeError]]:
    integrator = Faulty(shard)
    errors: list[ExchangeError] = []
    made = Publisher(
        integrator,  # type: ignore[arg-type] # a fake of the one call
        shard.core.ledger.logs,
        shard.core.reader,
        interval_s=interval_s,
        on_error=errors.append,
    )
    return integrator, made, errors


@pytest.fixture
async def publisher(shard: Shard, pipeline: Pipeline) -> AsyncIterator[Publisher]:
    made = publisher_of(shard.core, lambda error: pytest.fail(str(error)))
    await made.start(pipeline)
    yield made
    await made.stop()


def accepted(shard: Shard, note: str | None) -> Checkpoint:
    assert note is not None
    return parse_policy(f"log {shard.core.signer.vkey}\nquorum none\n").accept(note.encode())


async def goal(shard: Shard, pipeline: Pipeline, plan_id: str) -> CommandOutcome:
    outcome = await pipeline.submit(shard.goal(plan_id))
    assert isinstance(outcome, CommandOutcome)
    return outcome


async def until_size(publisher: Publisher, size: int) -> None:
    async with asyncio.timeout(30):
        while publisher.size < size:
            await publisher._published.wait()


# --- receipts -----------------------------------------------------------------------------------------


async def test_a_receipt_waits_for_the_checkpoint_that_covers_it(
    shard: Shard, pipeline: Pipeline, publisher: Publisher
) -> None:
    _, _, plan_id = shard.plan()
    done = await goal(shard, pipeline, plan_id)
    proof = (await publisher.receipt(done.leaf_index)).text
    policy = parse_policy(f"log {shard.core.signer.vkey}\nquorum none\n")
    proven = verify_receipt(done.leaf_entry, proof.encode(), policy)
    assert (proven.origin, proven.index) == (shard.core.origin, done.leaf_index)
    assert proven.size >= done.position
    with pytest.raises(ProofInvalid):
        verify_receipt(done.leaf_entry + b" ", proof.encode(), policy)
    other = await goal(shard, pipeline, plan_id)
    with pytest.raises(ProofInvalid):
        verify_receipt(other.leaf_entry, proof.encode(), policy)


async def test_every_leaf_of_a_group_gets_its_receipt(
    shard: Shard, pipeline: Pipeline, publisher: Publisher
) -> None:
    _, _, plan_id = shard.plan()
    done = await asyncio.gather(*(goal(shard, pipeline, plan_id) for _ in range(20)))
    proofs = await asyncio.gather(*(publisher.receipt(one.leaf_index) for one in done))
    policy = parse_policy(f"log {shard.core.signer.vkey}\nquorum none\n")
    for one, proof in zip(done, proofs, strict=True):
        assert verify_receipt(one.leaf_entry, proof.text.encode(), policy).index == one.leaf_index


@pytest.mark.parametrize("leaf_index", [-1, GENESIS_EVENTS, GENESIS_EVENTS + 1, 10**12])
async def test_a_leaf_that_is_not_there_has_no_receipt(
    shard: Shard, publisher: Publisher, leaf_index: int
) -> None:
    assert shard.head == GENESIS_EVENTS
    with pytest.raises(RequestInvalid):
        await publisher.receipt(leaf_index)


async def test_a_commit_during_an_integration_is_not_forgotten(shard: Shard, pipeline: Pipeline) -> None:
    _, _, plan_id = shard.plan()
    integrator, publisher, _ = faulty_publisher(shard, interval_s=0.01)
    await publisher.start(pipeline)
    loop = asyncio.get_running_loop()
    landed = asyncio.Event()
    late: list[CommandOutcome] = []

    def commit_more() -> None:
        # The head was read; what is committed now has to wake the next turn by itself.
        if not late:
            later = asyncio.run_coroutine_threadsafe(goal(shard, pipeline, plan_id), loop)
            late.append(later.result(30))
            loop.call_soon_threadsafe(landed.set)

    integrator.after = commit_more
    await goal(shard, pipeline, plan_id)
    await asyncio.wait_for(landed.wait(), 30)
    await until_size(publisher, late[0].position)
    await publisher.stop()


async def test_stopping_ends_its_threads_though_the_last_integration_fails(
    shard: Shard, pipeline: Pipeline
) -> None:
    integrator, publisher, _ = faulty_publisher(shard, interval_s=3600)
    await publisher.start(pipeline)
    integrator.faults = [StoreUnavailable("on purpose")]
    with pytest.raises(StoreUnavailable):
        await publisher.stop()
    assert publisher._thread._shutdown
    assert publisher._readers._shutdown


# --- forks --------------------------------------------------------------------------------------------


async def started(data: Path) -> None:
    """Open a shard and its publisher as a service does."""
    shard = Shard(data)
    try:
        pipeline = shard.queue()
        publisher = publisher_of(shard.core, lambda _: None)
        try:
            await publisher.start(pipeline)
        finally:
            publisher._thread.shutdown()
            publisher._readers.shutdown()
            await pipeline.drain()
    finally:
        shard.close()


def keep(data: Path, aside: Path) -> None:
    """Copy the event database, closed, as a backup would."""
    aside.mkdir(exist_ok=True)
    for file in data.glob("events.db*"):
        shutil.copy2(file, aside / file.name)


def restore(data: Path, aside: Path) -> None:
    """Put the backup back; what was signed stays where it is."""
    for file in data.glob("events.db*"):
        file.unlink()
    for file in aside.glob("events.db*"):
        shutil.copy2(file, data / file.name)


async def test_an_older_store_than_was_signed_is_refused_at_the_start(tmp_path: Path) -> None:
    data, aside = tmp_path / "data", tmp_path / "aside"
    shard = Shard(data)
    _, _, plan_id = shard.plan()
    shard.close()
    keep(data, aside)
    shard = Shard(data)
    shard.done(shard.goal(plan_id))
    signed = shard.core.integrator.integrate()
    assert signed is not None
    shard.close()
    await started(data)

    restore(data, aside)
    with pytest.raises(ForkRefused):
        await started(data)


async def test_another_history_of_the_same_length_or_longer_is_refused(tmp_path: Path) -> None:
    data, aside = tmp_path / "data", tmp_path / "aside"
    shard = Shard(data)
    _, _, plan_id = shard.plan()
    shard.close()
    keep(data, aside)
    shard = Shard(data)
    shard.done(shard.goal(plan_id))
    shard.core.integrator.integrate()
    shard.close()
    keep(data, tmp_path / "true")

    # Beside the service, the operator lets the old store grow another way, past what was signed.
    restore(data, aside)
    checkpoints, published = data / "checkpoints", data / "ledger"
    checkpoints.rename(tmp_path / "signed")
    published.rename(tmp_path / "published")
    checkpoints.mkdir()
    shutil.copy2(tmp_path / "signed" / "origin", checkpoints / "origin")
    (checkpoints / "checkpoints.db").touch()
    for goals in (1, 2):
        shard = Shard(data)
        shard.done(shard.goal(plan_id, "een ander verleden"))
        shard.verified()
        shard.close()
        keep(data, tmp_path / f"forged-{goals}")
    for folder, kept in ((checkpoints, "signed"), (published, "published")):
        shutil.rmtree(folder)
        (tmp_path / kept).rename(folder)

    for forged in ("forged-1", "forged-2"):
        restore(data, tmp_path / forged)
        with pytest.raises(ForkRefused):
            await started(data)
    restore(data, tmp_path / "true")
    await started(data)


async def test_a_leaf_changed_behind_the_log_stops_it_from_signing(shard: Shard, pipeline: Pipeline) -> None:
    shard.plan()
    with shard.datastore.transaction(commit=True) as cursor:
        cursor.execute("UPDATE leaves SET entry = CAST(entry || ' ' AS BLOB) WHERE leaf_index = 1")
    publisher = publisher_of(shard.core, lambda _: None)
    with pytest.raises(LedgerDiffers):
        await publisher.start(pipeline)
    assert publisher.checkpoint() is None
    publisher.stopped_by = LedgerDiffers("seen")
    await publisher.stop()


# --- consistency --------------------------------------------------------------------------------------


async def test_every_earlier_checkpoint_is_proven_consistent_with_the_newest(
    shard: Shard, pipeline: Pipeline, publisher: Publisher
) -> None:
    _, _, plan_id = shard.plan()
    earlier = []
    for _ in range(5):
        done = await goal(shard, pipeline, plan_id)
        await publisher.receipt(done.leaf_index)
        earlier.append(accepted(shard, publisher.checkpoint()))
    for old in earlier:
        note, hashes = await publisher.consistency(old.size)
        new = accepted(shard, note)
        assert new.size == publisher.size
        verify_consistency(old.size, new.size, old.root, new.root, hashes)
    first, last = earlier[0], earlier[-1]
    _, hashes = await publisher.consistency(first.size)
    with pytest.raises(ProofInvalid):
        verify_consistency(first.size, last.size, b"\x00" * 32, last.root, hashes)
    assert (await publisher.consistency(last.size))[1] == []


@pytest.mark.parametrize("size", [0, -1, 10**12])
async def test_sizes_without_a_checkpoint_have_no_consistency_proof(publisher: Publisher, size: int) -> None:
    with pytest.raises(RequestInvalid):
        await publisher.consistency(size)
