"""A door over HTTP that ends waits for the answers it makes, and for nobody who asks nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

from exchange.keys.authority import DevelopmentAuthority
from exchange.server.web import bounded
from exchange.server.web.door import WebDoor, server_tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

HERE = "127.0.0.1"
# Less than what the library waits for a goodbye by itself, and than the grace.
GENEROUS_S = 20
GRACE_S = 3_600
ASKED = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
ASKED_ONCE = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
WHOLE = b"whole"


class Answering:
    """An application whose answer is held back until it is let go."""

    def __init__(self) -> None:
        self.asked, self.let_go = asyncio.Event(), asyncio.Event()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's three
        self.asked.set()
        await self.let_go.wait()
        headers = [(b"content-length", str(len(WHOLE)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": WHOLE})


def read_whole(line: ssl.SSLSocket) -> bytes:
    """Read one answer, and no more than that."""
    raw = b""
    while not raw.endswith(WHOLE):
        more = line.recv(4_096)
        assert more
        raw += more
    return raw


@asynccontextmanager
async def asking(
    tmp_path: Path, asked: bytes = ASKED
) -> AsyncIterator[tuple[WebDoor, Answering, ssl.SSLSocket]]:
    """Yield a door with TLS, what answers there, and a caller's line on which something was asked."""
    files = DevelopmentAuthority(tmp_path / "authority").issue_server(tmp_path / "door")
    app = Answering()
    door = WebDoor(app, HERE, lambda: server_tls(files.certificate.read_bytes(), files.key.read_bytes()))
    port = await door.start(0)
    context = ssl.create_default_context(cafile=str(files.client_ca))

    def call() -> ssl.SSLSocket:
        plain = socket.create_connection((HERE, port), GENEROUS_S)
        line = context.wrap_socket(plain, server_hostname="localhost")
        line.sendall(asked)
        return line

    with closing(await asyncio.to_thread(call)) as line:
        await app.asked.wait()
        yield door, app, line


async def test_who_keeps_a_line_for_later_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "GOODBYE_S_MAX", 0.05)
    async with asking(tmp_path) as (door, app, line):
        app.let_go.set()
        await asyncio.to_thread(read_whole, line)
        # The line stays open, and unread: no goodbye comes over it.
        async with asyncio.timeout(GENEROUS_S):
            await door.stop(GRACE_S)


async def test_an_answer_that_is_being_made_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "GOODBYE_S_MAX", 0.05)
    async with asking(tmp_path) as (door, app, line):
        stopping = asyncio.create_task(door.stop(GRACE_S))
        # Longer than the end of who asks nothing takes.
        await asyncio.sleep(0.3)
        assert not stopping.done()
        app.let_go.set()
        assert (await asyncio.to_thread(read_whole, line)).startswith(b"HTTP/1.1 200 OK\r\n")
        line.close()
        async with asyncio.timeout(GENEROUS_S):
            await stopping


async def test_who_keeps_a_line_behind_an_answer_that_was_being_made_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "GOODBYE_S_MAX", 0.05)
    async with asking(tmp_path) as (door, app, line):
        stopping = asyncio.create_task(door.stop(GRACE_S))
        assert door._server is not None
        (asked,) = door._server.server_state.connections
        async with asyncio.timeout(GENEROUS_S):
            while not asked._ending:  # type: ignore[union-attr] # noqa: ASYNC110 -- it tells nobody
                await asyncio.sleep(0.01)
        app.let_go.set()
        await asyncio.to_thread(read_whole, line)
        # The line stays open, and unread: no goodbye comes over it.
        async with asyncio.timeout(GENEROUS_S):
            await stopping


async def test_a_line_that_is_being_closed_already_is_no_fault_and_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library forgets the line of a TLS transport that is closed twice, and could not end it any more."""
    monkeypatch.setattr(bounded, "GOODBYE_S_MAX", 0.05)
    async with asking(tmp_path, ASKED_ONCE) as (door, app, line):
        assert door._server is not None
        (asked,) = door._server.server_state.connections
        app.let_go.set()
        await asyncio.to_thread(read_whole, line)
        async with asyncio.timeout(GENEROUS_S):
            while not asked.transport.is_closing():  # noqa: ASYNC110 -- it tells nobody
                await asyncio.sleep(0.01)
            # The door said its word; theirs does not come.
            await door.stop(GRACE_S)
