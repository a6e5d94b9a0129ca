"""The line to the exchange: mutual TLS, the token of whoever looks, a signature under each command.

Promises: each call is of one person in one task, so that the gate judges it and records it as any read; what
is refused comes back with its Dutch sentence, rules and remedy; nothing of a question or an answer is logged.
Source: RFC 7519 (JWT), RFC 8037 (EdDSA), RFC 8705 section 3.1 (cnf x5t#S256), RFC 8032 (Ed25519), AIP-193.
"""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import grpc
import jwt
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage
from google.rpc.status_pb2 import Status

from exchange.console.language import later
from exchange.console.refusals import AnswerRefused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from exchange.console.session import Session

PERSON_KEY: Final = "x-exchange-person"
SIGNATURE_KEY: Final = "x-exchange-signature"
DETAILS_KEY: Final = "grpc-status-details-bin"
AUDIENCE: Final = "exchange.v1"
TOKEN_S: Final = 300
CALL_S_MAX: Final = 10.0
LEAVE_S_MAX: Final = 600.0  # a download may be under way
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
HANDSHAKE_MS: Final = 10_000
_REQUEST_TAG: Final = "exchange.v1 request"
_COMMAND_TAG: Final = "exchange.v1 command"
_AWAY: Final = later("De dienst is even niet bereikbaar. Probeer het zo opnieuw.")
_NOT_OURS: Final = later("Het bewijs dat terugkwam hoort niet bij deze opdracht. Waarschuw de beheerder.")
_OTHER_BEFORE: Final = later(
    "Met dit formulier is eerder al iets anders vastgelegd. Wat u nu verstuurde, is niet vastgelegd."
)
_NO_SIDE_EFFECTS: Final = 1
_is_loopback = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]):\d{1,5}").fullmatch
_Answer = TypeVar("_Answer", bound=Message)

# These say that the outcome may be either, or come behind the commit.
_OPEN: Final = frozenset({"ANSWER_TOO_LARGE", "OUTCOME_OPEN", "OUTCOME_UNKNOWN"})
# They speak of a number of which who looks knows nothing; what he is told instead.
_BY_NUMBER: Final = frozenset({"DEADLINE_EXCEEDED", "OUTCOME_UNKNOWN"})
_INSTEAD: Final = {"REQUEST_ID_REUSED": _OTHER_BEFORE} | dict.fromkeys(_BY_NUMBER, "")
# A failure of the exchange itself does not tell where on its way it was.
_FAULTS: Final = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNKNOWN})
# What a browser is told of each code of gRPC; all others are the exchange's own trouble.
_STATUS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.BAD_GATEWAY,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of the organisation whose console this is. No repr shows a private key."""

    oin: str
    name: str
    root_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)
    signing_key: Ed25519PrivateKey = field(repr=False)
    thumbprint: bytes  # SHA-256 of the certificate in DER


class Rpc(NamedTuple):
    """One call by its messages: a command answers with a receipt; a question of the ledger is nobody's."""

    path: str
    is_command: bool
    of_person: bool


class Signature(NamedTuple):
    """As a leaf carries them: the request's hash in hexadecimal, the signature in base64."""

    request: str
    signature: str


