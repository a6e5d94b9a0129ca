"""The doors over HTTP of a service, beside its door of gRPC: the log's files, and the console.

Promises: each is closed unless the settings name a port; each shows the certificate of the door of gRPC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from exchange.server.web.door import WebDoor, server_tls
from exchange.server.web.tiles import tiles_app
from exchange.wiring.console_door import ConsoleDoor
from exchange.wiring.published import Shelf, vkeys_of

if TYPE_CHECKING:
    from exchange.server.certificates import Material
    from exchange.wiring.core import Core


class TileDoor:
    """The log's files over HTTPS, with the door's own certificate; closed unless the settings name a port."""

    def __init__(self, core: Core, material: Material, log: Any) -> None:  # noqa: ANN401 -- structlog's bound logger has no public type
        self._port, self._host = core.settings.tiles_port, core.settings.tiles_host
        self._door = WebDoor(
            tiles_app(Shelf(core.ledger.logs), log),
            core.settings.tiles_host,
            lambda: server_tls(material.server_certificate, material.server_key),
        )

    async def start(self) -> str:
        """Open it; return where it listens, "" where there is none. Raises SettingsInvalid."""
        return "" if self._port is None else f"{self._host}:{await self._door.start(self._port)}"

    def renew(self, material: Material) -> None:
        """Show another certificate from the next connection on. Raises SettingsInvalid."""
        self._door.renew(material)

    async def stop(self, grace_s: float) -> None:
        """Close it."""
        await self._door.stop(grace_s)


class Opened(NamedTuple):
    """Where the doors over HTTP are, "" for one that is closed."""

    tiles_target: str
    console_url: str


@dataclass(frozen=True, slots=True)
class WebDoors:
    """The doors over HTTP beside that of gRPC."""

    tiles: TileDoor
    console: ConsoleDoor

    @classmethod
    def of(cls, core: Core, material: Material, log: Any) -> WebDoors:  # noqa: ANN401 -- as above
        """Return those of a service, closed."""

        def log_keys() -> tuple[str, ...]:
            return tuple(one.log_vkey for one in vkeys_of(core.ledger.logs, core.clock().year))

        console = ConsoleDoor(core.settings, material, log, core.clock, log_keys)
        return cls(TileDoor(core, material, log), console)

    async def start(self, port: int) -> Opened:
        """Open those that the settings name; `port` is that of gRPC. Raises SettingsInvalid."""
        return Opened(await self.tiles.start(), await self.console.start(port))

    def renew(self, material: Material) -> None:
        """Show another certificate from the next connection on. Raises SettingsInvalid."""
        self.tiles.renew(material)
        self.console.renew(material)

    async def stop(self, grace_s: float) -> None:
        """Close them."""
        await self.console.stop(grace_s)
        await self.tiles.stop(grace_s)
