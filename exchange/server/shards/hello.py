"""The server name in the first bytes of a TLS connection, read without taking part in it.

Promises: reads no further than the ClientHello, which is sent in the clear; whatever it holds, the answer is
a name, none, or that this is no ClientHello, in bounded work.
Source: RFC 8446 section 4.1.2 and 5.1 (ClientHello, records), RFC 6066 section 3 (server_name).
"""

from __future__ import annotations

from typing import Final

HELLO_BYTES_MAX: Final = 16 * 1024
# The alert that closes a connection whose name is nobody's: fatal, unrecognized_name(112).
UNRECOGNIZED_NAME: Final = bytes((21, 3, 3, 0, 2, 2, 112))
_HANDSHAKE: Final = 22
_HELLO: Final = 1
_MAJOR: Final = 3
_RECORD_HEADER_BYTES: Final = 5
_MESSAGE_HEADER_BYTES: Final = 4
_RECORD_BYTES_MAX: Final = 2**14
_VERSION_AND_RANDOM_BYTES: Final = 34
_SERVER_NAME: Final = 0
_HOST_NAME: Final = 0


class NotAHello(Exception):
    """These bytes begin no TLS connection."""


def server_name(raw: bytes) -> str | None:
    """Return the name that is asked for in small letters, empty where none is; None while bytes are missing.

    Raises NotAHello.
    """
    body = _first_message(raw)
    if body is None:
        if len(raw) > HELLO_BYTES_MAX:
            raise NotAHello
        return None
    fields = _Fields(body)
    fields.take(_VERSION_AND_RANDOM_BYTES)
    for size_bytes in (1, 2, 1):  # session id, cipher suites, compression methods
        fields.vector(size_bytes)
    return "" if fields.is_empty else _named(_Fields(fields.vector(2)))


def _first_message(raw: bytes) -> bytes | None:
    """Return the message, put together from its records; None while bytes are missing."""
    message, at = bytearray(), 0
    while at < len(raw):
        header = raw[at : at + _RECORD_HEADER_BYTES]
        if header[0] != _HANDSHAKE or (len(header) > 1 and header[1] != _MAJOR):
            raise NotAHello
        if len(header) < _RECORD_HEADER_BYTES:
            return None
        size = int.from_bytes(header[3:])
        if not 1 <= size <= _RECORD_BYTES_MAX:
            raise NotAHello
        at += _RECORD_HEADER_BYTES
        message += raw[at : at + size]
        at += size
        if message and message[0] != _HELLO:
            raise NotAHello
        whole = _MESSAGE_HEADER_BYTES + int.from_bytes(message[1:_MESSAGE_HEADER_BYTES])
        if whole > HELLO_BYTES_MAX:
            raise NotAHello
        if len(message) >= max(whole, _MESSAGE_HEADER_BYTES):
            return bytes(message[_MESSAGE_HEADER_BYTES:whole])
    return None


def _named(extensions: _Fields) -> str:
    names = []
    while not extensions.is_empty:
        kind, content = int.from_bytes(extensions.take(2)), extensions.vector(2)
        if kind == _SERVER_NAME:
            listed = _Fields(_Fields(content).vector(2))
            if listed.take(1)[0] != _HOST_NAME:
                raise NotAHello
            names.append(listed.vector(2))
    # At most one extension of a kind (RFC 8446 4.2); two would be two answers to one question.
    if len(names) > 1 or not all(names):
        raise NotAHello
    return names[0].decode("ascii", "replace").lower() if names else ""


class _Fields:
    """Reads one field behind another. Raises NotAHello where there is less than was said."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._raw)

    def take(self, count: int) -> bytes:
        taken = self._raw[self._at : self._at + count]
        if len(taken) != count:
            raise NotAHello
        self._at += count
        return taken

    def vector(self, size_bytes: int) -> bytes:
        return self.take(int.from_bytes(self.take(size_bytes)))
