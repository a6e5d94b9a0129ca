"""Calls sent on from node to node: real doors over mutual TLS, and what stands behind them made plain.

Behind the door is an echo instead of the guard: what is tested is the way there and back.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from exchange.errors import RuleBroken
from exchange.server.connections import METADATA_BYTES_MAX
from exchange.server.limits import StreamNotRead
from exchange.server.nodes.errors import HolderAway
from exchange.server.nodes.relayed import CERTIFICATE_KEY, HOP_KEY
from exchange.server.status import status_of
from tests.server.node_houses import (
    STREAM,
    UNARY,
    Files,
    House,
    asking,
    connected,
    details,
    opened,
    refusal,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


QUOTA = grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("nodes"))


@pytest.fixture
async def front(files: Files) -> AsyncIterator[House]:
    """A node that holds nothing."""
    async with opened(files) as made:
        yield made


@pytest.fixture
async def holder(files: Files) -> AsyncIterator[House]:
    """A node that holds the shard."""
    async with opened(files) as made:
        made.told.say(here=True)
        yield made


# --- there and back -----------------------------------------------------------------------------------


async def test_bytes_headers_certificate_and_deadline_go_along(front: House, holder: House) -> None:
    front.told.say(holder=holder.address)
    raw = bytes(range(256))
    async with asking(front) as line:
        headers = (("x-exchange-person", "token"), ("traceparent", "00-ab"), ("x-some-bin", b"\0\1"))
        answer = await line.unary_unary(UNARY)(raw, metadata=headers, timeout=30)
    assert answer == b"answer to " + raw
    ((came, told, pem, left),) = holder.echo.calls
    assert came == raw
    assert {name: told[name] for name, _ in headers} == dict(headers)
    assert not [name for name in told if name.startswith("x-exchange-node-")]
    assert pem.split() == front.files.caller.certificate_pem.split()
    assert 0 < left <= 30
    assert front.echo.calls == []


async def test_headers_that_one_node_takes_the_other_takes_from_it(front: House, holder: House) -> None:
    front.told.say(holder=holder.address)
    headers = (("x-some", "x" * (METADATA_BYTES_MAX - 640)),)
    for house in (holder, front):
        async with asking(house) as line:
            # gRPC refuses what is a little over its limit by chance: often enough for it to show.
            asked = [line.unary_unary(UNARY)(b"one", metadata=headers, timeout=30) for _ in range(20)]
            assert await asyncio.gather(*asked) == [b"answer to one"] * 20
    assert {told["x-some"] for _, told, _, _ in holder.echo.calls} == {headers[0][1]}


async def test_who_holds_it_serves_and_sends_nothing_on(holder: House) -> None:
    async with asking(holder) as line:
        assert await line.unary_unary(UNARY)(b"one") == b"answer to one"
    assert len(holder.echo.calls) == 1
    assert holder.front.counts == {}


async def test_a_refusal_of_the_holder_is_the_answer_with_every_detail(front: House, holder: House) -> None:
    front.told.say(holder=holder.address)
    holder.echo.refuse = RuleBroken("the plan is closed", rule="PLAN_CLOSED")
    async with asking(front) as line:
        error = await refusal(line.unary_unary(UNARY)(b"one"))
    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "the plan is closed")
    assert details(error) == status_of(holder.echo.refuse).SerializeToString()
    assert len(holder.echo.calls) == 1


async def test_a_caller_who_hangs_up_hangs_up_at_the_holder_too(front: House, holder: House) -> None:
    front.told.say(holder=holder.address)
    holder.echo.hold = asyncio.Event()
    async with asking(front) as line:
        call = line.unary_unary(UNARY)(b"one")
        await until(lambda: holder.echo.calls)
        call.cancel()
        await until(lambda: holder.echo.cancelled)
    assert holder.echo.cancelled == 1


# --- who may say it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [HOP_KEY, CERTIFICATE_KEY])
async def test_a_caller_cannot_say_what_only_a_node_may_say(front: House, holder: House, name: str) -> None:
    front.told.say(holder=holder.address)
    for house in (front, holder):
        async with asking(house) as line:
            error = await refusal(line.unary_unary(UNARY)(b"one", metadata=((name, "1"),)))
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            told = line.unary_stream(STREAM)(b"one", metadata=((name, "1"),))
            assert (await refusal(told.read())).code() is grpc.StatusCode.UNAUTHENTICATED
    assert front.echo.calls == holder.echo.calls == []


async def test_an_organisation_does_not_come_in_by_the_nodes_door(holder: House) -> None:
    files = holder.files
    async with connected(holder.address, files.node_root, files.caller) as line:
        error = await refusal(line.unary_unary(UNARY)(b"one", timeout=5))
        assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        assert details(error) == b""
    # Nor where the nodes' authority was careless: such a certificate names an organisation.
    async with connected(holder.address, files.node_root, files.misissued) as line:
        said = ((HOP_KEY, "1"), (CERTIFICATE_KEY, "aGVsbG8="))
        error = await refusal(line.unary_unary(UNARY)(b"one", metadata=said))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert holder.echo.calls == []


@pytest.mark.parametrize(
    "said",
    [
        (),
        ((CERTIFICATE_KEY, "aGVsbG8="),),
        ((HOP_KEY, "2"), (CERTIFICATE_KEY, "aGVsbG8=")),
        ((HOP_KEY, "1"), (HOP_KEY, "1"), (CERTIFICATE_KEY, "aGVsbG8=")),
        ((HOP_KEY, "1"), (CERTIFICATE_KEY, "no base64")),
    ],
)
async def test_a_node_that_does_not_say_whose_call_it_is_or_sends_it_on_again_is_refused(
    holder: House, said: tuple[tuple[str, str], ...]
) -> None:
    line = await holder.lines.to(holder.address, 5)
    error = await refusal(line.unary_unary(UNARY)(b"one", metadata=said))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert holder.echo.calls == []


@pytest.mark.usefixtures("soon")
async def test_two_that_take_each_other_for_the_holder_do_not_go_round(files: Files, front: House) -> None:
    async with opened(files) as other:
        front.told.say(holder=other.address)
        other.told.say(holder=front.address)
        async with asking(front) as line:
            error = await refusal(line.unary_unary(UNARY)(b"one"))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert HolderAway.code.encode() in details(error)
        assert front.told.looked > 0
        assert front.echo.calls == other.echo.calls == []


# --- while it moves -----------------------------------------------------------------------------------------


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait long for a holder."""
    monkeypatch.setattr("exchange.server.nodes.front.HOLDER_WAIT_S", 0.2)


