"""Lines that are cut and doors that are closed then: how attempts of a command end, one after another."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk.batches import Batch, Collected
from adapters.sdk.calls import claim
from adapters.sdk.errors import ExchangeRefused, Unavailable
from adapters.sdk.tokens import Person
from exchange.errors import AccessDenied, KeyUnavailable, OutcomeOpen, PersonTokenInvalid, VersionConflict
from exchange.server.nodes.errors import HolderAway
from exchange.server.status import status_of
from exchange.v1.batch_service_pb2 import BatchedOutcome, SendCommandsResponse
from exchange.v1.common_pb2 import LIFE_DOMAIN_FINANCE, PURPOSE_WMO_ONDERZOEK
from exchange.v1.plan_service_pb2 import SetGoalResponse
from tests.sdk.exchange_fake import leaf_of, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.sdk.aio import AsyncExchangeClient
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


def cut(context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAVAILABLE, "socket closed")


def ending(*ends: ExchangeError | None) -> Callable[[object, grpc.ServicerContext], Any]:
    """End each attempt with the next of these, None for a line that was cut."""
    left: Iterator[ExchangeError | None] = iter(ends)

    def end(_request: object, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        error = next(left)
        return cut(context) if error is None else refuse(context, error)

    return end


def away() -> HolderAway:
    error = HolderAway("no node holds the shard now")
    error.retry_after_ms = 1
    return error


def open_now() -> OutcomeOpen:
    error = OutcomeOpen("the event store did not say whether it committed")
    error.retry_after_ms = 1
    return error


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


def kept_out_next_time(exchange: FakeExchange, using: Callable[..., Any], batch: Batch) -> None:
    exchange.on("SendCommands", ending(KEPT_OUT))
    using(lambda client: client.send_batch(batch))


class Full:
    """A book on a full disk."""

    def keep(self, *_: object) -> None:
        raise OSError("no space left")

    def close(self) -> None:
        """Nothing is open."""


def recording(exchange: FakeExchange, *errors: ExchangeError | None) -> Callable[[Any, object], Any]:
    """Do the commands of a message, but for those that an error is named for."""

    def answer(request: Any, _context: object) -> SendCommandsResponse:  # noqa: ANN401 -- as the fake gives it
        told = SendCommandsResponse()
        for one, error in zip_longest(request.commands, errors[: len(request.commands)]):
            if error is not None:
                told.outcomes.add(status=status_of(error).SerializeToString())
                continue
            metadata = exchange.metadata[-1] | {"x-exchange-signature": b64encode(one.signature).decode()}
            made = SetGoalResponse()
            made.receipt.leaf_entry = leaf_of(one.rpc, one.request, metadata)
            told.outcomes.add(response=made.SerializeToString())
        return told

    return answer


def one_held_back(exchange: FakeExchange, using: Callable[..., Any]) -> list[Collected[Any]]:
    """Send two: the receipt of the second cannot be kept; the first can be done later, so it goes before."""
    exchange.on("SendCommands", recording(exchange, KeyUnavailable("the key store is away")))
    batch, found = batch_of(2)
    with pytest.raises(OSError, match="space"):
        using(lambda client: client.with_receipts(Full()).send_batch(batch))
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(Unavailable, False), (Unavailable, True)]
    return found


async def cancelled(exchange: FakeExchange, client: AsyncExchangeClient, batch: Batch) -> None:
    """Send a batch, and give it up once its message came; nobody answers it any more."""
    came = threading.Event()

    def held(_request: object, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        came.set()
        exchange.stopping.wait(10)
        return cut(context)

    exchange.on("SendCommands", held)
    sending = asyncio.ensure_future(client.send_batch(batch))
    assert await asyncio.to_thread(came.wait, 10)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    exchange.stopping.set()
