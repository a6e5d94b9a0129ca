"""Maps of shards for tests: made-up municipalities, each with a log key of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.ledger.note import NoteSigner
from exchange.server.shards.map import ShardMap, shard_of

OPEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@cache
def log_key(code: str, year: int = 2026) -> str:
    """Return the verifier key of a municipality's log."""
    private = Ed25519PrivateKey.from_private_bytes(code.encode().ljust(32, b"."))
    return NoteSigner(f"log.example/{code}/{year}", private).vkey


def table(code: str, **named: object) -> dict[str, Any]:
    """Return what stands in a map of one shard, for changing."""
    told: dict[str, Any] = {
        "municipality": code,
        "name": f"shard-{code}",
        "server_names": [f"g{code}.exchange.example"],
        "doors": [f"10.0.0.{int(code) % 200}:8443"],
        "log_key": log_key(code),
        "valid_from": OPEN,
        "databases": {"postgres": f"events-{code}", "keys_postgres": f"keys-{code}"},
    }
    return {name: value for name, value in (told | named).items() if value is not None}


def made(serial: int, *tables: dict[str, Any]) -> ShardMap:
    """Return a map of such tables."""
    found = ShardMap(serial - len(tables), ())
    for one in tables:
        found = found.with_shard(shard_of(one, "made"))
    return found


def text(serial: object, *tables: dict[str, Any], more: str = "") -> bytes:
    """Return a map as somebody writes it by hand, right or wrong."""
    lines = [f"serial = {serial}", more]
    for one in tables:
        lines += ["[[shard]]", *(f"{name} = {_value(value)}" for name, value in one.items())]
    return "\n".join(lines).encode()


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return (
        value.isoformat()
        if isinstance(value, datetime)
        else f'"{value}"'
        if isinstance(value, str)
        else str(value)
    )
