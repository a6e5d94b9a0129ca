"""A command of which an attempt was not answered: its end says that it may be recorded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.batches import COMMANDS_MAX, NotSent
from adapters.sdk.errors import (
    CertificateExpired,
    Conflict,
    Denied,
    ExchangeRefused,
    NotAuthenticated,
    Unavailable,
    Unreachable,
)
from exchange.server.nodes.errors import HolderOlder
from exchange.v1.batch_service_pb2 import SendCommandsResponse
from tests.sdk.conftest import QUICK
from tests.sdk.cut_lines import (
    DENIED,
    FIRST,
    GOAL,
    KEPT_OUT,
    PERSON,
    YEARS_S,
    Full,
    away,
    batch_of,
    cancelled,
    cut,
    ending,
    kept_out_next_time,
    open_now,
    outcomes,
    recording,
    refusals,
)
from tests.sdk.exchange_fake import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from adapters.sdk.credentials import Credentials
    from exchange.errors import ExchangeError
    from tests.sdk.exchange_fake import FakeExchange


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


def test_a_certificate_that_expires_behind_a_cut_message_does_not_hide_it_either_time(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    def clock() -> float:
        return time.time() + (YEARS_S if exchange.requests["SendCommands"] else 0.0)

    exchange.on("SendCommands", ending(None))
    batch, found = batch_of(2)
    using(lambda client: client.send_batch(batch), clock=clock)
    assert refusals(found) == [(Unreachable, True)] * 2
    later, more = batch_of(1)
    with pytest.raises(CertificateExpired):
        using(lambda client: client.send_batch(later), clock=clock)
    assert [(type(one.refused), one.may_be_recorded) for one in more] == [(NotSent, False)]


@pytest.mark.parametrize("expires", ["at once", "behind the first"])
def test_a_certificate_that_expires_while_they_go_one_by_one(
    exchange: FakeExchange, using: Callable[..., Any], expires: str
) -> None:
    """The message was cut at a newer node; the rest has that end, and is not said to have called nobody."""

    def clock() -> float:
        expired = len(exchange.requests["SendCommands"]) > 1 and (
            expires == "at once" or exchange.requests["SetGoal"]
        )
        return time.time() + (YEARS_S if expired else 0.0)

    exchange.on("SendCommands", ending(None, HolderOlder("of a version before")))
    exchange.on("SetGoal", ending(DENIED))
    batch, found = batch_of(3)
    using(lambda client: client.send_batch(batch), clock=clock)
    first = (Unreachable, True) if expires == "at once" else (Denied, False)
    assert refusals(found) == [first, (Unreachable, True), (Unreachable, True)]


def test_what_no_message_took_is_not_said_to_be_recorded_when_the_certificate_expires(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    def clock() -> float:
        return time.time() + (YEARS_S if exchange.requests["SendCommands"] else 0.0)

    exchange.on("SendCommands", ending(HolderOlder("of a version before")))
    batch, found = batch_of(2)
    with pytest.raises(CertificateExpired):
        using(lambda client: client.send_batch(batch), clock=clock)
    assert [(type(one.refused), one.may_be_recorded) for one in found] == [(NotSent, False)] * 2


def test_a_receipt_that_was_not_kept_and_a_door_that_is_closed_when_it_is_sent_again(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    exchange.on("SendCommands", recording(exchange))
    batch, found = batch_of(1)
    with pytest.raises(OSError, match="space"):
        using(lambda client: client.with_receipts(Full()).send_batch(batch))
    assert [(type(one.refused), one.may_be_recorded) for one in found] == [(NotSent, True)]
    kept_out_next_time(exchange, using, batch)
    assert refusals(found) == [(NotAuthenticated, True)]


async def test_a_message_that_is_cancelled_and_a_door_that_is_closed_when_it_is_sent_again(
    exchange: FakeExchange, credentials: Credentials
) -> None:
    batch, found = batch_of(1)
    async with AsyncExchangeClient(exchange.target, credentials, PERSON, patience=QUICK) as client:
        await cancelled(exchange, client, batch)
        assert [(type(one.refused), one.may_be_recorded) for one in found] == [(NotSent, True)]
        exchange.on("SendCommands", ending(KEPT_OUT))
        await client.send_batch(batch)
    assert refusals(found) == [(NotAuthenticated, True)]


def test_one_by_one_each_behind_a_silence_is_told_what_is_known_of_itself(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    """The first is sent alone and nobody answers; of those behind it one was open, and one was refused."""
    answers: list[Any] = [outcomes(away(), open_now(), away()), HolderOlder("of a version before")]

    def answer(_request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        one = answers.pop(0)
        return one if isinstance(one, SendCommandsResponse) else refuse(context, one)

    exchange.on("SendCommands", answer)
    exchange.on("SetGoal", lambda _request, context: cut(context))
    batch, found = batch_of(3)
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(Unreachable, True), (Unreachable, True), (Unreachable, False)]
    assert {one.own_words for one in exchange.requests["SetGoal"]} == {GOAL["own_words"]}
    assert len({one.request_id for one in exchange.requests["SetGoal"]}) == 1


def test_what_is_behind_one_that_may_be_recorded_waits_for_the_next_message(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    """The last of a full message was cut and is kept out; what is behind it on its plan was never sent."""
    exchange.on("SendCommands", ending(None, KEPT_OUT))
    batch, found = batch_of(COMMANDS_MAX + 1)
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(NotAuthenticated, True)] * COMMANDS_MAX + [(NotAuthenticated, False)]
    assert len(exchange.requests["SendCommands"]) == 2
