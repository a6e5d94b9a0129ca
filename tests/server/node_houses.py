"""Nodes with an echo behind their doors instead of the guard: what is tested is the way there and back."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk.credentials import Credentials
from exchange.keys.authority import DevelopmentAuthority
from exchange.logs import open_log
from exchange.server.connections import NODE_METADATA_BYTES_MAX, options
from exchange.server.limits import Streams
from exchange.server.nodes.again import SEND_COMMANDS
from exchange.server.nodes.door import NodeDoor
from exchange.server.nodes.front import Front
from exchange.server.nodes.line import Lines, NodeMaterial
from exchange.server.parts import CONNECTIONS_MAX
from exchange.server.status import DETAILS_KEY, code_of, status_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from exchange.errors import ExchangeError

UNARY, STREAM, SEND = "/test.Echo/Ask", "/test.Echo/Tell", SEND_COMMANDS
QUESTION = "/exchange.v1.PlanService/GetPlan"
# What nodes of this version serve to callers, and one of the version before serves nobody.
NEW_UNARY, NEW_STREAM = "/test.Echo/AskNew", "/test.Echo/TellNew"
STREAM_WAIT_S = 1.0
LOOK_EVERY_S = 0.005
OIN = "00000003271543200000"


class Told:
    """Who holds the shard, as a test says it."""

    def __init__(self) -> None:
        self.here = False
        self.holder = ""
        self.term = 1
        self.next_change = asyncio.Event()
        self.looked = 0

    def look_again(self) -> None:
        self.looked += 1

    def say(self, *, here: bool = False, holder: str = "") -> None:
        self.here, self.holder, self.term = here, holder, self.term + 1
        change, self.next_change = self.next_change, asyncio.Event()
        change.set()


class Echo:
    """What is served behind a door: tells what came."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, dict[str, Any], bytes, float]] = []
        self.refuse: ExchangeError | None = None
        self.answer: bytes | None = None
        self.hold: asyncio.Event | None = None
        self.cancelled = 0
        self.messages, self.padding = 3, 0
        self.told_all = asyncio.Event()  # a stream told what it had, and holds
        self.deaf = 0  # so many times a stream that is told to end takes it for something else

    async def unary(self, raw: bytes, context: Any) -> bytes:  # noqa: ANN401 -- gRPC's, or a node's
        self._note(raw, context)
        try:
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.refuse is not None:
            status = status_of(self.refuse)
            details = ((DETAILS_KEY, status.SerializeToString()),)
            await context.abort(code_of(self.refuse), status.message, details)
        return b"answer to " + raw if self.answer is None else self.answer

    async def stream(self, raw: bytes, context: Any) -> None:  # noqa: ANN401 -- as above
        self._note(raw, context)
        for number in range(self.messages):
            await context.write(b"%d" % number + b" " * self.padding)
        while self.hold is not None and not self.hold.is_set():
            self.told_all.set()
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                if not self.deaf:
                    raise
                self.deaf -= 1

    def _note(self, raw: bytes, context: Any) -> None:  # noqa: ANN401 -- as above
        (pem,) = context.auth_context()["x509_pem_cert"]
        self.calls.append((raw, dict(context.invocation_metadata()), pem, context.time_remaining()))


