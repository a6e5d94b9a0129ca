"""The door itself: opens the port with mutual TLS, serves every rpc of the contract, and closes in order.

Promises: no port without client certificates; an rpc of the contract without a handler does not start; while
draining, health says so first, open streams end, and accepted calls get their answer within the grace.
Source: API rules of the architecture; grpc health checking protocol.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from exchange.errors import SettingsInvalid, StoreUnavailable
from exchange.server.authzen.app import AuthzenApp
from exchange.server.authzen.desk import GateDesk
from exchange.server.authzen.door import AuthzenDoor
from exchange.server.batched import Batched, BatchGuard
from exchange.server.certificates import DoorCertificates, Material, end_of, refuse_unfit
from exchange.server.connections import NODE_METADATA_BYTES_MAX, options
from exchange.server.house import open_house
from exchange.server.interceptor import Streaming, Unary
from exchange.server.metrics import Metrics
from exchange.server.parts import Parts, ServerConfig
from exchange.server.readiness import Readiness
from exchange.server.services import (
    audit,
    batch,
    case,
    consent,
    disclosure,
    handover,
    history,
    household,
    identity,
    insight,
    ledger,
    legal_basis,
    lookups,
    matching,
    organisation,
    plan,
    representation,
    resident_rights,
    subscription,
)
from exchange.v1 import (
    audit_service_pb2,
    batch_service_pb2,
    case_service_pb2,
    consent_service_pb2,
    disclosure_service_pb2,
    handover_service_pb2,
    history_service_pb2,
    household_service_pb2,
    identity_service_pb2,
    insight_service_pb2,
    ledger_service_pb2,
    legal_basis_service_pb2,
    lookup_review_service_pb2,
    matching_service_pb2,
    organisation_service_pb2,
    plan_service_pb2,
    representation_service_pb2,
    resident_rights_service_pb2,
    subscription_service_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.descriptor import FileDescriptor

    from exchange.server.house import House
    from exchange.server.nodes.doors import NodeDoors, Passage
    from exchange.server.spans import Spans

__all__ = ["ExchangeServer", "Parts", "ServerConfig"]

LOOK_AGAIN_S: Final = 1.0

Kind = Unary | Streaming | Batched

_SERVICES: Final[tuple[tuple[FileDescriptor, Mapping[str, Any]], ...]] = (
    (organisation_service_pb2.DESCRIPTOR, organisation.RPCS),
    (legal_basis_service_pb2.DESCRIPTOR, legal_basis.RPCS),
    (identity_service_pb2.DESCRIPTOR, identity.RPCS),
    (case_service_pb2.DESCRIPTOR, case.RPCS),
    (consent_service_pb2.DESCRIPTOR, consent.RPCS),
    (representation_service_pb2.DESCRIPTOR, representation.RPCS),
    (plan_service_pb2.DESCRIPTOR, plan.RPCS),
    (matching_service_pb2.DESCRIPTOR, matching.RPCS),
    (history_service_pb2.DESCRIPTOR, history.RPCS),
    (handover_service_pb2.DESCRIPTOR, handover.RPCS),
    (household_service_pb2.DESCRIPTOR, household.RPCS),
    (insight_service_pb2.DESCRIPTOR, insight.RPCS),
    (disclosure_service_pb2.DESCRIPTOR, disclosure.RPCS),
    (subscription_service_pb2.DESCRIPTOR, subscription.RPCS),
    (audit_service_pb2.DESCRIPTOR, audit.RPCS),
    (lookup_review_service_pb2.DESCRIPTOR, lookups.RPCS),
    (resident_rights_service_pb2.DESCRIPTOR, resident_rights.RPCS),
    (ledger_service_pb2.DESCRIPTOR, ledger.RPCS),
    (batch_service_pb2.DESCRIPTOR, batch.RPCS),
)


def handlers() -> dict[str, dict[str, Kind]]:
    """Return service to rpc to handler. Raises AssertionError when contract and handlers differ."""
    found: dict[str, dict[str, Kind]] = {}
    for file, rpcs in _SERVICES:
        for service in file.services_by_name.values():
            assert {method.name for method in service.methods} == set(rpcs), service.full_name
            found[service.full_name] = dict(rpcs)
    return found


class ExchangeServer:
    """Owned by one event loop: `start` once, `drain` once."""

    def __init__(
        self,
        parts: Parts,
        config: ServerConfig,
        log: Any,  # noqa: ANN401 -- structlog's logger has no public type
        spans: Spans | None = None,
        node: NodeDoors | None = None,
    ) -> None:
        """`node` is what this process is among many; None where it is the only one."""
        self._node = node
        self._parts = parts
        self._config = config
        self._log = log
        self._metrics = Metrics(spans)
        self._server: grpc.aio.Server | None = None
        self._house: House | None = None
        self._readiness: Readiness | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._committed = asyncio.Event()  # since streams were last told
        self._health = health.aio.HealthServicer()
        self.metrics_port = 0  # 0 while no metrics are served
        self.admin_port = 0  # 0 while there is no administration door
        self.node_port = 0  # 0 where this is the only node
        self._web: AuthzenDoor | None = None
        self._certificates = DoorCertificates(
            Material(config.server_certificate, config.server_key, config.client_authorities)
        )

    async def start(self) -> int:
        """Open the door; return its port. Raises SettingsInvalid when a port or certificate does not do."""
        # gRPC looks at what follows the disk at the first connection only.
        refuse_unfit(self._certificates.material)
        house = self._house = open_house(self._parts, self._config)
        guard = BatchGuard(house, self._log, self._metrics)
        server = self._server = grpc.aio.server(options=options(self._config.connections_max))
        services = handlers()
        server.add_generic_rpc_handlers((_Table(guard, services, self._of_callers),))
        await self._open_to_nodes(guard)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._config.development:
            names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        port = self._open_port(server)
        self._metrics.watch(house, lambda: end_of(self._certificates.material).timestamp())
        readiness = self._readiness = self._readiness_of()
        self._metrics.watch_lines(
            dict(self._config.line_certificate_ends), dict(self._config.line_certificates_read)
        )
        self._metrics.watch_ready(lambda: readiness.able)
        if self._node is not None:
            self._metrics.watch_node(self._node.holding, self._node.front.counts)
        if self._config.metrics_port is not None:
            self.metrics_port = self._metrics.serve(self._config.metrics_port)
        if self._config.admin_port is not None:
            self._web = AuthzenDoor(AuthzenApp(house, GateDesk(), self._log, self._metrics), self._config)
            self.admin_port = await self._web.start(self._config.admin_port)
        self._parts.pipeline.when_committed.append(partial(self._pass_on, house))
        await server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        await self._tell_ready()
        loop = asyncio.get_running_loop()
        self._tasks = (
            loop.create_task(self._ring_bells(house)),
            loop.create_task(readiness.keep(self._tell_ready)),
        )
        return port

    def renew(self, material: Material) -> None:
        """Show other certificates from the next connection on. Raises SettingsInvalid."""
        if self._web is not None:
            self._web.renew(material)
        self._certificates.take(material)

    async def drain(self, grace_s: float) -> None:
        """Say so, end the streams, let accepted calls finish within the grace, close."""
        await self._health.enter_graceful_shutdown()
        if self._house is not None:
            self._house.bells.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        closing = [] if self._web is None else [self._web.stop(grace_s)]
        if self._server is not None:
            closing.append(self._server.stop(grace_s))
        if self._node is not None:
            closing.append(self._node.close(grace_s))
        await asyncio.gather(*closing)
        if self._node is not None:
            # Not before: who comes in is sent on over them until the callers' door is closed.
            await self._node.hang_up()
        if self._house is not None:
            self._house.pool.shutdown(wait=True)
        if self._readiness is not None:
            self._readiness.close()
        if self._parts.second_party is not None:
            self._parts.second_party.close()
        self._metrics.close()

    def _readiness_of(self) -> Readiness:
        parts, node = self._parts, self._node
        return Readiness(
            parts.reader.head, parts.pipeline.counts, None if node is None else node.holds, self._log
        )

    async def _tell_ready(self) -> None:
        """Say of each service whether it can be served; who watches hears it. Nothing while draining."""
        told = health_pb2.HealthCheckResponse
        able = self._readiness is not None and self._readiness.able
        for name in handlers():
            await self._health.set(name, told.SERVING if able else told.NOT_SERVING)

    async def _open_to_nodes(self, guard: BatchGuard) -> None:
        node = self._node
        if node is None:
            return
        tables = {
            service: {name: _method(guard, name, kind, lambda _: node.door) for name, kind in rpcs.items()}
            for service, rpcs in handlers().items()
        }
        bears = options(self._config.connections_max, metadata_bytes_max=NODE_METADATA_BYTES_MAX)
        self.node_port = await node.open(tables, bears)

    def _of_callers(self, service: str) -> Callable[[str], Passage | None]:
        """Return what a call of a service passes through first, by the name of its rpc."""
        node = self._node
        if node is None:
            return lambda _: None
        return lambda name: node.front.of(f"/{service}/{name}")

    def _open_port(self, server: grpc.aio.Server) -> int:
        config = self._config
        try:
            return server.add_secure_port(f"{config.address}:{config.port}", self._certificates.credentials())
        except RuntimeError as error:
            raise SettingsInvalid(
                "the port of the service cannot be opened", port=str(config.port)
            ) from error

    def _pass_on(self, house: House) -> None:
        """Hear of a commit: wake who tells streams of it, where there are any."""
        if house.streams.count:
            self._committed.set()
        else:
            house.hub.pass_over()

    async def _ring_bells(self, house: House) -> None:
        # One watcher for all streams; each of those it wakes judges for itself.
        while True:
            self._committed.clear()
            if house.streams.count:
                with suppress(StoreUnavailable):
                    await house.hub.tail()
            else:
                house.hub.pass_over()
            # Also without a ring: what could not be read, or was committed elsewhere, is looked for again.
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self._committed.wait()


class _Table(grpc.GenericRpcHandler):
    """All methods in one table: with one for each service, gRPC asks them in turns."""

    def __init__(
        self,
        guard: BatchGuard,
        services: Mapping[str, Mapping[str, Kind]],
        of_callers: Callable[[str], Callable[[str], Passage | None]],
    ) -> None:
        self._methods = {
            f"/{service}/{name}": _method(guard, name, kind, of_callers(service))
            for service, rpcs in services.items()
            for name, kind in rpcs.items()
        }

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Return what serves a method, None where it is of another table."""
        return self._methods.get(handler_call_details.method)


def _method(
    guard: BatchGuard, name: str, kind: Kind, through: Callable[[str], Passage | None]
) -> grpc.RpcMethodHandler[bytes, bytes]:
    # Without (de)serialisers the guard gets bytes, so that also what cannot be parsed has a proper answer.
    passage = through(name)
    if not isinstance(kind, Streaming):
        unary = guard.unary(name, kind) if isinstance(kind, Unary) else guard.batched(name, kind)
        return grpc.unary_unary_rpc_method_handler(unary if passage is None else passage.unary(unary))
    stream = guard.streaming(name, kind)
    return grpc.unary_stream_rpc_method_handler(stream if passage is None else passage.streaming(stream))
