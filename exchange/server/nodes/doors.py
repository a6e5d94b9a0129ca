"""What a process is among many nodes: its front to callers, its door to other nodes, the lines to them.

Promises: opened and closed with the server; who is the only node has none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

    from exchange.server.nodes.door import NodeDoor
    from exchange.server.nodes.front import Front, ServeStream, ServeUnary
    from exchange.server.nodes.holding import Holding
    from exchange.server.nodes.line import Lines, NodeMaterial

HOLDER_ANSWERS_S: Final = 1.0


class Passage(Protocol):
    """What a call passes before it is served, or instead of that."""

    def unary(self, serve: ServeUnary) -> ServeUnary:
        """Return what gRPC calls for a rpc of one answer."""

    def streaming(self, serve: ServeStream) -> ServeStream:
        """Return what gRPC calls for a rpc of many answers."""


@dataclass(frozen=True, slots=True)
class NodeDoors:
    """Made by the composition root. `host` and `port` are where the nodes' own door stands."""

    holding: Holding
    front: Front
    door: NodeDoor
    lines: Lines
    material: NodeMaterial
    host: str
    port: int

    async def holds(self) -> bool:
        """Tell whether a call can be served now: here, or by the holder, who answers over its line."""
        holding = self.holding
        return holding.here or (
            bool(holding.holder) and await self.lines.holds(holding.holder, HOLDER_ANSWERS_S)
        )

    async def open(
        self,
        tables: Mapping[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]],
        options: tuple[tuple[str, int], ...],
    ) -> int:
        """Open the nodes' door; return its port. Raises SettingsInvalid."""
        return await self.door.start(self.host, self.port, self.material, tables, options)

    async def close(self, grace_s: float) -> None:
        """End the streams that were sent on, close the nodes' door, and let accepted calls finish."""
        self.front.end_streams()
        await self.door.stop(grace_s)

    async def hang_up(self) -> None:
        """Close the lines; what was sent on over them has to be answered before."""
        await self.lines.close()
