"""What the blocking and the asyncio client share: where to call, as whom, and with which limits.

Promises: no connection without mutual TLS; another server name is taken on loopback only, where no name says
anything; a call without valid certificate or without the person it needs is not made.
Source: gRPC core channel arguments; gRPC connection backoff protocol (MIN_CONNECT_TIMEOUT); RFC 8705.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import grpc

from adapters.sdk.errors import CredentialsInvalid, PersonMissing
from adapters.sdk.signing import SIGNATURE_KEY, sign
from adapters.sdk.tokens import PersonTokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.calls import Rpc
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.signing import Signature
    from adapters.sdk.tokens import Person

PERSON_KEY: Final = "x-exchange-person"
MESSAGE_BYTES_MAX: Final = 1024 * 1024
# An answer may hold a page of two hundred plans' worth of texts; a question never does.
ANSWER_BYTES_MAX: Final = 4 * MESSAGE_BYTES_MAX
RECONNECT_WAIT_MAX_MS: Final = 5_000
# gRPC takes the least wait between two attempts for how long one may last, with its handshake: a far line or
# a busy machine takes more than the moment after which it is tried again.
HANDSHAKE_MS: Final = 10_000

_is_loopback = re.compile(
    r"(?:(?:ipv4|ipv6|dns):(?:///)?)?(?:localhost|127(?:\.\d{1,3}){3}|\[(?:::1|%3A%3A1)\]):\d{1,5}"
).fullmatch


class Line:
    """One exchange as called by one organisation with one certificate. Safe between threads."""

    def __init__(
        self, target: str, credentials: Credentials, server_name: str | None, clock: Callable[[], float]
    ) -> None:
        if server_name is not None and not _is_loopback(target):
            raise CredentialsInvalid("a server name of its own is taken for a loopback address only")
        self.target: Final = target
        self.server_name: Final = server_name
        self.credentials: Final = credentials
        self._clock: Final = clock
        self._tokens: Final = PersonTokens(credentials, clock)

    def renewed(self, credentials: Credentials) -> Line:
        """Return the same line with other credentials of the same organisation."""
        if credentials.oin != self.credentials.oin:
            raise CredentialsInvalid("renewed credentials are of another organisation")
        return Line(self.target, credentials, self.server_name, self._clock)

    def now(self) -> float:
        """Return the time, in seconds since 1970."""
        return self._clock()

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return the credentials of a mutual TLS channel."""
        mine = self.credentials
        return grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)

    def channel_options(self) -> list[tuple[str, Any]]:
        """Return the channel's limits."""
        options: list[tuple[str, Any]] = [
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", HANDSHAKE_MS),
            ("grpc.max_reconnect_backoff_ms", RECONNECT_WAIT_MAX_MS),
        ]
        if _is_loopback(self.target):
            options.append(("grpc.enable_http_proxy", 0))
        if self.server_name is not None:
            options.append(("grpc.ssl_target_name_override", self.server_name))
        return options

    def signature(self, rpc: Rpc[Any, Any], person: Person | None, raw: bytes) -> Signature | None:
        """Sign a command's bytes; None for a question. Raises PersonMissing."""
        if not rpc.is_command:
            return None
        return sign(self.credentials, rpc.path, _required(rpc, person), raw)

    def metadata(
        self, rpc: Rpc[Any, Any], person: Person | None, signature: Signature | None = None
    ) -> tuple[tuple[str, str], ...]:
        """Return the call's metadata. Raises CertificateExpired, PersonMissing."""
        self.credentials.require_valid(self._clock())
        if not rpc.needs_person:
            return ()
        token = (PERSON_KEY, self._tokens.token_for(_required(rpc, person)))
        return (token,) if signature is None else (token, (SIGNATURE_KEY, signature.signature))


def _required(rpc: Rpc[Any, Any], person: Person | None) -> Person:
    if person is None:
        raise PersonMissing(f"{rpc.path} is called by a person in a task: use with_person()")
    return person
