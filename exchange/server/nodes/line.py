"""The lines from this node to others: one channel to each address, over mutual TLS.

Promises: the other end shows a certificate of the nodes' authority for the host that was named; few lines,
each closed at the end.
Source: grpc.io/docs/guides/auth; grpc.github.io (channel arguments).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from exchange.server.parts import ANSWER_BYTES_MAX, CUT_OFF_BYTES

LINES_MAX: Final = 32
CONNECT_WAIT_S: Final = 1.0
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    ("grpc.max_send_message_length", CUT_OFF_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long one attempt may last, with its handshake, and not how soon the next one comes.
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class NodeMaterial:
    """What nodes know each other by, PEM: this node's own, and the authorities of the others'."""

    certificate: bytes
    key: bytes
    authorities: bytes


class Lines:
    """Owned by the event loop."""

    def __init__(self, material: NodeMaterial) -> None:
        self._credentials = grpc.ssl_channel_credentials(
            material.authorities, material.key, material.certificate
        )
        self._open: OrderedDict[str, grpc.aio.Channel] = OrderedDict()

    async def to(self, address: str, wait_s: float) -> Any:  # noqa: ANN401 -- gRPC's channel: its stub takes no bytes
        """Return the line to a node once it stands, None where it does not in time: then nothing was sent."""
        channel = self._open.get(address)
        if channel is None:
            channel = self._open[address] = grpc.aio.secure_channel(address, self._credentials, _OPTIONS)
        self._open.move_to_end(address)
        if len(self._open) > LINES_MAX:
            _, longest_unused = self._open.popitem(last=False)
            await longest_unused.close()
        if channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
            return channel
        try:
            async with asyncio.timeout(min(wait_s, CONNECT_WAIT_S)):
                await channel.channel_ready()
        except TimeoutError:
            return None
        return channel

    async def holds(self, address: str, wait_s: float) -> bool:
        """Ask a node over its line whether it holds the shard; False where it does not answer in time."""
        line = await self.to(address, wait_s)
        if line is None:
            return False
        try:
            stub: Any = health_pb2_grpc.HealthStub(line)
            told = await stub.Check(health_pb2.HealthCheckRequest(), timeout=wait_s)
        except grpc.aio.AioRpcError as error:
            # A node of the version before answers, and says nothing of it.
            return error.code() is grpc.StatusCode.UNIMPLEMENTED
        return bool(told.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Hang up."""
        while self._open:
            _, channel = self._open.popitem()
            await channel.close()
