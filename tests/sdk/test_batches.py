"""Commands that are collected and sent together, against a real server: what goes out, what each is told."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.batches import COMMANDS_MAX, AnswerUnreadable, Batch, Collected, NotSent
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import (
    Denied,
    ExchangeRefused,
    OutcomeUnknown,
    PersonMissing,
    ReceiptRefused,
    Unavailable,
    Unreachable,
)
from adapters.sdk.line import MESSAGE_BYTES_MAX
from adapters.sdk.tokens import Person
from exchange.errors import AccessDenied, DeadlineTooClose, Overloaded
from exchange.server.status import status_of
from exchange.v1.batch_service_pb2 import BatchedCommand, BatchedOutcome, SendCommandsResponse
from exchange.v1.common_pb2 import LIFE_DOMAIN_FINANCE, PURPOSE_WMO_ONDERZOEK
from exchange.v1.plan_service_pb2 import SetGoalRequest, SetGoalResponse
from tests.sdk.conftest import OIN, QUICK
from tests.sdk.exchange_fake import FakeExchange, leaf_of, refuse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import grpc

    from exchange.errors import ExchangeError

SET_GOAL = "/exchange.v1.PlanService/SetGoal"
PERSON = Person("wt-014", "college:WMO", "regisseur")
_leaves = count()


PLAN = "0b9a0c6e-6a0c-4c8e-9d4e-0f3a7a3f7a11"


def goal(batch: Batch, words: str = "rust", plan_id: str = PLAN) -> Collected[SetGoalResponse]:
    return batch.plan.set_goal(
        claim=claim(PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", "to plan support"),
        plan_id=plan_id,
        own_words=words,
        life_domain=LIFE_DOMAIN_FINANCE,
    )


class Told:
    """Answers each command by its words: with a receipt, or with the errors a test names, one an attempt."""

    def __init__(self, exchange: FakeExchange, **errors: list[ExchangeError]) -> None:
        self.exchange, self.errors = exchange, errors
        self.seen: list[list[BatchedCommand]] = []
        exchange.on("SendCommands", self.answer)

    def answer(self, request: Any, _context: grpc.ServicerContext) -> SendCommandsResponse:  # noqa: ANN401 -- as the fake gives it
        self.seen.append(list(request.commands))
        return SendCommandsResponse(outcomes=[self.outcome(one) for one in request.commands])

    def outcome(self, one: BatchedCommand) -> BatchedOutcome:
        asked = SetGoalRequest.FromString(one.request)
        waiting = self.errors.get(asked.own_words)
        if waiting:
            return BatchedOutcome(status=status_of(waiting.pop(0)).SerializeToString())
        metadata = self.exchange.metadata[-1] | {"x-exchange-signature": b64encode(one.signature).decode()}
        answer = SetGoalResponse(goal_id=asked.request_id)
        answer.receipt.leaf_entry = leaf_of(one.rpc, one.request, metadata)
        answer.receipt.leaf_index = next(_leaves)
        return BatchedOutcome(response=answer.SerializeToString())

    def words(self) -> list[list[str]]:
        return [[SetGoalRequest.FromString(one.request).own_words for one in many] for many in self.seen]


@pytest.fixture
def sent(exchange: FakeExchange, organisation: Path) -> Callable[[Batch], None]:
    """Send a batch, by the blocking client."""

    def send(batch: Batch) -> None:
        with ExchangeClient(
            exchange.target, Credentials.load(organisation), PERSON, patience=QUICK, timeout_s=5
        ) as client:
            client.send_batch(batch)

    return send


@pytest.fixture(params=["blocking", "asyncio"])
def either(
    request: pytest.FixtureRequest, exchange: FakeExchange, organisation: Path
) -> Callable[[Batch], None]:
    """Send a batch, by either client."""

    async def awaited(batch: Batch) -> None:
        credentials = Credentials.load(organisation)
        async with AsyncExchangeClient(exchange.target, credentials, PERSON, patience=QUICK) as client:
            await client.send_batch(batch)

    if request.param == "asyncio":
        return lambda batch: asyncio.run(awaited(batch))
    found: Callable[[Batch], None] = request.getfixturevalue("sent")
    return found


def test_each_command_goes_out_signed_and_is_answered_by_itself(
    exchange: FakeExchange, either: Callable[[Batch], None]
) -> None:
    told = Told(exchange, two=[AccessDenied("no", rules=("R01",), remedies=(), decision_id="d-1")])
    batch = Batch()
    found = [goal(batch, words) for words in ("one", "two", "three")]
    for one in found:
        with pytest.raises(NotSent):
            one.answer()
    either(batch)
    assert told.words() == [["one", "two", "three"]]
    assert {one.rpc for one in told.seen[0]} == {SET_GOAL}
    ids = [one.request.request_id for one in found]  # type: ignore[attr-defined] # of a command
    assert len(set(ids)) == 3
    assert [found[0].answer().goal_id, found[2].answer().goal_id] == [ids[0], ids[2]]
    with pytest.raises(Denied) as refused:
        found[1].answer()
    assert (refused.value.rules, refused.value.request_id) == (("R01",), ids[1])
    # What has an end is not sent again.
    either(batch)
    assert len(told.seen) == 1


def test_only_what_is_refused_for_now_goes_out_again_as_the_same_bytes(
    exchange: FakeExchange, either: Callable[[Batch], None]
) -> None:
    busy = [Overloaded("full"), Overloaded("full")]
    for one in busy:
        one.retry_after_ms = 1
    told = Told(exchange, two=list[Any](busy))
    batch = Batch()
    found = [goal(batch, words) for words in ("one", "two", "three")]
    either(batch)
    assert told.words() == [["one", "two", "three"], ["two"], ["two"]]
    assert len({many[-1].SerializeToString() for many in told.seen[1:]}) == 1
    assert told.seen[0][1] == told.seen[1][0]
    assert all(one.answer() for one in found)


def test_what_stays_refused_is_told_so_and_the_rest_is_not_lost(
    exchange: FakeExchange, either: Callable[[Batch], None]
) -> None:
    full = [Overloaded("full") for _ in range(9)]
    for one in full:
        one.retry_after_ms = 1
    told = Told(exchange, two=list[Any](full))
    batch = Batch()
    found = [goal(batch, words) for words in ("one", "two")]
    either(batch)
    assert len(told.seen) == QUICK.attempts_max
    assert found[0].answer()
    with pytest.raises(Unavailable):
        found[1].answer()


def test_a_message_that_failed_is_each_commands_own_failure(
    exchange: FakeExchange, either: Callable[[Batch], None]
) -> None:
    exchange.on("SendCommands", lambda _request, context: refuse(context, AccessDenied("no")))
    batch = Batch()
    found = [goal(batch), goal(batch)]
    either(batch)
    assert [type(one.refused) for one in found] == [Denied, Denied]


def test_where_nobody_answers_it_is_tried_and_then_told(
    exchange: FakeExchange, either: Callable[[Batch], None]
) -> None:
    exchange.stop()
    batch = Batch()
    one = goal(batch)
    either(batch)
    assert isinstance(one.refused, Unreachable | OutcomeUnknown)


def test_a_batch_is_split_by_number_and_by_bytes(
    exchange: FakeExchange, sent: Callable[[Batch], None]
) -> None:
    told = Told(exchange)
    batch = Batch()
    found = [goal(batch, f"{number}") for number in range(COMMANDS_MAX + 5)]
    sent(batch)
    assert [len(many) for many in told.seen] == [COMMANDS_MAX, 5]
    assert len({one.answer().goal_id for one in found}) == COMMANDS_MAX + 5
    told.seen.clear()
    large = Batch()
    for letter in "abcd":
        goal(large, letter * (MESSAGE_BYTES_MAX // 2 - 2_000))
    sent(large)
    assert Counter(len(many) for many in told.seen) == {2: 2}


@pytest.mark.parametrize("how", ["full", "no answer", "unreadable"])
def test_what_is_behind_one_that_may_still_be_done_stays_behind_it_in_a_later_message(
    exchange: FakeExchange, either: Callable[[Batch], None], how: str
) -> None:
    full = [Overloaded("full") for _ in range(9)]
    for one in full:
        one.retry_after_ms = 1
    told = Told(exchange, last=list[Any](full) if how == "full" else [])

    def answer(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        if how == "no answer" and not told.seen:
            told.seen.append(list(request.commands))
            return refuse(context, DeadlineTooClose("late"))
        found = told.answer(request, context)
        return SendCommandsResponse() if how == "unreadable" and len(told.seen) == 1 else found

    exchange.on("SendCommands", answer)
    batch = Batch()
    first = [goal(batch, f"{number}") for number in range(COMMANDS_MAX - 1)]
    first.append(goal(batch, "last"))
    behind, elsewhere = goal(batch, "behind"), goal(batch, "elsewhere", PLAN[:-1] + "2")
    either(batch)
    assert "behind" not in {words for many in told.words() for words in many}
    assert told.words()[-1] == ["elsewhere"]
    assert elsewhere.answer()
    assert type(behind.refused) is type(first[-1].refused) is not type(None)
    if isinstance(behind.refused, ExchangeRefused):
        assert behind.refused.request_id == behind.request.request_id  # type: ignore[attr-defined] # of a command
    # It has an end, as the one before it: neither overtakes the other where the batch is sent again.
    seen = len(told.seen)
    either(batch)
    assert len(told.seen) == seen


def test_an_empty_batch_asks_nobody(exchange: FakeExchange, either: Callable[[Batch], None]) -> None:
    told = Told(exchange)
    either(Batch())
    assert told.seen == []


def test_a_question_is_not_collected() -> None:
    batch = Batch()
    with pytest.raises(ValueError, match="a batch takes commands only"):
        batch.plan.get_plan(plan_id="x")
    assert batch.collected == []


def test_a_batch_without_a_person_is_not_sent(exchange: FakeExchange, organisation: Path) -> None:
    told = Told(exchange)
    batch = Batch()
    one = goal(batch)
    with (
        ExchangeClient(exchange.target, Credentials.load(organisation)) as client,
        pytest.raises(PersonMissing),
    ):
        client.send_batch(batch)
    assert told.seen == []
    assert isinstance(one.refused, NotSent)


def test_a_receipt_of_something_else_is_refused(
    exchange: FakeExchange, either: Callable[[Batch], None]
) -> None:
    told = Told(exchange)

    def swapped(request: Any, context: grpc.ServicerContext) -> SendCommandsResponse:  # noqa: ANN401 -- as the fake gives it
        answer = told.answer(request, context)
        return SendCommandsResponse(outcomes=reversed(answer.outcomes))

    exchange.on("SendCommands", swapped)
    batch = Batch()
    found = [goal(batch, "one"), goal(batch, "two")]
    either(batch)
    assert [type(one.refused) for one in found] == [ReceiptRefused, ReceiptRefused]


@pytest.mark.parametrize(
    "outcomes",
    [[], [BatchedOutcome(response=b"\xff")] * 2, [BatchedOutcome(response=b"")] * 3],
    ids=["none", "not a message", "too many"],
)
def test_what_tells_nothing_of_a_command_is_told_as_that(
    exchange: FakeExchange, either: Callable[[Batch], None], outcomes: list[BatchedOutcome]
) -> None:
    exchange.on("SendCommands", lambda *_: SendCommandsResponse(outcomes=outcomes))
    batch = Batch()
    found = [goal(batch), goal(batch)]
    either(batch)
    assert [type(one.refused) for one in found] == [AnswerUnreadable, AnswerUnreadable]


def test_receipts_are_kept_of_each(exchange: FakeExchange, organisation: Path) -> None:
    kept: list[tuple[int, str, str]] = []

    class Book:
        def keep(self, receipt: Any, rpc: str, plan_id: str) -> None:  # noqa: ANN401 -- a receipt
            kept.append((receipt.leaf_index, rpc, plan_id))

        def close(self) -> None:
            pass

    told = Told(exchange)
    batch = Batch()
    found = [goal(batch), goal(batch)]
    with ExchangeClient(exchange.target, Credentials.load(organisation), PERSON) as client:
        client.with_receipts(Book()).send_batch(batch)  # type: ignore[arg-type] # the two methods it needs
    assert [(leaf, rpc) for leaf, rpc, _ in kept] == [
        (one.answer().receipt.leaf_index, SET_GOAL) for one in found
    ]
    assert OIN
    assert told.seen


def test_a_book_that_fails_costs_no_other_its_answer_and_what_it_did_not_keep_is_asked_again(
    exchange: FakeExchange, organisation: Path
) -> None:
    kept: list[int] = []

    class Book:
        fails = True

        def keep(self, receipt: Any, _rpc: str, _plan_id: str) -> None:  # noqa: ANN401 -- a receipt
            if self.fails and len(kept) == 1:
                Book.fails = False
                raise OSError("the disk is full")
            kept.append(receipt.leaf_index)

        def close(self) -> None:
            pass

    busy = Overloaded("full")
    told = Told(exchange, two=[busy])
    batch = Batch()
    found = [goal(batch, words) for words in ("zero", "one", "two", "three")]
    later = [goal(batch, f"{number}") for number in range(COMMANDS_MAX)]
    with ExchangeClient(exchange.target, Credentials.load(organisation), PERSON, patience=QUICK) as bare:
        client = bare.with_receipts(Book())  # type: ignore[arg-type] # the two methods it needs
        with pytest.raises(OSError, match="the disk is full"):
            client.send_batch(batch)
        assert [type(one.refused) for one in found] == [type(None), NotSent, NotSent, type(None)]
        assert len(kept) == COMMANDS_MAX - 2
        assert {type(one.refused) for one in later[-4:]} == {NotSent}
        client.send_batch(batch)
    assert all(one.answer() for one in (*found, *later))
    assert [len(many) for many in told.seen] == [COMMANDS_MAX, 6]
    assert told.seen[1][0].request == told.seen[0][1].request
    assert told.words()[1][:2] == ["one", "two"]
    assert len(set(kept)) == len(kept) == len(batch.collected)
