"""The publisher with witnesses: what is published when, who waits for a quorum, and what a restart finds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from exchange.domain.ledger import name_in
from exchange.errors import ProofInvalid, StoreFull
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.receipt import verify_receipt
from exchange.ledger.years import YearlyIntegrator
from exchange.pipeline import cosigning, publisher
from exchange.pipeline.cosigning import Cosigners, Witnessed
from exchange.pipeline.publisher import Publisher
from tests.ledger.builders import NOON
from tests.pipeline.witnesses import Street

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exchange.errors import ExchangeError
    from exchange.ledger.checkpoint import Policy, SignedCheckpoint
    from exchange.ledger.years import YearLog
    from exchange.pipeline.queue import Pipeline
    from tests.pipeline.shard import Shard

WAIT_MAX_S = 60


class Desk:
    """A publisher on a shard that has three witnesses."""

    def __init__(self, shard: Shard, folder: Path) -> None:
        core = shard.core
        self.shard = shard
        following = core.signer.named(name_in(core.origin, 2027))
        self.street = Street(folder, [core.signer.key, following.key])
        self.errors: list[ExchangeError] = []
        self.missing: list[Witnessed] = []
        self.integrator = YearlyIntegrator(
            core.reader, core.ledger.logs, core.checkpoints, clock=lambda: NOON, publishes=False
        )

        def cosigners(log: YearLog) -> Cosigners:
            policy, keys = self.street.policy(), [log.signer.key]
            return Cosigners(
                policy, self.street, log.tiles, keys, wait_s=WAIT_MAX_S, on_alarm=lambda *_: None
            )

        self.publisher = Publisher(
            self.integrator,
            core.ledger.logs,
            core.reader,
            interval_s=0.0,
            on_error=self.errors.append,
            cosigners=cosigners,
            on_missing=self.missing.append,
        )

    def file(self) -> bytes:
        return self.shard.core.tiles.read("checkpoint")

    async def until(self, *, quorum: bool, size: int) -> Witnessed:
        async with asyncio.timeout(WAIT_MAX_S):
            while True:
                told = self.publisher._published
                found = self.publisher.newest()
                if found and found.quorum is quorum and found.signed.checkpoint.size >= size:
                    return found
                await told.wait()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let who asks for a receipt wait for a disk that stands still."""
    monkeypatch.setattr(publisher, "RECEIPT_WAIT_MAX_S", WAIT_MAX_S)


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "ASK_AGAIN_S", 0.01)
    monkeypatch.setattr(cosigning, "BACK_OFF_S", 0.0)


@pytest.fixture
async def desk(shard: Shard, tmp_path: Path) -> AsyncIterator[Desk]:
    (tmp_path / "street").mkdir()
    made = Desk(shard, tmp_path / "street")
    yield made
    made.street.stuck, made.street.away = set(), {1, 2, 3}
    await made.publisher.stop()
    made.street.close()


async def test_what_is_published_was_cosigned(desk: Desk, pipeline: Pipeline) -> None:
    await desk.publisher.start(pipeline)
    await pipeline.submit(desk.shard.registration("a" * 32))
    found = await desk.until(quorum=True, size=desk.shard.head)
    assert desk.street.accepting().accept(desk.file()) == found.signed.checkpoint
    assert desk.errors == []


async def test_who_waits_for_a_quorum_gets_it_in_the_receipt(desk: Desk, pipeline: Pipeline) -> None:
    await desk.publisher.start(pipeline)
    await pipeline.submit(desk.shard.registration("a" * 32))
    index = desk.shard.head - 1
    (entry,) = desk.shard.core.reader.leaf_entries(index, index + 1)
    proof = await desk.publisher.receipt(index, await_quorum=True)
    assert proof.quorum
    assert verify_receipt(entry, proof.text.encode(), desk.street.accepting()).index == index


async def test_nobody_else_waits_for_witnesses(desk: Desk, pipeline: Pipeline) -> None:
    desk.street.stuck = {1, 2, 3}
    await desk.publisher.start(pipeline)
    await pipeline.submit(desk.shard.registration("a" * 32))
    async with asyncio.timeout(WAIT_MAX_S / 2):
        proof = await desk.publisher.receipt(desk.shard.head - 1)
    assert (proof.missing, proof.quorum) == (("w1.example", "w2.example", "w3.example"), False)
    newest = desk.publisher.newest()
    assert newest is not None
    assert (newest.missing, newest.quorum) == (proof.missing, False)
    assert not (desk.shard.core.tiles.folder / "checkpoint").exists()


async def test_a_quorum_that_does_not_come_is_told_after_the_bound(
    desk: Desk, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "RECEIPT_WAIT_MAX_S", 0.05)
    desk.street.away = {2, 3}
    await desk.publisher.start(pipeline)
    await desk.until(quorum=False, size=1)
    proof = await desk.publisher.receipt(0, await_quorum=True)
    assert (proof.missing[-1], proof.quorum) == ("w3.example", False)


