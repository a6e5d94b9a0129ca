"""A small exchange on loopback: real gRPC, real mutual TLS, answers that the test writes."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, cast

import grpc
import jwt

from adapters.sdk.batches import SEND_COMMANDS
from adapters.sdk.calls import Rpc
from adapters.sdk.services import Services
from adapters.sdk.streams import STREAMS
from deploy.local.processes import free_ports
from exchange.ledger.leaf import Signed, leaf_entry
from exchange.ledger.signers import request_hash
from exchange.server.status import DETAILS_KEY, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

    from exchange.errors import ExchangeError
    from exchange.keys.authority import IssuedServer


def every_rpc() -> Iterator[Rpc[Any, Any]]:
    """Every call of the table, found as the table's own attributes."""
    for name, service in vars(Services).items():
        if isinstance(service, property):
            calls = getattr(_Table(), name)
            yield from (rpc for rpc in vars(type(calls)).values() if isinstance(rpc, Rpc))
    yield from STREAMS
    yield SEND_COMMANDS


def _serialised(told: Any) -> bytes:  # noqa: ANN401 -- a message, or what a test says instead of one
    raw: bytes = told if isinstance(told, bytes) else told.SerializeToString()
    return raw


class _Table(Services[Any]):
    """The table without anything to call."""


RPCS = {rpc.path: rpc for rpc in every_rpc()}


def refuse(context: grpc.ServicerContext, error: ExchangeError, incident: str = "") -> NoReturn:
    """End the call as the exchange does."""
    status = status_of(error, incident)
    context.set_trailing_metadata(((DETAILS_KEY, status.SerializeToString()),))
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    context.abort(code, status.message)
    raise AssertionError("abort raises")


def leaf_of(path: str, raw: bytes, metadata: dict[str, Any]) -> bytes:
    """Return the leaf of a command as the exchange writes it: with what came in, not with what was meant."""
    claims = jwt.decode(metadata["x-exchange-person"], options={"verify_signature": False})
    request = request_hash(path, claims["sub"], raw)
    return leaf_entry(
        event_id=request[:16],
        topic="plan.goal_set.v1",
        organisation=claims["iss"],
        task=claims["task"],
        purpose="wmo-onderzoek",
        basis="WMO-2.3.2@1",
        at="2026-01-31T12:00:00.000000Z",
        state=raw,
        pseudonym=None,
        signed=Signed(request, b64decode(metadata["x-exchange-signature"])),
    )


class FakeExchange(grpc.GenericRpcHandler):
    """Answers by the name of the rpc; what it was asked stands in `requests` and `metadata`.

    A command that a test answers without receipt gets one.
    """

    def __init__(self, files: IssuedServer) -> None:
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.metadata: list[dict[str, Any]] = []
        self._handlers: dict[str, Any] = {}
        self._files = files
        self._pool = ThreadPoolExecutor(max_workers=8)
        # It comes back there after a stop, in which no line of somebody is to take it.
        (self.port,) = free_ports(1)
        self._leaves = count()
        self._server: Any = None
        self.stopping = threading.Event()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def on(self, rpc: str, handler: Callable[[Any, grpc.ServicerContext], object]) -> None:
        self._handlers[rpc] = handler

    def start(self) -> None:
        self.stopping.clear()
        server = grpc.server(self._pool, handlers=[self], options=[("grpc.so_reuseport", 0)])
        files = self._files
        credentials = grpc.ssl_server_credentials(
            [(files.key.read_bytes(), files.certificate.read_bytes())],
            root_certificates=files.client_ca.read_bytes(),
            require_client_auth=True,
        )
        server.add_secure_port(self.target, credentials)
        server.start()
        self._server = server

    def stop(self) -> None:
        self.stopping.set()
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def close(self) -> None:
        self.stop()
        self._pool.shutdown(wait=True)

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        rpc = RPCS.get(handler_call_details.method)
        if rpc is None:
            return None
        name = rpc.path.rpartition("/")[2]
        metadata = dict(handler_call_details.invocation_metadata)

        request_class = cast("type[Message]", rpc._request)

        def answer(raw: bytes, context: grpc.ServicerContext) -> object:
            request = request_class.FromString(raw)
            self.requests[name].append(request)
            self.metadata.append(metadata)
            if name not in self._handlers:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "no test said what to answer")
            answered = self._handlers[name](request, context)
            if isinstance(answered, bytes):
                return answered
            if rpc.is_command and not rpc.may_write_nothing and not answered.HasField("receipt"):
                answered.receipt.leaf_entry = leaf_of(rpc.path, raw, metadata)
                answered.receipt.leaf_index = next(self._leaves)
            return answered

        handle = (
            grpc.unary_stream_rpc_method_handler if rpc in STREAMS else grpc.unary_unary_rpc_method_handler
        )
        handler: grpc.RpcMethodHandler[Any, Any] = handle(cast("Any", answer), None, _serialised)
        return handler
