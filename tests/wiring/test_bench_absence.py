"""The statistic itself, on samples whose distance is known; and one short run."""

from __future__ import annotations

import pytest

from exchange.wiring.bench_absence import by_chance, distance, run_absence_bench


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.0),
        ([3.0, 1.0, 2.0], [2.0, 3.0, 1.0], 0.0),
        ([1.0, 2.0], [3.0, 4.0], 1.0),
        ([3.0, 4.0], [1.0, 2.0], 1.0),
        ([1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 5.0, 6.0], 0.5),
        ([1.0], [1.0, 2.0], 0.5),
        ([1.0, 1.0, 1.0, 2.0], [1.0, 2.0, 2.0, 2.0], 0.5),
    ],
)
def test_the_distance_of_two_samples(one: list[float], other: list[float], apart: float) -> None:
    assert distance(one, other) == apart
    assert distance(other, one) == apart


def test_an_empty_sample_has_no_distance() -> None:
    with pytest.raises(ValueError, match="empty"):
        distance([], [1.0])


def test_chance_shrinks_with_the_samples() -> None:
    # 1.358 * sqrt(2 / 50), as in the tables for two samples of fifty.
    assert by_chance(50, 50) == pytest.approx(0.2716)
    assert by_chance(2_000, 2_000) < by_chance(50, 50)


def test_a_short_run_reports_what_it_found() -> None:
    found = run_absence_bench(pairs=5)
    assert found["answers"] == 10
    assert 0 <= found["statistic"] <= 1
    assert found["told_apart"] is (found["statistic"] > found["by_chance_5_percent"])
    assert min(found["sealed_us"], found["absent_us"]) > 0