@pytest.mark.usefixtures("soon")
async def test_where_nobody_holds_it_nothing_was_recorded_and_that_is_said(front: House) -> None:
    async with asking(front) as line:
        error = await refusal(line.unary_unary(UNARY)(b"one"))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert details(error) == status_of(HolderAway(error.details() or "")).SerializeToString()


async def test_a_call_waits_for_whoever_takes_it_and_may_stay_here(front: House, holder: House) -> None:
    async with asking(front) as line:
        there = asyncio.ensure_future(line.unary_unary(UNARY)(b"one"))
        await until(lambda: front.told.looked)
        front.told.say(holder=holder.address)
        assert await there == b"answer to one"
        front.told.say()
        here = asyncio.ensure_future(line.unary_unary(UNARY)(b"two"))
        looked = front.told.looked
        await until(lambda: front.told.looked > looked)
        front.told.say(here=True)
        assert await here == b"answer to two"
    assert [raw for raw, *_ in front.echo.calls] == [b"two"]


async def test_a_holder_that_fell_silent_is_left_for_the_one_that_took_over(
    files: Files, front: House
) -> None:
    async with opened(files) as silent, opened(files) as next_one:
        silent.told.say(here=True)
        silent.echo.hold = asyncio.Event()
        front.told.say(holder=silent.address)
        async with asking(front) as line:
            call = asyncio.ensure_future(line.unary_unary(UNARY)(b"one"))
            await until(lambda: silent.echo.calls)
            next_one.told.say(here=True)
            front.told.say(holder=next_one.address)
            assert await call == b"answer to one"
        assert [raw for raw, *_ in next_one.echo.calls] == [b"one"]
        await until(lambda: silent.echo.cancelled)


