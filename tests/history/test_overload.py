"""Ten times what the queue holds: the rest is told to come back, what is accepted is answered in its turn."""

from __future__ import annotations

import asyncio
import threading
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.errors import Unavailable
from adapters.sdk.patience import Patience
from adapters.sdk.tokens import Person
from exchange.errors import Overloaded
from exchange.logs import open_log
from exchange.pipeline import queue as room
from exchange.v1 import common_pb2 as pb
from tests.e2e.service import INVESTIGATE
from tests.history.check import check_store
from tests.history.record import Operation
from tests.history.report import Check
from tests.pipeline.faults import FaultyRecorder
from tests.server.test_streams import open_plan
from tests.server.town import Town, made_up_bsns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUEUE = 40
TIMES = 10
CONNECTIONS = 4
WAIT_S = 30
ONCE = Patience(attempts_max=1)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path / "data", open_log(stream=lines))
        town.start()
        yield town
        town.close()


class Queue:
    """Watches a queue: how full it was, and how many ended between the coming and the end of each."""

    def __init__(self, town: Town, full: threading.Event) -> None:
        self._pipeline, self._submit = town.pipeline, town.pipeline.submit
        self._full = full
        self.deepest, self.ended = 0, 0
        self.overtaken: list[int] = []
        town.pipeline.submit = self.submit  # type: ignore[method-assign] # the same, watched

    async def submit(self, walk: Any) -> Any:  # noqa: ANN401 -- any walk and its outcome
        before = self.ended
        try:
            outcome = await self._watched(walk)
        except Overloaded:
            self._full.set()
            raise
        self.ended += 1
        self.overtaken.append(self.ended - before)
        return outcome

    async def _watched(self, walk: Any) -> Any:  # noqa: ANN401 -- as above
        coming = asyncio.ensure_future(self._submit(walk))
        await asyncio.sleep(0)
        self.deepest = max(self.deepest, self._pipeline.depth)
        return await coming


async def flood(town: Town, pseudonym: bytes) -> list[Operation]:
    """Send everything at once; return what became of each."""
    person = Person("w-1", "college:WMO", "regisseur")
    clients = [
        AsyncExchangeClient(town.target, town.credentials(), person, patience=ONCE, timeout_s=WAIT_S)
        for _ in range(CONNECTIONS)
    ]

    async def report(number: int) -> Operation:
        told = Operation(client=f"c{number}", op="command", request_id=str(uuid4()), mark=f"flood-{number}")
        told.sent_ns = time.monotonic_ns()
        try:
            answer = await clients[number % CONNECTIONS].case.receive_report(
                request_id=told.request_id,
                claim=INVESTIGATE,
                resident=pseudonym,
                life_domains=[pb.LIFE_DOMAIN_HOUSING],
                own_words=told.mark,
                desk="balie",
            )
        except Unavailable as refused:
            # Without a time to come back it is none of ours.
            told.reason = refused.reason if refused.retry_after_s else "no time to come back"
            told.outcome = "refused"
        else:
            receipt = answer.receipt
            told.position, told.leaves, told.decision = receipt.position, receipt.leaves, receipt.decision_id
            told.leaf = sha256(receipt.leaf_entry).hexdigest()
        told.answered_ns = time.monotonic_ns()
        return told

    try:
        return await asyncio.gather(*(report(number) for number in range(QUEUE * TIMES)))
    finally:
        for client in clients:
            await client.close()


def test_ten_times_what_the_queue_holds(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = open_plan(town)
    # The one of the plan that was just opened: drawn again, the same number.
    pseudonym = town.pseudonym(client, next(made_up_bsns()))
    monkeypatch.setattr(room, "QUEUE_WALKS_MAX", QUEUE)
    full = threading.Event()
    recorder = FaultyRecorder(town.core.recorder)

    def slow() -> None:
        """Be as slow as it takes for the queue to fill."""
        assert full.wait(WAIT_S)

    recorder.before = slow
    town.core.writer._recorder = recorder  # type: ignore[assignment] # a fake with the one call the writer uses
    queue = Queue(town, full)
    history = asyncio.run(flood(town, pseudonym))
    accepted = [one for one in history if one.outcome == "ok"]
    refused = [one for one in history if one.outcome == "refused"]
    assert len(accepted) >= QUEUE
    assert {one.reason for one in refused} == {"OVERLOADED"}
    assert len(accepted) + len(refused) == QUEUE * TIMES
    # Bounded in number, and so in time: nobody waits for more than a full queue and its own group.
    assert QUEUE // 2 < queue.deepest <= QUEUE
    assert max(queue.overtaken) <= 2 * QUEUE
    assert town.pipeline.depth == 0
    report = check_store(history, town.settings)
    assert report.faults == [], "\n".join(report.lines())
    assert report.looked_at[Check.REFUSED] == len(refused) > 0
    assert report.looked_at[Check.RECEIPTS] == len(accepted)
