"""One call over HTTP within one time limit: name, line, TLS, what is sent, head and body together.

Promises: whoever sends a byte now and then, of a handshake, of a head or of a body, holds nobody up for
longer than the limit; an answer has a limit of bytes too, and one that ends before it is whole is none. How
long looking up a name takes is up to this machine's resolver alone.
Source: RFC 9110, RFC 9112; http.client, whose own time limit is of each read alone.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

_PIECE_BYTES: Final = 64 * 1024
_HTTP: Final = 80
_HTTPS: Final = 443


class CutOff(http.client.HTTPException):
    """The other side ended before its answer was whole."""


class TooLong(http.client.HTTPException):
    """The answer has more bytes than may be taken."""


class BoundedConnection(http.client.HTTPConnection):
    """A line for one call; `tls` is None for one in the clear. Raises TimeoutError once the limit is over."""

    def __init__(self, host: str, port: int | None, *, tls: ssl.SSLContext | None, limit_s: float) -> None:
        # Left out of the Host header where it is the one that goes without saying.
        self.default_port = _HTTP if tls is None else _HTTPS
        super().__init__(host, port or self.default_port)
        self._tls: Final = tls
        self._until: Final = time.monotonic() + limit_s

    def connect(self) -> None:
        """Open the line, at the first address that answers."""
        sock = self._opened()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                # A handshake counts its whole time against the limit it begins with.
                sock.settimeout(self._left_s())
                sock = self._tls.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise
        self.sock = _Bounded(sock, self._left_s)

    def _opened(self) -> socket.socket:
        refused: OSError = OSError("no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self._left_s())
                sock.connect(address)
            except OSError as error:
                sock.close()
                refused = error
            else:
                return sock
        raise refused

    def _left_s(self) -> float:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the time limit of this call is over")
        return left_s

    def whole(self, answer: http.client.HTTPResponse, bytes_max: int) -> bytes:
        """Return what an answer says. Raises TimeoutError, TooLong, CutOff and those of http.client."""
        raw = bytearray()
        # Asked also where all lies here already: what came too late came too late.
        while self._left_s() and (piece := answer.read1(_PIECE_BYTES)):
            raw += piece
            if len(raw) > bytes_max:
                raise TooLong
        if answer.length:
            raise CutOff
        return bytes(raw)


class _Bounded:
    """What http.client uses of a socket, each step within what is left."""

    def __init__(self, sock: socket.socket, left_s: Callable[[], float]) -> None:
        self._sock: Final = sock
        self._left_s: Final = left_s

    def sendall(self, content: Any) -> None:  # noqa: ANN401 -- whatever bytes http.client sends
        """Send it all, by pieces: over TLS the limit of a socket is of each piece alone."""
        with memoryview(content) as view, view.cast("B") as left:
            at = 0
            while at < len(left):
                self._sock.settimeout(self._left_s())
                at += self._sock.send(left[at : at + _PIECE_BYTES])

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what reads from it."""
        return io.BufferedReader(_Reading(self._sock, self._left_s))

    def close(self) -> None:
        """Close it, once what reads from it is closed too."""
        self._sock.close()


class _Reading(io.RawIOBase):
    """Reads a socket, each time within what is left."""

    def __init__(self, sock: socket.socket, left_s: Callable[[], float]) -> None:
        super().__init__()
        self._sock: Final = sock
        self._left_s: Final = left_s
        self._raw: Final = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Read what is there, or wait for it as long as may be waited."""
        self._sock.settimeout(self._left_s())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()
