"""The nodes' own door: takes calls that other nodes send on, while this node holds the shard.

Promises: nobody comes in without a certificate of the nodes' authority; nothing is sent on from here, so no
call goes round; who does not hold the shard says so, and did nothing.
Source: exchange/decisions/0096-forwarding-as-bytes.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from exchange.errors import ExchangeError, SettingsInvalid
from exchange.server.nodes.errors import HolderAway
from exchange.server.nodes.holding import while_held
from exchange.server.nodes.relayed import received
from exchange.server.status import DETAILS_KEY, code_of, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.server.nodes.front import Context, ServeStream, ServeUnary
    from exchange.server.nodes.holding import Holding
    from exchange.server.nodes.line import NodeMaterial

AWAY: Final = "this node does not hold the shard; nothing was recorded"


class NodeDoor:
    """Owned by the event loop: `start` once, `stop` once."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._server: grpc.aio.Server | None = None

    def unary(self, serve: ServeUnary) -> ServeUnary:
        """Return what gRPC calls for one rpc."""

        async def asked(raw: bytes, context: Context) -> bytes:
            try:
                relayed = self._let_in(context)
            except ExchangeError as error:
                return await _refuse(context, error)
            return await serve(raw, relayed)

        return asked

    def streaming(self, serve: ServeStream) -> ServeStream:
        """Return what gRPC calls for one streaming rpc."""

        async def asked(raw: bytes, context: Context) -> None:
            try:
                await while_held(self._holding, serve(raw, self._let_in(context)))
            except ExchangeError as error:
                await _refuse(context, error)

        return asked

    async def start(
        self,
        host: str,
        port: int,
        material: NodeMaterial,
        tables: Mapping[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]],
        options: tuple[tuple[str, int], ...],
    ) -> int:
        """Open it; return its port. Raises SettingsInvalid."""
        server = self._server = grpc.aio.server(options=options)
        for service, table in tables.items():
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, table),))
        health_pb2_grpc.add_HealthServicer_to_server(_Here(self._holding), server)
        credentials = grpc.ssl_server_credentials(
            [(material.key, material.certificate)],
            root_certificates=material.authorities,
            require_client_auth=True,
        )
        try:
            opened = server.add_secure_port(f"{host}:{port}", credentials)
        except RuntimeError as error:
            raise SettingsInvalid("the port of the nodes cannot be opened", port=str(port)) from error
        await server.start()
        return opened

    async def stop(self, grace_s: float) -> None:
        """Let accepted calls finish within the grace, and close."""
        if self._server is not None:
            await self._server.stop(grace_s)

    def _let_in(self, context: Context) -> Context:
        relayed = received(context)
        if not self._holding.here:
            raise HolderAway(AWAY)
        return relayed


class _Here(health_pb2_grpc.HealthServicer):
    """Tells other nodes whether this one holds the shard; whoever shows a node's certificate may ask."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding

    async def Check(  # noqa: N802 -- the name of the rpc
        self, request: health_pb2.HealthCheckRequest, context: object
    ) -> health_pb2.HealthCheckResponse:
        """Answer for the node as a whole."""
        del request, context
        told = health_pb2.HealthCheckResponse
        return told(status=told.SERVING if self._holding.here else told.NOT_SERVING)


async def _refuse(context: Context, error: ExchangeError) -> bytes:
    status = status_of(error)
    await context.abort(code_of(error), status.message, ((DETAILS_KEY, status.SerializeToString()),))
