"""A door over HTTP: one port, bounded connections and headers, closed within a grace.

Promises: answers name no server and no date; no proxy header is believed; an application's error never gets
into a log by way of the library; whoever is slow keeps no place that another needs.
Source: ASGI, uvicorn.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from exchange.errors import SettingsInvalid
from exchange.server.web.bounded import BoundedProtocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from exchange.server.certificates import Material

    App = Callable[[Any, Any, Any], Awaitable[None]]

CONNECTIONS_MAX: Final = 256
IDLE_S_MAX: Final = 30
HEADER_BYTES_MAX: Final = 16 * 1024
BACKLOG: Final = 128
START_LOOK_S: Final = 0.005


class _Server(uvicorn.Server):
    """Leaves the signals to the composition root."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class WebDoor:
    """Owned by one event loop: `start` once, `stop` once. Without `tls` it speaks in the clear."""

    protocol: type[BoundedProtocol] = BoundedProtocol
    named = "port"  # in an error

    def __init__(self, app: App, address: str, tls: Callable[[], ssl.SSLContext] | None) -> None:
        self._app = app
        self._address = address
        self._tls = tls
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._context: ssl.SSLContext | None = None

    async def start(self, port: int) -> int:
        """Open the door, at a free port for 0; return its port. Raises SettingsInvalid."""
        listening = self._listen(port)
        config = uvicorn.Config(
            self._app,
            http=self.protocol,
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
        if self._tls is not None:
            config.ssl = self._context = self._tls()
        server = self._server = _Server(config)
        self._serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listening]))
        while not server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(START_LOOK_S)
        opened: int = listening.getsockname()[1]
        return opened

    def renew(self, material: Material) -> None:
        """Show another certificate from the next connection on, and let in who comes by an authority more.

        An authority that was taken out is let in until the next start: the library's context only learns.
        Raises SettingsInvalid.
        """
        if self._context is None:
            return
        try:
            load_key(self._context, material.server_certificate + b"\n" + material.server_key)
            if self._context.verify_mode is ssl.CERT_REQUIRED:
                self._context.load_verify_locations(cadata=material.client_authorities.decode("ascii"))
        except (ssl.SSLError, OSError, UnicodeDecodeError, ValueError) as error:
            raise SettingsInvalid(f"a certificate of the {self.named} does not do") from error

    async def stop(self, grace_s: float) -> None:
        """Take no more, let accepted requests finish within the grace, close."""
        if self._server is None or self._serving is None:
            return
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_s))
        self._server.should_exit = True
        await self._serving

    def _listen(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        # Named as TCP: only then does the second part of an answer not wait for an acknowledgement.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._address, port))
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            raise SettingsInvalid(f"the {self.named} cannot be opened", port=str(port)) from error
        listening.settimeout(0)
        return listening


def server_tls(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """Return a context that shows a certificate (PEM) and asks for none. Raises SettingsInvalid."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        load_key(context, certificate + b"\n" + key)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise SettingsInvalid("the certificate of a port does not do") from error
    return context


def load_key(context: ssl.SSLContext, chain_and_key: bytes) -> None:
    """Load what lies in memory: the library reads files only, and the key is never on a disk."""
    file = os.memfd_create("door")
    try:
        os.write(file, chain_and_key)
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