class Line:
    """One exchange. Made and used within one event loop; the channel opens at the first call."""

    def __init__(self, target: str, credentials: Credentials, clock: Callable[[], float]) -> None:
        self._target = target
        self._credentials = credentials
        self._clock = clock
        self._channel: grpc.aio.Channel | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def organisation(self) -> Credentials:
        """Whose console this is."""
        return self._credentials

    async def ask(self, request: Message, answer: type[_Answer], session: Session) -> _Answer:
        """Ask or order something as who is signed in; of the ledger as nobody. Raises AnswerRefused."""
        rpc = _rpc_of(request, answer)
        raw = request.SerializeToString()
        signature = self._signature(rpc.path, raw, session) if rpc.is_command else None
        metadata = self._metadata(session, signature) if rpc.of_person else ()
        # The stubs know no channel of bytes.
        call: Any = self._opened().unary_unary(rpc.path, response_deserializer=answer.FromString)
        try:
            told: _Answer | None = await call(raw, timeout=CALL_S_MAX, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            refused = refused_by(error)
            refused.of_command = rpc.is_command
            raise refused from None
        if told is None:
            # gRPC gives nothing for bytes that are no message, and no error.
            refused = AnswerRefused("UNREADABLE", _AWAY, HTTPStatus.BAD_GATEWAY, unanswered=True)
            refused.of_command = rpc.is_command
            raise refused
        if signature is not None:
            _require_own(told, signature)
        return told

    async def stream(
        self, request: Message, answer: type[_Answer], session: Session
    ) -> AsyncGenerator[_Answer, None]:
        """Ask for many answers as who is signed in, each within the time of a call. Raises AnswerRefused.

        That it ends without an error says that it was whole.
        """
        rpc = _rpc_of(request, answer)
        call: Any = self._opened().unary_stream(rpc.path, response_deserializer=answer.FromString)
        answers = call(request.SerializeToString(), metadata=self._metadata(session, None))
        try:
            while True:
                async with asyncio.timeout(CALL_S_MAX):
                    told = await answers.read()
                if told is grpc.aio.EOF:
                    return
                yield told
        except grpc.aio.AioRpcError as error:
            raise refused_by(error) from None
        except TimeoutError:
            raise AnswerRefused("AWAY", _AWAY, HTTPStatus.SERVICE_UNAVAILABLE, retry=True) from None
        finally:
            answers.cancel()

    def renew(self, credentials: Credentials) -> None:
        """Come by other credentials from the next call on; calls that are under way end as they began."""
        former, self._channel = self._channel, None
        self._credentials = credentials
        if former is not None:
            leaving = asyncio.get_running_loop().create_task(former.close(LEAVE_S_MAX))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Close the connection, and those that are being left."""
        for leaving in tuple(self._leaving):
            leaving.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close()

    def _opened(self) -> grpc.aio.Channel:
        if self._channel is None:
            mine = self._credentials
            options: list[tuple[str, Any]] = [
                ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", HANDSHAKE_MS),
            ]
            if _is_loopback(self._target):
                options.append(("grpc.enable_http_proxy", 0))
            secrets = grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)
            self._channel = grpc.aio.secure_channel(self._target, secrets, options)
        return self._channel

    def _metadata(self, session: Session, signature: Signature | None) -> tuple[tuple[str, str], ...]:
        token = (PERSON_KEY, self._token(session))
        return (token,) if signature is None else (token, (SIGNATURE_KEY, signature.signature))

    def _signature(self, path: str, raw: bytes, session: Session) -> Signature:
        head = f"{_REQUEST_TAG}\n{path}\n{session.professional}\n".encode()
        request = sha256(head + raw).hexdigest()
        mine = self._credentials
        statement = f"{_COMMAND_TAG}\n{mine.oin}\n{session.role.task}\n{request}\n".encode()
        return Signature(request, b64encode(mine.signing_key.sign(statement)).decode("ascii"))

    def _token(self, session: Session) -> str:
        now = int(self._clock())
        claims: dict[str, object] = {
            "iss": self._credentials.oin,
            "sub": session.professional,
            "task": session.role.task,
            "role": session.role.role,
            "acr": "2fa" if session.two_factor else "1fa",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + TOKEN_S,
            "auth_time": session.auth_time,
            "cnf": {"x5t#S256": base64url(self._credentials.thumbprint)},
        }
        if session.resident is not None:
            claims["resident"] = base64url(session.resident)
        return jwt.encode(claims, self._credentials.signing_key, algorithm="EdDSA")


def base64url(raw: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def refused_by(error: grpc.aio.AioRpcError) -> AnswerRefused:
    """Return what a person is told of a call that failed."""
    status = _STATUS.get(error.code(), HTTPStatus.BAD_GATEWAY)
    info, dutch, wrong = ErrorInfo(reason=error.code().name), LocalizedMessage(), BadRequest()
    for packed in _details(error):
        for detail in (info, dutch, wrong):
            if packed.Is(detail.DESCRIPTOR):
                packed.Unpack(detail)
    told = info.metadata
    said = _INSTEAD.get(info.reason, dutch.message)
    named = info.domain or error.code() is grpc.StatusCode.UNIMPLEMENTED
    return AnswerRefused(
        info.reason,
        said or _AWAY,
        status,
        rules=tuple(rule for rule in told.get("rules", told.get("rule", "")).split(",") if rule),
        decision_id=told.get("decision_id", ""),
        remedy=told.get("remedies", told.get("remedy", "")),
        fields={one.field: one.description for one in wrong.field_violations},
        retry=status is HTTPStatus.SERVICE_UNAVAILABLE,
        message=error.details() or "",
        metadata=dict(told),
        # Without a reason of the exchange anybody on the way may have said so.
        unanswered=not named or error.code() in _FAULTS or info.reason in _OPEN | _BY_NUMBER,
    )


def _details(error: grpc.aio.AioRpcError) -> list[Any]:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return list(Status.FromString(value).details)
            except DecodeError:
                break
    return []


def _require_own(told: Any, signature: Signature) -> None:  # noqa: ANN401 -- any answer with a receipt
    """Raise AnswerRefused unless the leaf of a receipt carries this very request.

    Asked twice with one request id and the same bytes, a command gives its first receipt.
    """
    try:
        leaf = json.loads(told.receipt.leaf_entry)
    except ValueError:
        leaf = None
    if not isinstance(leaf, dict) or (leaf.get("rq"), leaf.get("sig")) != signature:
        raise AnswerRefused("RECEIPT_DIFFERS", _NOT_OURS, HTTPStatus.BAD_GATEWAY)


def _rpc_of(request: Message, answer: type[Message]) -> Rpc:
    for service in request.DESCRIPTOR.file.services_by_name.values():
        for method in service.methods:
            if method.input_type is request.DESCRIPTOR and method.output_type is answer.DESCRIPTOR:
                return Rpc(
                    f"/{service.full_name}/{method.name}",
                    "receipt" in answer.DESCRIPTOR.fields_by_name,
                    method.GetOptions().idempotency_level != _NO_SIDE_EFFECTS,
                )
    raise TypeError(f"no rpc takes {request.DESCRIPTOR.name} and gives {answer.DESCRIPTOR.name}")
