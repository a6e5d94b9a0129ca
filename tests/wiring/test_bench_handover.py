"""The bulk import on a toy size: what it measures is there afterwards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from exchange.domain.plan.received import ElementsReceived
from exchange.server.contract.handover_parts import ELEMENTS_PER_PART
from exchange.wiring import bench_handover, bench_raw
from exchange.wiring.bench import Bench
from exchange.wiring.bench_handover import Turn, batch_vs_raw, batch_vs_raw_cpu, with_handover
from exchange.wiring.load.place import SQLITE

if TYPE_CHECKING:
    from pathlib import Path


def test_each_turn_brings_plans_in_and_writes_rows_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PLANS": 2, "PARTS": 3, "ROUNDS": 2}.items():
        monkeypatch.setattr(bench_handover, name, value)
    monkeypatch.setattr(bench_raw, "ROWS", 100)
    bench = Bench.open(tmp_path / "shard", 0)
    try:
        turns = bench.arrivals().measured(partial(SQLITE.rows, tmp_path / "raw"))
        rows = bench.core.reader.page(0, 1_000)
        brought = [row for row in rows if row.topic == ElementsReceived.TOPIC]
        assert len(brought) == (1 + 2) * 2 * 3
        (plan,) = {brought[-1].stream}
        assert len(bench.core.loader.load(plan).state.goals) == 3 * ELEMENTS_PER_PART
    finally:
        bench.core.close()
    assert len(turns) == 2
    assert min(batch_vs_raw(turns), batch_vs_raw_cpu(turns)) > 0


def test_the_ratios_are_medians_of_turns() -> None:
    turns = [Turn(10, 40, 100, 10), Turn(30, 20, 100, 10), Turn(20, 50, 40, 5)]
    assert batch_vs_raw(turns) == pytest.approx(0.3)
    assert batch_vs_raw_cpu(turns) == pytest.approx(0.25)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_report_tells_processor_time_where_all_of_it_is_ours(store: str) -> None:
    report = {"store": store, "baselines": {}, "results": {}, "ratios": {"full_groups_vs_raw": 0.2}}
    told = with_handover(report, [Turn(1_234.4, 40, 4_000.6, 10)])
    assert told["baselines"]["raw_rows_received"] == {"median": 4_001, "unit": "rows/s", "runs": [4_001]}
    assert told["results"]["received_events"] == {"median": 1_234, "unit": "events/s", "runs": [1_234]}
    cpu = {"batch_vs_raw_cpu": 0.25} if store == "sqlite" else {}
    assert told["ratios"] == {"full_groups_vs_raw": 0.2, "batch_vs_raw": 0.309} | cpu