class House:
    """One node: its callers' door, its nodes' door, and what it knows."""

    def __init__(self, files: Files, *, older: bool = True) -> None:
        self.files, self.older = files, older
        self.told, self.echo = Told(), Echo()
        self.lines = Lines(files.node)
        self.streams = Streams(2, 16)
        self.front = Front(
            self.told,
            self.lines,
            open_log(),
            limit_default_s=10,
            limit_max_s=60,
            streams=self.streams,
            stream_wait_s=STREAM_WAIT_S,
        )
        self.door = NodeDoor(self.told)
        self.address = self.target = ""
        self.server: Any = None

    async def open(self) -> None:
        inner: dict[str, Any] = {
            "Ask": grpc.unary_unary_rpc_method_handler(self.door.unary(self.echo.unary)),
            "Tell": grpc.unary_stream_rpc_method_handler(self.door.streaming(self.echo.stream)),
        }
        if not self.older:
            inner["AskNew"] = grpc.unary_unary_rpc_method_handler(self.door.unary(self.echo.unary))
        bears = options(CONNECTIONS_MAX, metadata_bytes_max=NODE_METADATA_BYTES_MAX)
        batches: dict[str, Any] = {
            "SendCommands": grpc.unary_unary_rpc_method_handler(self.door.unary(self.echo.unary))
        }
        questions: dict[str, Any] = {
            "GetPlan": grpc.unary_unary_rpc_method_handler(self.door.unary(self.echo.unary))
        }
        services = {
            "test.Echo": inner,
            "exchange.v1.BatchService": batches,
            "exchange.v1.PlanService": questions,
        }
        port = await self.door.start("127.0.0.1", 0, self.files.node, services, bears)
        self.address = f"127.0.0.1:{port}"
        outer: dict[str, Any] = {
            "Ask": grpc.unary_unary_rpc_method_handler(self.front.unary(UNARY, self.echo.unary)),
            "Tell": grpc.unary_stream_rpc_method_handler(self.front.streaming(STREAM, self.echo.stream)),
            "AskNew": grpc.unary_unary_rpc_method_handler(self.front.unary(NEW_UNARY, self.echo.unary)),
            "TellNew": grpc.unary_stream_rpc_method_handler(
                self.front.streaming(NEW_STREAM, self.echo.stream)
            ),
        }
        self.server = grpc.aio.server(options=options(CONNECTIONS_MAX))
        batches = {
            "SendCommands": grpc.unary_unary_rpc_method_handler(self.front.unary(SEND, self.echo.unary))
        }
        questions = {
            "GetPlan": grpc.unary_unary_rpc_method_handler(self.front.unary(QUESTION, self.echo.unary))
        }
        self.server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler("test.Echo", outer),
                grpc.method_handlers_generic_handler("exchange.v1.BatchService", batches),
                grpc.method_handlers_generic_handler("exchange.v1.PlanService", questions),
            )
        )
        self.target = f"127.0.0.1:{self.server.add_secure_port('127.0.0.1:0', self.files.server)}"
        await self.server.start()

    async def close(self) -> None:
        await self.server.stop(0)
        await self.door.stop(0)
        await self.lines.close()


class Files:
    """Certificates of everybody."""

    def __init__(self, base: Path) -> None:
        authority, nodes = DevelopmentAuthority(base / "authority"), DevelopmentAuthority(base / "nodes")
        door = authority.issue_server(base / "door")
        self.server = grpc.ssl_server_credentials(
            [(door.key.read_bytes(), door.certificate.read_bytes())],
            root_certificates=authority.root_pem,
            require_client_auth=True,
        )
        node = nodes.issue_node(base / "node")
        self.node = NodeMaterial(node.certificate.read_bytes(), node.key.read_bytes(), nodes.root_pem)
        authority.issue_organisation(OIN, "Zorg Voorbeeld", base / "caller")
        self.caller = Credentials.load(base / "caller")
        nodes.issue_organisation(OIN, "Zorg Voorbeeld", base / "misissued")
        self.misissued = Credentials.load(base / "misissued")
        self.node_root = nodes.root_pem


@asynccontextmanager
async def opened(files: Files, *, older: bool = True) -> AsyncIterator[House]:
    made = House(files, older=older)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def connected(target: str, root: bytes, mine: Credentials) -> AsyncIterator[Any]:
    secrets = grpc.ssl_channel_credentials(root, mine.key_pem, mine.certificate_pem)
    async with grpc.aio.secure_channel(target, secrets) as channel:
        yield channel


def asking(house: House) -> Any:  # noqa: ANN401 -- a channel, which the stub takes no bytes for
    """Return a caller's line to a node."""
    return connected(house.target, house.files.caller.root_pem, house.files.caller)


async def refusal(ask: Awaitable[Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask
    return caught.value


def details(error: grpc.aio.AioRpcError) -> bytes:
    found = [value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY]
    return found[0] if found else b""  # type: ignore[return-value] # of a -bin header


async def until(true: Callable[[], Any]) -> None:
    """Wait for a condition, within a generous bound."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 -- what is looked at tells nobody
            await asyncio.sleep(LOOK_EVERY_S)
