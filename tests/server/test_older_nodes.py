"""A call that a node of this version sends on to one of the version before, which does not know it."""

from __future__ import annotations

import asyncio
from functools import partial

import grpc
import pytest

from exchange.server.nodes.errors import HolderOlder
from exchange.server.nodes.line import Lines
from exchange.server.status import status_of
from tests.server.node_houses import (
    NEW_STREAM,
    NEW_UNARY,
    UNARY,
    Files,
    asking,
    details,
    opened,
    refusal,
    until,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("nodes"))


async def test_a_holder_that_does_not_know_a_call_is_said_to_be_older_and_others_go_on(
    files: Files,
) -> None:
    async with opened(files) as front, opened(files) as holder:
        holder.told.say(here=True)
        front.told.say(holder=holder.address)
        async with asking(front) as line:
            for asked in (line.unary_unary(NEW_UNARY)(b"one"), line.unary_stream(NEW_STREAM)(b"go").read()):
                error = await refusal(asked)
                assert error.code() is grpc.StatusCode.UNIMPLEMENTED
                assert details(error) == status_of(HolderOlder(error.details() or "")).SerializeToString()
                assert b"calls of their own" in details(error)
            assert await line.unary_unary(UNARY)(b"one") == b"answer to one"
        assert len(holder.echo.calls) == 1
        assert front.front.counts == {"refused": 2, "answered": 1, "streams": 1}


async def test_a_call_that_a_newer_node_may_have_done_is_not_said_to_be_unknown(
    files: Files,
) -> None:
    async with opened(files) as front, opened(files) as holder, opened(files, older=False) as dying:
        dying.told.say(here=True)
        dying.echo.hold = asyncio.Event()
        front.told.say(holder=dying.address)
        async with asking(front) as line:
            call = asyncio.ensure_future(line.unary_unary(NEW_UNARY)(b"one"))
            await until(partial(len, dying.echo.calls))
            holder.told.say(here=True)
            front.told.say(holder=holder.address)
            error = await refusal(call)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert b"OUTCOME_UNKNOWN" in details(error)
    assert holder.echo.calls == []


async def test_a_node_that_does_not_tell_whether_it_holds_the_shard_counts_while_its_line_stands(
    files: Files,
) -> None:
    server = grpc.aio.server()
    mine = files.node
    secrets = grpc.ssl_server_credentials(
        [(mine.key, mine.certificate)], root_certificates=mine.authorities, require_client_auth=True
    )
    address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', secrets)}"
    await server.start()
    lines = Lines(mine)
    try:
        assert await lines.holds(address, 20)
        await server.stop(0)
        assert not await lines.holds(address, 0.2)
    finally:
        await server.stop(0)
        await lines.close()
