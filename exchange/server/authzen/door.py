"""The administration door: HTTPS with mutual TLS on a port of its own.

Promises: no connection without a certificate of the authority; the certificate that TLS took reaches the
application from the connection itself, never from a header; stops within the grace.
Source: RFC 8446 (TLS), ASGI (scope), uvicorn's protocol classes.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from exchange.errors import SettingsInvalid
from exchange.server.authzen.endpoints import SHOWN_CERTIFICATE
from exchange.server.web.bounded import BoundedProtocol
from exchange.server.web.door import WebDoor, load_key

if TYPE_CHECKING:
    import asyncio

    from exchange.server.parts import ServerConfig
    from exchange.server.web.door import App


class CertifiedProtocol(BoundedProtocol):
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


class AuthzenDoor(WebDoor):
    """Owned by one event loop: `start` once, `stop` once."""

    protocol = CertifiedProtocol
    named = "administration port"

    def __init__(self, app: App, config: ServerConfig) -> None:
        super().__init__(app, config.admin_address, lambda: tls_context(config))


def tls_context(config: ServerConfig) -> ssl.SSLContext:
    """Return a context that asks every caller for a certificate. Raises SettingsInvalid."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(cadata=config.client_authorities.decode("ascii"))
        load_key(context, config.server_certificate + b"\n" + config.server_key)
    except (ssl.SSLError, OSError, UnicodeDecodeError, ValueError) as error:
        raise SettingsInvalid("a certificate of the administration port does not do") from error
    return context
