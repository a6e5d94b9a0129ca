"""`exchange retention due`: of whom every term has ended, and an exit code a script can act on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from exchange.settings import Settings
    from tests.cli.conftest import Shell

LONG_AFTER, BEFORE = "2060-01-01", "2030-01-01"


def test_it_lists_who_is_due_and_says_so_by_its_exit_code(exchange: Shell, shard: Settings) -> None:
    due = exchange("retention", "due", "--data", shard.data, "--until", LONG_AFTER, "-o", "jsonl")
    assert (due.code, due.err) == (1, "")
    rows = [json.loads(line) for line in due.out.splitlines()]
    assert rows
    assert all(row["cases"] and row["ended"] < LONG_AFTER and row["laws"] for row in rows)
    whole = exchange("retention", "due", "--data", shard.data, "--until", LONG_AFTER, "-o", "json")
    assert json.loads(whole.out) == rows
    table = exchange("retention", "due", "--data", shard.data, "--until", LONG_AFTER)
    assert (table.code, "laws" in table.out) == (1, True)


def test_while_everything_is_within_its_term_nobody_is_due(exchange: Shell, shard: Settings) -> None:
    for more in ((), ("--until", BEFORE)):
        none = exchange("retention", "due", "--data", shard.data, "-o", "jsonl", *more)
        assert (none.code, none.out, none.err) == (0, "", "")


@pytest.mark.parametrize("until", ["tomorrow", "2041-02-30", "2041-03-02T10:00"])
def test_a_day_is_a_day(exchange: Shell, shard: Settings, until: str) -> None:
    assert exchange("retention", "due", "--data", shard.data, "--until", until).code == 2


def test_without_a_store_it_is_a_wrong_call(exchange: Shell) -> None:
    nothing = exchange("retention", "due", "--data", "nowhere")
    assert (nothing.code, nothing.out) == (2, "")
    assert "no service ran" in nothing.err
