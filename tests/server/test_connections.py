"""Connections to the door, below any call: HTTP/2 by hand, for what a client of a library never does."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest

from exchange.logs import open_log
from exchange.server import connections
from tests.server.town import Town, raw_call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GENEROUS_S: Final = 30
GET_CHECKPOINT: Final = "/exchange.v1.LedgerService/GetCheckpoint"
HEALTH: Final = "/grpc.health.v1.Health/Check"
FRAME_HEAD: Final = 9
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
BEARS: Final = 8
PING_MS: Final = 50
CALLS_OF_A_LINE: Final = 700
NO_MESSAGE: Final = bytes(5)  # an empty message, as gRPC frames it


class Line:
    """A connection of a registered certificate that speaks HTTP/2 in frames (RFC 9113)."""

    def __init__(self, town: Town) -> None:
        mine = town.settings.data / "operator"
        tls = ssl.create_default_context(cafile=str(mine / "ca.pem"))
        tls.load_cert_chain(mine / "client.pem", mine / "client.key")
        tls.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", town.port), GENEROUS_S)
        self.socket = tls.wrap_socket(plain, server_hostname="localhost")
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        self._raw = b""

    def ask(self, path: str, stream: int) -> None:
        """Begin a call and end it, with an empty message."""
        said = (
            b"\x83\x87\x01" + text("localhost") + b"\x04" + text(path)  # POST, https
            + b"\x00" + text("content-type") + text("application/grpc")
            + b"\x00" + text("te") + text("trailers")
        )  # fmt: skip
        self.socket.sendall(
            frame(HEADERS, END_HEADERS, stream, said) + frame(DATA, END_STREAM, stream, NO_MESSAGE)
        )

    def ping(self, number: int) -> list[tuple[int, int, int]]:
        """Return the frames before the answer to a ping: all that was sent before it is known there then."""
        self.socket.sendall(frame(PING, 0, 0, number.to_bytes(8, "big")))
        came: list[tuple[int, int, int]] = []
        while (found := self.next()) is not None:
            came.append(found)
            if found[0] == PING and found[1] == ACK:
                return came
            if found[0] == GOAWAY:
                break
        raise ConnectionError("hung up on")

    def answers(self, calls: int) -> Iterator[int]:
        """Yield the number of each stream that brings a message, until so many have ended."""
        while calls and (found := self.next()) is not None:
            kind, flags, stream = found
            if kind == DATA:
                yield stream
            calls -= bool(stream) and (kind == RST_STREAM or (kind == HEADERS and bool(flags & END_STREAM)))

    def next(self) -> tuple[int, int, int] | None:
        """Return kind, flags and stream of the next frame, None where there are no more."""
        while len(self._raw) < (end := FRAME_HEAD + int.from_bytes(self._raw[:3], "big")):
            more = self.socket.recv(65_536)
            if not more:
                return None
            self._raw += more
        head, self._raw = self._raw[:FRAME_HEAD], self._raw[end:]
        return head[3], head[4], int.from_bytes(head[5:], "big")

    def close(self) -> None:
        self.socket.close()


def frame(kind: int, flags: int, stream: int, said: bytes = b"") -> bytes:
    return len(said).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + said


def text(said: str) -> bytes:
    """Return a short text as HPACK has it, without Huffman (RFC 7541)."""
    return bytes((len(said),)) + said.encode()


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A town whose door bears eight connections, and waits for seconds where it does for minutes."""
    monkeypatch.setattr(connections, "HANDSHAKE_MS", 2_000)
    monkeypatch.setattr(connections, "IDLE_MS", 3_000)
    monkeypatch.setattr(connections, "PING_MS_MIN", PING_MS)
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines), connections_max=BEARS)
        town.start()
        yield town
        town.close()


def end(one: socket.socket) -> None:
    """Wait until the door ends a connection; one that it never ends fails the test."""
    with closing(one), suppress(ConnectionError):
        one.settimeout(GENEROUS_S)
        while one.recv(4_096):
            pass


def test_who_only_knocks_keeps_nobody_out_for_long(town: Town) -> None:
    knocks = [socket.create_connection(("127.0.0.1", town.port), GENEROUS_S) for _ in range(BEARS + 4)]
    # Beyond what it bears a connection is ended at once; the others where they do not end their handshake.
    for one in knocks:
        end(one)
    assert raw_call(town, GET_CHECKPOINT, b"")


def test_connections_without_a_call_are_bounded_and_end(town: Town) -> None:
    lines = [Line(town) for _ in range(BEARS)]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Line(town)
    for one in lines:
        end(one.socket)
    assert raw_call(town, GET_CHECKPOINT, b"")


@pytest.mark.slow
async def test_a_client_notices_nothing_of_an_end_and_opens_another(town: Town) -> None:
    mine = town.credentials()
    secrets = grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)
    answered: list[bytes] = []
    async with grpc.aio.secure_channel(town.target, secrets) as channel, asyncio.timeout(GENEROUS_S):
        ask: Any = channel.unary_unary(GET_CHECKPOINT)
        answered.append(await ask(b""))
        while (state := channel.get_state()) is not grpc.ChannelConnectivity.IDLE:
            await channel.wait_for_state_change(state)
        answered.append(await ask(b""))
    assert all(answered)


def test_who_keeps_his_line_alive_is_let_be(town: Town) -> None:
    with closing(Line(town)) as line:
        for number in range(8):
            line.ping(number)
            # As long as nobody may ping again; what comes meanwhile is read with the next one.
            select.select((), (), (), 2 * PING_MS / 1_000)
        line.ask(GET_CHECKPOINT, 1)
        assert list(line.answers(1)) == [1]


def test_who_floods_his_line_is_hung_up_on(town: Town) -> None:
    with closing(Line(town)) as line, pytest.raises((ssl.SSLError, ConnectionError)):
        all(map(line.ping, range(1_000)))


def test_calls_that_wait_to_be_taken_in_are_told_nothing_before_they_are(town: Town) -> None:
    """By itself gRPC ends some of more than a thousand that wait: as CANCELLED, and without a word."""
    held = threading.Event()

    async def hold() -> None:
        held.wait(GENEROUS_S)

    with closing(Line(town)) as first, closing(Line(town)) as second:
        holding = threading.Thread(target=town.run, args=(hold,))
        holding.start()
        told = []
        for line in (first, second):
            for number in range(CALLS_OF_A_LINE):
                line.ask(HEALTH, 2 * number + 1)
            # What is answered to a ping was sent before it: so far everything was taken in.
            told += [kind for kind, _, stream in line.ping(1) if stream and kind in {HEADERS, RST_STREAM}]
        held.set()
        holding.join(GENEROUS_S)
        assert told == []
        answered = [sum(1 for _ in line.answers(CALLS_OF_A_LINE)) for line in (first, second)]
    assert answered == [CALLS_OF_A_LINE, CALLS_OF_A_LINE]
