"""`exchange identity evaluations`: who had how many BSNs evaluated, read from the files alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

from exchange.domain.evaluation import EVALUATION, CountEvaluation, day_key
from exchange.domain.kernel import stream_of
from exchange.domain.values import Author
from exchange.store.codec import Meta
from exchange.wiring.core import open_core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.domain.kernel import Event
    from exchange.pipeline.walk import View
    from exchange.settings import Settings
    from tests.cli.conftest import Shell

CARE = "00000003271543200000"
AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
CASE_ID = "c0000000-0000-4000-8000-000000000001"


def counting(stream: str, order: CountEvaluation, view: View) -> Sequence[tuple[str, Sequence[Event]]]:
    return ((stream, EVALUATION.decide(order, view.state(stream))),)


@pytest.fixture
def counted(shard: Settings) -> Settings:
    """A shard in which a provider asked twice on one day."""
    core = open_core(shard)
    stream = stream_of("evaluation", day_key(CARE, AT))
    meta = Meta(AT, CARE, "wmo-aanbieder", "z-1", "wmo-levering", "WMO-5.1.2@1", "", "", 0)
    try:
        for case_id, reason, elements in ((CASE_ID, "", 2), ("", "migration", 100)):
            order = CountEvaluation(
                now=AT,
                author=Author(CARE, "wmo-aanbieder", "z-1"),
                elements=elements,
                elements_per_day_max=10_000,
                case_id=case_id,
                reason=reason,
            )
            core.writer.record(partial(counting, stream, order), meta)
    finally:
        core.close()
    return shard


def test_a_day_of_an_organisation_is_told_with_its_cases_and_reasons(
    exchange: Shell, counted: Settings
) -> None:
    said = exchange("identity", "evaluations", "--data", counted.data, "-o", "jsonl")
    assert (said.code, said.err) == (0, "")
    assert [json.loads(line) for line in said.out.splitlines()] == [
        {
            "day": "2026-11-25",
            "organisation": CARE,
            "elements": 102,
            "calls": 2,
            "case_ids": [CASE_ID],
            "without_case": {"migration": 100},
            "share": 0.0102,
        }
    ]
    other = exchange("identity", "evaluations", "--data", counted.data, "--day", "2026-11-24", "-o", "json")
    assert json.loads(other.out) == []
    table = exchange("identity", "evaluations", "--data", counted.data)
    assert "1.0%" in table.out


def test_it_needs_no_key_and_names_a_folder_without_a_store(exchange: Shell, counted: Settings) -> None:
    (counted.keys_folder / "kek").unlink()
    assert exchange("identity", "evaluations", "--data", counted.data).code == 0
    nothing = exchange("identity", "evaluations", "--data", "nowhere")
    assert (nothing.code, nothing.out) == (2, "")
    assert "no service ran" in nothing.err
