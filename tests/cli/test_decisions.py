"""`exchange audit decisions`: the decisions of a filter, read from a store's files."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipeline.insights import helped
from tests.pipeline.shard import Shard
from tests.projections.test_obligations import AT, GLASS

if TYPE_CHECKING:
    from exchange.settings import Settings
    from tests.cli.conftest import Shell


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A store in which somebody asked, somebody was refused, and somebody broke the glass."""
    made = Shard(tmp_path_factory.mktemp("decided"))
    _, plan_id = helped(made, 2, 4)
    glass = made.caller(professional="prof-9", authenticated_at=int(AT.timestamp()))
    made.run(made.question(plan_id))
    made.run(made.question(plan_id, caller=made.caller(professional="stranger")))
    made.run(made.question(plan_id, claim=GLASS, caller=glass, now=AT, bulk=False))
    made.close()
    return made.settings


def told(exchange: Shell, shard: Settings, *more: object) -> list[dict[str, Any]]:
    said = exchange("audit", "decisions", "--data", shard.data, "-o", "jsonl", *more)
    assert (said.code, said.err) == (0, "")
    return [json.loads(line) for line in said.out.splitlines()]


def test_each_filter_keeps_what_it_names(exchange: Shell, shard: Settings) -> None:
    every = told(exchange, shard)
    assert {row["outcome"] for row in every} >= {"PERMIT", "DENY", "PERMIT_BREAK_GLASS"}
    one = every[0]
    assert one["leaf_index"] == one["position"] - 1
    for option, name in (
        ("--organisation", "organisation"),
        ("--task", "task"),
        ("--legal-basis", "legal_basis"),
        ("--purpose", "purpose"),
        ("--outcome", "outcome"),
        ("--decision", "decision_id"),
        ("--from", "decide_time"),
    ):
        value = one[name].removesuffix("+00:00")
        found = told(exchange, shard, option, value)
        assert one in found
        if option != "--from":
            assert found == [row for row in every if row[name] == one[name]]
    for option, name in (("--rule", "rules"), ("--category", "categories")):
        for value in one[name]:
            assert told(exchange, shard, option, value) == [row for row in every if value in row[name]]
    assert told(exchange, shard, "--before", one["decide_time"].removesuffix("+00:00")) == []
    assert told(exchange, shard, "--emergency") == [row for row in every if row["emergency"]] != []
    assert told(exchange, shard, "--no-emergency") == [row for row in every if not row["emergency"]]
    pseudonym = one["resident_pseudonym"]
    assert told(exchange, shard, "--resident", pseudonym) == [
        row for row in every if row["resident_pseudonym"] == pseudonym
    ]
    assert told(exchange, shard, "--task", "nobody's") == []


def test_for_a_spreadsheet_as_one_list_or_for_the_eye(exchange: Shell, shard: Settings) -> None:
    every = told(exchange, shard)
    words = ("audit", "decisions", "--data", shard.data, "-o")
    rows = list(csv.DictReader(exchange(*words, "csv").out.splitlines()))
    assert [row["decision_id"] for row in rows] == [row["decision_id"] for row in every]
    assert json.loads(exchange(*words, "json").out) == every
    assert "position" in exchange(*words, "table").out


@pytest.mark.parametrize(
    "words", [("--resident", "somebody"), ("--outcome", "MAYBE"), ("--from", "yesterday"), ("-o", "xml")]
)
def test_what_no_decision_can_be_is_a_wrong_call(
    exchange: Shell, shard: Settings, words: tuple[str, str]
) -> None:
    said = exchange("audit", "decisions", "--data", shard.data, *words)
    assert (said.code, said.out) == (2, "")


def test_without_a_store_there_is_nothing_to_read(exchange: Shell) -> None:
    said = exchange("audit", "decisions", "--data", "nowhere")
    assert (said.code, said.out) == (2, "")
    assert not Path("nowhere").exists()
