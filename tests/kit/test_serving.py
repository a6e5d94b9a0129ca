"""How a door of an adapter ends: with its answers, and without whoever keeps a connection for later."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from adapters.kit import serving
from adapters.kit.serving import Serving
from exchange.keys.authority import DevelopmentAuthority

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

WAIT_S = 30.0
SAID = "x" * 5_000


class Door:
    """A door under TLS whose answers are made when the test says so."""

    def __init__(self, folder: Path) -> None:
        issued = DevelopmentAuthority(folder / "authority").issue_server(folder / "server")
        accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        accepting.load_cert_chain(issued.certificate, issued.key)
        self.client = ssl.create_default_context(cafile=str(issued.client_ca))
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        self.serving = Serving(Starlette(routes=[Route("/", self._answer)]), tls=accepting)
        before = set(threading.enumerate())
        self.serving.start()
        (self.thread,) = set(threading.enumerate()) - before

    def line(self) -> http.client.HTTPSConnection:
        """Return a connection on which one answer was taken and which stays."""
        line = http.client.HTTPSConnection(
            "localhost", self.serving.port, timeout=WAIT_S, context=self.client
        )
        line.request("GET", "/")
        assert line.getresponse().read() == SAID.encode()
        return line

    def _answer(self, _: Request) -> PlainTextResponse:
        self.asked.set()
        assert self.may_answer.wait(WAIT_S)
        return PlainTextResponse(SAID)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def test_who_keeps_a_connection_and_asks_nothing_is_not_waited_for(door: Door) -> None:
    kept = [door.line() for _ in range(3)]
    door.serving.close()
    # It did not give up waiting: the door ended, and its callers still hold what they had.
    assert not door.thread.is_alive()
    for line in kept:
        line.close()


def test_an_answer_that_is_being_made_is_given_whole(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "GOODBYE_S_MAX", 0.01)
    line = door.line()
    door.asked.clear()
    door.may_answer.clear()
    line.request("GET", "/")
    assert door.asked.wait(WAIT_S)
    ending = threading.Thread(target=door.serving.close)
    ending.start()
    idle = threading.Event()
    assert not idle.wait(0.5)  # many looks at who asks nothing
    assert ending.is_alive()
    door.may_answer.set()
    assert line.getresponse().read() == SAID.encode()
    ending.join(WAIT_S)
    assert not door.thread.is_alive()
    line.close()


def test_a_line_that_is_being_closed_already_holds_up_no_other(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library forgets the line of a TLS transport that is closed twice, and could not end it any more."""
    monkeypatch.setattr(serving, "GOODBYE_S_MAX", 0.05)
    kept = door.line()
    plain = socket.create_connection(("localhost", door.serving.port), WAIT_S)
    with door.client.wrap_socket(plain, server_hostname="localhost") as closing:
        closing.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        raw = b""
        while not raw.endswith(SAID.encode()):
            more = closing.recv(4_096)
            assert more
            raw += more
        connections = door.serving._server.server_state.connections
        ends = time.monotonic() + WAIT_S
        while not any(one.transport.is_closing() for one in list(connections)):
            assert time.monotonic() < ends, "the door did not say that it ends"
            time.sleep(0.01)
        # The door said its word on one line, and says it on the other: theirs comes on neither.
        door.serving.close()
        assert not door.thread.is_alive()
    kept.close()
