"""kill -9 of the whole adapter while a body is under way to its door: nothing half taken, one effect."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from adapters.provider.arriving import PASSING
from adapters.provider.config import load_config
from adapters.provider.http_door import PATH
from adapters.provider.xml import emit
from deploy.local.processes import free_ports
from tests.provider.around import sent
from tests.provider.builders import BSN
from tests.provider.door import WAIT_S, Door, wait_until
from tests.provider.envelopes import envelope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sdk.exchange_fake import FakeExchange

REFERENCE = "9c0f7b90-5c69-41e5-a837-0800200c9a66"
BODY = envelope(emit(sent()), reference=REFERENCE)
PIECE_BYTES = 512


class Life:
    """One life of an adapter, in a process of its own, that ends by kill -9 and by nothing else."""

    def __init__(self, settings: Path, whole: str) -> None:
        (self.port,) = free_ports(1)
        settings.write_text(f"{whole}\n[ggk]\n\n[http]\nport = {self.port}\n", encoding="utf-8")
        words = [sys.executable, "-m", "adapters", "provider", "run", "--config", str(settings)]
        with settings.with_name("log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log)  # noqa: S603 -- our own interpreter and words

    def listens(self) -> bool:
        assert self._process.poll() is None, "it ended by itself"
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S):
            return True
        return False

    def post(self, body: bytes) -> int:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            line.request("POST", PATH, body)
            return line.getresponse().status
        finally:
            line.close()

    def send(self, body: bytes) -> None:
        """Post a body until it is taken: while the journal is being opened, it is not now."""
        answers = []

        def is_taken() -> bool:
            answers.append(self.post(body))
            assert answers[-1] in {http.client.OK, http.client.SERVICE_UNAVAILABLE}
            return answers[-1] == http.client.OK

        wait_until(is_taken)

    @contextmanager
    def begun(self, much: int) -> Iterator[None]:
        """Send so many bytes of a body, piece by piece, and stay on the line."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as line:
            line.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode())
            for start in range(0, much, PIECE_BYTES):
                line.sendall(BODY[start : min(much, start + PIECE_BYTES)])
            yield

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(WAIT_S)


@contextmanager
def life(settings: Path, whole: str) -> Iterator[Life]:
    made = Life(settings, whole)
    try:
        wait_until(made.listens)
        yield made
    finally:
        made.kill()


@pytest.mark.slow
def test_killed_while_a_body_is_under_way_it_is_taken_whole_and_once(
    exchange: FakeExchange, settings: Path
) -> None:
    Door(exchange, stays=True)
    config, whole = load_config(settings), settings.read_text(encoding="utf-8")

    def under_way() -> list[Path]:
        return list(config.inbox.glob(f"{PASSING}*"))

    def taken() -> bool:
        return not list(config.inbox.iterdir()) and len(list(config.outbox.iterdir())) == 1

    for much in (1, len(BODY) // 2, len(BODY) - 1):
        with life(settings, whole) as lived:
            # What the life before left on its way was taken away.
            assert under_way() == []
            with lived.begun(much):
                wait_until(lambda: bool(under_way()))
                lived.kill()
        assert list(config.inbox.iterdir()) == under_way()
        assert not config.outbox.is_dir() or not list(config.outbox.iterdir())
    with life(settings, whole) as lived:
        lived.send(BODY)
        wait_until(taken)
    # Who sent it may not have heard that it was taken, and posts it again to who lives on.
    with life(settings, whole) as lived:
        lived.send(BODY)
        wait_until(taken)
    (order,) = exchange.requests["AssignSupport"]
    assert order.support_id
    assert {one.read_bytes() for one in config.archive.iterdir()} == {emit(sent())}
    assert not config.rejected.is_dir() or not list(config.rejected.iterdir())
    log = settings.with_name("log").read_text(encoding="utf-8")
    assert log.count('"message_taken"') == log.count('"message_again"') == 1
    assert BSN not in log
