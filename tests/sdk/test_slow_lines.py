"""A client on a line that is slow: its handshake takes the time it takes."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from adapters.sdk.client import ExchangeClient
from adapters.sdk.patience import Patience
from exchange.v1.plan_service_pb2 import SetGoalResponse
from tests.sdk.test_client import set_goal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from tests.sdk.exchange_fake import FakeExchange

# More than a reconnect waits the first time, and what a busy machine or a far one takes.
SLOW_S: Final = 0.5
ONCE: Final = Patience(attempts_max=1)


class SlowLine:
    """Passes on what comes to a server; the server's first word arrives late."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._let_in)]
        self._closing = threading.Event()
        self.connections = 0
        self.target = f"127.0.0.1:{self._door.getsockname()[1]}"

    def start(self) -> None:
        self._threads[0].start()

    def _let_in(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._port))
            self._ends += near, far
            for ends in ((near, far, 0.0), (far, near, SLOW_S)):
                self._threads.append(threading.Thread(target=self._pass_on, args=ends))
                self._threads[-1].start()

    def _pass_on(self, came: socket.socket, goes: socket.socket, late_s: float) -> None:
        with suppress(OSError):
            while said := came.recv(65_536):
                self._closing.wait(late_s)
                late_s = 0.0
                goes.sendall(said)
        with suppress(OSError):
            goes.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._closing.set()
        for end in (self._door, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._door, *self._ends):
            end.close()


@contextmanager
def slow_line(exchange: FakeExchange) -> Iterator[SlowLine]:
    line = SlowLine(int(exchange.target.rpartition(":")[2]))
    line.start()
    try:
        yield line
    finally:
        line.close()


def test_a_handshake_may_last_longer_than_the_wait_between_two(
    exchange: FakeExchange, credentials: Credentials, person: Person
) -> None:
    exchange.on("SetGoal", lambda _request, _context: SetGoalResponse(version=4, goal_id="g"))
    with (
        slow_line(exchange) as line,
        ExchangeClient(line.target, credentials, person, patience=ONCE) as client,
    ):
        assert set_goal(client).version == 4
    assert line.connections == 1, "it was not given up halfway and begun anew"
