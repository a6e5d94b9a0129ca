"""No statement by which duties are followed reads all of them, however many there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from exchange.projections import obligations
from exchange.projections.obligations import ObligationList

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATEMENTS = {
    name: text
    for name, text in vars(obligations).items()
    if isinstance(text, str) and re.match(r"\s*(SELECT|UPDATE|INSERT)\b", text)
}


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[ObligationList]:
    listed = ObligationList(tmp_path, lambda _basis, _version: None)
    yield listed
    listed.database.close()


def plan(listed: ObligationList, statement: str) -> list[str]:
    with listed.database.reading() as c:
        steps = c.execute(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?"))
        return [step for *_, step in steps]


def test_each_statement_that_follows_finds_its_rows_by_an_index(listed: ObligationList) -> None:
    found = {name: plan(listed, text) for name, text in STATEMENTS.items()}
    assert {"_NOT_TOLD", "_EXECUTE", "_WAITS", "_INFORMED"} <= found.keys()
    assert [name for name, steps in found.items() if any(step.startswith("SCAN") for step in steps)] == []


def test_a_statement_that_reads_all_is_seen(listed: ObligationList) -> None:
    # The index holds what was told of only: a statement that does not say so cannot use it.
    (step,) = plan(listed, "UPDATE obligations SET outcome = '' WHERE told_in = ?")
    assert step.startswith("SCAN")
