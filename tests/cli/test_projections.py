"""`exchange projections`: made anew, and told where they stand."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings
    from tests.cli.conftest import Shell

READ_MODELS = ("obligations", "erasures", "insight", "matching", "lookups", "decisions")


def test_rebuilding_brings_a_read_model_to_the_head(exchange: Shell, shard: Settings) -> None:
    shutil.rmtree(shard.data / "projections")
    before = exchange("projections", "status", "--data", shard.data, "-o", "json")
    rows = json.loads(before.out)
    assert before.code == 1
    assert [(row["name"], row["position"]) for row in rows] == [(name, None) for name in READ_MODELS]
    assert not (shard.data / "projections").exists(), "asking makes nothing"
    rebuilt = exchange("projections", "rebuild", "--data", shard.data)
    head = rows[0]["head"]
    assert rebuilt.code == 0
    assert rebuilt.out == "".join(f"{name}: {head} of {head}\n" for name in READ_MODELS)
    again = exchange("projections", "rebuild", "--data", shard.data, "-o", "jsonl")
    assert [json.loads(line) for line in again.out.splitlines()] == [
        {"name": name, "position": head, "head": head} for name in READ_MODELS
    ]
    after = exchange("projections", "status", "--data", shard.data)
    assert (after.code, after.out) == (0, rebuilt.out)


@pytest.mark.parametrize("command", ["status", "rebuild"])
def test_without_a_store_there_is_nothing_to_follow(exchange: Shell, tmp_path: Path, command: str) -> None:
    said = exchange("projections", command, "--data", tmp_path / "nowhere")
    assert (said.code, said.out) == (2, "")
    assert "there is no event store in this folder" in said.err
