"""A client keeps the receipt of each command before its answer is given on; an erasure takes it along."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.kit.receipts import ReceiptsKept
from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.errors import ReceiptRefused, Unavailable
from adapters.sdk.purges import PurgeAsked, confirm, list_asked, purge, purge_async
from exchange.errors import KeyUnavailable
from exchange.v1.common_pb2 import Receipt
from exchange.v1.plan_service_pb2 import GetPlanResponse, SetGoalResponse
from exchange.v1.representation_service_pb2 import RecordRepresentativeResponse
from exchange.v1.resident_rights_service_pb2 import (
    PURGE_OUTCOME_ERASED,
    PURGE_OUTCOME_NOTHING_KEPT,
    ConfirmPurgeResponse,
    ListPurgeRequestsResponse,
    PurgeRequest,
)
from tests.sdk.conftest import QUICK
from tests.sdk.exchange_fake import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from tests.sdk.exchange_fake import FakeExchange

PLAN, OTHER = "p-1", "p-2"
SET_GOAL = "/exchange.v1.PlanService/SetGoal"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ReceiptsKept]:
    made = ReceiptsKept(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def door(exchange: FakeExchange) -> None:
    exchange.on("SetGoal", lambda *_: SetGoalResponse(version=4))
    exchange.on("GetPlan", lambda *_: GetPlanResponse())
    exchange.on("ConfirmPurge", lambda *_: ConfirmPurgeResponse())
    asked = [
        PurgeRequest(erasure_id="e-1", subjects=[f"plan-{PLAN}"]),
        PurgeRequest(erasure_id="e-2", subjects=["plan-p-3"]),
        PurgeRequest(erasure_id="e-3", subjects=[f"plan-{OTHER}"], categories=["LOG"]),
    ]
    exchange.on("ListPurgeRequests", lambda *_: ListPurgeRequestsResponse(purge_requests=asked))


def kept(book: ReceiptsKept, plan: str) -> list[str]:
    return [one.rpc for one in book.listed(plan)]


def begun(tmp_path: Path) -> list[str]:
    """Return the erasures that the book still waits to have answered."""
    with closing(sqlite3.connect(tmp_path / "state" / "receipts.db")) as database:
        return [one for (one,) in database.execute("SELECT erasure_id FROM erasing ORDER BY 1")]


def test_of_each_command_the_receipt_is_kept_under_its_plan_and_of_a_question_none(
    client: ExchangeClient, book: ReceiptsKept
) -> None:
    keeping = client.with_receipts(book)
    keeping.plan.set_goal(plan_id=PLAN)
    keeping.with_timeout(5).plan.set_goal(plan_id=PLAN)
    keeping.plan.get_plan(plan_id=PLAN)
    client.plan.set_goal(plan_id=PLAN)
    assert (kept(book, PLAN), kept(book, OTHER)) == ([SET_GOAL, SET_GOAL], [])


def test_a_receipt_of_something_else_is_not_kept(
    exchange: FakeExchange, client: ExchangeClient, book: ReceiptsKept
) -> None:
    exchange.on("SetGoal", lambda *_: SetGoalResponse(receipt=Receipt(leaf_index=9, leaf_entry=b"{}")))
    with pytest.raises(ReceiptRefused):
        client.with_receipts(book).plan.set_goal(plan_id=PLAN)
    assert list(book.listed()) == []


def test_what_cannot_be_kept_does_not_count_as_done_and_its_command_is_repeated(
    exchange: FakeExchange, client: ExchangeClient, book: ReceiptsKept, tmp_path: Path
) -> None:
    keeping, request_id = client.with_receipts(book), str(uuid4())
    full = sqlite3.connect(tmp_path / "state" / "receipts.db", isolation_level=None)
    full.execute("CREATE TRIGGER full BEFORE INSERT ON receipt BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(sqlite3.Error, match="full"):
        keeping.plan.set_goal(plan_id=PLAN, request_id=request_id)
    full.execute("DROP TRIGGER full")
    full.close()
    keeping.plan.set_goal(plan_id=PLAN, request_id=request_id)
    assert kept(book, PLAN) == [SET_GOAL]
    assert {one.request_id for one in exchange.requests["SetGoal"]} == {request_id}


def test_they_are_erased_at_the_look_and_that_is_told_whatever_else_was_held(
    exchange: FakeExchange, client: ExchangeClient, book: ReceiptsKept, tmp_path: Path
) -> None:
    keeping = client.with_receipts(book)
    for plan in (PLAN, OTHER):
        keeping.plan.set_goal(plan_id=plan)
    at_the_time: list[list[str]] = []

    def forget(_asked: PurgeAsked) -> bool:
        at_the_time.append(kept(book, PLAN))
        assert begun(tmp_path) == (["e-1"] if len(at_the_time) == 1 else [])
        return False

    assert purge(keeping, forget) == 3
    assert at_the_time[0] == []
    # Of a part nothing goes.
    assert kept(book, OTHER) == [SET_GOAL]
    assert [one.outcome for one in exchange.requests["ConfirmPurge"]] == [
        PURGE_OUTCOME_ERASED,
        PURGE_OUTCOME_NOTHING_KEPT,
        PURGE_OUTCOME_NOTHING_KEPT,
    ]
    # And the proofs of what is left were asked for, which nobody here answers.
    assert [one.leaf_index for one in exchange.requests["GetReceipt"]] == [1]


def test_what_was_erased_and_not_answered_is_told_as_erased_the_next_time_and_then_forgotten(
    exchange: FakeExchange, client: ExchangeClient, book: ReceiptsKept, tmp_path: Path
) -> None:
    keeping = client.with_receipts(book)
    keeping.plan.set_goal(plan_id=PLAN)
    exchange.on(
        "ConfirmPurge", lambda _request, context: refuse(context, KeyUnavailable("the key store is away"))
    )
    with pytest.raises(Unavailable):
        purge(keeping, lambda _asked: False)
    assert (kept(book, PLAN), begun(tmp_path)) == ([], ["e-1"])
    exchange.on("ConfirmPurge", lambda *_: ConfirmPurgeResponse())
    assert purge(keeping, lambda _asked: False) == 3
    assert [one.outcome for one in exchange.requests["ConfirmPurge"]] == [
        PURGE_OUTCOME_ERASED,
        PURGE_OUTCOME_ERASED,
        PURGE_OUTCOME_NOTHING_KEPT,
        PURGE_OUTCOME_NOTHING_KEPT,
    ]
    assert begun(tmp_path) == []


def test_without_a_book_nothing_is_kept_or_asked(exchange: FakeExchange, client: ExchangeClient) -> None:
    assert len(list_asked(client)) == 3
    confirm(client, "e-1", erased=True)
    assert not exchange.requests["GetReceipt"]


async def test_the_asyncio_client_does_the_same(
    exchange: FakeExchange, credentials: Credentials, person: Person, book: ReceiptsKept, tmp_path: Path
) -> None:
    async with AsyncExchangeClient(exchange.target, credentials, person, patience=QUICK) as client:
        keeping = client.with_receipts(book)
        await keeping.plan.set_goal(plan_id=PLAN)
        assert kept(book, PLAN) == [SET_GOAL]

        async def forget(_asked: PurgeAsked) -> bool:
            return False

        assert await purge_async(keeping, forget) == 3
    assert (kept(book, PLAN), begun(tmp_path)) == ([], [])
    told: Any = exchange.requests["ConfirmPurge"][0]
    assert told.outcome == PURGE_OUTCOME_ERASED


def test_a_late_receipt_of_a_resident_who_was_erased_is_not_kept_by_plan_or_case(
    exchange: FakeExchange, client: ExchangeClient, book: ReceiptsKept
) -> None:
    exchange.on("RecordRepresentative", lambda *_: RecordRepresentativeResponse())
    part = PurgeRequest(erasure_id="e-2", subjects=["plan-p-2", "case-c-2"], categories=["WMO-PLAN"])
    part.request_time.FromSeconds(4_000_000_000)
    whole = PurgeRequest(erasure_id="e-1", subjects=["plan-p-1", "case-c-1"])
    exchange.on("ListPurgeRequests", lambda *_: ListPurgeRequestsResponse(purge_requests=[whole, part]))
    keeping = client.with_receipts(book)

    def record() -> None:
        for number in (1, 2, 3):
            keeping.plan.set_goal(plan_id=f"p-{number}")
            keeping.representation.record_representative(case_id=f"c-{number}")

    record()
    assert all(len(kept(book, one)) == 1 for one in ("p-1", "c-1", "p-2", "c-2", "p-3", "c-3"))
    told = list_asked(keeping)
    assert [(one.of_resident, one.asked_ms) for one in told] == [(True, 0), (False, 4_000_000_000_000)]
    assert [one for one in ("p-1", "c-1", "p-2") if kept(book, one)] == []
    record()
    # Of the part its plan went, up to a moment that lies ahead; who it is about did not.
    assert [one for one in ("p-1", "c-1", "p-2") if kept(book, one)] == []
    assert [len(kept(book, one)) for one in ("c-2", "p-3", "c-3")] == [2, 2, 2]
