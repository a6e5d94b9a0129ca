"""The asyncio client: the same promises as the blocking one, in one event loop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import CertificateExpired, Denied, OutcomeUnknown, Unavailable, Unreachable
from adapters.sdk.tokens import Person
from exchange.errors import AccessDenied, Draining
from exchange.v1.ledger_service_pb2 import GetCheckpointResponse
from exchange.v1.plan_service_pb2 import GetPlanResponse, SetGoalResponse
from tests.sdk.conftest import OIN, QUICK, UNTIL_IT_ARRIVES_S
from tests.sdk.exchange_fake import refuse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import grpc

    from exchange.keys.authority import DevelopmentAuthority
    from tests.sdk.exchange_fake import FakeExchange


@pytest.fixture
async def client(
    exchange: FakeExchange, credentials: Credentials, person: Person
) -> AsyncIterator[AsyncExchangeClient]:
    async with AsyncExchangeClient(exchange.target, credentials, person, patience=QUICK) as client:
        yield client


async def test_many_calls_at_once_each_get_their_own_answer(
    exchange: FakeExchange, client: AsyncExchangeClient
) -> None:
    exchange.on("SetGoal", lambda request, _context: SetGoalResponse(goal_id=request.own_words))
    answers = await asyncio.gather(*(client.plan.set_goal(own_words=str(number)) for number in range(30)))
    assert [answer.goal_id for answer in answers] == [str(number) for number in range(30)]
    assert len({request.request_id for request in exchange.requests["SetGoal"]}) == 30


async def test_what_is_temporary_is_repeated_under_the_same_id(
    exchange: FakeExchange, client: AsyncExchangeClient
) -> None:
    left = [2]

    def twice_busy(_request: object, context: grpc.ServicerContext) -> SetGoalResponse:
        left[0] -= 1
        if left[0] >= 0:
            error = Draining("stopping")
            error.retry_after_ms = 1
            refuse(context, error)
        return SetGoalResponse(version=4)

    exchange.on("SetGoal", twice_busy)
    assert (await client.plan.set_goal(own_words="x")).version == 4
    assert len(exchange.requests["SetGoal"]) == 3
    assert len({request.request_id for request in exchange.requests["SetGoal"]}) == 1


async def test_a_refusal_is_raised_as_what_it_is(exchange: FakeExchange, client: AsyncExchangeClient) -> None:
    def deny(_request: object, context: grpc.ServicerContext) -> GetPlanResponse:
        refuse(context, AccessDenied("refused", rules=("R10", "R05"), decision_id="d-1"))

    exchange.on("GetPlan", deny)
    with pytest.raises(Denied) as caught:
        await client.plan.get_plan(plan_id="p")
    assert caught.value.rules == ("R10", "R05")
    assert caught.value.decision_id == "d-1"
    assert len(exchange.requests["GetPlan"]) == 1


async def test_patience_ends_when_nobody_is_home(exchange: FakeExchange, client: AsyncExchangeClient) -> None:
    exchange.stop()
    with pytest.raises(Unreachable):
        await client.plan.get_plan(plan_id="p")


async def test_time_runs_out(exchange: FakeExchange, client: AsyncExchangeClient) -> None:
    def slow(_request: object, _context: object) -> SetGoalResponse:
        exchange.stopping.wait(60)
        return SetGoalResponse()

    exchange.on("SetGoal", slow)
    for timeout_s in UNTIL_IT_ARRIVES_S:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.with_timeout(timeout_s).plan.set_goal(own_words="x")
        assert isinstance(caught.value, Unavailable)
        arrived = [request.request_id for request in exchange.requests["SetGoal"]]
        if caught.value.request_id in arrived:
            break
    assert arrived.count(caught.value.request_id) == 1


async def test_siblings_and_renewed_credentials(
    exchange: FakeExchange, client: AsyncExchangeClient, authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    certificates: list[object] = []

    def who(_request: object, context: grpc.ServicerContext) -> GetPlanResponse:
        certificates.append(context.auth_context()["x509_pem_cert"][0])
        return GetPlanResponse()

    exchange.on("GetPlan", who)
    sibling = client.with_person(Person("p-18", "college:PW", "klantmanager"))
    await sibling.plan.get_plan(plan_id="p")
    renewed = Credentials.load(authority.issue_organisation(OIN, "A", tmp_path / "renewed").folder)
    client.rotate(renewed)
    await sibling.plan.get_plan(plan_id="p")
    assert certificates[0] != certificates[1] == renewed.certificate_pem


async def test_an_expired_certificate_is_named_before_any_call(
    exchange: FakeExchange, authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=100)
    folder = authority.issue_organisation(OIN, "A", tmp_path / "old", valid_from=long_ago).folder
    exchange.on("GetCheckpoint", lambda _request, _context: GetCheckpointResponse())
    async with AsyncExchangeClient(exchange.target, Credentials.load(folder)) as client:
        with pytest.raises(CertificateExpired, match="expired"):
            await client.ledger.get_checkpoint()
    assert not exchange.requests


async def test_a_cancelled_call_ends_at_once(exchange: FakeExchange, client: AsyncExchangeClient) -> None:
    entered = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(_request: object, _context: object) -> SetGoalResponse:
        loop.call_soon_threadsafe(entered.set)
        exchange.stopping.wait(10)
        return SetGoalResponse()

    exchange.on("SetGoal", slow)
    task = asyncio.create_task(client.plan.set_goal(own_words="x"))
    async with asyncio.timeout(10):
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
