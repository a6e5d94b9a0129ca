"""A batch that is sent more than once: what each command may be, and what goes out behind what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.batches import NotSent
from adapters.sdk.errors import (
    CallUnknown,
    NotAuthenticated,
    PersonMissing,
    ReceiptRefused,
    Refusal,
    ServerFault,
    Unavailable,
)
from exchange.errors import AnswerTooLarge, ExchangeError, KeyUnavailable, RequestIdReused
from exchange.server.nodes.errors import HolderOlder
from exchange.v1.batch_service_pb2 import SendCommandsResponse
from exchange.v1.plan_service_pb2 import SetGoalResponse
from tests.sdk.conftest import QUICK
from tests.sdk.cut_lines import (
    GOAL,
    KEPT_OUT,
    PERSON,
    Full,
    away,
    batch_of,
    cancelled,
    ending,
    one_held_back,
    outcomes,
    recording,
    refusals,
)
from tests.sdk.exchange_fake import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.batches import Collected
    from adapters.sdk.credentials import Credentials
    from tests.sdk.exchange_fake import FakeExchange

FAULT = ExchangeError("an unforeseen error")


def marks(found: list[Collected[Any]]) -> list[tuple[type[Any], bool]]:
    return [(type(one.refused), one.may_be_recorded) for one in found]


@pytest.mark.parametrize("error", [FAULT, AnswerTooLarge("too large")], ids=["fault", "too large"])
def test_one_whose_receipt_was_not_kept_is_answered_the_next_time_whatever_failed_before_it(
    exchange: FakeExchange, using: Callable[..., Any], error: ExchangeError
) -> None:
    exchange.on("SendCommands", recording(exchange, error))
    batch, found = batch_of(2)
    with pytest.raises(OSError, match="space"):
        using(lambda client: client.with_receipts(Full()).send_batch(batch))
    assert marks(found)[1] == (NotSent, True)
    exchange.on("SendCommands", recording(exchange))
    using(lambda client: client.send_batch(batch))
    assert found[0].may_be_recorded
    assert found[1].answer().receipt.leaf_entry
    assert not found[1].may_be_recorded
    first, second = exchange.requests["SendCommands"]
    assert [one.request for one in second.commands] == [one.request for one in first.commands[1:]]


def test_one_that_is_held_back_the_next_time_may_be_recorded_all_the_same(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    found = one_held_back(exchange, using)
    assert found[1].may_be_recorded
    assert len(exchange.requests["SendCommands"]) == 1


async def test_a_message_that_was_cancelled_and_goes_one_by_one_then(
    exchange: FakeExchange, credentials: Credentials
) -> None:
    batch, found = batch_of(2)
    other, _ = batch_of(1)
    async with AsyncExchangeClient(exchange.target, credentials, PERSON, patience=QUICK) as client:
        await cancelled(exchange, client, batch)
        assert marks(found) == [(NotSent, True)] * 2
        exchange.on("SendCommands", ending(HolderOlder("of a version before")))
        exchange.on("SetGoal", lambda _request, context: refuse(context, KEPT_OUT))
        # From here on nobody is asked for a batch for a while.
        await client.send_batch(other)
        await client.send_batch(batch)
    assert refusals(found) == [(NotAuthenticated, True)] * 2
    # What is behind one that may be recorded waits for it.
    assert len(exchange.requests["SetGoal"]) == 2


def test_behind_a_fault_of_the_exchange_they_go_on_alone_as_in_a_message(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    exchange.on("SendCommands", ending(HolderOlder("of a version before")))
    exchange.on("SetGoal", ending(FAULT, FAULT))
    batch, found = batch_of(2)
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(ServerFault, True)] * 2
    assert len(exchange.requests["SetGoal"]) == 2


def test_what_is_tried_again_does_not_go_before_one_that_can_be_done_later(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    later = KeyUnavailable("the key store is away")
    exchange.on("SendCommands", lambda *_: outcomes(later, away()))
    batch, found = batch_of(2)
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(Unavailable, False)] * 2
    assert len(exchange.requests["SendCommands"]) == 1


def test_what_nobody_was_asked_for_want_of_a_person_is_not_said_to_be_recorded(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    batch, found = batch_of(1)

    def nobody(client: Any) -> Any:  # noqa: ANN401 -- either client
        client._connection.taking.unknown(CallUnknown(Refusal("", "not known")), 1, None)
        return client._sibling(_person=None).send_batch(batch)

    with pytest.raises(PersonMissing):
        using(nobody)
    assert marks(found) == [(NotSent, False)]
    assert not exchange.requests


def test_one_with_a_receipt_of_something_else_is_recorded(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    made = SetGoalResponse()
    made.receipt.leaf_entry = b'{"x": 1}'
    answer = SendCommandsResponse()
    answer.outcomes.add(response=made.SerializeToString())
    exchange.on("SendCommands", lambda *_: answer)
    batch, found = batch_of(1)
    using(lambda client: client.send_batch(batch))
    assert marks(found) == [(ReceiptRefused, True)]
    assert not found[0].may_come


def test_an_answer_that_is_no_message_does_not_tell_what_became_of_it(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    for rpc in ("SetGoal", "SendCommands"):
        exchange.on(rpc, lambda *_: b"\xff\xff")
    with pytest.raises(ServerFault) as caught:
        using(lambda client: client.plan.set_goal(**GOAL))
    (sent,) = exchange.requests["SetGoal"]
    assert (caught.value.request_id, caught.value.may_be_recorded) == (sent.request_id, True)
    batch, found = batch_of(2)
    using(lambda client: client.send_batch(batch))
    assert refusals(found) == [(ServerFault, True)] * 2


async def test_one_that_is_sent_again_as_another_person_may_be_recorded_as_of_the_first(
    exchange: FakeExchange, credentials: Credentials
) -> None:
    reused = RequestIdReused("used for other content")
    batch, found = batch_of(1)
    async with AsyncExchangeClient(exchange.target, credentials, PERSON, patience=QUICK) as client:
        await cancelled(exchange, client, batch)
        exchange.on("SendCommands", lambda *_: outcomes(reused))
        await client.with_person(replace(PERSON, professional="wt-015")).send_batch(batch)
        assert refusals(found) == [(errors.RequestIdReused, True)]
        # As the same person it is the answer: other content stands there.
        exchange.stopping.clear()
        same, alike = batch_of(1)
        await cancelled(exchange, client, same)
        exchange.on("SendCommands", lambda *_: outcomes(reused))
        await client.send_batch(same)
    assert refusals(alike) == [(errors.RequestIdReused, False)]
