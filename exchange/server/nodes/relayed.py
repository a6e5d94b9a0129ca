"""A call as one node sends it on to another: the bytes as they came, the caller's certificate beside them.

Promises: what only a node may say is read at the nodes' own door alone, and refused at the callers'; the
holder judges certificate, token and signature as if the caller had come to it; a call is sent on once.
Source: RFC 9110 section 7.6 (intermediaries); exchange/decisions/0096-forwarding-as-bytes.md.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, cast

from exchange.errors import CallerUnknown
from exchange.server.caller.certificates import PEM_KEY, names_organisation

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[bytes, bytes]

PREFIX: Final = "x-exchange-node-"
HOP_KEY: Final = PREFIX + "hop"
CERTIFICATE_KEY: Final = PREFIX + "caller"
ONE_HOP: Final = "1"
# Of the transport between caller and node: the next line has its own.
_OF_THE_LINE: Final = (":", "grpc-")
_OF_THE_LIBRARY: Final = frozenset({"user-agent", "content-type", "te", "accept-encoding"})

Header = tuple[str, str | bytes]


def refuse_node_headers(context: Context) -> None:
    """Raise CallerUnknown where a caller says what only a node may say."""
    if any(name.startswith(PREFIX) for name, _ in context.invocation_metadata() or ()):
        raise CallerUnknown("this call says what nodes alone say to each other")


def headers_of(context: Context) -> tuple[Header, ...]:
    """Return what is sent along with a call: the caller's own headers, and who he was to TLS."""
    own = tuple(
        (name, value)
        for name, value in context.invocation_metadata() or ()
        if not name.startswith(_OF_THE_LINE) and name not in _OF_THE_LIBRARY
    )
    pem = next(iter(context.auth_context().get(PEM_KEY, ())), b"")
    return (*own, (HOP_KEY, ONE_HOP), (CERTIFICATE_KEY, base64.b64encode(pem).decode()))


def received(context: Context) -> Context:
    """Return the call that another node sent on, as its caller made it. Raises CallerUnknown.

    The connection's own certificate came from the nodes' authority; one that names an organisation is none
    of theirs, whoever signed it.
    """
    if names_organisation(next(iter(context.auth_context().get(PEM_KEY, ())), b"")):
        raise CallerUnknown("this certificate is an organisation's: calls are sent on by nodes")
    said: dict[str, list[str]] = {HOP_KEY: [], CERTIFICATE_KEY: []}
    own: list[Header] = []
    for name, value in context.invocation_metadata() or ():
        if name in said:
            said[name].append(value if isinstance(value, str) else value.decode("ascii", "replace"))
        else:
            own.append((name, value))
    if said[HOP_KEY] != [ONE_HOP] or len(said[CERTIFICATE_KEY]) != 1:
        raise CallerUnknown("this call does not say who made it, or was sent on before")
    try:
        pem = base64.b64decode(said[CERTIFICATE_KEY][0], validate=True)
    except ValueError:
        raise CallerUnknown("the certificate of this call's caller cannot be read") from None
    return cast("Context", Relayed(context, pem, tuple(own)))


class Relayed:
    """The caller's certificate and headers; of all else, the line between the nodes."""

    def __init__(self, context: Context, pem: bytes, headers: tuple[Header, ...]) -> None:
        self._context = context
        self._pem = pem
        self._headers = headers

    def auth_context(self) -> dict[str, list[bytes]]:
        """Return who the caller was to the node he came to."""
        return {PEM_KEY: [self._pem]} if self._pem else {}

    def invocation_metadata(self) -> tuple[Header, ...]:
        """Return the caller's own headers."""
        return self._headers

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the context has
        return getattr(self._context, name)
