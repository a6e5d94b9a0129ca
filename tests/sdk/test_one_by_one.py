"""A batch to a node of a version before, which does not know it: its commands go by calls of their own."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.batches import COMMANDS_MAX, Batch, Collected, NotSent
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import (
    Denied,
    ReceiptRefused,
    ServerFault,
    Unavailable,
)
from adapters.sdk.logs import AdapterLog
from adapters.sdk.one_by_one import AGAIN_S
from adapters.sdk.tokens import Person
from exchange.errors import AccessDenied, Draining, Overloaded
from exchange.server.nodes.errors import HolderAway, HolderOlder, OutcomeUnknown
from exchange.server.status import status_of
from exchange.v1.batch_service_pb2 import BatchedOutcome, SendCommandsResponse
from exchange.v1.common_pb2 import LIFE_DOMAIN_FINANCE, PURPOSE_WMO_ONDERZOEK, Receipt
from exchange.v1.plan_service_pb2 import SetGoalResponse
from tests.sdk.conftest import QUICK
from tests.sdk.exchange_fake import FakeExchange, leaf_of, refuse

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.errors import ExchangeError

PERSON = Person("wt-014", "college:WMO", "regisseur")
PLAN = "0b9a0c6e-6a0c-4c8e-9d4e-0f3a7a3f7a11"
ELSEWHERE = PLAN[:-1] + "2"
SET_GOAL = "/exchange.v1.PlanService/SetGoal"


def goal(batch: Batch, words: str = "rust", plan_id: str = PLAN) -> Collected[SetGoalResponse]:
    return batch.plan.set_goal(
        claim=claim(PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", "to plan support"),
        plan_id=plan_id,
        own_words=words,
        life_domain=LIFE_DOMAIN_FINANCE,
    )


def full() -> list[Any]:
    """Return more refusals for now than there are attempts."""
    found = [Overloaded("full") for _ in range(9)]
    for one in found:
        one.retry_after_ms = 1
    return found


class Older:
    """Knows no batch; answers each command by its words, with the errors a test names, one an attempt."""

    def __init__(self, exchange: FakeExchange, **errors: list[ExchangeError]) -> None:
        self.exchange, self.errors = exchange, errors
        exchange.on("SetGoal", self.answer)

    def answer(self, request: Any, context: grpc.ServicerContext) -> SetGoalResponse:  # noqa: ANN401 -- as the fake gives it
        waiting = self.errors.get(request.own_words)
        if waiting:
            refuse(context, waiting.pop(0))
        return SetGoalResponse(goal_id=request.request_id)

    @property
    def words(self) -> list[str]:
        return [one.own_words for one in self.exchange.requests["SetGoal"]]

    @property
    def batches(self) -> int:
        return len(self.exchange.requests["SendCommands"])


class Clock:
    """Stands still until a test lets it go on."""

    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


class Made:
    """Keeps receipts, but for the one it fails at."""

    def __init__(self, *, fails_at: int = -1) -> None:
        self.kept: list[int] = []
        self.fails_at = fails_at

    def keep(self, receipt: Receipt, _rpc: str, _plan_id: str) -> None:
        if len(self.kept) == self.fails_at:
            self.fails_at = -1
            raise OSError("the disk is full")
        self.kept.append(receipt.leaf_index)

    def close(self) -> None:
        pass


Step = Batch | Callable[[Any], None]


@pytest.fixture(params=["blocking", "asyncio"])
def send(
    request: pytest.FixtureRequest,
    exchange: FakeExchange,
    organisation: Path,
    clock: Clock,
    said: io.StringIO,
) -> Callable[..., None]:
    """Send batches over one connection, by either client; what is no batch is done between them."""

    def dressed(client: Any, book: Any) -> Any:  # noqa: ANN401 -- either client; what it needs of a book
        client = client.with_log(AdapterLog(said))
        return client if book is None else client.with_receipts(book)

    def blocking(*steps: Step, book: Any = None, person: Person = PERSON) -> None:  # noqa: ANN401 -- as above
        mine = Credentials.load(organisation)
        with ExchangeClient(exchange.target, mine, person, patience=QUICK, clock=clock) as bare:
            client = dressed(bare, book)
            for one in steps:
                client.send_batch(one) if isinstance(one, Batch) else one(client)

    async def awaiting(*steps: Step, book: Any = None, person: Person = PERSON) -> None:  # noqa: ANN401 -- as above
        mine = Credentials.load(organisation)
        async with AsyncExchangeClient(exchange.target, mine, person, patience=QUICK, clock=clock) as bare:
            client = dressed(bare, book)
            for one in steps:
                if isinstance(one, Batch):
                    await client.send_batch(one)
                else:
                    one(client)

    if request.param == "blocking":
        return blocking
    return lambda *steps, **how: asyncio.run(awaiting(*steps, **how))


def lines(said: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_commands_go_alone_in_their_order_each_signed_under_its_id_and_with_its_own_end(
    exchange: FakeExchange, send: Callable[..., None]
) -> None:
    denied = AccessDenied("no", rules=("R01",), remedies=(), decision_id="d-1")
    older = Older(exchange, two=[denied])
    batch = Batch()
    found = [goal(batch, words) for words in ("one", "two", "three")]
    send(batch, batch)
    assert (older.batches, older.words) == (1, ["one", "two", "three"])
    asked = exchange.requests["SendCommands"][0].commands
    # The very bytes of the batch, so that each is one and the same command, wherever it went.
    assert [one.request for one in asked] == [one.request.SerializeToString() for one in found]
    ids = [one.request_id for one in exchange.requests["SetGoal"]]
    assert len(set(ids)) == 3
    assert [found[0].answer().goal_id, found[2].answer().goal_id] == [ids[0], ids[2]]
    assert found[0].answer().receipt.leaf_entry
    with pytest.raises(Denied) as refused:
        found[1].answer()
    assert (refused.value.rules, refused.value.request_id) == (("R01",), ids[1])


def test_what_is_refused_for_now_is_tried_again_and_holds_back_what_is_behind_it_on_its_plan(
    exchange: FakeExchange, send: Callable[..., None]
) -> None:
    older = Older(exchange, soon=full()[:1], never=full())
    batch = Batch()
    soon, never, behind = goal(batch, "soon"), goal(batch, "never"), goal(batch, "behind")
    elsewhere = goal(batch, "elsewhere", ELSEWHERE)
    later = [goal(batch, "later") for _ in range(COMMANDS_MAX)]
    send(batch)
    assert older.words == ["soon", "soon", *["never"] * QUICK.attempts_max, "elsewhere"]
    assert soon.answer()
    assert elsewhere.answer()
    for one in (never, behind, *later):
        assert type(one.refused) is Unavailable
        assert one.refused.request_id == one.request.request_id  # type: ignore[attr-defined] # of a command


def test_the_batch_is_asked_for_again_after_a_while_and_on_another_channel_and_it_is_said_once(
    exchange: FakeExchange, send: Callable[..., None], clock: Clock, said: io.StringIO, organisation: Path
) -> None:
    older = Older(exchange)
    asked: list[int] = []

    def later(seconds: float) -> Callable[[Any], None]:
        def step(_client: object) -> None:
            asked.append(older.batches)
            clock.now_s += seconds

        return step

    def rotated(client: Any) -> None:  # noqa: ANN401 -- either client
        asked.append(older.batches)
        client.rotate(Credentials.load(organisation))

    batches = [Batch() for _ in range(6)]
    for batch in batches:
        goal(batch)
        goal(batch, "personal words", ELSEWHERE)
    one, two, three, four, five, six = batches
    send(one, later(AGAIN_S - 1), two, later(1), three, later(-30), four, rotated, five, later(0), six)
    asked.append(older.batches)
    # Also a clock that was set back lets nobody wait longer.
    assert asked == [1, 1, 2, 3, 4, 4]
    assert len(older.words) == 12
    (line,) = lines(said)
    del line["at"]
    assert line == {
        "level": "warning",
        "event": "batch_sent_one_by_one",
        "rpc": "SendCommands",
        "count": 2,
    }


def test_a_node_that_was_replaced_takes_batches_again_and_it_is_news_where_another_does_not(
    exchange: FakeExchange, send: Callable[..., None], clock: Clock, said: io.StringIO
) -> None:
    older = Older(exchange)

    def newer(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        if older.batches == 3:
            return refuse(context, HolderOlder("of a version before"))
        return SendCommandsResponse(outcomes=[BatchedOutcome() for _ in request.commands])

    def replaced(_client: object) -> None:
        exchange.on("SendCommands", newer)
        clock.now_s += AGAIN_S

    first, second, third = Batch(), Batch(), Batch()
    for batch in (first, second, third):
        goal(batch)
    send(first, replaced, second, third)
    assert (older.batches, len(older.words)) == (3, 2)
    assert [one.get("reason") for one in lines(said)] == [None, "HOLDER_OLDER"]


def test_what_has_an_end_when_another_node_answers_is_not_sent_again(
    exchange: FakeExchange, send: Callable[..., None]
) -> None:
    older = Older(exchange)

    def once(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        if older.batches > 1:
            return refuse(context, HolderOlder("of a version before"))
        (busy,) = full()[:1]
        denied = status_of(AccessDenied("no")).SerializeToString()
        outcomes = [BatchedOutcome(status=denied), BatchedOutcome(status=status_of(busy).SerializeToString())]
        assert len(request.commands) == len(outcomes)
        return SendCommandsResponse(outcomes=outcomes)

    exchange.on("SendCommands", once)
    batch = Batch()
    first, second = goal(batch, "first"), goal(batch, "second")
    send(batch)
    assert (older.batches, older.words) == (2, ["second"])
    assert isinstance(first.refused, Denied)
    assert second.answer()
    assert exchange.requests["SendCommands"][0].commands[1].request == second.request.SerializeToString()


@pytest.mark.parametrize("why", [None, HolderAway, OutcomeUnknown, Draining])
def test_where_nobody_answers_any_more_the_rest_is_not_sent(
    exchange: FakeExchange, send: Callable[..., None], why: type[ExchangeError] | None
) -> None:
    older = Older(exchange)

    def cut(request: Any, context: grpc.ServicerContext) -> SetGoalResponse:  # noqa: ANN401 -- as the fake gives it
        if request.own_words == "cut":
            if why is None:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the line broke")
            error = why("nobody does it now")
            error.retry_after_ms = 1
            refuse(context, error)
        return older.answer(request, context)

    exchange.on("SetGoal", cut)
    batch = Batch()
    found = [goal(batch, "one"), goal(batch, "cut"), goal(batch, "elsewhere", ELSEWHERE)]
    send(batch)
    assert older.words == ["one", *["cut"] * QUICK.attempts_max]
    assert found[0].answer()
    assert [isinstance(one.refused, Unavailable) for one in found[1:]] == [True, True]


def test_a_call_that_is_not_known_either_is_its_own_end(
    exchange: FakeExchange, send: Callable[..., None]
) -> None:
    older = Older(exchange)
    batch = Batch()
    unknown = batch.plan.start_trajectory(claim=claim(PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2"), plan_id=PLAN)
    known = goal(batch)
    send(batch)
    assert older.batches == 1
    assert isinstance(unknown.refused, ServerFault)
    assert known.answer()


def test_an_answer_that_is_of_something_else_is_told_as_in_a_batch(
    exchange: FakeExchange, send: Callable[..., None]
) -> None:
    older = Older(exchange)

    def odd(request: Any, context: grpc.ServicerContext) -> SetGoalResponse:  # noqa: ANN401 -- as the fake gives it
        answer = older.answer(request, context)
        if request.own_words == "other":
            answer.receipt.leaf_entry = leaf_of(SET_GOAL, b"something else", exchange.metadata[-1])
        return answer

    exchange.on("SetGoal", odd)
    batch = Batch()
    other, good = goal(batch, "other"), goal(batch, "good")
    send(batch)
    assert isinstance(other.refused, ReceiptRefused)
    assert good.answer()


def test_a_book_that_fails_ends_the_sending_and_what_has_no_end_goes_under_the_same_ids(
    exchange: FakeExchange, send: Callable[..., None]
) -> None:
    older, book = Older(exchange), Made(fails_at=1)
    batch = Batch()
    found = [goal(batch, words) for words in ("one", "two", "three")]
    with pytest.raises(OSError, match="the disk is full"):
        send(batch, book=book)
    assert older.words == ["one", "two"]
    assert [type(one.refused) for one in found] == [type(None), NotSent, NotSent]
    send(batch, book=book)
    assert older.words == ["one", "two", "two", "three"]
    assert older.exchange.requests["SetGoal"][1] == older.exchange.requests["SetGoal"][2]
    assert [one.answer().receipt.leaf_index for one in found] == book.kept


def test_without_a_log_it_is_said_on_standard_error(
    exchange: FakeExchange, organisation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Older(exchange)
    batch = Batch()
    goal(batch)
    with ExchangeClient(exchange.target, Credentials.load(organisation), PERSON) as client:
        client.send_batch(batch)
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["event"] == "batch_sent_one_by_one"
