"""`exchange audit adl`: a record for each decision of a store, read from its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest

if TYPE_CHECKING:
    from exchange.settings import Settings
    from tests.cli.conftest import Shell

SCHEMA = Path(__file__).parents[1] / "authzen" / "decision-log.schema.json"


def told(exchange: Shell, shard: Settings, *more: object) -> list[dict[str, Any]]:
    said = exchange("audit", "adl", "--data", shard.data, *more)
    assert (said.code, said.err) == (0, "")
    return [json.loads(line) for line in said.out.splitlines()]


def test_every_record_of_a_store_is_valid_and_says_what_it_leaves_out(
    exchange: Shell, shard: Settings
) -> None:
    valid = fastjsonschema.compile(json.loads(SCHEMA.read_text("utf-8")))
    found = told(exchange, shard)
    assert len(found) > 1
    for record in found:
        valid(record)
        assert "request.context.necessity" in record["omitted"]


def test_it_goes_on_after_a_position(exchange: Shell, shard: Settings) -> None:
    found = told(exchange, shard)
    assert told(exchange, shard, "--since", found[0]["position"]) == found[1:]
    assert told(exchange, shard, "--since", found[-1]["position"]) == []


def test_as_one_list_or_for_the_eye(exchange: Shell, shard: Settings) -> None:
    found = told(exchange, shard)
    whole = exchange("audit", "adl", "--data", shard.data, "-o", "json")
    assert json.loads(whole.out) == found
    table = exchange("audit", "adl", "--data", shard.data, "-o", "table")
    assert (table.code, "decision" in table.out) == (0, True)


def test_beyond_the_log_and_without_a_store_it_is_a_wrong_call(exchange: Shell, shard: Settings) -> None:
    beyond = exchange("audit", "adl", "--data", shard.data, "--since", 10**6)
    assert (beyond.code, beyond.out) == (2, "")
    nothing = exchange("audit", "adl", "--data", "nowhere")
    assert (nothing.code, nothing.out) == (2, "")
    assert "no service ran" in nothing.err
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("since", ["-1", "many"])
def test_a_position_is_a_number(exchange: Shell, shard: Settings, since: str) -> None:
    assert exchange("audit", "adl", "--data", shard.data, "--since", since).code == 2
