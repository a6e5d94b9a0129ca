"""Stands between the adapter and the exchange, ends TLS on both sides and keeps what was said.

It speaks with the adapter's own certificate, which the suite made: to the exchange nobody stands between.
Promises: passes on bytes and headers as they came, but for what a fault says and, on a stream, the cursor
where events are to come again; listens on loopback, on one port for its whole life.
Source: gRPC over HTTP/2; mutual TLS at both ends.
"""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import grpc

from adapters.conformance.faults import Faults, Kind, refusal_of, status_of
from adapters.conformance.recording import SUBSCRIBE, Call
from exchange.v1.subscription_service_pb2 import SubscribeRequest, SubscribeResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.rpc.status_pb2 import Status

    from adapters.conformance.certificates import ServerFiles
    from adapters.conformance.recording import Recording
    from adapters.sdk.credentials import Credentials

DETAILS: Final = "grpc-status-details-bin"
WORKERS: Final = 32
NO_DEADLINE_S: Final = 86_400.0
FORWARD_S: Final = 60.0
MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
OPTIONS: Final = (
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.enable_http_proxy", 0),
    # A port of its own: nobody else may listen on it while the exchange seems to be away.
    ("grpc.so_reuseport", 0),
)
# What gRPC writes itself on each line.
_OF_THE_LINE: Final = ("user-agent", "grpc-", "content-type", "te", ":")


class Proxy(grpc.GenericRpcHandler):
    """One port, open or closed."""

    def __init__(
        self, upstream: str, files: ServerFiles, credentials: Credentials, recording: Recording
    ) -> None:
        secrets = grpc.ssl_channel_credentials(
            credentials.root_pem, credentials.key_pem, credentials.certificate_pem
        )
        self._channel: Final = grpc.secure_channel(upstream, secrets, OPTIONS)
        self._files: Final = files
        self._recording: Final = recording
        self._server: grpc.Server | None = None
        self._lock: Final = threading.Lock()
        self._told = 0  # owned by whoever holds the lock
        self.faults: Final = Faults()
        # While set, streams begin at the beginning, whatever cursor they ask.
        self.rewinds = threading.Event()
        self.port = 0
        self.open()

    @property
    def target(self) -> str:
        """Where it listens."""
        return f"localhost:{self.port}"

    @property
    def told_up_to(self) -> int:
        """Return the last position that was told on a stream, since it last began anew."""
        with self._lock:
            return self._told

    def rewind(self) -> None:
        """Let every stream that is opened from now on begin at the beginning."""
        with self._lock:
            self._told = 0
        self.rewinds.set()

    def open(self) -> None:
        """Listen, on the same port as before."""
        server = grpc.server(ThreadPoolExecutor(WORKERS), handlers=[self], options=OPTIONS)
        certificate, key, root = self._files
        secrets = grpc.ssl_server_credentials([(key, certificate)], root, require_client_auth=True)
        self.port = server.add_secure_port(f"127.0.0.1:{self.port}", secrets)
        server.start()
        self._server = server

    def shut(self) -> None:
        """Be away: nobody listens, and every stream is cut."""
        if self._server is not None:
            self._server.stop(grace=None).wait()
            self._server = None

    def close(self) -> None:
        """End."""
        self.shut()
        self._channel.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """Take any call, as bytes."""
        path = handler_call_details.method
        if path == SUBSCRIBE:
            return grpc.unary_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(lambda raw, context: self._unary(path, raw, context))

    def _unary(self, path: str, raw: bytes, context: grpc.ServicerContext) -> bytes:
        call = self._kept(path, raw, context)
        fault = self.faults.of(call)
        if fault is not None and fault.kind is not Kind.ANSWER_LOST:
            self._refuse(call, context, status_of(fault.kind))
        forward: Any = self._channel.unary_unary(path)
        try:
            call.answer = forward(
                raw, timeout=min(call.deadline_s or FORWARD_S, FORWARD_S), metadata=_passed(call.metadata)
            )
        except grpc.RpcError as error:
            self._pass_on(call, context, error)
        call.answered = True
        if fault is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")
        return call.answer

    def _stream(self, raw: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        call = self._kept(SUBSCRIBE, raw, context)
        if self.rewinds.is_set():
            request = SubscribeRequest.FromString(raw)
            request.cursor = 0
            raw = request.SerializeToString()
        forward: Any = self._channel.unary_stream(SUBSCRIBE)
        stream = forward(raw, metadata=_passed(call.metadata))
        context.add_callback(stream.cancel)
        try:
            for answer in stream:
                yield answer
                self._count(SubscribeResponse.FromString(answer).cursor)
        except grpc.RpcError as error:
            self._pass_on(call, context, error)

    def _count(self, cursor: int) -> None:
        # Counted when the next is asked for: the one before was taken by the transport.
        with self._lock:
            self._told = max(self._told, cursor)

    def _kept(self, path: str, raw: bytes, context: grpc.ServicerContext) -> Call:
        left: float | None = context.time_remaining()
        if left is not None and (math.isinf(left) or left > NO_DEADLINE_S):
            left = None
        metadata = tuple((str(key), value) for key, value in context.invocation_metadata())
        call = Call(path, metadata, raw, left)
        self._recording.add(call)
        return call

    def _pass_on(self, call: Call, context: grpc.ServicerContext, error: Any) -> None:  # noqa: ANN401 -- every RpcError is a Call
        trailing = tuple(error.trailing_metadata() or ())
        told = [refusal_of(value) for key, value in trailing if key == DETAILS]
        reason, call.rules = told[0] if told else ("", "")
        call.reason = reason or error.code().name
        context.set_trailing_metadata(tuple(one for one in trailing if one[0] == DETAILS))
        context.abort(error.code(), error.details() or "")

    def _refuse(self, call: Call, context: grpc.ServicerContext, status: Status) -> None:
        raw = status.SerializeToString()
        call.reason, call.rules = refusal_of(raw)
        context.set_trailing_metadata(((DETAILS, raw),))
        code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        context.abort(code, status.message)


def _passed(metadata: tuple[tuple[str, str | bytes], ...]) -> tuple[tuple[str, str | bytes], ...]:
    return tuple((key, value) for key, value in metadata if not key.startswith(_OF_THE_LINE))
