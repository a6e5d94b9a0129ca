"""A call that was cut off at one node: what another's refusal says of it, for itself and in a batch."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import grpc
import pytest

from adapters.sdk.errors import refused_from
from exchange.errors import (
    AccessDenied,
    AnswerTooLarge,
    CallerUnknown,
    Draining,
    ExchangeError,
    KeyUnavailable,
    OutcomeOpen,
    Overloaded,
    PersonTokenInvalid,
    QuotaExceeded,
    RequestIdReused,
    RequestInvalid,
    RuleBroken,
    StoreUnavailable,
    VersionConflict,
)
from exchange.server.app import handlers
from exchange.server.contract.commands import command_path
from exchange.server.interceptor import Unary
from exchange.server.nodes.again import SEND_COMMANDS, records_a_deed
from exchange.server.nodes.errors import OutcomeUnknown
from exchange.server.status import code_of, status_of
from exchange.v1.batch_service_pb2 import BatchedOutcome, SendCommandsRequest, SendCommandsResponse
from tests.server.node_houses import QUESTION, SEND, UNARY, Files, asking, details, opened, refusal, until

if TYPE_CHECKING:
    from tests.server.node_houses import House

OPEN = status_of(OutcomeUnknown("the node that was asked is away; what was asked may be recorded"))
# Of the node that is asked, or of this attempt: what the other one did is not looked at.
OF_ITSELF = [
    CallerUnknown("not registered"),
    PersonTokenInvalid("expired"),
    Overloaded("full"),
    Draining("stopping"),
    StoreUnavailable("the store is away"),
    KeyUnavailable("the key store is away"),
    RequestInvalid("wrong", {"own_words": "is empty"}),
    AccessDenied("not here"),
]
# Behind the look at the request id, or open as it stands, or a failure with a number.
OF_THE_COMMAND = [
    AccessDenied("no", rules=("R05",), remedies=(), decision_id="d-1"),
    VersionConflict("somebody else was first", expected="3", found="4"),
    RuleBroken("not now"),
    RequestIdReused("used for something else"),
    OutcomeOpen("did it commit?"),
    AnswerTooLarge("the answer is over its limit"),
    ExchangeError("an unforeseen error"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("nodes"))


def name(error: ExchangeError) -> str:
    return error.code


async def cut_and_asked_again(
    files: Files, error: ExchangeError, *, here: bool, cut: bool = True, path: str = UNARY
) -> grpc.aio.AioRpcError:
    """Send a call to a node that dies with it; refuse it where it is asked again, and return the refusal."""
    async with opened(files) as front, opened(files) as dying, opened(files) as holder:
        dying.told.say(here=True)
        dying.echo.hold = asyncio.Event()
        refusing = front if here else holder
        refusing.echo.refuse = error
        front.told.say(holder=dying.address)
        async with asking(front) as line:
            if not cut:
                _moved(front, holder, here=here)
            call = asyncio.ensure_future(line.unary_unary(path)(b"one"))
            if cut:
                await until(partial(len, dying.echo.calls))
                await dying.door.stop(0)
                _moved(front, holder, here=here)
            found = await refusal(call)
        assert len(refusing.echo.calls) == 1
        return found


def _moved(front: House, holder: House, *, here: bool) -> None:
    holder.told.say(here=not here)
    front.told.say(here=here, holder="" if here else holder.address)


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("error", [one for one in OF_ITSELF if one.code != "DRAINING"], ids=name)
async def test_a_refusal_for_now_does_not_say_that_nothing_was_recorded(
    files: Files, error: ExchangeError, *, here: bool
) -> None:
    found = await cut_and_asked_again(files, error, here=here)
    assert (found.code(), found.details()) == (grpc.StatusCode.UNAVAILABLE, OPEN.message)
    assert details(found) == OPEN.SerializeToString()


@pytest.mark.parametrize("here", [True, False])
async def test_a_longer_time_to_wait_is_kept(files: Files, *, here: bool) -> None:
    error = QuotaExceeded("a share is used up", retry_after_ms=30_000)
    refused = refused_from(await cut_and_asked_again(files, error, here=here))
    assert (refused.reason, refused.retry_after_s) == ("OUTCOME_UNKNOWN", 30.0)


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("error", OF_THE_COMMAND, ids=name)
async def test_a_refusal_of_the_command_is_told_as_it_is(
    files: Files, error: ExchangeError, *, here: bool
) -> None:
    found = await cut_and_asked_again(files, error, here=here)
    assert found.code() is code_of(error)
    assert details(found) == status_of(error).SerializeToString()


@pytest.mark.parametrize("here", [True, False])
async def test_what_was_sent_nowhere_before_is_told_as_it_is(files: Files, *, here: bool) -> None:
    error = Overloaded("full")
    found = await cut_and_asked_again(files, error, here=here, cut=False)
    assert details(found) == status_of(error).SerializeToString()


@pytest.mark.parametrize("here", [True, False])
async def test_each_command_of_a_batch_says_what_is_known_of_it(files: Files, *, here: bool) -> None:
    errors = [*OF_ITSELF, *OF_THE_COMMAND]
    outcomes = [BatchedOutcome(status=status_of(error).SerializeToString()) for error in errors]
    outcomes.append(BatchedOutcome(response=b"an answer"))
    answer = SendCommandsResponse(outcomes=outcomes).SerializeToString()
    async with opened(files) as front, opened(files) as dying, opened(files) as holder:
        dying.told.say(here=True)
        dying.echo.hold = asyncio.Event()
        (front if here else holder).echo.answer = answer
        front.told.say(holder=dying.address)
        async with asking(front) as line:
            call = asyncio.ensure_future(line.unary_unary(SEND)(SendCommandsRequest().SerializeToString()))
            await until(partial(len, dying.echo.calls))
            await dying.door.stop(0)
            _moved(front, holder, here=here)
            told = SendCommandsResponse.FromString(await call)
            # The next one was sent nowhere before.
            assert await line.unary_unary(SEND)(b"") == answer
    of_itself = [BatchedOutcome(status=OPEN.SerializeToString())] * len(OF_ITSELF)
    assert list(told.outcomes) == of_itself + outcomes[len(OF_ITSELF) :]


def test_a_question_records_no_deed_and_is_refused_as_it_is() -> None:
    paths = {
        f"/{service}/{name}": isinstance(kind, Unary) and command_path(kind.request) != ""
        for service, rpcs in handlers().items()
        for name, kind in rpcs.items()
    }
    assert {path: records_a_deed(path) for path in paths} == paths | {SEND_COMMANDS: True}
    assert not records_a_deed(QUESTION)
    # What the contract does not name may be one of a node of the next version.
    assert records_a_deed(UNARY)
    assert records_a_deed("/exchange.v1.PlanService/NotYet")


async def test_a_question_that_was_cut_off_is_refused_as_it_is(files: Files) -> None:
    error = PersonTokenInvalid("expired")
    found = await cut_and_asked_again(files, error, here=True, path=QUESTION)
    assert details(found) == status_of(error).SerializeToString()
