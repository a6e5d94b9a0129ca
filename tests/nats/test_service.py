"""A service that rings over NATS: after each commit, and undisturbed where NATS is away."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import nats as library
from nats.js.errors import NotFoundError, ServiceUnavailableError

from exchange.wiring.bells import position_in
from tests.e2e.service import CITY, Case, Service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nats.server import NatsServer

WAIT_S = 30.0


async def heard_up_to(server: NatsServer, service: Service) -> int:
    """Wait until the newest ring says how far the store is; return that."""
    client = await library.connect(server.url)
    try:
        stream = client.jetstream()
        async with asyncio.timeout(WAIT_S):
            while True:
                # What rings is not waited for: a ring may not be kept yet, and the room for it not be made.
                with suppress(NotFoundError, ServiceUnavailableError):
                    kept = await stream.get_last_msg("EXCHANGE_BELL", f"exchange.bell.{CITY}")
                    position = position_in((kept.data or b"").decode(), CITY)
                    if position == service.position():
                        return position
                await asyncio.sleep(0.02)
    finally:
        await client.close()


def test_a_service_rings_after_its_commits_also_after_nats_was_away(tmp_path: Path, nats: NatsServer) -> None:
    service = Service(tmp_path / "exchange", bell="nats", bell_nats=nats.url).start()
    try:
        case = Case(service)
        first = asyncio.run(heard_up_to(nats, service))
        nats.kill()
        # It serves on, and stops as ever.
        case.goal("Terwijl de bel weg is.")
        assert service.position() > first
        nats.start()
        assert asyncio.run(heard_up_to(nats, service)) > first
        nats.kill()
        assert service.stop() == 0
    finally:
        service.close()
