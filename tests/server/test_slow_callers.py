"""A door over HTTP ends what is slow, and makes way for who comes while others do nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from exchange.server.authzen.door import CertifiedProtocol
from exchange.server.web import bounded, door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE = "127.0.0.1"
GENEROUS_S = 30
HEAD = b"POST / HTTP/1.1\r\nHost: here\r\n"
LARGE = 8 * 1024 * 1024
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answered(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's three
    """Read all, and answer with little, or with much."""
    more = True
    while more:
        told = await receive()
        more = told.get("more_body", False)
    if told["type"] == "http.disconnect":
        return
    body = b"x" * LARGE if scope["path"] == "/much" else b"whole"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def opened(monkeypatch: pytest.MonkeyPatch, waits: float = 3_600.0) -> AsyncIterator[int]:
    """Yield the port of a door that waits these seconds."""
    be_patient(monkeypatch, waits)
    found = door.WebDoor(answered, HERE, None)
    yield await found.start(0)
    await found.stop(1)


def be_patient(monkeypatch: pytest.MonkeyPatch, waits: float) -> None:
    """Let every door wait these seconds for whoever comes from here on."""
    monkeypatch.setattr(bounded, "WAITED_S_MAX", dict.fromkeys(bounded.WAITED_S_MAX, waits))
    monkeypatch.setattr(bounded, "TAKEN_S_MAX", waits)


async def line(port: int, said: bytes) -> Line:
    """Return a connection that has said something."""
    reader, writer = await asyncio.open_connection(HERE, port, limit=1_024)
    writer.write(said)
    await writer.drain()
    return reader, writer


async def ask(port: int) -> bytes:
    """Return the first line of the answer to a whole request."""
    reader, writer = await line(port, HEAD + b"Content-Length: 2\r\n\r\nok")
    async with asyncio.timeout(GENEROUS_S):
        told = await reader.readline()
    writer.close()
    return told


async def ended(one: Line) -> bool:
    """Tell that the door ended a connection; a door that never does fails the test."""
    async with asyncio.timeout(GENEROUS_S):
        try:
            while await one[0].read(LARGE):
                pass
        except ConnectionError:
            pass
    one[1].close()
    return True


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"POST / HT",
        HEAD,
        HEAD + b"Content-Length: 9\r\n\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx",
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "chunks without end"],
)
async def test_who_does_not_end_his_question_is_ended(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    async with opened(monkeypatch, 0.1) as port:
        assert await ended(await line(port, said))
        be_patient(monkeypatch, GENEROUS_S)
        assert await ask(port) == b"HTTP/1.1 200 OK\r\n"


async def test_a_byte_now_and_then_does_not_set_the_clock_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch, 0.2) as port:
        reader, writer = await line(port, HEAD)

        async def drip() -> None:
            while not reader.at_eof():
                writer.write(b"X: y\r\n")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert await ended((reader, writer))
        dripping.cancel()


async def test_who_takes_no_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch, 0.1) as port:
        reader, writer = await line(port, b"GET /much HTTP/1.1\r\nHost: here\r\n\r\n")
        async with asyncio.timeout(GENEROUS_S):
            # Its end is seen without one byte of the answer being read.
            while not reader.exception():
                writer.write(b"\r\n")
                await asyncio.sleep(0.01)
        writer.close()


async def test_a_full_door_makes_way_for_who_asks_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "CONNECTIONS_MAX", 8)
    async with opened(monkeypatch) as port:
        assert await ask(port) == b"HTTP/1.1 200 OK\r\n"
        silent = [await line(port, HEAD) for _ in range(12)]
        assert await ask(port) == b"HTTP/1.1 200 OK\r\n"
        # Those that waited longest made way, and the newest are still here.
        assert all([await ended(one) for one in silent[:5]])
        reader, writer = silent[-1]
        writer.write(b"Content-Length: 2\r\n\r\nok")
        async with asyncio.timeout(GENEROUS_S):
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        for _, one in silent[5:]:
            one.close()


def test_the_administration_port_has_the_same_patience() -> None:
    assert issubclass(CertifiedProtocol, bounded.BoundedProtocol)
