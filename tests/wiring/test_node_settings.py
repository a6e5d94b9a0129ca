"""Settings of one of many nodes: all of them, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import SettingsInvalid
from exchange.settings import NODE_NAMES, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path) -> dict[str, Any]:
    """Flags of one of many nodes that lacks nothing."""
    files = {name: tmp_path / name for name in NODE_NAMES[1:]}
    return {"store": "postgres", "postgres": "host=/run dbname=x", "node_address": "127.0.0.1:8444", **files}


def test_a_node_has_all_of_its_settings(node: dict[str, Any]) -> None:
    assert load_settings(**node).lease_seconds == 5.0


@pytest.mark.parametrize("mode", ["development", "production"])
@pytest.mark.parametrize("name", NODE_NAMES)
def test_half_a_node_is_refused_in_either_mode(node: dict[str, Any], mode: str, name: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(**node | {"mode": mode, name: None})
    assert caught.value.metadata == {"name": name}


def test_nodes_write_no_file(node: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(**node | {"store": "sqlite", "postgres": None})
    assert caught.value.metadata == {"name": "node_address"}


@pytest.mark.parametrize("address", ["127.0.0.1", ":8444", "a b:1", "host:port"])
def test_an_address_that_cannot_be_called_is_refused(node: dict[str, Any], address: str) -> None:
    with pytest.raises(SettingsInvalid):
        load_settings(**node | {"node_address": address})


def test_development_opens_the_nodes_door_on_loopback_only(node: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(**node, node_host="0.0.0.0")  # noqa: S104 -- what is refused
    assert caught.value.metadata == {"node_host": "not loopback"}
