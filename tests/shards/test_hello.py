"""The name in the first bytes of a TLS connection: as OpenSSL sends it, cut anywhere, and forged."""

from __future__ import annotations

import ssl
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.server.shards.hello import HELLO_BYTES_MAX, NotAHello, server_name

NAME = "g0363.exchange.example"
HEADER = 5


@cache
def hello(name: str | None = NAME) -> bytes:
    """Return what OpenSSL sends first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    line = context.wrap_bio(coming, going, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        line.do_handshake()
    return going.read()


def in_records(message: bytes, size: int) -> bytes:
    """Return a message cut into records of so many bytes."""
    parts = (message[at : at + size] for at in range(0, len(message), size))
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in parts)


def own_hello(extensions: bytes) -> bytes:
    """Return a ClientHello with these extensions."""
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += len(extensions).to_bytes(2) + extensions
    return in_records(b"\x01" + len(body).to_bytes(3) + body, 2**14)


def named(*names: bytes, kind: int = 0) -> bytes:
    """Return the extension server_name."""
    listed = b"".join(bytes([kind]) + len(name).to_bytes(2) + name for name in names)
    content = len(listed).to_bytes(2) + listed
    return b"\x00\x00" + len(content).to_bytes(2) + content


def test_the_name_is_read_in_small_letters() -> None:
    assert server_name(hello()) == NAME
    assert server_name(hello("G0363.Exchange.EXAMPLE")) == NAME
    assert server_name(hello() + b"what comes behind") == NAME


def test_who_names_nobody_is_told_apart_from_who_is_not_done() -> None:
    assert server_name(hello(None)) == ""
    assert server_name(b"") is None
    assert [at for at in range(len(hello())) if server_name(hello()[:at]) is not None] == []


def test_a_hello_without_extensions_names_nobody() -> None:
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    assert server_name(in_records(b"\x01" + len(body).to_bytes(3) + body, 2**14)) == ""
    assert server_name(own_hello(b"")) == ""


@pytest.mark.parametrize("size", [1, 3, 4, 5, 100])
def test_records_may_be_of_any_size(size: int) -> None:
    assert server_name(in_records(hello()[HEADER:], size)) == NAME


def test_as_many_bytes_as_are_taken_and_one_more() -> None:
    def padded(size: int) -> bytes:
        rest = size - len(own_hello(named(NAME.encode()))) - 4
        return own_hello(named(NAME.encode()) + b"\x00\x15" + rest.to_bytes(2) + bytes(rest))

    # The message itself is counted, without the header of its record.
    assert server_name(padded(HELLO_BYTES_MAX + HEADER)) == NAME
    with pytest.raises(NotAHello):
        server_name(padded(HELLO_BYTES_MAX + HEADER + 1))


@pytest.mark.parametrize(
    "raw",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x16\x02\x00\x00\x05",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x01\x02",
        in_records(b"\x01\xff\xff\xff", 4),
        in_records(b"\x01\x00\x00\x02\x03\x03", 6),
        own_hello(named(NAME.encode()) + named(b"other.example")),
        own_hello(named(NAME.encode(), kind=1)),
        own_hello(named(b"")),
        own_hello(named()),
        own_hello(b"\x00\x00\x00\x09\x00"),
    ],
    ids=range(13),
)
def test_what_begins_no_tls_connection_is_refused(raw: bytes) -> None:
    with pytest.raises(NotAHello):
        server_name(raw)


def test_a_name_that_is_no_text_is_nobodys() -> None:
    assert server_name(own_hello(named(b"\xff\xfe"))) == "\ufffd\ufffd"


@settings(max_examples=100)
@given(st.data())
def test_whatever_comes_the_answer_is_one_of_three(data: st.DataObject) -> None:
    raw = bytearray(hello())
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=8)
    ):
        raw[at] = byte
    try:
        found = server_name(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    except NotAHello:
        return
    assert found is None or isinstance(found, str)
