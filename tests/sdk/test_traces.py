"""Every call carries a trace: one that was set, else a new one; its attempts are one span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.traces import checked_traceparent, draw_traceparent, next_span
from exchange.errors import Unavailable
from exchange.v1.common_pb2 import PURPOSE_WMO_ONDERZOEK, Claim
from exchange.v1.ledger_service_pb2 import GetCheckpointResponse
from exchange.v1.plan_service_pb2 import GetPlanResponse, SetGoalResponse
from exchange.v1.subscription_service_pb2 import SubscribeRequest, SubscribeResponse
from tests.sdk.conftest import QUICK
from tests.sdk.test_client import failing, set_goal

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from tests.sdk.exchange_fake import FakeExchange

MINE = "00-28dbeec32e77635cc19bc3204ec56c41-893e1b2ac52d712f-01"


def sent(exchange: FakeExchange) -> list[str]:
    return [metadata["traceparent"] for metadata in exchange.metadata]


def test_each_call_begins_a_trace_of_its_own(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.on("SetGoal", lambda _request, _context: SetGoalResponse())
    set_goal(client)
    set_goal(client)
    first, second = map(checked_traceparent, sent(exchange))
    assert first.split("-")[1] != second.split("-")[1]


def test_the_attempts_of_one_call_are_one_span(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.on("SetGoal", failing(2, Unavailable("not now")))
    set_goal(client)
    assert len(sent(exchange)) == 3
    assert len(set(sent(exchange))) == 1


def test_a_trace_given_goes_along_with_every_call(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.on("SetGoal", lambda _request, _context: SetGoalResponse())
    exchange.on("GetCheckpoint", lambda _request, _context: GetCheckpointResponse())
    exchange.on("Subscribe", lambda _request, _context: iter([SubscribeResponse(cursor=1)]))
    traced = client.with_trace(MINE)
    set_goal(traced)
    traced.ledger.get_checkpoint()
    claim = Claim(purpose=PURPOSE_WMO_ONDERZOEK, legal_basis="WMO-2.3.2")
    stream = traced.open_stream(SubscribeRequest(claim=claim, fields=["version"]))
    assert next(stream).cursor == 1
    stream.cancel()
    assert sent(exchange) == [MINE] * 3
    set_goal(client)
    assert sent(exchange)[-1] != MINE


async def test_the_asyncio_client_sends_it_too(
    exchange: FakeExchange, credentials: Credentials, person: Person
) -> None:
    exchange.on("GetPlan", lambda _request, _context: GetPlanResponse())
    exchange.on("Subscribe", lambda _request, _context: iter([SubscribeResponse(cursor=1)]))
    async with AsyncExchangeClient(exchange.target, credentials, person, patience=QUICK) as client:
        asked: dict[str, Any] = {"claim": Claim(legal_basis="WMO-2.3.2"), "fields": ["version"]}
        await client.plan.get_plan(**asked, plan_id="p")
        await client.with_trace(MINE).plan.get_plan(**asked, plan_id="p")
        stream = client.with_trace(MINE).open_stream(SubscribeRequest(**asked))
        assert isinstance(await stream.read(), SubscribeResponse)
        stream.cancel()
    drawn, *mine = sent(exchange)
    assert checked_traceparent(drawn) != MINE
    assert mine == [MINE, MINE]


def test_another_span_of_a_trace_keeps_its_trace() -> None:
    begun = draw_traceparent()
    later = next_span(begun)
    assert later.split("-")[1] == begun.split("-")[1]
    assert checked_traceparent(later).split("-")[2] != begun.split("-")[2]


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "nonsense",
        MINE.upper(),
        f"{MINE}-more",
        f"{MINE}\n",
        MINE.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-893e1b2ac52d712f-01",
        f"00-28dbeec32e77635cc19bc3204ec56c41-{'0' * 16}-01",
    ],
)
def test_what_the_exchange_would_leave_aside_is_refused_here(client: ExchangeClient, wrong: str) -> None:
    for made in (client.with_trace, next_span):
        with pytest.raises(ValueError, match="a traceparent is 00-"):
            made(wrong)
