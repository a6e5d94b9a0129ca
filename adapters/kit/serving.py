"""One application on a port, of loopback where nothing else is said, in a thread of its own.

Promises: listens before `start` returns; `close` ends the thread, and waits for an answer that is being made
but not for a caller who keeps a connection for later; names no server and logs nothing.
Source: ASGI, uvicorn; RFC 8446 section 6.1 (a TLS connection ends with a word of each side).
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

STOP_WAIT_S: Final = 10.0
# For the word of a caller that the connection ends: who keeps it for later does not read ours.
GOODBYE_S_MAX: Final = 2.0
LOOPBACK: Final = "127.0.0.1"
CONNECTIONS_MAX: Final = 256


class _Line(H11Protocol):
    def shutdown(self) -> None:
        """End with the door, unless it ends already: closed twice, a TLS transport forgets its line."""
        if not self.transport.is_closing():
            super().shutdown()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: whoever started the process does."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End with the answers that are being made."""
        goodbye = asyncio.create_task(self._end_without_theirs())
        try:
            await super().shutdown(sockets)
        finally:
            goodbye.cancel()

    async def _end_without_theirs(self) -> None:
        while True:
            await asyncio.sleep(GOODBYE_S_MAX)
            for one in list(self.server_state.connections):
                if isinstance(one, H11Protocol) and _asks_nothing(one):
                    one.transport.abort()


def _asks_nothing(line: H11Protocol) -> bool:
    # What still lies here of an answer may be taken until the door ends.
    is_idle = line.cycle is None or line.cycle.response_complete
    return is_idle and not line.transport.get_write_buffer_size()


class Serving:
    """A server in a thread. Owned by who starts it."""

    def __init__(
        self,
        app: Any,  # noqa: ANN401 -- any ASGI application
        port: int = 0,
        *,
        host: str = LOOPBACK,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host: Final = host
        self._tls: Final = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket: Final = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self._socket.listen(128)
        self.port: Final[int] = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http=_Line,
            lifespan="off",
            log_config=None,
            # Its lines could hold what an application's error says.
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=CONNECTIONS_MAX,
        )
        config.load()
        # After loading: the settings of the server itself know files only, and no pinned callers.
        config.ssl = tls
        self._server: Final = _Server(config)
        self._thread: Final = threading.Thread(target=self._run, name="serving", daemon=True)

    @property
    def url(self) -> str:
        """Return where it answers, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}"

    def start(self) -> None:
        """Begin to answer; what comes before the loop runs waits in the socket."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._server.should_exit = True
        self._thread.join(STOP_WAIT_S)
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))
