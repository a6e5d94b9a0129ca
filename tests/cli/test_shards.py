"""`exchange shards` and `exchange front`, as a shell sees them where no shard is asked anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from exchange.server.shards.map import parse_map
from tests.shards.maps import log_key, made, table, text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

NEW = (
    "--municipality",
    "0363",
    "--name",
    "a",
    "--server-name",
    "a.nl",
    "--door",
    "h:1",
    "--credentials",
    ".",
)


def test_a_map_is_shown_once_it_is_right(exchange: Shell, tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_bytes(text(3, table("0518"), table("0363", databases=None)))
    said = exchange("shards", "show", "--map", file)
    assert (said.code, said.out.splitlines()) == (
        0,
        [
            "serial 3, 2 shards",
            "0363 shard-0363: g0363.exchange.example at 10.0.0.163:8443, from 2026-01-01 00:00 UTC",
            "0518 shard-0518: g0518.exchange.example at 10.0.0.118:8443, from 2026-01-01 00:00 UTC",
        ],
    )
    told = json.loads(exchange("shards", "show", "--map", file, "--json").out)
    assert told["serial"] == 3
    assert told["shards"][1] == {
        "municipality": "0518",
        "name": "shard-0518",
        "server_names": ["g0518.exchange.example"],
        "doors": ["10.0.0.118:8443"],
        "log": "log.example/0518/2026",
        "valid_from": "2026-01-01T00:00:00+00:00",
        "databases": {"postgres": "events-0518", "keys_postgres": "keys-0518"},
    }


@pytest.mark.parametrize("words", [("shards", "show"), ("front", "--port", "0", "--metrics-port", "0")])
def test_a_map_that_is_wrong_or_away_is_a_wrong_call(
    words: tuple[str, ...], exchange: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "map.toml"
    away = exchange(*words, "--map", file)
    assert (away.code, "cannot be read" in away.err) == (2, True)
    file.write_bytes(text(1, table("0363"), table("0363")))
    wrong = exchange(*words, "--map", file)
    assert (wrong.code, "key=municipality, shard=0363" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (("--valid-from", "2027-01-01"), "with its offset"),
        (("--valid-from", "soon"), "with its offset"),
        (("--database", "postgres"), "key=databases"),
        (("--database", "events=a"), "key=databases"),
        ((), "credentials cannot be read"),
    ],
)
def test_what_is_told_wrong_of_a_shard_writes_nothing(
    more: tuple[str, ...], what: str, exchange: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "map.toml"
    file.write_bytes(text(1, table("0518")))
    said = exchange("shards", "add", "--map", file, *NEW, "--log-key", log_key("0363"), *more)
    assert (said.code, what in said.err) == (2, True)
    assert parse_map(file.read_bytes()) == made(1, table("0518"))