@pytest.mark.usefixtures("_soon")
async def test_too_few_are_published_and_named_and_those_who_come_later_are_added(
    desk: Desk, pipeline: Pipeline
) -> None:
    desk.street.away = {2, 3}
    await desk.publisher.start(pipeline)
    async with asyncio.timeout(WAIT_MAX_S):
        while not desk.missing:
            await desk.publisher._published.wait()
    assert (desk.missing[0].missing, desk.missing[0].quorum) == (("w2.example", "w3.example"), False)
    log_only = parse_policy(f"log {desk.shard.core.signer.vkey}\nquorum none\n")
    assert log_only.accept(desk.file()).size == desk.shard.head
    waiting = asyncio.create_task(desk.publisher.receipt(0, await_quorum=True))
    desk.street.away = {3}
    assert (await waiting).missing == ("w3.example",)
    assert desk.street.accepting().accept(desk.file()).size == desk.shard.head


async def test_a_full_disk_keeps_the_file_and_answers_from_memory(
    desk: Desk, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: SignedCheckpoint) -> None:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(desk.integrator, "publish", full)
    await desk.publisher.start(pipeline)
    assert (await desk.publisher.receipt(0, await_quorum=True)).quorum
    assert [type(error) for error in desk.errors][:1] == [StoreFull]


async def test_stopping_asks_once_more(shard: Shard, pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "street").mkdir()
    desk = Desk(shard, tmp_path / "street")
    await desk.publisher.start(pipeline)
    await pipeline.submit(shard.registration("a" * 32))
    await desk.publisher.stop()
    assert desk.street.accepting().accept(desk.file()).size == shard.head
    desk.street.close()


async def test_the_newest_is_never_older_than_a_receipt(desk: Desk, pipeline: Pipeline) -> None:
    await desk.publisher.start(pipeline)
    await desk.until(quorum=True, size=1)
    desk.street.stuck = {1, 2, 3}
    await pipeline.submit(desk.shard.registration("a" * 32))
    proof = await desk.publisher.receipt(desk.shard.head - 1)
    newest = desk.publisher.newest()
    assert newest is not None
    assert f"\n{newest.signed.checkpoint.size}\n" in proof.text
    note, _ = await desk.publisher.consistency(1)
    assert note == newest.signed.note.decode()
    # What was cosigned before is still what a receipt of an earlier leaf stands under.
    assert (await desk.publisher.receipt(0)).quorum


# --- a year that ends ---------------------------------------------------------------------------------


BORDER = datetime(2027, 1, 1, tzinfo=UTC)


def of_both(desk: Desk) -> Policy:
    logs = "".join(f"log {key}\n" for key in desk.street.logs)
    return parse_policy(logs + desk.street.policy_text())


async def test_both_sides_of_a_border_are_cosigned_in_order(desk: Desk, pipeline: Pipeline) -> None:
    await desk.publisher.start(pipeline)
    await pipeline.submit(desk.shard.registration("a" * 32))
    await pipeline.submit(replace(desk.shard.registration("b" * 32), now=BORDER))
    number = desk.shard.head - 1
    proof = await desk.publisher.receipt(number, await_quorum=True)
    assert proof.quorum
    (entry,) = desk.shard.core.reader.leaf_entries(number, number + 1)
    proven = verify_receipt(entry, proof.text.encode(), of_both(desk))
    former, newest = desk.shard.core.ledger.logs
    assert (proven.origin, proven.index) == (newest.origin, 1)
    assert of_both(desk).accept(former.tiles.read("checkpoint")).size == newest.first
    earlier = await desk.publisher.receipt(0, await_quorum=True)
    assert (earlier.origin, earlier.quorum) == (former.origin, True)
    assert desk.errors == []


@pytest.mark.usefixtures("_soon")
async def test_a_log_that_ended_without_a_quorum_is_asked_for_until_it_has_one(
    desk: Desk, pipeline: Pipeline
) -> None:
    desk.street.away = {1, 2, 3}
    await desk.publisher.start(pipeline)
    await pipeline.submit(replace(desk.shard.registration("b" * 32), now=BORDER))
    # The new year waits for one round, and not for who is away.
    proof = await desk.publisher.receipt(desk.shard.head - 1)
    assert (proof.origin[-4:], proof.quorum) == ("2027", False)
    former, _ = desk.shard.core.ledger.logs
    desk.street.away = {3}
    async with asyncio.timeout(WAIT_MAX_S):
        while not (await desk.publisher.receipt(0, await_quorum=True)).quorum:
            await desk.publisher._published.wait()
        while not has_quorum(desk, former.tiles.read("checkpoint")):
            await desk.publisher._published.wait()
    assert of_both(desk).accept(former.tiles.read("checkpoint")).origin == former.origin


async def test_what_ended_is_known_after_a_restart(desk: Desk, pipeline: Pipeline, tmp_path: Path) -> None:
    await desk.publisher.start(pipeline)
    await pipeline.submit(replace(desk.shard.registration("b" * 32), now=BORDER))
    await desk.publisher.receipt(desk.shard.head - 1, await_quorum=True)
    await desk.publisher.stop()
    (tmp_path / "again").mkdir()
    again = Desk(desk.shard, tmp_path / "again")
    await again.publisher.start(pipeline)
    earlier = await again.publisher.receipt(0, await_quorum=True)
    assert (earlier.origin[-4:], earlier.quorum) == ("2026", True)
    assert again.publisher.size == 2
    desk.street.close()
    # What the fixture closes at the end.
    desk.publisher, desk.street = again.publisher, again.street


def has_quorum(desk: Desk, note: bytes) -> bool:
    try:
        of_both(desk).accept(note)
    except ProofInvalid:
        return False
    return True
