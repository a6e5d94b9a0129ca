"""`exchange audit ldv`, `verwerkingen` and `nen7513`: printed from a store's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from exchange.settings import Settings
    from tests.cli.conftest import Shell

FORMS = ["ldv", "verwerkingen", "nen7513"]


def told(exchange: Shell, shard: Settings, form: str, *more: object) -> list[dict[str, Any]]:
    said = exchange("audit", form, "--data", shard.data, *more)
    assert (said.code, said.err) == (0, "")
    return [json.loads(line) for line in said.out.splitlines()]


@pytest.mark.parametrize("form", FORMS)
def test_as_lines_as_one_list_or_for_the_eye(exchange: Shell, shard: Settings, form: str) -> None:
    found = told(exchange, shard, form)
    # This history is of a town alone, and says nothing of anybody's health.
    assert (len(found) > 1) is (form != "nen7513")
    whole = exchange("audit", form, "--data", shard.data, "-o", "json")
    assert json.loads(whole.out) == found
    table = exchange("audit", form, "--data", shard.data, "-o", "table")
    assert (table.code, table.err) == (0, "")
    assert ("object" if form == "verwerkingen" else "resident") in table.out


def test_it_goes_on_after_a_position_and_for_one_organisation(exchange: Shell, shard: Settings) -> None:
    found = told(exchange, shard, "ldv")
    first, last = (line["attributes"]["exchange.position"] for line in (found[0], found[-1]))
    assert told(exchange, shard, "ldv", "--since", first) == found[1:]
    assert told(exchange, shard, "ldv", "--since", last) == []
    assert told(exchange, shard, "ldv", "--organisation", shard.operator_oin) == found
    assert told(exchange, shard, "ldv", "--organisation", "0" * 20) == []


def test_a_file_is_followed_into_and_nothing_printed(exchange: Shell, shard: Settings) -> None:
    lines = exchange("audit", "ldv", "--data", shard.data).out
    said = exchange("audit", "ldv", "--data", shard.data, "--follow", "log.jsonl", "--once")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert Path("log.jsonl").read_text("utf-8") == lines
    Path("log.jsonl").write_text("notes\n", "utf-8")
    refused = exchange("audit", "ldv", "--data", shard.data, "--follow", "log.jsonl", "--once")
    assert (refused.code, refused.out) == (2, "")
    assert "holds no lines of a log" in refused.err


@pytest.mark.parametrize("form", FORMS)
def test_beyond_the_log_and_without_a_store_it_is_a_wrong_call(
    exchange: Shell, shard: Settings, form: str
) -> None:
    beyond = exchange("audit", form, "--data", shard.data, "--since", 10**6)
    assert (beyond.code, beyond.out) == (2, "")
    nothing = exchange("audit", form, "--data", "nowhere")
    assert (nothing.code, nothing.out) == (2, "")
    assert "no service ran" in nothing.err
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("words", [("--since", "-1"), ("--since", "many"), ("--organisation", "12")])
def test_a_position_is_a_number_and_an_organisation_an_oin(
    exchange: Shell, shard: Settings, words: tuple[str, str]
) -> None:
    assert exchange("audit", "ldv", "--data", shard.data, *words).code == 2
