"""How many connections a door bears, by the limit of open files."""

from __future__ import annotations

import resource
from typing import Any

import pytest

from exchange.server.parts import CONNECTIONS_MAX
from exchange.settings import throw_away_settings
from exchange.wiring.open_files import connections_that_fit


@pytest.mark.parametrize(
    ("may", "settings", "fit"),
    [
        (1_000_000, {}, CONNECTIONS_MAX),
        (CONNECTIONS_MAX + 256, {}, CONNECTIONS_MAX),
        (CONNECTIONS_MAX + 255, {}, CONNECTIONS_MAX - 1),
        (1_024, {}, 768),
        (1_024, {"admin_port": 0}, 512),
        # However little there is, half of it is for who comes.
        (1_024, {"admin_port": 0, "tiles_port": 0, "console_port": 0}, 512),
        (256, {}, 128),
        (1_024, {"node_address": "localhost:9"}, 384),
    ],
)
def test_connections_leave_files_for_the_service_itself(
    monkeypatch: pytest.MonkeyPatch, may: int, settings: dict[str, Any], fit: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (may, may))
    assert connections_that_fit(throw_away_settings(**settings)) == fit
