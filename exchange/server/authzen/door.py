"""The administration door: HTTPS with mutual TLS on a port of its own.

Promises: no connection without a certificate of the authority; the certificate that TLS took reaches the
application from the connection itself, never from a header; stops within the grace. With its application the
only home of starlette and uvicorn.
Source: RFC 8446 (TLS), ASGI (scope), uvicorn's protocol classes.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from exchange.errors import SettingsInvalid
from exchange.server.authzen.endpoints import SHOWN_CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from exchange.server.parts import ServerConfig

    App = Callable[[Any, Any, Any], Awaitable[None]]

CONNECTIONS_MAX: Final = 256
IDLE_S_MAX: Final = 30
HEADER_BYTES_MAX: Final = 16 * 1024
BACKLOG: Final = 128
START_LOOK_S: Final = 0.005


class CertifiedProtocol(H11Protocol):
    """HTTP/1.1 whose requests know the certificate of their connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Take the certificate once; every request of the connection is told."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        shown = None if tls is None else tls.getpeercert(binary_form=True)
        pem = ssl.DER_cert_to_PEM_cert(shown).encode() if shown else b""
        inner = self.app

        async def told(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's three
            scope[SHOWN_CERTIFICATE] = pem
            await inner(scope, receive, send)

        self.app = told


class _Server(uvicorn.Server):
    """Leaves the signals to the composition root."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class AuthzenDoor:
    """Owned by one event loop: `start` once, `stop` once."""

    def __init__(self, app: App, config: ServerConfig) -> None:
        self._app = app
        self._config = config
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, port: int) -> int:
        """Open the door, at a free port for 0; return its port. Raises SettingsInvalid."""
        listening = self._listen(port)
        config = uvicorn.Config(
            self._app,
            http=CertifiedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            # Its lines could hold what an application's error says; ours tell every call.
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=IDLE_S_MAX,
            h11_max_incomplete_event_size=HEADER_BYTES_MAX,
        )
        config.load()
        config.ssl = tls_context(self._config)
        server = self._server = _Server(config)
        self._serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listening]))
        while not server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(START_LOOK_S)
        opened: int = listening.getsockname()[1]
        return opened

    async def stop(self, grace_s: float) -> None:
        """Take no more, let accepted requests finish within the grace, close."""
        if self._server is None or self._serving is None:
            return
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_s))
        self._server.should_exit = True
        await self._serving

    def _listen(self, port: int) -> socket.socket:
        address = self._config.admin_address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        # Named as TCP: only then does the second part of an answer not wait for an acknowledgement.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address, port))
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            raise SettingsInvalid("the administration port cannot be opened", port=str(port)) from error
        listening.settimeout(0)
        return listening


def tls_context(config: ServerConfig) -> ssl.SSLContext:
    """Return a context that asks every caller for a certificate. Raises SettingsInvalid."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(cadata=config.client_authorities.decode("ascii"))
        _load_key(context, config.server_certificate + b"\n" + config.server_key)
    except (ssl.SSLError, OSError, UnicodeDecodeError, ValueError) as error:
        raise SettingsInvalid("a certificate of the administration port does not do") from error
    return context


def _load_key(context: ssl.SSLContext, chain_and_key: bytes) -> None:
    # The library reads files only; this one lies in memory, so that the key is never on a disk.
    file = os.memfd_create("door")
    try:
        os.write(file, chain_and_key)
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