@pytest.mark.parametrize("answers", [False, True])
async def test_a_cut_line_leaves_the_outcome_unknown_unless_somebody_answers_the_same_bytes(
    files: Files, front: House, monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    # Who is to be answered waits for as long as it takes.
    monkeypatch.setattr("exchange.server.nodes.front.HOLDER_WAIT_S", 9.0 if answers else 0.2)
    async with opened(files) as dying, opened(files) as next_one:
        dying.told.say(here=True)
        dying.echo.hold = asyncio.Event()
        front.told.say(holder=dying.address)
        async with asking(front) as line:
            call = asyncio.ensure_future(line.unary_unary(UNARY)(b"one"))
            await until(partial(len, dying.echo.calls))
            await dying.door.stop(0)
            if answers:
                next_one.told.say(here=True)
                front.told.say(holder=next_one.address)
                assert await call == b"answer to one"
            else:
                front.told.say()
                error = await refusal(call)
                assert error.code() is grpc.StatusCode.UNAVAILABLE
                assert b"OUTCOME_UNKNOWN" in details(error)


# --- streams ------------------------------------------------------------------------------------------


async def test_a_stream_is_told_on_and_ends_as_the_holders_does(front: House, holder: House) -> None:
    front.told.say(holder=holder.address)
    async with asking(front) as line:
        assert [one async for one in line.unary_stream(STREAM)(b"go")] == [b"0", b"1", b"2"]
    async with asking(holder) as line:
        assert [one async for one in line.unary_stream(STREAM)(b"go")] == [b"0", b"1", b"2"]
    assert len(holder.echo.calls) == 2


@pytest.mark.parametrize("at", ["front", "holder"])
async def test_streams_end_with_the_word_to_resume_when_the_shard_moves(
    front: House, holder: House, at: str
) -> None:
    front.told.say(holder=holder.address)
    holder.echo.hold = asyncio.Event()
    house = front if at == "front" else holder
    async with asking(house) as line:
        told = line.unary_stream(STREAM)(b"go")
        assert [await told.read() for _ in range(3)] == [b"0", b"1", b"2"]
        holder.told.say()
        error = await refusal(told.read())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "resume at the last cursor" in (error.details() or "")
    assert HolderAway.code.encode() in details(error)


async def test_a_stream_that_passed_over_its_end_is_told_again(holder: House) -> None:
    holder.echo.hold, holder.echo.deaf = asyncio.Event(), 1
    async with asking(holder) as line:
        told = line.unary_stream(STREAM)(b"go")
        assert [await told.read() for _ in range(3)] == [b"0", b"1", b"2"]
        await holder.echo.told_all.wait()
        holder.told.say()
        assert HolderAway.code.encode() in details(await refusal(told.read()))
    assert holder.echo.deaf == 0


async def test_a_node_that_stops_ends_streams_and_lets_calls_be_answered(front: House, holder: House) -> None:
    front.told.say(holder=holder.address)
    holder.echo.hold = asyncio.Event()
    async with asking(front) as line:
        told, call = line.unary_stream(STREAM)(b"go"), line.unary_unary(UNARY)(b"one")
        assert [await told.read() for _ in range(3)] == [b"0", b"1", b"2"]
        await until(lambda: len(holder.echo.calls) == 2)
        front.front.end_streams()
        error = await refusal(told.read())
        assert HolderAway.code.encode() in details(error)
        assert "resume at the last cursor" in (error.details() or "")
        holder.echo.hold.set()
        assert await call == b"answer to one"


@pytest.mark.usefixtures("soon")
async def test_a_stream_where_nobody_holds_the_shard_is_refused(front: House) -> None:
    async with asking(front) as line:
        error = await refusal(line.unary_stream(STREAM)(b"go").read())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert HolderAway.code.encode() in details(error)


async def read_out(stream: Any, found: list[bytes]) -> None:  # noqa: ANN401 -- a stream of bytes
    """Read to the end; what came before it is found."""
    async for answer in stream:
        found.append(answer)  # noqa: PERF401 -- what came before a failure counts too


async def test_a_caller_who_never_reads_a_stream_that_was_sent_on_is_ended(
    front: House, holder: House
) -> None:
    front.told.say(holder=holder.address)
    # More than all that lies between the two of them.
    holder.echo.messages, holder.echo.padding = 64, 512 * 1024
    caller = front.files.caller
    secrets = grpc.ssl_channel_credentials(caller.root_pem, caller.key_pem, caller.certificate_pem)
    options = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535))
    async with grpc.aio.secure_channel(front.target, secrets, options) as channel:
        line: Any = channel  # its stub takes no bytes
        told: Any = line.unary_stream(STREAM)(b"go")
        await until(lambda: front.front.counts["refused"])
        # What was not taken lies with gRPC: so long it keeps its place, and others of his find one less.
        assert front.streams.count == 1
        other: Any = line.unary_stream(STREAM)(b"go")
        await until(lambda: front.front.counts["refused"] == 2)
        assert (await refusal(line.unary_stream(STREAM)(b"go").read())).code() is QUOTA
        # Whoever reads after all gets what was on its way, and then why it ended.
        found: list[bytes] = []
        ended = await refusal(read_out(told, found))
        assert 0 < len(found) < holder.echo.messages
        assert ended.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert StreamNotRead.code.encode() in details(ended)
        other.cancel()
        await until(lambda: not front.streams.count)
