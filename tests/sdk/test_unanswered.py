"""A command of which an attempt was not answered: its end says that it may be recorded."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.batches import Batch, Collected
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import (
    CertificateExpired,
    Conflict,
    Denied,
    ExchangeRefused,
    NotAuthenticated,
    Unavailable,
)
from adapters.sdk.tokens import Person
from exchange.errors import AccessDenied, OutcomeOpen, PersonTokenInvalid, VersionConflict
from exchange.server.nodes.errors import HolderOlder
from exchange.server.status import status_of
from exchange.v1.batch_service_pb2 import BatchedOutcome, SendCommandsResponse
from exchange.v1.common_pb2 import LIFE_DOMAIN_FINANCE, PURPOSE_WMO_ONDERZOEK
from tests.sdk.conftest import QUICK
from tests.sdk.exchange_fake import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.errors import ExchangeError
    from tests.sdk.exchange_fake import FakeExchange

YEARS_S = 50 * 365 * 86_400.0
PERSON = Person("wt-014", "college:WMO", "regisseur")
GOAL: dict[str, Any] = {
    "claim": claim(PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", "to plan support"),
    "plan_id": "0b9a0c6e-6a0c-4c8e-9d4e-0f3a7a3f7a11",
    "own_words": "weer slapen",
    "life_domain": LIFE_DOMAIN_FINANCE,
}
KEPT_OUT = PersonTokenInvalid("the token has expired")
DENIED = AccessDenied("no", rules=("R01",), remedies=(), decision_id="d-1")
FIRST = VersionConflict("somebody else was first", expected="3", found="4")


@pytest.fixture(params=["blocking", "asyncio"])
def using(request: pytest.FixtureRequest, exchange: FakeExchange, organisation: Path) -> Callable[..., Any]:
    """Do something with a client of either kind."""
    credentials = Credentials.load(organisation)

    async def awaited(act: Callable[[Any], Any], more: dict[str, Any]) -> Any:  # noqa: ANN401 -- what is done
        async with AsyncExchangeClient(
            exchange.target, credentials, PERSON, patience=QUICK, **more
        ) as client:
            return await act(client)

    def blocking(act: Callable[[Any], Any], **more: Any) -> Any:  # noqa: ANN401 -- what is done, how
        with ExchangeClient(exchange.target, credentials, PERSON, patience=QUICK, **more) as client:
            return act(client)

    return blocking if request.param == "blocking" else lambda act, **more: asyncio.run(awaited(act, more))


def cut(context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAVAILABLE, "socket closed")


def ending(*ends: ExchangeError | None) -> Callable[[object, grpc.ServicerContext], Any]:
    """End each attempt with the next of these, None for a line that was cut."""
    left: Iterator[ExchangeError | None] = iter(ends)

    def end(_request: object, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        error = next(left)
        return cut(context) if error is None else refuse(context, error)

    return end


def open_now() -> OutcomeOpen:
    error = OutcomeOpen("the event store did not say whether it committed")
    error.retry_after_ms = 1
    return error


@pytest.mark.parametrize(
    ("ends", "kind", "may_be"),
    [
        ((None, KEPT_OUT), NotAuthenticated, True),
        ((open_now(), KEPT_OUT), NotAuthenticated, True),
        ((None, DENIED), Denied, False),
        ((None, FIRST), Conflict, False),
        ((KEPT_OUT,), NotAuthenticated, False),
    ],
)
def test_a_call_that_was_cut_and_is_kept_out_then(
    exchange: FakeExchange,
    using: Callable[..., Any],
    ends: tuple[ExchangeError | None, ...],
    kind: type[ExchangeRefused],
    may_be: bool,  # noqa: FBT001 -- a column
) -> None:
    exchange.on("SetGoal", ending(*ends))
    with pytest.raises(kind) as caught:
        using(lambda client: client.plan.set_goal(**GOAL))
    sent = exchange.requests["SetGoal"]
    assert len(sent) == len(ends)
    assert {one.request_id for one in sent} == {caught.value.request_id}
    assert caught.value.may_be_recorded is may_be


@pytest.mark.parametrize("end", [None, open_now()])
def test_a_certificate_that_expires_behind_a_cut_does_not_hide_it(
    exchange: FakeExchange, using: Callable[..., Any], end: ExchangeError | None
) -> None:
    def clock() -> float:
        return time.time() + (YEARS_S if exchange.requests["SetGoal"] else 0.0)

    exchange.on("SetGoal", ending(end))
    with pytest.raises(Unavailable) as caught:
        using(lambda client: client.plan.set_goal(**GOAL), clock=clock)
    (sent,) = exchange.requests["SetGoal"]
    assert caught.value.request_id == sent.request_id
    assert caught.value.may_be_recorded
    with pytest.raises(CertificateExpired):
        using(lambda client: client.plan.set_goal(**GOAL), clock=clock)
    assert len(exchange.requests["SetGoal"]) == 1


def refusals(found: list[Collected[Any]]) -> list[tuple[type[Any], bool]]:
    refused = [one.refused for one in found]
    assert all(isinstance(one, ExchangeRefused) for one in refused)
    return [(type(one), one.may_be_recorded) for one in refused if isinstance(one, ExchangeRefused)]


def outcomes(*errors: ExchangeError) -> SendCommandsResponse:
    return SendCommandsResponse(
        outcomes=[BatchedOutcome(status=status_of(error).SerializeToString()) for error in errors]
    )


def batch_of(count: int) -> tuple[Batch, list[Collected[Any]]]:
    batch = Batch()
    return batch, [batch.plan.set_goal(**GOAL) for _ in range(count)]


def test_a_message_that_was_cut_and_is_kept_out_then(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    exchange.on("SendCommands", ending(None, KEPT_OUT))
    batch, found = batch_of(2)
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(NotAuthenticated, True)] * 2
    assert all(one.may_come for one in found)


def test_each_command_of_a_message_that_was_cut_has_its_own_end(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    cut_off = ending(None)

    def answer(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        if len(exchange.requests["SendCommands"]) == 1:
            return cut_off(request, context)
        return outcomes(DENIED, KEPT_OUT, FIRST)

    exchange.on("SendCommands", answer)
    batch, found = batch_of(3)
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(Denied, False), (NotAuthenticated, True), (Conflict, False)]


def test_only_what_is_open_is_told_as_open_when_the_message_is_kept_out(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    answers: list[Any] = [outcomes(DENIED, open_now()), KEPT_OUT]

    def answer(_request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        one = answers.pop(0)
        return one if isinstance(one, SendCommandsResponse) else refuse(context, one)

    exchange.on("SendCommands", answer)
    batch, found = batch_of(2)
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(Denied, False), (NotAuthenticated, True)]


def test_a_message_that_was_cut_and_goes_one_by_one_then(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    """The node that was cut off may have recorded it, although another of a version before knows no batch."""
    exchange.on("SendCommands", ending(None, HolderOlder("of a version before")))
    exchange.on("SetGoal", ending(KEPT_OUT))
    batch, found = batch_of(1)
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(NotAuthenticated, True)]
