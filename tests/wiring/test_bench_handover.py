"""The bulk import on a toy size: what it measures is there afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.domain.plan.received import ElementsReceived
from exchange.server.contract.handover_parts import ELEMENTS_PER_PART
from exchange.wiring import bench_handover, bench_raw
from exchange.wiring.bench import Bench
from exchange.wiring.bench_handover import Arrivals, Turn, batch_vs_raw, batch_vs_raw_cpu

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
        arrivals = Arrivals(bench.core, bench._author(), bench._new_plan, bench._walk)
        turns = arrivals.measured(tmp_path)
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
